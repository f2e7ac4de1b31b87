"""Scores stand where they should on the report's scales, and the section holds what it must."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from purrtrait.evaluation import report, scales
from purrtrait.evaluation.judgement import Judgement, Score
from purrtrait.evaluation.report import Contents

COPYING = {
    "edges": [0.0, 1.0, 2.0, 3.0, 4.0],
    "samples": [0.0, 0.0, 0.5, 0.5],
    "unseen": [0.25, 0.75, 0.0, 0.0],
    "threshold": [0.5],
    "verdict": "0.0% of the samples are near: no sign of copying",
    "closest": [],
}


def judgement(**scores: Score) -> Judgement:
    origin = {"images_seen": 3008, "checkpoint": "base-000003008", "seed": 0}
    notes = ("only 16 held-out pictures",)
    return Judgement("runs/a-01", "hash", "eyes", 1000, 900, scores, notes, COPYING, origin)


def contents(judged: Judgement | None) -> Contents:
    return Contents(
        title="a-01",
        summary="s",
        source="s",
        facts={},
        recipe="",
        scores=[],
        explained={},
        grid=None,
        film=None,
        credit="c",
        command="c",
        judgement=judged,
    )


def test_the_better_end_is_to_the_right() -> None:
    ceilings = {"blurred reals": 400.0, "noise": 900.0}
    for value, place in ((100.0, 100), (400.0, 50), (900.0, 0), (225.0, 75)):
        found = scales.scale("frechet", Score(value, 0.0, 100.0, ceilings))
        assert found.place == pytest.approx(place)  # roots: 10, 20, 30, 15
        assert [mark.place for mark in found.marks] == pytest.approx([100, 50, 0])
    found = scales.scale("recall", Score(0.3, 0.1, 1.0, {"noise": 0.0}))
    assert (found.place, found.left, found.wide) == pytest.approx((30, 20, 20))
    assert [mark.place for mark in found.marks] == [100, 0]
    assert [mark.name for mark in found.marks] == ["real pictures", "noise"]


def test_a_score_beyond_its_floor_or_its_ceilings_is_the_end_of_the_scale() -> None:
    better = scales.scale("copied", Score(0.0, 0.01, 0.05, {"training pictures": 1.0}))
    assert better.place == 100 and better.marks[0].place == 95
    assert better.left + better.wide == 100
    worse = scales.scale("kernel", Score(100.0, 1.0, -0.0001, {"noise": 25.0}))
    assert worse.place == 0 and worse.marks[1].place == pytest.approx(50, abs=0.1)


@pytest.mark.parametrize(
    "score",
    [Score(1.0), Score(1.0, 0.0, 1.0, {"noise": 1.0}), Score(math.inf, 0.0, 1.0), Score(math.nan)],
)
def test_where_nothing_can_be_told_apart_there_is_no_scale(score: Score) -> None:
    found = scales.scale("diversity", score)
    assert found.place is None
    assert all(mark.place is None for mark in found.marks)


def test_an_error_without_end_fills_the_scale() -> None:
    found = scales.scale("recall", Score(0.5, math.inf, 1.0, {"noise": 0.0}))
    assert (found.left, found.wide) == (0, 100)


def test_a_histogram_is_drawn_to_scale() -> None:
    drawn = scales.histogram(COPYING)
    assert drawn.threshold == 50  # of 400
    heights = [float(level) for level in re.findall(r"V([\d.]+)h", drawn.unseen)]
    assert heights == pytest.approx([100 - 100 / 3, 0, 100, 100], abs=0.05)
    assert drawn.samples.startswith("M0 100") and drawn.samples.endswith("V100Z")


def test_scores_of_one_kind_share_their_words() -> None:
    modes = {f"modes/{part}": Score(3.0, 0.0, 3.0, {"noise": 1.0}) for part in ("body", "fur")}
    made = scales.section(judgement(frechet=Score(1.0), new=Score(1.0), **modes))
    groups = {group.title: kinds for group, kinds in made.groups}
    ((words, both),) = groups["Which parts were drawn"]
    assert [one.name for one in both] == ["modes/body", "modes/fur"] and "values" in words
    assert list(groups)[-1] == "Other scores"
    assert sum(len(s) for kinds in groups.values() for _, s in kinds) == 4


def test_the_section_says_everything() -> None:
    counted = {"modes/body": Score(9.0, 0.5, 15.0, {"noise": 0.0}, 15)}
    far = Score(312.0, 5.0, 31.0, {"noise": 2411.0})
    judged = judgement(frechet=far, copied=Score(0.0, 0.001, 0.01), **counted)
    text = report.render(contents(judged))
    for said in ("312</b> ± 5", "noise 2,411", "1,000 samples", "900 pictures that", "3,008 real"):
        assert said in text
    assert "<b>9 of 15</b> ± 0.5" in text
    assert "<code>leaning</code> is the error of drawing by lot" in text
    assert "no sign of copying" in text and "only 16 held-out pictures" in text
    assert 'id="copying"' in text and '<path d="M0 100V' in text
    assert 'id="judgement"' not in report.render(contents(None))


def test_a_folder_s_judgement_without_a_histogram_is_shown_too() -> None:
    bare = replace(judgement(copied=Score(0.0)), copying={}, origin={}, notes=())
    text = report.render(contents(bare))
    assert 'id="judgement"' in text and "had been seen" not in text and "<path" not in text


def test_hostile_words_stay_words() -> None:
    hostile = "<script>alert('x')</script>\" onload=\"x {{ 7 * 7 }}"
    score = Score(1.0, 0.1, 2.0, {hostile: 3.0})
    judged = replace(judgement(), scores={hostile: score}, extractor=hostile, notes=(hostile,))
    text = report.render(
        contents(replace(judged, copying={**COPYING, "verdict": hostile}, subject=hostile))
    )
    assert "<script" not in text and '" onload="' not in text
    assert text.count("{{ 7 * 7 }}") >= 4
