"""Reports are parsed: self-contained, balanced, complete, and safe whatever names they hold."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from purrtrait.evaluation import curves, panels, report
from purrtrait.evaluation.report import Contents, Row
from purrtrait.images import sheet
from purrtrait.training.record import SCORES

NO_MORE: Mapping[str, float] = {}
# Elements that have no end tag.
VOID = {"meta", "link", "img", "br", "hr", "input", "source"}


class Page(HTMLParser):
    """What stands in a page: its tags with their attributes, its text, and whether it balances."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not (self.open and self.open[-1] == "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


KNOWN = len(panels.GROUPS) - 1  # panels where every score is known


def rows(count: int, stage: str = "base", more: Mapping[str, float] = NO_MORE) -> list[Row]:
    rng = np.random.default_rng(0)
    names = [name for name in SCORES if not name.startswith("speed/")]
    return [
        {
            "stage": stage,
            "images_seen": 6_400 * (number + 1),
            "steps": 100 * (number + 1),
            "round": 0,
            "moves": {"critic": number, "generator": number},
            "scores": {name: float(rng.normal()) for name in names} | dict(more),
        }
        for number in range(count)
    ]


def contents(scores: Sequence[Row], **changes: Any) -> Contents:
    plain = Contents(
        title="portrait-01",
        summary="a small pair for few cores",
        source="Somebody et al. 2024",
        facts={"images seen": "320,000", "seed": "7", "parameters of the critic": "1,234,567"},
        recipe='name = "portrait"\n[[stages]]\nbatch = 64\n',
        scores=scores,
        explained=SCORES,
        grid=None,
        film=None,
        credit="David Revoy, CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/)",
        command="purrtrait train portrait --seed 7",
    )
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    tmp_path = tmp_path_factory.mktemp("run")
    grid = tmp_path / "grid.png"
    sheet.write_png(grid, np.random.default_rng(0).integers(0, 256, (70, 70, 3), dtype=np.uint8))
    film = tmp_path / "film.mp4"
    film.write_bytes(bytes(range(256)))  # what is in it is nothing to the report
    return contents(rows(50), grid=grid, film=film)


@pytest.fixture(scope="module")
def text(full: Contents) -> str:
    return report.render(full)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_self_contained(page: Page) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "href", "xlink:href", "poster", "data", "action"):
            address = attributes.get(name) or ""
            assert address.startswith(("data:", "#")) or tag == "a" or not address, address
        assert not any(name.startswith("on") for name in attributes)
    assert not page.named("script") and not page.named("link") and not page.named("iframe")


def test_styles_load_nothing(text: str) -> None:
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)", text)


def test_the_only_addresses_are_links_in_the_credit(text: str, page: Page) -> None:
    assert set(re.findall(r"https?://[^\s\"<)]+", text)) == {
        "https://creativecommons.org/licenses/by/4.0/"
    }
    (link,) = page.named("a")
    assert link["href"] == "https://creativecommons.org/licenses/by/4.0/"


def test_everything_is_said(full: Contents, page: Page) -> None:
    for said in (full.title, full.summary, full.source, full.command, "batch = 64"):
        assert said in page.text
    for name, value in full.facts.items():
        assert name in page.text and value in page.text
    for name, meaning in SCORES.items():
        assert name in page.text and meaning in page.text
    for name, value in full.scores[-1]["scores"].items():
        assert f"{name} {report.shown(value)} {SCORES[name]}" in re.sub(
            r"(?<=\d)(?=[a-z])", " ", page.text.replace(name, f"{name} ")
        )


def test_the_pictures_are_the_files(full: Contents, page: Page) -> None:
    assert full.grid and full.film
    (picture,) = page.named("img")
    assert b64decode((picture["src"] or "").split(",")[1]) == full.grid.read_bytes()
    assert picture["width"] == "490" and picture["alt"]
    (video,) = page.named("video")
    assert (video["src"] or "").startswith("data:video/mp4;base64,")
    assert b64decode((video["src"] or "").split(",")[1]) == full.film.read_bytes()
    assert {"autoplay", "loop", "muted", "playsinline", "controls"} <= set(video)


