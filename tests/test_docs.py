"""The documentation is held to the code: generated pages are fresh, and nothing is left out."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import purrtrait
from purrtrait import cli, config
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


def _commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    match command:
        case click.Group():
            for name, below in command.commands.items():
                yield from _commands(below, f"{path} {name}".strip())
        case _:
            yield path, command


@pytest.mark.parametrize(("name", "command"), list(_commands(cli.main)))
def test_every_command_and_option_is_on_its_page(name: str, command: click.Command) -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/cli.md has no section '{name}'"
    said = set(re.findall(r"^\| `(--[a-z-]+(?:/--[a-z-]+)?)[ `]", section[1], re.MULTILINE))
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert said == {"/".join([*p.opts, *p.secondary_opts]) for p in options}


def test_every_public_name_is_on_its_page() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)(?:\(.*?\))?` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(purrtrait.__all__)


def test_the_readme_lists_the_recipes() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    assert set(rows) == set(config.shipped())


def test_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


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
