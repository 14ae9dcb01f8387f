"""What a table of an experiment cannot tell: codes for programs, words for readers, and the guards that rest on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from reclens.experiment.check_result import GuardCode, TrustCheck
from reclens.tabular import Tabular

__all__ = ["GUARDED", "Unknown", "UnknownCode", "with_unknown"]

UnknownCode = Literal[
    "repeated_units",
    "crossed_units",
    "shared_ids",
    "missing_values",
    "extreme_units",
    "outliers",
    "skewness",
    "covariates",
    "cap",
    "segments",
    "unread_metrics",
]

_WORDS: Final[dict[UnknownCode, str]] = {
    "repeated_units": "whether a unit stands there twice: the table has no ids",
    "crossed_units": "whether a unit stands in two arms: the table has no ids",
    "shared_ids": "whether whole groups of units were randomised: the table has no ids",
    "missing_values": "how many units have no value, and in which arm: the table has counts alone",
    "extreme_units": "whether units have values far beyond all others: the table has means alone",
    "outliers": "how much the largest values hold: the table has means alone",
    "skewness": "how skewed the values are: the table has means and standard deviations alone, so that the test does "
    "not allow for it",
    "covariates": "what was measured before the experiment: the effect is not adjusted by it, as planned, and the arms "
    "are not compared by it",
    "cap": "whether values were cut off as planned: the means are taken to be of the values after that",
    "segments": "the effect by segment: the table has no such column",
    "unread_metrics": "metrics that counts, means and standard deviations do not give",
}

_GUARDS: Final[dict[UnknownCode, GuardCode]] = {
    "repeated_units": "rows",
    "crossed_units": "rows",
    "shared_ids": "unit",
    "missing_values": "missing_values",
    "extreme_units": "extreme_units",
    "outliers": "outliers",
    "skewness": "skewness",
    "covariates": "balance",
}
"""The guard that cannot be checked without it."""

GUARDED: Final = frozenset(_GUARDS)
"""Codes that a guard tells of."""


@dataclass(frozen=True)
class Unknown(Tabular):
    """One thing that a table cannot tell.

    Attributes:
        code: What it is.
        of: The metrics or columns that it is about; empty where it is the whole table.
    """

    code: UnknownCode
    of: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What cannot be told, and why, for readers.

        Example:
            >>> Unknown("segments", ("country",)).words
            'the effect by segment: the table has no such column (country)'
        """
        return _WORDS[self.code] + (f" ({', '.join(self.of)})" if self.of else "")

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"code": self.code, "of": ", ".join(self.of), "not_known": self.words}]


def with_unknown(guards: Sequence[TrustCheck], unknown: Sequence[Unknown]) -> tuple[TrustCheck, ...]:
    """The guards, where those that cannot be checked say so; what was found stays found.

    Without rules "every unit stands in one arm" is no finding where nobody knows the units.
    """
    found = {guard.code: guard for guard in guards}
    untold: dict[GuardCode, list[str]] = {}
    for each in unknown:
        if each.code in _GUARDS:
            untold.setdefault(_GUARDS[each.code], []).append(each.words)
    for code, words in untold.items():
        guard = found.get(code)
        if guard is None or guard.status == "not checked" or (code == "rows" and guard.status == "fine"):
            found[code] = TrustCheck(code, "not checked", f"It is not known {'; nor '.join(words)}.")
    order: tuple[GuardCode, ...] = get_args(GuardCode)
    return tuple(sorted(found.values(), key=lambda guard: order.index(guard.code)))
