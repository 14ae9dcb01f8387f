"""Which days distributions are compared with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens.monitor.annotations import Annotations
from reclens.monitor.indicators.distributions import _apart
from reclens.monitor.marts import reference_days
from reclens.monitor.project import Project
from reclens.monitor.records import GateResult

FIRST = date(2026, 1, 5)


def at(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture
def ran(make_project: Callable[..., Project]) -> Callable[[str], Project]:
    """A monitor with ten days, of which the fourth failed and the seventh was not run."""

    def make(settings: str = "") -> Project:
        project = make_project(f'[log]\npath = "log"\n{settings}')
        for number in (*range(6), *range(7, 10)):
            state = "failed" if number == 3 else "passed"
            gate = GateResult(day=at(number), checks=(), state=state)
            project.write_day(at(number), {}, gate, {"day": at(number).isoformat(), "gate": state})  # type: ignore[typeddict-item]
        return project

    return make


@pytest.mark.parametrize(
    ("settings", "day", "expected"),
    [
        ("", 9, [0, 1, 2, 4, 5, 7, 8]),
        ("", 4, [0, 1, 2]),
        ("", 0, []),
        ("", 40, []),
        ("[reference]\ndays = 4", 9, [5, 7, 8]),
        ("[reference]\ndays = 4", 10, [7, 8, 9]),
        # A fixed past holds for days within it, but not for themselves, and for those before it.
        ("[reference]\nstart = 2026-01-06\nend = 2026-01-10", 9, [1, 2, 4, 5]),
        ("[reference]\nstart = 2026-01-06\nend = 2026-01-10", 2, [1, 4, 5]),
        ("[reference]\nstart = 2026-01-06\nend = 2026-01-10", 0, [1, 2, 4, 5]),
    ],
)
def test_reference_days(ran: Callable[[str], Project], settings: str, day: int, expected: list[int]) -> None:
    assert reference_days(ran(settings), at(day)) == [at(number) for number in expected]


def test_a_day_whose_distribution_is_far_from_the_others_is_no_reference() -> None:
    """Ten days of half and half, give or take 2 %, and one of nine in ten."""
    shares = [0.5 + 0.02 * (-1) ** number for number in range(10)]
    shares[6] = 0.9
    group = {"dimension": "overall", "slice": "all", "column": "price"}
    rows = [
        {**group, "day": at(number), "bin": name, "n": round(1000 * part)}
        for number, share in enumerate(shares)
        for name, part in (("low", share), ("high", 1 - share))
    ]
    assert _apart(pl.DataFrame(rows))["day"].to_list() == [at(6)]
    assert _apart(pl.DataFrame([row for row in rows if row["day"] != at(6)])).is_empty()


def test_days_like_no_other_are_no_reference(ran: Callable[..., Project], tmp_path: Path) -> None:
    project = ran()
    settings = project.folder / "monitor.toml"
    settings.write_text("holidays = [2026-01-05]\n" + settings.read_text())
    project = Project(project.folder)
    book = Annotations(project.notes)
    book.add("incident", at(1), "elsewhere", by="ann")
    book.add("holiday", at(4), "closed", by="ann", end=at(5))
    # One slice alone, and what only explains, leave a day as it is.
    book.add("incident", at(7), "of one surface", by="ann", dimension="surface", slice="home")
    book.add("deploy", at(8), "ranker", by="ann")
    assert reference_days(project, at(9)) == [at(2), at(7), at(8)]
    book.add("note", at(8), "load test", by="ann", suppress=True)
    assert reference_days(project, at(9)) == [at(2), at(7)]
