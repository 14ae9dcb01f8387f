"""What a trust check says: its code, its status, why, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from reclens.errors import Advice
from reclens.experiment.analysis.check_facts import CheckFacts
from reclens.tabular import Tabular

__all__ = ["BEYOND_CHANCE", "CHECK_CODES", "SUSPECT", "CheckReason", "TrustCheck", "TrustCheckCode", "TrustCheckStatus"]

TrustCheckCode = Literal[
    "sample_ratio",
    "triggered_ratio",
    "untriggered",
    "rows",
    "missing_values",
    "duplicates",
    "extreme_units",
    "unit",
    "balance",
    "outliers",
    "skewness",
    "peeking",
    "power",
    "weeks",
]
"""The trust checks, in the order to read them."""

CHECK_CODES: Final[tuple[TrustCheckCode, ...]] = get_args(TrustCheckCode)

TrustCheckStatus = Literal["pass", "warn", "fail", "skipped"]

CheckReason = Literal[
    # sample_ratio, triggered_ratio
    "as_planned",
    "uneven",
    "mismatch",
    "mismatch_in_parts",
    # untriggered, balance
    "alike",
    "differ",
    "no_others",
    "no_covariates",
    "nothing_varies",
    # rows
    "clean",
    "rules_applied",
    # missing_values, duplicates, extreme_units: each fault has a code of its own
    "faults",
    # unit
    "one_by_one",
    "together",
    # outliers
    "not_gathered",
    "harmless",
    "few_hold_much",
    # skewness
    "equal_arms",
    "tolerated",
    "not_tolerated",
    "allowed_for",
    "too_skewed",
    # peeking
    "on_schedule",
    "too_early",
    "look_unknown",
    "off_plan",
    "length_unknown",
    # power
    "no_effect_planned",
    "measured",
    # weeks
    "no_days",
    "whole_weeks",
    "part_weeks",
    # any check that the table cannot answer
    "not_known",
]
"""Why a check has its status."""

BEYOND_CHANCE: Final = 0.001
"""p-value below which arms differ beyond chance: many experiments are checked, most days."""

SUSPECT: Final = 0.05
"""p-value below which a difference is mentioned."""


@dataclass(frozen=True, kw_only=True)
class TrustCheck(Tabular):
    """One check of whether an experiment may be read.

    ``reclens.report.experiment`` says it in a sentence.

    Attributes:
        code: Which check it is.
        status: ``pass``; ``warn``: something to keep in mind; ``fail``: no decision before it is explained;
            ``skipped``: the data for it were not there.
        reason: Why it has this status.
        facts: The numbers behind it, typed by the kind of check.
        advice: What the reader can do, where a parameter of the call helps.
    """

    code: TrustCheckCode
    status: TrustCheckStatus
    reason: CheckReason
    facts: CheckFacts
    advice: Advice | None = None

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """The numbers behind it, for tables."""
        return tuple(self.facts.to_dicts())

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "code": self.code,
                "status": self.status,
                "reason": self.reason,
                "advice": None if self.advice is None else self.advice.code,
                "parameters": () if self.advice is None else tuple(each.name for each in self.advice.settings),
            }
        ]
