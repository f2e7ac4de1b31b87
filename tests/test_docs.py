"""The documentation is held to the code: generated pages are fresh, and nothing is left out."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from purrtrait import config
from purrtrait.training.record import SCORES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FRESHEN = "write it anew with `python docs/generate.py`"


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return _generate()


@pytest.mark.parametrize("name", ["recipes.md", "scores.md"])
def test_generated_pages_are_fresh(generate: ModuleType, name: str) -> None:
    pages = {path.name: text for path, text in generate.pages().items()}
    assert (DOCS / name).read_text("utf-8") == pages[name], f"docs/{name} is stale: {FRESHEN}"


def test_every_generated_page_is_tested(generate: ModuleType) -> None:
    assert {path.name for path in generate.pages()} == {"recipes.md", "scores.md"}


def test_every_recipe_is_shown() -> None:
    text = (DOCS / "recipes.md").read_text("utf-8")
    for name in config.shipped():
        assert f"\n## {name}\n" in text


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_explained(name: str) -> None:
    assert f"| `{name}` | {SCORES[name]} |" in (DOCS / "scores.md").read_text("utf-8")


def test_every_room_is_on_the_map() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    house = ROOT / "src" / "purrtrait"
    rooms = {path.stem for path in house.glob("*.py")} - {"__init__"}
    rooms |= {path.name for path in house.iterdir() if any(path.glob("*.*")) and path.is_dir()}
    missing = sorted(room for room in rooms - {"__pycache__"} if f"`{room}`" not in text)
    assert not missing, f"docs/architecture.md says nothing of {', '.join(missing)}"


# The options of the command line are held to docs/cli.md here, once that page is written.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (64, "64"),
        (2_000_000, "2_000_000"),
        (5e-05, "5e-05"),
        (float("inf"), "inf"),
        ("relu", "relu"),
        ([0.5, 0.999], "[0.5, 0.999]"),
        ({"name": "bursts", "usual": 5.0}, '{ name = "bursts", usual = 5 }'),
    ],
)
def test_values_are_short(generate: ModuleType, value: object, text: str) -> None:
    assert generate.toml(value) == text


def test_a_bar_does_not_end_a_cell(generate: ModuleType) -> None:
    assert generate.cell("a | b <i>") == r"a \| b &lt;i>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_the_site_builds_strictly(site: Path) -> None:
    for page in ("index.html", "recipes/index.html", "architecture/index.html"):
        assert (site / page).is_file()
    assert not (site / "generate.py").exists()


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded = re.findall(r'(?:src|<link[^>]+href)="(https?:)?//[^"]*"', text)
        assert not loaded, f"{page.relative_to(site)} loads from elsewhere"
