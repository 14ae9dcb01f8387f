"""Exercise 2.4: a readout of three finished tests, whose decisions, numbers and words are checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.cards import Fact
from reclens.learn.answers import read_toml_text
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.finished_tests import DAYS, START, FinishedTest, Kind, Lift, finished_tests, lift_of, plan_text
from reclens.learn.headers import toml_header
from reclens.learn.readout_numbers import SMALL, invented_numbers, numbers_of

__all__ = ["ReadAndDecide"]

_DECISIONS: Final = ("ship", "do_not_ship", "run_again")
_REASONS: Final = ("sample_ratio", "novelty", "lasts", "no_effect", "too_few_users")
_RIGHT: Final[Mapping[Kind, tuple[str, str]]] = {
    "broken": ("run_again", "sample_ratio"),
    "novelty": ("do_not_ship", "novelty"),
    "lasting": ("ship", "lasts"),
}
_ROOM: Final = 0.15
"""How far an effect or an end may lie from that of the delta method, as a share of the interval's width."""

_FRONT: Final = re.compile(r"\A\s*\+\+\+[^\S\n]*\n(.*?)\n\+\+\+[^\S\n]*(?:\n|\Z)", re.DOTALL)
_SECTION: Final = re.compile(r"^#[^\n]*\b(test_\d)\b[^\n]*$", re.MULTILINE)


class ReadAndDecide(Exercise):
    """The decisions are told by the world that made the logs; the numbers are computed again from the logs."""

    code = "2.4"
    name = "read_and_decide"
    files = ("readout.md",)
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The words of the front matter, and how the numbers are compared."""
        return {
            "decisions": ", ".join(f"`{each}`" for each in _DECISIONS),
            "reasons": ", ".join(f"`{each}`" for each in _REASONS),
            "room": round(100 * _ROOM),
            "start": START,
            "days": DAYS,
            "small": SMALL,
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The plan and the log of each test."""
        for name, test in finished_tests(draw).items():
            test.log.write_parquet(folder / f"{name}.parquet")
            (folder / f"{name}.toml").write_text(plan_text(name), encoding="utf-8")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Front matter without an answer, and a section a test."""
        front = dict.fromkeys(finished_tests(draw), ("", 0.0, 0.0, 0.0, ()))
        return {"readout.md": _document(draw, front, dict.fromkeys(front, "What was found, and what follows."))}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Read the front matter, then the text."""
        tests = finished_tests(draw)
        found = _FRONT.match(answer["readout.md"])
        if found is None:
            yield Remark("no_front_matter", {"file": "readout.md"})
            return
        front = read_toml_text("The front matter of readout.md", found[1])
        for name, test in tests.items():
            given = front.get(name)
            if not isinstance(given, dict):
                yield Remark("no_entry_of_test", {"test": name})
            else:
                yield from _entry(name, given, test)
        yield from _text(answer["readout.md"][found.end() :], tests, draw)

    def solve(self, draw: Draw, folder: Path) -> None:
        """Test the sizes of the arms, then look for what is left of the effect after a user's first week."""
        found = {name: _seen(pl.read_parquet(folder / f"{name}.parquet")) for name in finished_tests(draw)}
        _write(draw, folder, found)


def _entry(name: str, given: Mapping[str, Any], test: FinishedTest) -> Iterator[Remark]:
    decision, reasons = given.get("decision"), given.get("reasons")
    right, why = _RIGHT[test.kind]
    if decision not in _DECISIONS:
        yield Remark("unknown_decision", {"test": name, "seen": str(decision), "expected": list(_DECISIONS)})
    elif decision != right:
        yield Remark("wrong_decision", {"test": name, "seen": str(decision)})
    if not isinstance(reasons, list) or any(each not in _REASONS for each in reasons):
        yield Remark("unknown_reason", {"test": name, "seen": str(reasons), "expected": list(_REASONS)})
    elif reasons != [why]:
        yield Remark("wrong_reason", {"test": name, "seen": str(reasons), "expected": list(_REASONS)})
    room = 100 * _ROOM * (test.lift.high - test.lift.low)
    for key, expected in (("effect", test.lift.value), ("low", test.lift.low), ("high", test.lift.high)):
        value = given.get(key)
        if not isinstance(value, int | float) or not abs(value - 100 * expected) <= room:
            yield Remark("wrong_effect", {"test": name, "key": key, "seen": str(value)})


def _text(text: str, tests: Mapping[str, FinishedTest], draw: Draw) -> Iterator[Remark]:
    """Check what the sections say: an interval each, no number without a source, no claim without an interval."""
    parts = _SECTION.split(text)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, test in tests.items():
        if name not in sections:
            yield Remark("no_section", {"test": name})
        elif not _states(sections[name], test.lift):
            yield Remark("no_interval_in_section", {"test": name})
    for block in re.split(r"\n\s*\n", text):
        if "significan" in block.lower() and not any(_states(block, test.lift) for test in tests.values()):
            yield Remark("significant_without_interval", {"text": " ".join(block.split())[:80]})
    invented = invented_numbers(text, draw)
    if invented:
        yield Remark("number_without_source", {"numbers": invented})


def _states(text: str, lift: Lift) -> bool:
    """Whether a text has both ends of an interval, in %, to at least the precision that tells it from others."""
    room = 100 * _ROOM * (lift.high - lift.low)
    values = [float(each.value) for each in numbers_of(text)]
    return all(any(abs(value - abs(100 * end)) <= room for value in values) for end in (lift.low, lift.high))


Entry = tuple[str, float, float, float, tuple[str, ...]]
"""Decision, effect and its ends in %, and reasons."""


