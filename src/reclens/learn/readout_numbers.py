"""Numbers of a readout, held against the result files of its tests: where each of them has to stand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

from reclens.learn.exercise import Draw
from reclens.learn.finished_tests import DAYS, START, finished_tests, plan_text

__all__ = ["SMALL", "Written", "invented_numbers", "numbers_of", "sectioned"]

SMALL: Final = 31
"""Whole numbers up to this one count things and days, and need no source; shares in % do."""
_LEVELS: Final = (0.0001, 0.001, 0.01, 0.05, 0.5, 0.95)
"""Of tests and intervals, and the share of an arm."""
_HEADING: Final = re.compile(r"(#{1,6})[^\S\n]")
_NAME: Final = re.compile(r"\btest[_-](\d)\b")
_DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_NUMBER: Final = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(?![\w])(\s?(?:%|percent\b|per cent\b))?")
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+")


class Written(NamedTuple):
    """A number of a text, without its sign.

    Attributes:
        value: As it is written, without commas.
        share: Whether it is in %.
    """

    value: str
    share: bool

    @property
    def is_small(self) -> bool:
        """Whether it counts things or days."""
        return not self.share and "." not in self.value and float(self.value) <= SMALL

    def is_one_of(self, numbers: frozenset[float]) -> bool:
        """Whether it is one of some numbers, rounded to the decimals that are written."""
        value = float(self.value)
        # The last digits of a long one differ from run to run.
        half = max(0.5 * 10 ** -len(self.value.partition(".")[2]), 1e-9 * min(value, 1e12)) * (1 + 1e-9)
        return any(
            abs(value - each * scale) <= half for each in numbers for scale in ((100,) if self.share else (1, 100))
        )


@dataclass(frozen=True)
class _Result:
    """The numbers of a result file.

    Attributes:
        whole: Those of the test.
        by_day: Those of a day: by its date, and by the days since a user saw the list first.
    """

    whole: frozenset[float]
    by_day: Mapping[str, frozenset[float]] = field(default_factory=dict)


def numbers_of(text: str) -> list[Written]:
    """The numbers of a text; those of dates and of the names of tests are none.

    >>> numbers_of("test_2: −12.50 % of 1,204 on 2026-01-05")
    [Written(value='12.50', share=True), Written(value='1204', share=False)]
    """
    found = _NUMBER.findall(_DATE.sub(" ", _NAME.sub(" ", text)))
    return [Written(value.replace(",", ""), bool(share)) for value, share in found]


def sectioned(text: str) -> Iterator[tuple[str, str]]:
    """Each line with the test whose heading it stands below; with an empty name below none."""
    name, depth = "", 0
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading is not None:
            named = _NAME.search(line)
            if named is not None:
                name, depth = f"test_{named[1]}", len(heading[1])
            elif len(heading[1]) <= depth:
                name, depth = "", 0
        yield name, line


def invented_numbers(text: str, draw: Draw) -> list[str]:
    """Numbers that the result of no test has which they can be about.

    A number below the heading of a test is about this test, and about those that its sentence names. One of a single
    day counts in a sentence that names the day.

    Args:
        text: The text of a readout.
        draw: Of the learner.
    """
    left = [(name, said, number) for name, said in _sentences(text) for number in numbers_of(said)]
    for results in (_own_results, _results_of_product):  # the second one takes seconds
        left = [each for each in left if not each[2].is_small and not _is_known(*each, results(draw))]
        if not left:
            break
    return list(dict.fromkeys(f"{number.value} %" if number.share else number.value for _, _, number in left))


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    for name, line in sectioned(text):
        for said in _SENTENCE.split(line):
            yield name, said


def _is_known(name: str, said: str, number: Written, results: Mapping[str, _Result]) -> bool:
    about = {name, *(f"test_{each}" for each in _NAME.findall(said))} & results.keys() if name else results.keys()
    days = _days_of(said)
    return any(
        number.is_one_of(results[each].whole)
        or any(number.is_one_of(results[each].by_day.get(day, frozenset())) for day in days)
        for each in about
    )


def _days_of(said: str) -> set[str]:
    """The days that a sentence names: dates, and numbers of days since the start or since a user saw the list first."""
    start = date.fromisoformat(START)
    named = set(_DATE.findall(said))
    for each in numbers_of(said):
        if each.is_small:
            named |= {each.value.lstrip("0") or "0", str(date.fromordinal(start.toordinal() + int(each.value) - 1))}
    return named


@lru_cache(maxsize=8)
def _own_results(draw: Draw) -> Mapping[str, _Result]:
    """What the logs give by definition."""
    shared = [*_LEVELS, DAYS, *map(float, START.split("-"))]
    found: dict[str, _Result] = {}
    for name, test in finished_tests(draw).items():
        lifts = [end for lift in (test.lift, test.late) for end in (lift.value, lift.low, lift.high)]
        units = test.units.values()
        values = [*shared, *lifts, *units, *test.means.values(), sum(units), *(each / sum(units) for each in units)]
        found[name] = _Result(frozenset(abs(each) for each in values))
    return found


@lru_cache(maxsize=8)
def _results_of_product(draw: Draw) -> Mapping[str, _Result]:
    """What the readouts of the product say, in numbers and in words: whatever stands there may be quoted."""
    from reclens.experiment.analysis.readout import read_experiment
    from reclens.experiment.planning.plan import load_plan

    found: dict[str, _Result] = {}
    for name, test in finished_tests(draw).items():
        record = read_experiment(load_plan(tomllib.loads(plan_text(name))), test.log, events=True).record()
        held: dict[str, set[float]] = {}
        for day, value in _values(record, ""):
            held.setdefault(day, set()).add(abs(value))
        days = {day: frozenset(values) for day, values in held.items()}
        found[name] = _Result(days.pop("", frozenset()), days)
    return found


def _values(held: Any, day: str) -> Iterator[tuple[str, float]]:
    """Every number of a record and those that its texts name, each with the day of its row."""
    if isinstance(held, dict):
        own = next((str(held[key]) for key in ("day", "age", "segment") if key in held and _is_day(held[key])), day)
        for each in held.values():
            yield from _values(each, own)
    elif isinstance(held, list | tuple):
        for each in held:
            yield from _values(each, day)
    elif isinstance(held, str):
        yield from ((day, float(each.value)) for each in numbers_of(held))
    elif isinstance(held, int | float) and not isinstance(held, bool):
        yield day, float(held)


def _is_day(value: object) -> bool:
    return isinstance(value, int) or _DATE.fullmatch(str(value)) is not None
