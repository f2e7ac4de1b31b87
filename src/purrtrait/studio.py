"""What the command line shows of models and folders: sheets of portraits, and descriptions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from purrtrait import config, shelf, wrapping
from purrtrait.assemble import restored
from purrtrait.assemble.restored import NO_DENOISER, Denoiser
from purrtrait.datasets import manifest
from purrtrait.datasets.pack import Pack
from purrtrait.images import sheet
from purrtrait.model import Model
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs

COLUMNS = 8  # portraits in a strip of one temperature


def place(out: Path | None, name: str) -> Path:
    """An empty folder for portraits: the one asked for, or a new one samples/NAME-JJ."""
    if out is None:
        return runs.create(Path("samples"), name).path
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(
            f"{out} is there and not empty; nothing is overwritten, choose another --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {out} cannot be made ({error.strerror})") from None
    return out


@contextmanager
def placed(out: Path | None, name: str) -> Iterator[Path]:
    """The folder of ``place``; one that was made here and is still empty goes when work fails."""
    known = out is not None and out.exists()
    folder = place(out, name)
    try:
        yield folder
    except BaseException:
        if not known:
            with suppress(OSError):  # it holds something by now
                folder.rmdir()
        raise


def opened(folder: Path, device: torch.device, members: int | None, until: int | None) -> Model:
    """The sampler in a folder, whole or in part: ``members`` and ``until`` as in a bundle."""
    sampler = bundle.load(folder, device, members, until)
    return Model(sampler, bundle.describe(folder), device)


def draw(
    model: Model,
    out: Path,
    count: int,
    seed: int,
    temperature: float = 1.0,
    truncation: float = math.inf,
    temperatures: Sequence[float] = (),
    scale: int = 1,
) -> dict[str, Path]:
    """Write single portraits and their grid, and a strip with a row for each temperature.

    In the grid every pixel is drawn ``scale`` times as wide and high.
    """
    portraits = model.sample(count, seed=seed, temperature=temperature, truncation=truncation)
    digits = len(str(count - 1))
    for number, portrait in enumerate(portraits):
        sheet.write_png(out / f"portrait-{number:0{digits}d}.png", portrait)
    made = {"folder": out, "grid": out / "grid.png"}
    sheet.write_png(made["grid"], sheet.grid(portraits, scale=scale))
    if temperatures:
        made["strip"] = out / "temperatures.png"
        columns = min(count, COLUMNS)
        rows = [_row(model, columns, seed, warmth, truncation) for warmth in temperatures]
        sheet.write_png(made["strip"], np.concatenate(rows))
    return made


def denoiser(run: str | None, model: Model) -> Denoiser:
    """The denoiser of a run, if one is named; ValueError unless it cleans what the model draws."""
    if not run:
        return NO_DENOISER
    size, channels = int(model.about["size"]), int(model.about["channels"])
    return restored.denoiser(Path(run), [size], channels, model.device)


def cleaned(
    model: Model,
    out: Path,
    count: int,
    denoiser: Denoiser,
    seed: int,
    temperature: float = 1.0,
    truncation: float = math.inf,
    scale: int = 1,
) -> dict[str, Path]:
    """Write grids of the same portraits, cleaned once, and again by each further network."""
    portraits = model.sample(count, seed=seed, temperature=temperature, truncation=truncation)
    made: dict[str, Path] = {}
    for number, clean in enumerate(denoiser.cleaned(portraits), 1):
        made[f"cleaned {number}"] = out / f"grid-cleaned-{number}.png"
        sheet.write_png(made[f"cleaned {number}"], sheet.grid(clean, scale=scale))
    return made


def _row(
    model: Model, columns: int, seed: int, temperature: float, truncation: float
) -> np.ndarray:
    portraits = model.sample(columns, seed=seed, temperature=temperature, truncation=truncation)
    size = portraits.shape[1]
    row = sheet.grid(portraits, columns, scale=max(1, 64 // size))
    return sheet.captioned(row, f"temperature {temperature:g}")


def inspect(path: Path) -> dict[str, Any]:
    """What a pack, run, checkpoint or bundle is; the last may be named."""
    path = shelf.found(path)
    if (path / manifest.FILE).is_file():
        return _pack(Pack.open(path))
    if (path / runs.REQUEST).is_file():
        return _run(runs.Run(path))
    if (path / checkpoint.FACTS).is_file():
        return _checkpoint(checkpoint.read(path))
    if (path / bundle.DESCRIPTION).is_file():
        return {"kind": "bundle", "recipe": bundle.describe(path).get("recipe"), **_described(path)}
    there = "a folder with none of them" if path.is_dir() else "no such folder"
    raise ValueError(
        f"{path}: found {there}; expected a pack, run, checkpoint or bundle{shelf.hint(path)}"
    )


def _pack(pack: Pack) -> dict[str, Any]:
    return {
        "kind": "pack",
        "pictures": len(pack.images),
        "train": len(pack.rows("train")),
        "held_out": len(pack.rows("held-out")),
        "size": pack.size,
        "channels": pack.channels,
        "labels": dict(pack.manifest.labels),
        "flip_natural": pack.flip_natural,
        "quarantined": len(pack.manifest.quarantined),
        "content": pack.content_hash,
        "credit": pack.manifest.credit,
        "made": dict(pack.manifest.order),
    }


def _run(run: runs.Run) -> dict[str, Any]:
    recipe = config.read(run.path / runs.RECIPE)
    last, best, asked = run.latest(), run.best(), run.request()
    found = run.latest_of_each()
    facts: dict[str, Any] = {
        "kind": "run",
        "recipe": f"{recipe.name}: {recipe.summary}",
        "budgets": {stage.name: stage.budget for stage in recipe.stages},
        "trained": {name: one.images_seen for name, one in found.items()},
        "stale": wrapping.stale(run),
        "data": asked["data"],
        "seed": asked["seed"],
        "device": asked["device"],
        "threads": asked["threads"],
        "checkpoints": [found.name for found in run.found()],
        "best": best.path.name if best else "not known: none was scored",
    }
    return facts | (_checkpoint(last) | {"kind": "run"} if last else {})


def _checkpoint(found: checkpoint.Checkpoint) -> dict[str, Any]:
    now = found.facts["now"]
    return {
        "kind": "checkpoint",
        "stage": found.stage,
        "images_seen": now["images_seen"],
        "steps": now["steps"],
        "moves": now["moves"],
        "scores": {**now["scores"], **found.facts.get("scored", {})},
        "parameters": _parameters(found),
        **_described(found.path),
    }


def _parameters(found: checkpoint.Checkpoint) -> dict[str, int]:
    """How many parameters each player has."""
    counts: dict[str, int] = {}
    for name, tensor in found.training().items():
        kind, player, *_ = name.split("/")
        if kind == "player" and "running_" not in name and "num_batches" not in name:
            counts[player] = counts.get(player, 0) + tensor.numel()
    return counts


def _described(path: Path) -> dict[str, Any]:
    said = bundle.describe(path)
    try:
        drawers = {s["name"]: [s["drawer"]["name"], s["drawer"]["options"]] for s in said["stages"]}
        return {
            "size": said["size"],
            "channels": said["channels"],
            "latent_size": said["latent_size"],
            "prior": said["prior"],
            "drawers": drawers,
            "written_by": f"purrtrait {said['version']}",
            "credit": said["credit"],
        }
    except (KeyError, TypeError) as error:
        raise bundle.no_sampler(path, error) from None
