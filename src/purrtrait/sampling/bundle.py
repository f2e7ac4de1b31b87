"""Bundles: a trained sampler as model.safetensors, sampler.json and a model card, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from purrtrait.files import reason, replacing
from purrtrait.networks import GENERATORS, RETOUCHERS
from purrtrait.networks.blocks import channels_last
from purrtrait.networks.chain import Chain
from purrtrait.sampling import LEVELS
from purrtrait.types import Generator, Level, Sampler

SCHEMA = 1
MODEL = "model.safetensors"
DESCRIPTION = "sampler.json"
CARD = "README.md"
SAID = ("recipe", "version", "latent_size", "prior", "size", "channels", "pack", "credit")
FULL = "full"


def _whole(weights: Tensor) -> Tensor:
    return weights


def _half(weights: Tensor) -> Tensor:
    """Matrices and filters as float16; vectors stay, being few, and statistics have wide ranges."""
    if weights.dim() < 2 or not weights.is_floating_point():
        return weights
    halved = weights.half()
    if not halved.isfinite().all():
        raise ValueError(
            f"a weight of {float(weights.abs().max()):.3g} does not fit into half precision, which "
            "ends at 65504; keep this model in full precision"
        )
    return halved


# How weights are kept on disk; whatever is there is loaded as float32.
PRECISIONS: dict[str, Callable[[Tensor], Tensor]] = {FULL: _whole, "half": _half}


def build(described: Mapping[str, Any]) -> Generator:
    """A generator from its name and options in sampler.json; ValueError if it is unknown."""
    made: Generator = _made("generator", GENERATORS, described)
    return made


def _made(kind: str, table: Mapping[str, Callable[..., Any]], described: Mapping[str, Any]) -> Any:
    name = described["name"]
    if name not in table:
        raise ValueError(
            f"the bundle holds a {kind} '{name}', which this version does not know (it knows "
            f"{', '.join(table)}); install the version that wrote it or a later one"
        )
    return table[name](**described["options"])


def describe(path: Path) -> dict[str, Any]:
    """What sampler.json in a bundle or checkpoint says; ValueError if that cannot be read."""
    try:
        said: dict[str, Any] = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        schema = int(said["schema"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path} is neither a bundle nor a checkpoint: {DESCRIPTION} cannot be read "
            f"({reason(error)})"
        ) from None
    if schema > SCHEMA:
        raise ValueError(
            f"{path} has schema {schema}, written by purrtrait {said.get('version', '?')}; this "
            f"version reads up to {SCHEMA}. Install that version or a later one"
        )
    return said


def load(
    path: Path,
    device: torch.device = torch.device("cpu"),
    members: int | None = None,
    until: int | None = None,
) -> Sampler:
    """The sampler of a bundle or checkpoint folder, as ``pyramid`` makes it, whole or in part."""
    return pyramid(path, device, members, until)[-1]


def verify(path: Path) -> None:
    """ValueError unless a bundle holds all that it should, and draws what it says."""
    said, sampler = describe(path), load(path)
    if missing := [name for name in SAID if name not in said]:
        raise ValueError(f"{path / DESCRIPTION} does not say its {', '.join(missing)}")
    z = torch.zeros(1, sampler.latent_size)
    _, channels, high, _ = sampler(z).shape
    found = {
        "latent_size": sampler.latent_size,
        "prior": sampler.prior,
        "size": high,
        "channels": channels,
    }
    for name, value in found.items():
        if said[name] != value:
            raise ValueError(
                f"{path / DESCRIPTION} says {name} {said[name]!r}, but what it describes has "
                f"{value!r}: the file is damaged"
            )


def pyramid(
    path: Path, device: torch.device, members: int | None = None, until: int | None = None
) -> list[Sampler]:
    """The samplers of a bundle or checkpoint folder, stage on stage, in evaluation mode.

    ``members`` says how many of the generators that were trained in a chain draw (None: all), and
    ``until`` the size in pixels of the last stage (None: all stages). Weights are channels-last.
    """
    said = describe(path)
    try:
        weights = load_file(path / MODEL)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path / MODEL} cannot be read as safetensors: {error}") from None
    try:
        stages = _until(said["stages"], until)
        with torch.random.fork_rng(devices=[]):  # whose numbers networks begin with
            made = samplers(stages, weights, device, members)
    except (KeyError, TypeError, AttributeError) as error:
        raise no_sampler(path, error) from None
    if not made:
        raise ValueError(
            f"{path} holds no stage that draws portraits; train on with `purrtrait resume`, or "
            "name a later checkpoint"
        )
    return made


def no_sampler(path: Path, error: Exception) -> ValueError:
    """What is to be said where sampler.json lacks something."""
    return ValueError(
        f"{path / DESCRIPTION} does not describe a sampler ({reason(error)}); it is damaged, or "
        "was written by another version"
    )


def _until(stages: Sequence[Mapping[str, Any]], size: int | None) -> Sequence[Mapping[str, Any]]:
    """The stages up to the first that draws portraits of a size; ValueError if none does."""
    sizes = [_level(stage).size for stage in stages]
    if size is None:
        return stages
    if size not in sizes:
        known = ", ".join(map(str, sizes))
        raise ValueError(f"no stage draws portraits of {size} px; expected one of {known}")
    return stages[: sizes.index(size) + 1]


def join(
    stages: Sequence[Mapping[str, Any]],
    weights: Mapping[str, torch.Tensor],
    device: torch.device,
    members: int | None = None,
) -> Sampler | None:
    """The sampler of the pyramid that these stages make, one on top of the other; None for none."""
    return next(reversed(samplers(stages, weights, device, members)), None)


def samplers(
    stages: Sequence[Mapping[str, Any]],
    weights: Mapping[str, torch.Tensor],
    device: torch.device,
    members: int | None = None,
) -> list[Sampler]:
    """The samplers of the pyramid up to each of these stages.

    ``members`` of the lowest stage's generators draw, if they were trained in a chain (None: all).
    """
    made: list[Sampler] = []
    for stage in stages:
        drawer = _drawer(stage, weights, None if made else members)
        channels_last(drawer.to(device)).eval().requires_grad_(False)
        made.append(_level(stage).join(drawer, made[-1] if made else None))
    return made


def _level(stage: Mapping[str, Any]) -> Level:
    return LEVELS[stage["level"]["name"]](**stage["level"]["options"])


def _drawer(
    stage: Mapping[str, Any], weights: Mapping[str, torch.Tensor], members: int | None
) -> Generator:
    """What draws in a stage, with its weights: a generator, or the first members of a chain."""
    generator = build(stage["drawer"])
    others = [_made("retoucher", RETOUCHERS, one) for one in stage.get("retouchers", ())]
    if members is not None and members > 1 + len(others):
        raise ValueError(
            f"generator {members} of a chain is asked for, but stage '{stage['name']}' has only "
            f"{1 + len(others)}; name one that it has, or none for all"
        )
    whole = Chain(generator, others) if others else generator
    fill(whole, weights, stage["prefix"])
    return whole if members is None else Chain(generator, others[: members - 1])


def fill(module: nn.Module, weights: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Copy the weights under a prefix into a module; ValueError if they do not fit."""
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {MODEL} do not fit what {DESCRIPTION} describes: "
            f"{str(error).splitlines()[0]}"
        ) from None


def write(path: Path, checkpoint: Path, card: str, precision: str = FULL) -> None:
    """Make a bundle of a checkpoint: its averaged weights, its description and a model card.

    ``precision`` is a name in ``PRECISIONS``; ValueError if the weights do not fit into it.
    """
    path.mkdir(parents=True, exist_ok=True)
    (path / CARD).unlink(missing_ok=True)  # until all the rest is there
    kept = PRECISIONS[precision]
    weights = {name: kept(value) for name, value in load_file(checkpoint / MODEL).items()}
    with replacing(path / MODEL) as temporary:
        temporary.write_bytes(save(weights))  # save_file would close it to other users
    with replacing(path / DESCRIPTION) as temporary:
        temporary.write_bytes((checkpoint / DESCRIPTION).read_bytes())
    with replacing(path / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