def test_without_pictures_there_is_no_empty_frame() -> None:
    page = Page(report.render(contents(rows(3))))
    assert not page.named("img") and not page.named("video") and not page.named("figure")


def test_both_colour_schemes_print_and_phones(text: str) -> None:
    for needed in ("prefers-color-scheme: dark", "@media print", "width=device-width", "pixelated"):
        assert needed in text
    for number in range(curves.COLOURS):
        assert text.count(f"--curve-{number}:") == 3  # light, dark, print


def test_names_within_the_page_are_distinct(page: Page) -> None:
    staged = Page(report.render(contents(rows(3) + rows(3, "second"))))
    for found in (page, staged):
        names = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
        assert len(names) == len(set(names))
        referred = {(attributes["href"] or "")[1:] for attributes in found.named("use")}
        assert referred and referred <= set(names)


@pytest.mark.parametrize("count", [0, 1, 2, 39, 40])
def test_any_number_of_rows(count: int) -> None:
    page = Page(report.render(contents(rows(count))))
    assert len(page.named("svg")) == (KNOWN if count else 0)
    assert ("No scores were written down yet" in page.text) == (count == 0)
    assert ("running mean" in page.text) == (count >= 40)


def test_values_that_cannot_be_drawn() -> None:
    wild = [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0]
    made = [row for value in wild for row in rows(1, more={"critic/game": value})]
    made += rows(1, more={"critic/order": math.nan, "critic/lr": -math.inf})
    text = Page(report.render(contents(made))).text
    assert "Left out of the drawing: 5 values that are not" in text
    assert "Left out of the drawing: 1 value that is not" in text
    assert "critic/order not a number" in text.replace("critic/ordernot", "critic/order not")
    assert "infinite" in text


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300, 0.0, 1e-300])
def test_a_curve_of_one_value(value: float) -> None:
    (panel,) = panels.panels([{"stage": "a", "images_seen": 0, "scores": {"x/lr": value}}], {})
    assert panel.svg.startswith("<svg") and panel.missing == (not abs(value) < 1)


def test_scores_that_come_and_go_and_are_unknown() -> None:
    made = [*rows(2), *rows(3, more={"new/thing": 1.0})]
    page = Page(report.render(contents(made)))
    assert "Other scores" in page.text and "new/thing" in page.text


def test_scores_that_are_taken_rarely_have_no_gaps() -> None:
    """One row in ten holds them: their curve joins those rows, and each is marked."""
    made: list[Row] = []
    for number, row in enumerate(rows(100)):
        often = {name: v for name, v in row["scores"].items() if not name.startswith("score/")}
        made.append(row if number % 10 == 9 else {**row, "scores": often})
    alone = [row for row in made if "score/frechet" in row["scores"]]
    for title in ("Distance to unseen pictures", "Likeness to unseen pictures"):
        drawn, expected = (
            next(panel for panel in panels.panels(some, SCORES) if panel.title == title)
            for some in (made, alone)
        )
        assert drawn == expected
        assert (drawn.averaged, drawn.missing) == (False, 0)
        assert drawn.svg.count("<use") >= len(alone) == 10


def test_incidents_are_listed_and_safe() -> None:
    incident = {"stage": "refine-22", "images_seen": 12_800, "words": "it went <b>wrong</b>"}
    page = Page(report.render(contents(rows(2), incidents=[incident])))
    assert "What went wrong" in page.text and "12,800" in page.text
    assert "refine-22" in page.text
    assert "it went <b>wrong</b>" in page.text