def _seen(log: pl.DataFrame) -> tuple[Kind, Lift]:
    """What a test is, by its log alone, and its lift."""
    age = pl.col("timestamp").dt.date() - pl.col("timestamp").dt.date().min().over("user_id")
    rows = log.with_columns(age.dt.total_days().alias("age"))
    users, late = (
        each.group_by("user_id", "variant").agg(pl.col("clicks").sum()).sort("user_id")
        for each in (rows, rows.filter(pl.col("age") >= 7))
    )
    old, new = (users.filter(variant=arm).height for arm in ("old", "new"))
    lifts = [
        lift_of(*(each.filter(variant=arm)["clicks"].to_numpy() for arm in ("old", "new"))) for each in (users, late)
    ]
    if abs(new - old) / math.sqrt(new + old) > 3.3:
        return "broken", lifts[0]
    return ("lasting" if lifts[1].low > 0 else "novelty"), lifts[0]


def _entries(found: Mapping[str, tuple[Kind, Lift]]) -> dict[str, Entry]:
    return {
        name: (_RIGHT[kind][0], 100 * lift.value, 100 * lift.low, 100 * lift.high, (_RIGHT[kind][1],))
        for name, (kind, lift) in found.items()
    }


_SAID: Final[Mapping[Kind, str]] = {
    "broken": "The arms do not have the sizes that were planned, so nothing can be concluded. Find the cause.",
    "novelty": "The lift comes from the first days after a user saw the list first, and nothing is left of it later.",
    "lasting": "The lift is still there after a user's first week. It is significant.",
}


def _paragraphs(found: Mapping[str, tuple[Kind, Lift]]) -> dict[str, str]:
    return {
        name: f"Clicks per user: {100 * lift.value:+.1f} % [{100 * lift.low:+.1f} %, {100 * lift.high:+.1f} %]. "
        + _SAID[kind]
        for name, (kind, lift) in found.items()
    }


def _document(draw: Draw, front: Mapping[str, Entry], sections: Mapping[str, str]) -> str:
    lines = ["+++", toml_header(draw).rstrip()]
    for name, (decision, effect, low, high, reasons) in front.items():
        listed = ", ".join(f'"{each}"' for each in reasons)
        lines += [f"[{name}]", f'decision = "{decision}"', f"effect = {effect:.2f}  # %, relative to old"]
        lines += [f"low = {low:.2f}", f"high = {high:.2f}", f"reasons = [{listed}]", ""]
    lines += ["+++", "", "# Readout", ""]
    for name, text in sections.items():
        lines += [f"## {name}", "", text, ""]
    return "\n".join(lines)


def _write(draw: Draw, folder: Path, found: Mapping[str, tuple[Kind, Lift]], **sections: str) -> None:
    texts = _paragraphs(found)
    texts |= {name: f"{texts[name]}\n\n{more}" for name, more in sections.items()}
    (folder / "readout.md").write_text(_document(draw, _entries(found), texts), encoding="utf-8")


def _truth(draw: Draw) -> dict[str, tuple[Kind, Lift]]:
    return {name: (test.kind, test.lift) for name, test in finished_tests(draw).items()}


def _taken_for(kinds: Mapping[Kind, Kind]) -> Callable[[Draw, Path], None]:
    """A wrong answer: tests of a kind are taken for another."""
    return lambda draw, folder: _write(
        draw, folder, {name: (kinds.get(kind, kind), lift) for name, (kind, lift) in _truth(draw).items()}
    )


def _saying(more: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: right, and then one sentence too many."""
    return lambda draw, folder: _write(draw, folder, _truth(draw), test_2=more)


def _of_no_day(draw: Draw, folder: Path) -> None:
    """Clicks of users who came first on the best days stand in the text, as if they were those of the test."""
    log = finished_tests(draw)["test_2"].log.filter(variant="new")
    users = log.group_by("user_id").agg(pl.col("timestamp").min(), pl.col("clicks").sum())
    days = users.group_by("timestamp").agg(pl.col("clicks").mean())
    said = ", ".join(f"{each:.4f}" for each in days["clicks"].sort().tail(3))
    _write(draw, folder, _truth(draw), test_2=f"Users of the new list clicked {said} times.")


def _of_another(draw: Draw, folder: Path) -> None:
    """The mean clicks of another test stand under a heading."""
    means = finished_tests(draw)["test_1"].means
    said = " and ".join(f"{each:.4f}" for each in means.values())
    _write(draw, folder, _truth(draw), test_2=f"Users clicked {said} times.")


def _late_alone(draw: Draw, folder: Path) -> None:
    """The lift after the first week stands where that over all days is asked for."""
    _write(draw, folder, {name: (test.kind, test.late) for name, test in finished_tests(draw).items()})


def _without_text(draw: Draw, folder: Path) -> None:
    """The decisions, and not a word."""
    (folder / "readout.md").write_text(_document(draw, _entries(_truth(draw)), {}), encoding="utf-8")


ReadAndDecide.wrong = {
    "ships what won": _taken_for({"broken": "lasting", "novelty": "lasting"}),
    "novelty not seen": _taken_for({"novelty": "lasting"}),
    "assignment not looked at": _taken_for({"broken": "novelty"}),
    "nothing shipped": _taken_for({"lasting": "novelty"}),
    "invented numbers": _saying("It brings 48,317.27 more clicks and 1,904.63 more visits a month."),
    "invented shares": _saying("Orders rise by 31.53 %, visits by 47.26 % and the revenue by 58.91 %."),
    "days without their day": _of_no_day,
    "numbers of another test": _of_another,
    "significant without interval": _saying("The result is highly significant."),
    "effects of other days": _late_alone,
    "no text": _without_text,
}
