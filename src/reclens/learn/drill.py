"""What a drill is: five to ten minutes with numbers of the learner's own, answered in one file."""

from __future__ import annotations

import math
import tomllib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["Drill", "Paper", "said_value", "toml_answer"]

_FILE: Final = "answer.toml"
_ROOM: Final = 0.005
"""How far a number may be off; that share of it where it is above 1."""
_TRIES: Final = 1000

Value = float | str | list[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Paper:
    """The questions of a drill for one learner.

    Attributes:
        data: What ``data.csv`` holds.
        right: Key of the answer -> what it has to be. Lists are compared without order.
        mistakes: Name of a mistake -> the keys that it makes otherwise.
        facts: What the text of the task names.
    """

    data: pl.DataFrame
    right: Mapping[str, Value]
    mistakes: Mapping[str, Mapping[str, Value]]
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Drill(Exercise):
    """A drill: it is checked as an exercise is, and is no milestone.

    Attributes:
        mistakes: Names of the mistakes that each of its papers shows.
    """

    files = (_FILE,)
    minutes = 8
    mistakes: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.wrong = {name: partial(_write_mistake, cls, name) for name in cls.mistakes}

    @abstractmethod
    def make(self, rng: np.random.Generator) -> Paper:
        """Draw questions; a draw in which a mistake gives the right answer is drawn again."""

    def paper(self, draw: Draw) -> Paper:
        """The questions of a learner."""
        return _paper(type(self), draw)

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """What the text of the task names."""
        return dict(self.paper(draw).facts)

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The numbers."""
        self.paper(draw).data.write_csv(folder / "data.csv")

    def templates(self, draw: Draw) -> dict[str, str]:
        """The keys, without an answer."""
        empty = {key: _nothing(value) for key, value in self.paper(draw).right.items()}
        return {_FILE: toml_answer(draw, empty)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Compare key by key."""
        given = tomllib.loads(answer[_FILE])
        for key, right in self.paper(draw).right.items():
            seen = given.get(key)
            if not _fits(seen, right):
                yield Remark("drill_no_answer", {"key": key, "seen": said_value(seen)})
            elif not _is_same(seen, right):
                yield Remark("drill_wrong_answer", {"key": key, "seen": said_value(seen)})

    def solve(self, draw: Draw, folder: Path) -> None:
        """The right answer."""
        (folder / _FILE).write_text(toml_answer(draw, self.paper(draw).right), encoding="utf-8")


@lru_cache(maxsize=16)
def _paper(kind: type[Drill], draw: Draw) -> Paper:
    rng, drill = draw.rng("paper"), kind()
    for _ in range(_TRIES):
        made = drill.make(rng)
        if all(
            any(not _is_same(value, made.right[key]) for key, value in each.items()) for each in made.mistakes.values()
        ):
            return made
    raise RuntimeError("no draw of those tried tells the mistakes from the right answer")


def said_value(seen: object) -> str:
    """A value of an answer as a message says it.

    >>> said_value(""), said_value("u1"), said_value(0.5)
    ('empty', "'u1'", '0.5')
    """
    if seen in (None, ""):
        return "empty"
    return f"'{seen[:80]}'" if isinstance(seen, str) else str(seen)[:80]


def _fits(seen: object, right: Value) -> bool:
    """Whether an answer is of the kind that is asked for."""
    if isinstance(right, list):
        return isinstance(seen, list)
    if isinstance(right, str):
        return isinstance(seen, str)
    return isinstance(seen, int | float) and not isinstance(seen, bool) and math.isfinite(seen)


def _is_same(seen: object, right: Value) -> bool:
    if isinstance(right, list):
        return isinstance(seen, list) and sorted(map(str, seen)) == sorted(right)
    if isinstance(right, str) or not isinstance(seen, int | float):
        return seen == right
    return abs(seen - right) <= _ROOM * max(1.0, abs(right))


def _nothing(value: Value) -> Value:
    return [] if isinstance(value, list) else "" if isinstance(value, str) else 0.0


def toml_answer(draw: Draw, values: Mapping[str, Value]) -> str:
    """An answer as TOML, with its header."""
    lines: list[str] = []
    for key, value in values.items():
        if isinstance(value, list):
            written = "[" + ", ".join(f'"{each}"' for each in value) + "]"
        else:
            written = f'"{value}"' if isinstance(value, str) else f"{value:.6g}"
        lines.append(f"{key} = {written}")
    return toml_header(draw) + "\n".join(lines) + "\n"


def _write_mistake(kind: type[Drill], name: str, draw: Draw, folder: Path) -> None:
    """Right, but for one mistake."""
    paper = kind().paper(draw)
    (folder / _FILE).write_text(toml_answer(draw, {**paper.right, **paper.mistakes[name]}), encoding="utf-8")
