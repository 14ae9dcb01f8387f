"""The conditions of an exploration, as TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from reclens.errors import UsageError
from reclens.explore.gate import ExploreGateRule
from reclens.explore.result import MeasureName
from reclens.settings import Section, read_toml, validate
from reclens.stats.gate import Bound

__all__ = ["load_explore_gate"]


class _Row(Section):
    """A condition; see :class:`reclens.explore.ExploreGateRule`."""

    measure: MeasureName
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = Field(default=0.0, ge=0)
    unsure: Literal["fail", "pass"] = "fail"

    @model_validator(mode="after")
    def _has_a_bound(self) -> _Row:
        try:
            self.rule()
        except UsageError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def rule(self) -> ExploreGateRule:
        """The same for :func:`reclens.explore.explore_gate`."""
        bound = Bound(at_least=self.at_least, at_most=self.at_most, tolerance=self.tolerance)
        return ExploreGateRule(measure=self.measure, bound=bound, unsure=self.unsure)


class _File(Section):
    """A file of conditions."""

    gate: list[_Row] = Field(min_length=1)


def load_explore_gate(path: str | Path) -> list[ExploreGateRule]:
    """Read the ``[[gate]]`` rows of a TOML file: ``measure``, ``at_least``, ``at_most``, ``tolerance``, ``unsure``.

    Raises:
        UsageError: If the file cannot be read, is no TOML, has an unknown key or measure, or no row.
    """
    return [row.rule() for row in validate(_File, read_toml(path), source=str(path)).gate]
