"""Puts together what an arena's leaderboard says."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from purrtrait import config, machine
from purrtrait.arena.plan import Arena, Training
from purrtrait.assemble import arithmetic
from purrtrait.datasets.pack import HELD_OUT, TRAIN
from purrtrait.evaluation.leaderboard import Board, Entry, Result
from purrtrait.version import VERSION


def entry(arena: Arena, name: str) -> Entry:
    """A recipe without results."""
    recipe = arena.recipes[name]
    return Entry(
        name=name,
        summary=recipe.summary,
        recipe=config.dump(recipe),
        parameters=arithmetic.parameters(recipe, arena.shape),
        budget_images=sum(stage.budget for stage in recipe.stages),
        flop=arithmetic.flop(recipe, arena.shape),
    )


def board(arena: Arena, entries: Mapping[str, Entry], results: Mapping[Training, Result]) -> Board:
    """The leaderboard of the results so far."""
    notes = dict.fromkeys(n for r in results.values() if r.judgement for n in r.judgement.notes)
    ended: dict[str, list[Result]] = {name: [] for name in arena.recipes}
    for training in arena.trainings:
        if training in results:
            ended[training.name].append(results[training])
    return Board(
        title=arena.path.resolve().name,
        entries=[replace(entries[name], results=ended[name]) for name in arena.recipes],
        planned=len(arena.trainings),
        facts=facts(arena, list(results.values())),
        command=command(arena),
        credit=arena.pack.manifest.credit,
        notes=tuple(notes),
    )


def facts(arena: Arena, results: Sequence[Result]) -> dict[str, str]:
    """What one needs to know to read the leaderboard, in words.

    Machine and versions are those of the trainings, as their checkpoints have them.
    """
    asked, pack = arena.asked, arena.pack
    measure = asked["budget"].lstrip("0123456789.e+-")
    amount = float(asked["budget"].removesuffix(measure))
    return {
        "budget of each training": f"{amount:,.10g} {measure or 'real pictures'}",
        "seeds": ", ".join(map(str, arena.seeds)),
        "pack": f"{pack.path.name} ({pack.content_hash[:12]})",
        "pictures": f"{pack.size} px, {len(pack.rows(TRAIN)):,} to train on, "
        f"{len(pack.rows(HELD_OUT)):,} held out",
        "scored by": f"{asked['samples']:,} samples a training, as {asked['extractor']} sees them",
        **validator(arena),
        "machine": _each(r.machine for r in results) or machine_of(here(asked)),
        "versions": _each(r.versions for r in results) or versions_of(here(asked)),
    }


def validator(arena: Arena) -> dict[str, str]:
    """Whose word the validity of samples is; nothing where no validator judges."""
    path, mark = arena.wanted.validator, arena.asked["validator"]
    return {} if path is None else {"validator": f"{path.resolve().name} ({mark[:12]})"}


def here(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint that is written now says of machine and versions."""
    torch_version = str(torch.__version__)
    facts = {"processor": machine.processor(), "version": VERSION, "torch": torch_version}
    return {**facts, "device": asked["device"], "threads": asked["threads"]}


def machine_of(facts: Mapping[str, Any]) -> str:
    """Where a training took place, in words, by the facts of its last checkpoint."""
    where = f"{facts['device']}, {facts['threads']} threads"
    return f"{facts['processor']}; {where}" if "processor" in facts else where


def versions_of(facts: Mapping[str, Any]) -> str:
    """What trained, in words, by the facts of its last checkpoint."""
    return f"purrtrait {facts['version']}, torch {facts['torch']}"


def _each(words: Iterable[str]) -> str:
    """Different words once each, in their order."""
    return "; or ".join(dict.fromkeys(filter(None, words)))


def command(arena: Arena) -> str:
    """A command that holds the same arena again: what was asked for, with all that it left out."""
    asked, wanted = arena.asked, arena.wanted
    words = ["purrtrait", "arena", *wanted.recipes]
    words += ["--data", str(wanted.data), "--seeds", ",".join(map(str, arena.seeds))]
    words += ["--budget", asked["budget"]]
    words += [word for item in wanted.settings.items() for word in ("--set", "=".join(item))]
    words += ["--samples", asked["samples"]]
    words += ["--extractor", asked["extractor"]]
    words += ["--validator", str(wanted.validator)] * (wanted.validator is not None)
    words += ["--device", asked["device"], "--threads", asked["threads"], "--out", "arenas/again"]
    return shlex.join(map(str, words))
