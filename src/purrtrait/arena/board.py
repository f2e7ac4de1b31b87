"""Puts together what an arena's leaderboard says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from purrtrait import config, machine
from purrtrait.arena.plan import Arena
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


def board(
    arena: Arena, entries: Mapping[str, Entry], results: Mapping[str, Sequence[Result]]
) -> Board:
    """The leaderboard of the results so far."""
    judgements = [r.judgement for found in results.values() for r in found if r.judgement]
    notes = dict.fromkeys(note for judgement in judgements for note in judgement.notes)
    return Board(
        title=arena.path.resolve().name,
        entries=[replace(entries[name], results=results[name]) for name in arena.recipes],
        planned=len(arena.recipes) * len(arena.seeds),
        facts=facts(arena),
        command=command(arena),
        credit=arena.pack.manifest.credit,
        notes=tuple(notes),
    )


def facts(arena: Arena) -> dict[str, str]:
    """What one needs to know to read the leaderboard, in words."""
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
        "machine": f"{machine.processor()}; {asked['device']}, {asked['threads']} threads",
        "versions": f"purrtrait {VERSION}, torch {torch.__version__}",
    }


def command(arena: Arena) -> str:
    """A command that holds the same arena again, with the recipes as they were trained."""
    asked = arena.asked
    words = ["purrtrait", "arena", *(str(arena.recipe_file(name)) for name in arena.recipes)]
    words += ["--data", str(arena.pack.path), "--seeds", ",".join(map(str, arena.seeds))]
    words += ["--budget", asked["budget"], "--samples", asked["samples"]]
    words += ["--extractor", asked["extractor"]]
    words += ["--device", asked["device"], "--threads", asked["threads"], "--out", "arenas/again"]
    return shlex.join(map(str, words))
