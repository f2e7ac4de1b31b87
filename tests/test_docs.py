"""The documentation is held to the code: generated pages are fresh, and nothing is left out."""

from __future__ import annotations

import importlib.util
import json
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
from purrtrait.evaluation import METRICS
from purrtrait.evaluation.metric import MEANINGS
from purrtrait.training.record import SCORES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FRESHEN = "write it anew with `python docs/generate.py`"


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return _generate()


def test_generated_pages_are_fresh(generate: ModuleType) -> None:
    pages = generate.pages()
    assert {"recipes.md", "scores.md"} <= {path.name for path in pages}
    for path, text in pages.items():
        assert path.read_text("utf-8") == text, f"docs/{path.name} is stale: {FRESHEN}"


def board(seeds: dict[str, dict[int, float]], **facts: str) -> str:
    """A leaderboard.json with the Frechet distance of each seed of each recipe."""
    said = dict.fromkeys(["budget of each training", "pack", "pictures", "scored by"], "the same")
    said["machine"] = "a processor"
    entries = [
        {
            "recipe": name,
            "images": 1000,
            "gflop_per_image": 0.25,
            "parameters": {"generator": 30, "critic": 20},
            "trainings": [
                {
                    "seed": seed,
                    "seconds": distance,
                    "images_seen": 1000,
                    "peak_memory_bytes": seed * 10**8,
                    "scores": {
                        "frechet": distance,
                        "precision": 0.5,
                        "recall": 0.25,
                        "coverage": 1.0,
                        "diversity": 0.875,
                        "copied": 0.01,
                        "modes/body": 10.0 + seed,
                    },
                }
                for seed, distance in distances.items()
            ],
        }
        for name, distances in seeds.items()
    ]
    return json.dumps({"facts": said | facts, "floor": 27.4, "leaderboard": entries})


def test_leaderboards_of_several_arenas_are_joined(generate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text(board({"poor": {1: 400}, "good": {1: 200}}))
    (tmp_path / "2.json").write_text(board({"good": {3: 230, 2: 260}, "none": {}}))
    text = "\n".join(generate.lines(generate.joined(tmp_path)))
    good, poor, cheap, _ = (line for line in text.splitlines() if line.startswith("| `"))
    assert good == "| `good` | 230 ± 30 | 200, 260, 230 | 0.50 | 0.25 | 1.00 | 0.88 | 0.01 | 12 |"
    assert poor == "| `poor` | 400 | 400 | 0.50 | 0.25 | 1.00 | 0.88 | 0.01 | 11 |"
    assert cheap == "| `good` | 1,000 | 3 min 50 s | 4 | 300 MB | 0.25 | 50 |"
    assert "get 27.4." in text and "| copied | body |" in text


def test_a_leaderboard_says_of_how_many_parts(generate: ModuleType, tmp_path: Path) -> None:
    kittens, cats = tmp_path / "kittens-32-1TFLOP", tmp_path / "cats-32-1TFLOP"
    for path, score in ((kittens, "modes/body"), (cats, "another")):
        path.mkdir()
        (path / "1.json").write_text(board({"good": {1: 200}}).replace("modes/body", score))
    assert "| body, of 15 |" in "\n".join(generate.lines(generate.joined(kittens)))
    assert "body" not in "\n".join(generate.lines(generate.joined(cats)))


def test_leaderboards_name_nobodys_folders() -> None:
    """Recipes by their names and packs as they are made by default, so that anybody can repeat."""
    for path in (DOCS / "leaderboards").glob("*/*.json"):
        words = json.loads(path.read_text("utf-8"))["command"].split()
        assert f"packs/{path.parent.name.rpartition('-')[0]}" in words
        assert not [word for word in words if word.startswith("/") or word.endswith(".toml")], path


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (board({"good": {2: 1}}, pack="another"), "pack is another and the same"),
        (board({"good": {1: 1}}), "a seed twice"),
        (board({"good": {2: 1}}).replace("1000", "999"), "not the same everywhere"),
    ],
)
def test_leaderboards_that_cannot_be_compared_are_not_joined(
    generate: ModuleType, tmp_path: Path, other: str, reason: str
) -> None:
    (tmp_path / "1.json").write_text(board({"good": {1: 200}}))
    (tmp_path / "2.json").write_text(other)
    with pytest.raises(ValueError, match=reason):
        generate.joined(tmp_path)


def test_every_recipe_is_shown() -> None:
    text = (DOCS / "recipes.md").read_text("utf-8")
    for name in config.shipped():
        assert f"\n## {name}\n" in text


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_explained(name: str) -> None:
    assert f"| `{name}` | {SCORES[name]} |" in (DOCS / "scores.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted({*MEANINGS, *METRICS}))
def test_every_score_of_an_evaluation_has_a_range(name: str) -> None:
    text = (DOCS / "scores.md").read_text("utf-8")
    row = re.search(rf"^\| `{re.escape(name)}` \| [^|]+ \| (\w+) \| [^|]+ \|$", text, re.MULTILINE)
    assert row, f"docs/scores.md does not say the range of {name}"
    assert row[1] == MEANINGS[name].better


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
