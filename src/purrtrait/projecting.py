"""Projects photos: finds the latents of which a generator redraws them best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from purrtrait.datasets.photo import Unreadable, decode
from purrtrait.encoding import Encode
from purrtrait.evaluation import efficientnet
from purrtrait.evaluation.efficientnet import EfficientNetLite0
from purrtrait.evaluation.reference import Report, heard, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.resize import HALF, fit, to_images
from purrtrait.model import DRAWN_AT_ONCE, Model
from purrtrait.sampling.latents import converted
from purrtrait.sampling.redraw import descended, traced
from purrtrait.types import Features, Images, Latents
from purrtrait.walking import is_portrait, row

TRIES = 256  # random portraits, the best of which the search starts from
STEPS = 200
KEPT = 4  # that go down at once
UNLIKELY = 0.1  # what a latent of usual length costs beside the distances of a random portrait
SMALLEST = 128  # pixels: pictures are shown at least as large


@dataclass(frozen=True)
class Projection:
    """The latent (1, Z) of a photo, and the portrait (H, W, C) uint8 that it draws.

    ``start`` is the random portrait that was most like the photo; ``distances`` are Euclidean,
    between EfficientNet-Lite0's features of the photo and of each.
    """

    latent: Latents
    photo: np.ndarray
    start: np.ndarray
    portrait: np.ndarray
    distances: dict[str, float]


def photo(path: Path, model: Model) -> np.ndarray:
    """The middle square of a photo, as large as the model's portraits: (H, W, C) uint8."""
    try:
        pixels = fit(decode(path), int(model.about["size"]))
    except Unreadable as error:
        raise ValueError(f"the photo {path} cannot be used: {error.reason}") from None
    return grey(pixels) if model.about["channels"] == 1 else pixels


def project(
    model: Model,
    pixels: np.ndarray,
    tries: int = TRIES,
    steps: int = STEPS,
    seed: int = 0,
    report: Report = silent,
    encode: Encode | None = None,
) -> Projection:
    """The latent of which a model best redraws a photo (H, W, C) uint8.

    The search starts from the best of ``tries`` random portraits, and from what an encoder says
    where there is one, and goes down the distance: squares of pixels and of EfficientNet-Lite0's
    features, each in units of that of a random portrait, with the prior of the latents.
    ValueError for a sampler through which no gradient can be followed.
    """
    search = _Search(model, to_images(pixels[None]).to(model.device))
    z, own = model.latents(tries, seed), model.sampler.prior
    scales, order = search.ranked(z, report)
    starts = z[order[:KEPT]]
    if encode is not None:
        starts = torch.cat([starts, encode(search.photo).cpu()])
    # As normal numbers, so that one prior serves both and uniform ones never leave their range.
    found, costs = descended(
        lambda rows: search.cost(rows, scales),
        converted(starts, own, "normal"),
        steps,
        heard(report, "descent"),
    )
    best = converted(found[costs.argmin()][None], "normal", own)
    start, portrait = model.draw(z[order[:1]])[0], model.draw(best)[0]
    features = EfficientNetLite0()(np.stack([pixels, start, portrait]))
    away = (features[1:] - features[0]).norm(dim=1).tolist()
    return Projection(best, pixels, start, portrait, {"start": away[0], "portrait": away[1]})


def end(
    model: Model,
    text: str,
    encode: Encode | None,
    report: Report,
    temperature: float = 1.0,
    truncation: float = math.inf,
) -> tuple[Latents, list[np.ndarray]]:
    """Where an interpolation begins or ends: the latent (1, Z), and the photo if it is one.

    ``text`` is a portrait, such as 7 or 7:12, or the path of a photo. A photo's latent is what the
    encoder says, or what ``project`` finds where there is none.
    """
    if is_portrait(text):
        return row(model, text, temperature, truncation), []
    pixels = photo(Path(text), model)
    if encode is None:
        return project(model, pixels, report=report).latent, [pixels]
    return encode(to_images(pixels[None]).to(model.device)).cpu(), [pixels]


def write(made: Projection, out: Path) -> dict[str, Path]:
    """Write the photo beside the best random portrait and its redrawing, and the latent (1, Z)."""
    files = {"pictures": out / "projected.png", "latent": out / "latent.npy"}
    columns = {"photo": made.photo, "start": made.start, "redrawn": made.portrait}
    scale = sheet.enlargement(made.photo.shape[1], SMALLEST)
    large = {title: sheet.upscale(one[None], scale) for title, one in columns.items()}
    sheet.write_png(files["pictures"], sheet.panel(large))
    with replacing(files["latent"]) as temporary, temporary.open("wb") as file:
        np.save(file, made.latent.numpy(), allow_pickle=False)
    return files


class _Search:
    """Knows how far portraits are from one photo (1, C, S, S)."""

    def __init__(self, model: Model, photo: Images) -> None:
        self.model = model
        self.photo = photo
        self.network = EfficientNetLite0().network
        self.wanted = self.features(photo)

    def features(self, images: Images) -> Features:
        """What the extractor sees in portraits, with their graph."""
        levels = ((images.cpu() + 1) * HALF).expand(-1, 3, -1, -1)
        larger = max(levels.shape[-2:]) > efficientnet.SIZE
        size = (efficientnet.SIZE, efficientnet.SIZE)
        fitted = interpolate(levels, size, mode="bicubic", antialias=larger)
        seen: Features = self.network((fitted - efficientnet.MIDDLE) / efficientnet.SPREAD)
        return seen

    def seen(self, z: Latents) -> Tensor:
        """Mean squares of pixels and of features between the photo and each portrait: (B, 2)."""
        drawn = traced(self.model.sampler, z.to(self.model.device))
        pixels = (drawn - self.photo).square().flatten(1).mean(1).cpu()
        return torch.stack([pixels, (self.features(drawn) - self.wanted).square().mean(1)], 1)

    def cost(self, rows: Latents, scales: Tensor) -> Tensor:
        """What the descent goes down, (B,), of latents as normal numbers (B, Z)."""
        z = converted(rows, "normal", self.model.sampler.prior)
        return (self.seen(z) / scales).sum(1) + UNLIKELY * rows.square().mean(1)

    @torch.no_grad()
    def ranked(self, z: Latents, report: Report) -> tuple[Tensor, Tensor]:
        """What is usual of pixels and features (2,), and the rows of latents (N, Z), best first."""
        found: list[Tensor] = []
        for some in z.split(DRAWN_AT_ONCE):
            found.append(self.seen(some))
            report("random portraits", sum(map(len, found)), len(z))
        squares = torch.cat(found)  # (N, 2)
        scales = squares.median(0).values.clamp_min(1e-12)
        return scales, (squares / scales).sum(1).argsort()
