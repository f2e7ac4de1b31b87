"""What every test shares: one thread, tiny packs, tiny recipes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import purrtrait
from purrtrait.datasets.pack import Pack

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test write beside another's files."""
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture(scope="session", autouse=True)
def _in_no_hurry_for_the_disk() -> Iterator[None]:
    """Let what is flushed stay in memory: nobody pulls a test's plug, and most would wait for it.

    A handle that is none is an error all the same. Whoever tests the flushing replaces this.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session")
def kittens(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Ninety-six kittens of 16 px, of which 80 are for training."""
    out = tmp_path_factory.mktemp("packs") / "kittens-16"
    return purrtrait.prepare("kittens", out=out, size=16, count=96, split=1 / 6)


@pytest.fixture(scope="session")
def grey_kittens(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Forty-eight grey kittens of 16 px."""
    out = tmp_path_factory.mktemp("packs") / "kittens-16-grey"
    return purrtrait.prepare("kittens", out=out, size=16, count=48, grey=True)