def test_stages_have_panels_and_values_of_their_own() -> None:
    page = Page(report.render(contents(rows(2, "coarse") + rows(3, "fine"))))
    assert "Stage coarse" in page.text and "Stage fine" in page.text
    assert len(page.named("svg")) == 2 * KNOWN and len(page.named("table")) == 2
    assert "12,800 images of the stage coarse" in page.text


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    hostile = "<script>alert('x')</script>\" onload=\"x & {{ 7 * 7 }} \ud800"
    said = contents(
        [{**row, "stage": hostile} for row in rows(2, more={hostile: 1.0})] + rows(1),
        title=hostile,
        summary=hostile,
        source=hostile,
        facts={hostile: hostile},
        recipe=hostile,
        explained={hostile: hostile},
        credit=hostile + " javascript:alert(1)",
        command=hostile,
    )
    report.write(tmp_path / "report.html", said)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert not page.named("script") and not page.named("a")
    assert not any(name.startswith("on") for _, tag in page.tags for name in tag)
    assert page.text.count("<script>alert('x')</script>") >= 12
    assert "{{ 7 * 7 }}" in page.text


def test_the_file_appears_whole_and_the_same_each_time(
    full: Contents, text: str, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "report.html"
    report.write(target, full)
    assert target.read_text("utf-8") == text
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_nothing_is_left_where_a_picture_is_missing(full: Contents, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    with pytest.raises(FileNotFoundError):
        report.write(target, replace(full, grid=tmp_path / "gone.png"))
    assert not target.parent.exists()


def test_every_known_score_has_a_group_of_its_own_kind() -> None:
    drawn = panels.panels(rows(2), SCORES)
    assert "Other scores" not in [panel.title for panel in drawn]
    assert {curve.name for panel in drawn for curve in panel.curves} == set(rows(1)[0]["scores"])


def test_lengths_of_gradients_are_not_drawn_to_the_scale_of_losses() -> None:
    where = {c.name: panel.title for panel in panels.panels(rows(2), SCORES) for c in panel.curves}
    assert where["critic/gradient"] == where["encoder/gradient"] == "Gradients"
    assert where["average/critic/gradient"] == "Gradients on average"
    assert where["average/critic/game"] == "Losses on average"
    assert where["critic/game"] == "Losses"


def test_a_running_mean_keeps_levels_and_gaps() -> None:
    level = np.full(60, 3.0)
    assert curves.running_mean(level, 4) == pytest.approx(level)
    level[20:23] = math.nan
    mean = curves.running_mean(level, 4)
    assert np.isnan(mean[20:23]).all() and np.nanmax(np.abs(mean - 3)) < 1e-12
    step = curves.running_mean(np.repeat([0.0, 1.0], 30), 4)
    assert step[0] == 0 and step[-1] == 1 and (np.diff(step) >= -1e-12).all()
    assert 0.3 < step[29] < 0.5 < step[30] < 0.7


def test_a_long_run_makes_no_huge_page() -> None:
    assert len(report.render(contents(rows(3000)))) < 2_500_000


def test_many_rows_are_drawn_by_their_extremes() -> None:
    values = np.random.default_rng(3).normal(size=3000)
    values[700:710] = math.nan
    kept = curves.extremes(values, 300)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= 3 * 300
    assert np.isnan(values[kept]).any()  # a gap stays a gap
    for part in np.array_split(np.arange(3000), 300):
        mine = values[kept[(kept >= part[0]) & (kept <= part[-1])]]
        if np.isfinite(values[part]).any():
            assert np.nanmin(mine) == np.nanmin(values[part])
            assert np.nanmax(mine) == np.nanmax(values[part])
    assert (curves.extremes(values[:600], 300) == np.arange(600)).all()


def test_drawings_on_one_paper_are_as_on_an_empty_one() -> None:
    """Nothing of a drawing shows in the next: heights, ticks, or lines."""
    random = np.random.default_rng(0)
    shown = [
        [(np.arange(rows) * long, random.normal(size=rows) * high) for _ in range(lines)]
        for rows, lines, long, high in ((3, 1, 10, 1e5), (500, 3, 1e4, 1e-6), (40, 6, 0.1, 30.0))
    ]
    nothing = [(np.arange(3.0), np.full(3, math.nan))]
    paper = curves.Paper()
    for lines in [nothing, *shown, nothing, *reversed(shown)]:
        assert paper.drawing(lines, "salt") == curves.Paper().drawing(lines, "salt")
