"""The house's own rules that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import purrtrait

ROOT = Path(purrtrait.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = {"torch", "numpy", "matplotlib", "PIL", "av", "tensorboard", "pydantic", "robohash"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_first_line_says_the_files_job(path: Path) -> None:
    words = ast.get_docstring(tree(path))
    assert words
    assert words.splitlines()[0].endswith(".")


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name == "__init__.py" and p.parent != ROOT], ids=str
)
def test_packages_hold_tables_and_nothing_else(path: Path) -> None:
    for node in tree(path).body[1:]:
        assert isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)), node


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_is_pickled_or_evaluated(path: Path) -> None:
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                assert not {"pickle", "dill", "shelve"} & {name.name for name in names}
            case ast.Call(func=ast.Name(id=name)):
                assert name not in {"eval", "exec", "print"}
            case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="torch"))):
                # The extractor's weights come in a package as they are; tensors only, no code.
                assert path.name == "efficientnet.py"
                assert "weights_only=True" in ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr="save", value=ast.Name(id="torch"))):
                raise AssertionError("torch.save pickles")


def test_concrete_classes_are_final() -> None:
    """Abstract or final: what one may build, nobody of ours inherits from."""
    bases: dict[str, set[str]] = {}
    abstract = {"ABC", "Protocol"}
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                names = {b.id for b in node.bases if isinstance(b, ast.Name)}
                bases[node.name] = names
                if names & {"ABC", "Protocol"}:
                    abstract.add(node.name)
    open_classes = abstract | {"Frozen"}  # Frozen only says how pydantic should treat a part
    for name, parents in bases.items():
        for parent in parents & bases.keys():
            assert parent in open_classes, f"{name} inherits from the concrete {parent}"


def test_files_stay_small() -> None:
    long = {p.name: n for p in FILES if (n := len(p.read_text().splitlines())) > 330}
    assert not long, f"split these: {long}"


COMMANDS = [
    "",
    "activity",
    "arena",
    "bundle",
    "evaluate",
    "neighbours",
    "pull",
    "screen",
    "spoil",
    "walk",
    "interpolate",
    "directions",
    "project",
    "gallery",
    "reconstruct",
    "encode",
    "prepare",
    "train",
    "resume",
    "sample",
    "film",
    "inspect",
    "recipes",
    "recipes show",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_instant(command: str) -> None:
    """No command's --help imports anything heavy: seen in the list of imported modules."""
    script = (
        "import sys; from purrtrait.__main__ import run; "
        f"code = run({[*command.split(), '--help']!r}); "
        "print('MODULES', *{name.split('.')[0] for name in sys.modules}); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    modules = set(done.stdout.partition("MODULES")[2].split())
    assert not HEAVY & modules
    assert "Usage:" in done.stdout


def test_the_public_face() -> None:
    assert purrtrait.__all__ == sorted(purrtrait.__all__)
    for name in purrtrait.__all__:
        assert getattr(purrtrait, name) is not None
    assert (ROOT / "py.typed").is_file()
    with pytest.raises(AttributeError, match="it has"):
        purrtrait.evaluate_everything  # noqa: B018


def test_importing_purrtrait_imports_no_torch() -> None:
    script = "import purrtrait, sys; assert 'torch' not in sys.modules; purrtrait.load"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
