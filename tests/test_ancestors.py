"""The pages for those who come from the ancestors: what they name exists, nothing is missing."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest

from purrtrait import cli, config
from purrtrait.assemble import options, tables
from purrtrait.datasets import PARSERS
from purrtrait.images.align import ALIGNMENTS
from purrtrait.images.vary import VARIATIONS
from purrtrait.objectives import BALANCES, OBJECTIVES
from purrtrait.training import OPTIMISERS, SCHEDULES, collapse, guard, trend
from purrtrait.training.record import SCORES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ("from-the-ancestors", "known-problems")
RECIPES = {name: options.find(name) for name in config.shipped()}

# The options of every script of the ancestors, by the heading of its table.
TRAINING = (
    "save saveFreq network noplot D_sgd_lr G_sgd_lr D_sgd_momentum G_sgd_momentum batchSize "
    "N_epoch G_L1 G_L2 D_L1 D_L2 D_iterations G_iterations D_clamp G_clamp D_optmethod "
    "G_optmethod threads gpu noiseDim window grayscale seed aws"
)
REFINING = f"{TRAINING} coarseSize fineSize"
SCRIPTS = {
    "generate_dataset": "path PADDING AUGMENTATIONS SCALE WRITE_UNAUG WRITE_AUG",
    "train, train2, train3": f"{TRAINING} V_dir G_pretrained_dir D_maxAcc scale autoencoder "
    "rebuildOptstate weightsVisFreq",
    "train_c2f, train_c2f_smallg": f"{REFINING} parzenImages parzenNeighbours",
    "train_v": "save batchSize noplot window seed aws saveFreq gpu threads grayscale scale V_clamp "
    "V_L1 V_L2 N_epoch",
    "pretrain_g": "save batchSize noplot window seed aws saveFreq gpu threads grayscale scale "
    "G_clamp G_L1 G_L2 N_epoch noiseDim",
    "sample": "save_base save_c2f22 save_c2f32 G_base D_base G_c2f22 D_c2f22 G_c2f32 D_c2f32 "
    "neighbours scale grayscale writeto seed gpu runs noiseDim batchSize aws",
    "show_model_content": "save network",
    "generate_dataset of face-generator": "path",
    "train of face-generator": TRAINING.replace("sgd", "SGD") + " G_adam_lr D_adam_lr D_maxAcc "
    "scale autoencoder denoise weightsVisFreq",
    "train_c2f of face-generator": REFINING,
    "sample of face-generator": "save_base save_c2f32 G_base D_base G_c2f32 D_c2f32 writeto seed "
    "gpu runs noiseDim batchSize neighbours scale grayscale aws",
    "train_autoencoder": "save saveFreq network plot learningRate batchSize momentum coefL1 coefL2 "
    "threads gpu noiseDim K window hidden_G hidden_D scale",
    "train_denoiser": "save saveFreq network noplot batchSize coefL1 coefL2 AE_clamp threads gpu "
    "window scale seed grayscale",
    "train_lfw": "save -s saveFreq network -n plot -p learningRate -r batchSize -b momentum -m "
    "coefL1 coefL2 threads -t gpu -g noiseDim -d K window -w scale",
    "Options of cat-gan": "-t --train -l --learning-rate -e --epochs -n --batch-size -d --device "
    "--checkpoint --config --sample --temperature --temp",
    "DCGAN, WGAN, WGAN-GP, LSGAN": "image_size batch_size n_colors z_size G_h_size D_h_size lr_D "
    "lr_G n_epoch n_iter beta1 n_critic clip penalty a b c weight_decay SELU seed input_folder "
    "output_folder G_load D_load cuda n_gpu n_workers gen_extra_images",
}

# What the pages call by the ancestors' names outside of the left columns.
THEIRS = (
    *("cat-faces", "train", "train2", "train3", "train_c2f", "train_c2f_smallg", "G_L1", "G_L2"),
    *("train_autoencoder", "train_denoiser", "DCGAN.py", "WGAN.py", "LSGAN.py"),
    *("get_checkpoints", "SpatialConvolutionUpsample"),
)

# What is no name in a table: files and folders, and what a command takes or says.
OTHERS = (
    *("runs/NAME-JJ", "previews/panels/", "report.html", "manifest.json", "incidents.jsonl"),
    *("grid.png", ".pgm", "make test", "g2", "copied", "leaning"),
)


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text("utf-8")


@cache
def sections(page: str) -> dict[str, str]:
    """What stands under each heading."""
    parts = re.split(r"^#+ (.+)$", text(page), flags=re.MULTILINE)
    assert len(set(parts[1::2])) == len(parts[1::2]), "two headings are the same"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def ours(body: str) -> Iterator[str]:
    """The lines of a section without what its tables say of the ancestors."""
    for line in body.splitlines():
        yield cells(line)[-1] if line.startswith("|") else line


def spans(lines: str) -> list[str]:
    """What is written as code in running text, and the commands of code blocks."""
    plain = re.sub(r"^```$.*?^```$", "", lines, flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```$(.*?)^```$", lines, flags=re.MULTILINE | re.DOTALL)
    written = [line for block in blocks for line in block.splitlines() if line]
    return [*(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", plain)), *written]


def commands(command: click.Command = cli.main, path: str = "") -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {path: command}
    below = [commands(one, f"{path} {name}".strip()) for name, one in command.commands.items()]
    return {name: one for some in below for name, one in some.items()}


COMMANDS = commands()
NAMES = {
    *RECIPES,
    *SCORES,
    *COMMANDS,
    *VARIATIONS,
    *ALIGNMENTS,
    *BALANCES,
    *OBJECTIVES,
    *OPTIMISERS,
    *SCHEDULES,
    *PARSERS,
    *config.Stage.model_fields,
    *(name for table in [*tables.NETWORKS.values(), *tables.PARTS.values()] for name in table),
    *(word for made in RECIPES.values() for one in options.listed(made) for word in one.path),
    *(str(one.value) for made in RECIPES.values() for one in options.listed(made)),
}


def takes(recipe: str, settings: dict[str, str]) -> bool:
    try:
        options.override(RECIPES[recipe], settings)
    except ValueError:
        return False
    return True


def expect_settings(words: Sequence[str], recipes: Sequence[str]) -> None:
    pairs = [pair for option, pair in pairwise(words) if option == "--set"]
    settings = dict(pair.split("=", 1) for pair in pairs)
    assert any(takes(name, settings) for name in recipes or RECIPES), (settings, recipes)


def expect_command(words: list[str]) -> None:
    """That the command line reads it; what is not there yet is not looked for."""
    name = words.pop(0)
    command = COMMANDS[name]
    data = [] if "--data" in words else ["--data", "PACK"]
    words = ["." if word == "PACK" else word for word in words]  # some look whether it is there
    if name == "train" and words:
        options.find(words[0])
    if words:
        # Below its group: a command remembers its help options from the first time it is read.
        group = cli.main.make_context("purrtrait", [], resilient_parsing=True)
        asked = [*words, *(data if name == "train" else [])]
        command.make_context(name, asked, parent=group)
    if "--set" in words:
        recipes = [options.find(words[0]).name] if name == "train" else []
        expect_settings(words, recipes)


def expect_known(span: str, recipes: Sequence[str]) -> None:
    """AssertionError or a usage error unless what is written as code is something of ours."""
    words = shlex.split(span)
    match words:
        case ["torchrun", *_]:
            expect_command(words[words.index("purrtrait") + 1 :])
        case ["purrtrait", *rest]:
            expect_command(rest)
        case [first, *_] if first.startswith("--"):
            said = {word for word in words if word.startswith("--")}
            homes = [{n for p in c.params for n in p.opts} for c in COMMANDS.values()]
            assert any(said <= home for home in homes), f"no command has {span}"
            if "--set" in said:
                expect_settings(words, recipes)
        case _:
            assert span in NAMES or span in THEIRS or span in OTHERS, f"what is `{span}`?"


def named(lines: str) -> list[str]:
    """The recipes that some lines name, alone or in a command."""
    words = {word for span in spans(lines) if "--set" not in span for word in span.split()}
    return [name for name in RECIPES if name in words]


PLACES = [(page, heading) for page in PAGES for heading in sections(page)]


@pytest.mark.parametrize(("page", "heading"), PLACES)
def test_whatever_is_written_as_code_exists(page: str, heading: str) -> None:
    body = "\n".join(ours(sections(page)[heading]))
    for span in spans(body):
        expect_known(span, named(body))


@pytest.mark.parametrize(
    "span",
    [
        "--no-such-option",
        "--refine-k 10 --checkpoint-every 5",  # of two commands
        "--set critic.lrr=1",
        "--set batch=many",
        "purrtrait sample RUN --saveFreq 3",
        "purrtrait train dcgam",
        "purrtrait train dcgan --set adversarial_weight=0.01",  # of another recipe
        "score/beauty",
    ],
)
def test_what_does_not_exist_is_found(span: str) -> None:
    with pytest.raises((AssertionError, ValueError, KeyError, click.UsageError)):
        expect_known(span, [])


@pytest.mark.parametrize("heading", SCRIPTS)
def test_every_option_of_an_ancestor_has_a_line(heading: str) -> None:
    body = sections(PAGES[0])[heading].split("| there | default | here |")[1].split("\n\n")[0]
    left = [cells(line)[0] for line in body.splitlines()[2:]]
    assert sorted(span for cell in left for span in spans(cell)) == sorted(SCRIPTS[heading].split())


def test_every_recipe_of_an_ancestor_is_named() -> None:
    said = set(spans(text(PAGES[0])))
    assert not [n for n, r in RECIPES.items() if n not in said and not r.source.startswith("ours")]


def test_names_of_ancestors_lead_to_recipes() -> None:
    assert not set(config.ALIASES) & set(RECIPES)
    for name, recipe in config.ALIASES.items():
        assert options.find(name) == RECIPES[recipe]
        assert f"`{name}`" in text(PAGES[0])


def slugs(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text(page))
    assert links
    for file, anchor in links:
        target = DOCS / (file or f"{page}.md")
        assert target.is_file(), file
        assert not anchor or anchor in slugs(target), f"{file}#{anchor}"


def quotes() -> list[str]:
    """What known-problems quotes, paragraph by paragraph."""
    found = re.findall(r"(?:^> .*\n)+", text(PAGES[1]), re.MULTILINE)
    return [" ".join(quote.replace("\n> ", " ").removeprefix("> ").split()) for quote in found]


def becoming(template: str) -> re.Pattern[str]:
    """What a template of a message may become: anything stands where something is filled in."""
    fixed = re.split(r"\0|\{[^{}]*\}|%[.\d]*[sdfg]", template)
    return re.compile(".+".join(re.escape(part) for part in fixed), re.DOTALL)


@cache
def messages() -> list[re.Pattern[str]]:
    """Every text of some length in the program, as what it may become."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.JoinedStr(values=parts):
                    said = [str(p.value) if isinstance(p, ast.Constant) else "\0" for p in parts]
                    found.append("".join(said))
                case ast.Constant(value=str() as words):
                    found.append(words)
    return [becoming(template) for template in found if len(template) > 15]


@pytest.mark.parametrize("quote", quotes())
def test_what_is_quoted_is_said(quote: str) -> None:
    assert any(message.fullmatch(quote) for message in messages())


@pytest.mark.parametrize(
    "words", [*guard.HINTS.values(), *trend.HINTS.values(), collapse.WORDS], ids=lambda w: w[:20]
)
def test_what_watchers_say_is_quoted(words: str) -> None:
    assert any(becoming(words).fullmatch(quote) for quote in quotes())
