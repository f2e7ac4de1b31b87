"""The small network that names parts: learnt once on a pack's labels, and kept beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation.factor_lessons import BATCH, Lessons
from purrtrait.evaluation.features import FOLDER, Report, keeping, reduced
from purrtrait.files import replacing
from purrtrait.images.resize import to_images
from purrtrait.networks.blocks import channels_last
from purrtrait.types import Draw, Images

log = logging.getLogger(__name__)

SCHEMA = 4  # of the files, and of all the numbers below: with another one it is learnt anew
WIDTHS = (32, 64, 128)
LARGEST = 32  # pixels: larger pictures are averaged down, which loses no part
PICTURES = 72_000  # of that size that it learns from, with repetition; of half the size twice that
ROUNDS = 20  # times that it sees a picture at the most: a small pack is soon done with
RATE = 3e-3
SURE = 0.5  # probability from which on a picture shows a value clearly
RISE = 0.15  # of the time in which the learning rate rises, before it falls as a cosine


@dataclass(frozen=True)
class Skill:
    """How well a part is named on held-out pictures.

    ``accuracy`` is the share of them in which its likeliest value is the right one, and ``clear``
    that in which this has a probability of at least ``SURE``, rightly or not.
    """

    accuracy: float
    clear: float


class FactorNetwork(nn.Module):
    """Convolutions that halve the side, and for each part a linear head over all that they see.

    ``values`` counts the values of each part; ``size`` is the side of the pictures in pixels.
    """

    def __init__(self, values: Sequence[int], size: int, channels: int) -> None:
        super().__init__()
        self.values = tuple(values)
        self.size = size
        self.channels = channels
        layers: list[nn.Module] = []
        maps, side = channels, size
        for width in WIDTHS:
            kernel, stride = (4, 2) if side >= 8 else (3, 1)
            layers += [
                nn.Conv2d(maps, width, kernel, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            maps, side = width, side // stride
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.heads = nn.ModuleList(nn.Linear(maps * side * side, count) for count in values)

    def forward(self, images: Images) -> list[Tensor]:
        """Logits (B, values) of each part, of images (B, C, size, size)."""
        seen = self.trunk(images)
        return [head(seen) for head in self.heads]

    @torch.no_grad()
    def named(self, pixels: np.ndarray) -> list[Tensor]:
        """Probabilities (N, values) of each part, of pixels (N, H, W, C) uint8, H at least size."""
        found: list[list[Tensor]] = [[torch.empty(0, count)] for count in self.values]
        for start in range(0, len(pixels), BATCH):
            logits = self(to_images(reduced(pixels[start : start + BATCH], self.size)))
            for parts, part in zip(found, logits, strict=True):
                parts.append(part.softmax(1))
        return [torch.cat(parts) for parts in found]


def untaught(pack: Pack, size: int) -> FactorNetwork:
    """The network as it starts, always with the same weights; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Draw(0, "namer", 0).key("weights") % 2**63)
        values = list(pack.manifest.labels.values())
        return channels_last(FactorNetwork(values, size, pack.channels))


def learnt(pack: Pack, size: int, report: Report) -> tuple[FactorNetwork, list[Skill]]:
    """The network for a pack at ``size`` pixels, and its skill on held-out pictures, by part.

    It is learnt on the training pictures, kept in the pack's folder and read from there the next
    time. What is damaged, or of another version or pack, is learnt again and takes its place.
    """
    network = untaught(pack, size)
    identity = {"schema": SCHEMA, "pack": pack.content_hash, "size": size}
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    path = pack.path / FOLDER / f"namer-{key}.safetensors"
    skill = _read(network, path, identity)
    if skill is None:
        _learn(network, pack, report)
        network.eval().requires_grad_(False)
        skill = _skill(network, pack)
        with keeping(pack):
            _write(network, path, {**identity, "skill": [asdict(part) for part in skill]})
    return network.eval().requires_grad_(False), skill


def _learn(network: FactorNetwork, pack: Pack, report: Report) -> None:
    """Go down the sum of the parts' cross-entropies with Adam, its rate one rise and one fall."""
    lessons = Lessons(pack, network.size)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    # Smaller pictures show less at once, but cost less as well.
    pictures = min(PICTURES * LARGEST // network.size, ROUNDS * len(pack.rows(TRAIN)))
    steps = math.ceil(pictures / BATCH)
    network.train()
    for step in range(steps):
        images, targets = lessons.batch(step)
        losses = map(cross_entropy, network(images), targets)
        optimiser.zero_grad()
        torch.stack(list(losses)).sum().backward()
        optimiser.param_groups[0]["lr"] = RATE * _share(step / steps)
        optimiser.step()
        report(step + 1, steps)


def _share(done: float) -> float:
    """How much of the learning rate there is after a share of the steps."""
    if done < RISE:
        return 0.05 + 0.95 * done / RISE
    return 0.5 * (1 + math.cos(math.pi * (done - RISE) / (1 - RISE)))


def _skill(network: FactorNetwork, pack: Pack) -> list[Skill]:
    rows = pack.rows(HELD_OUT)
    labels = torch.from_numpy(pack.labels[rows].astype(np.int64))
    found = []
    for column, named in enumerate(network.named(pack.images[rows])):
        sure, value = named.max(1)
        right, clear = value == labels[:, column], sure >= SURE
        count = max(1, len(rows))
        found.append(Skill(int(right.sum()) / count, int(clear.sum()) / count))
    return found


def _write(network: FactorNetwork, path: Path, facts: dict[str, Any]) -> None:
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(state))  # an OSError where it cannot, and open to other users
        facts = {**facts, "weights_sha256": _digest(temporary)}
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _read(network: FactorNetwork, path: Path, identity: dict[str, Any]) -> list[Skill] | None:
    """Its skill, the network filled with its weights; None where there is nothing sound."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if facts.pop("weights_sha256") != _digest(path):
            return None
        skill = [Skill(**part) for part in facts.pop("skill")]
        if facts != identity or len(skill) != len(network.heads):
            return None
        network.load_state_dict(load_file(path))
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        SafetensorError,
        RuntimeError,
    ):
        return None
    return skill


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
