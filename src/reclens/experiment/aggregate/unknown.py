"""What a table of an experiment cannot tell: codes, words for readers, and the trust checks that rest on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from reclens.experiment.check_result import TrustCheck, TrustCheckCode
from reclens.tabular import Tabular

__all__ = ["CHECKED", "Unknown", "UnknownCode", "with_unknown"]

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

_CHECKS: Final[dict[UnknownCode, TrustCheckCode]] = {
    "repeated_units": "rows",
    "crossed_units": "rows",
    "shared_ids": "unit",
    "missing_values": "missing_values",
    "extreme_units": "extreme_units",
    "outliers": "outliers",
    "skewness": "skewness",
    "covariates": "balance",
}
"""The trust check that cannot be checked without it."""

CHECKED: Final = frozenset(_CHECKS)
"""Codes that a trust check tells of."""


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


def with_unknown(trust_checks: Sequence[TrustCheck], unknown: Sequence[Unknown]) -> tuple[TrustCheck, ...]:
    """The trust checks, where those that cannot be checked say so; what was found stays found.

    Without rules "every unit stands in one arm" is no finding where nobody knows the units.
    """
    found = {check.code: check for check in trust_checks}
    untold: dict[TrustCheckCode, list[str]] = {}
    for each in unknown:
        if each.code in _CHECKS:
            untold.setdefault(_CHECKS[each.code], []).append(each.words)
    for code, words in untold.items():
        check = found.get(code)
        if check is None or check.status == "skipped" or (code == "rows" and check.status == "pass"):
            found[code] = TrustCheck(code, "skipped", f"It is not known {'; nor '.join(words)}.")
    order: tuple[TrustCheckCode, ...] = get_args(TrustCheckCode)
    return tuple(sorted(found.values(), key=lambda check: order.index(check.code)))
