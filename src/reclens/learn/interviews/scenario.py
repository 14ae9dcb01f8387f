"""What a scenario is: a dashboard drawn from a world in which the cause is known, another one at each try."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["Dashboard", "Scenario"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dashboard:
    """What the candidate sees, and what is behind it.

    Attributes:
        data: The rows behind the tables.
        tables: Name -> its rows, as they are shown.
        answer: Question -> what is right, by the world.
        facts: What the text names.
    """

    data: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    answer: Mapping[str, str]
    facts: Mapping[str, Any]


class Scenario(Drill):
    """A scenario question. It can be asked again and again, each time with another world.

    Attributes:
        choices: Question -> the answers to choose from.
    """

    minutes = 7
    endless = True
    mistakes = ("another cause", "another check", "another containment")
    choices: ClassVar[Mapping[str, tuple[str, ...]]]

    @abstractmethod
    def dashboard(self, rng: np.random.Generator) -> Dashboard:
        """Draw a world and its dashboard."""

    def make(self, rng: np.random.Generator) -> Paper:
        """The dashboard as a paper, whose mistakes name what is next in the list of choices."""
        seen = self.dashboard(rng)
        keys = ("cause", "first_check", "containment")
        wrong = {name: {key: self._next(key, seen.answer[key])} for name, key in zip(self.mistakes, keys, strict=True)}
        return Paper(data=seen.data, right=dict(seen.answer), mistakes=wrong, facts=dict(seen.facts))

    def seen(self, seed: int, tries: int) -> Dashboard:
        """The dashboard of a learner, after so many tries."""
        return self.dashboard(self.draw(seed, tries).rng("paper"))

    def _next(self, key: str, right: str) -> str:
        options = self.choices[key]
        return options[(options.index(right) + 1) % len(options)]
