"""The verdict of one method on a change, compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reclens.experiment.off_policy.evaluate import PolicyValue
from reclens.experiment.off_policy.weights import Objection
from reclens.stats.estimate import Estimate

__all__ = ["CautionCode", "MethodVerdict", "Says", "is_right", "is_same", "verdict_of"]

Says = Literal["treatment", "control", "undecided", "none"]

CautionCode = Literal["known_bias", "few_credited", "objected", "refused", "by_place", "exact_for_these_users"]
"""Lists mixed so favour one ranker where clicks are at random; too few users gave credit; the log cannot decide; the
estimator gives no verdict; it takes items by their place alone; or the truth is exact for these users, and its interval
is over users like these."""


@dataclass(frozen=True, kw_only=True)
class MethodVerdict:
    """The verdict of one method on a change, compared with the truth.

    Attributes:
        verdict: Kind of method: ``truth``, ``A/B``, ``A/B, lists alone``, ``interleaving`` or ``off-policy``.
        method: The method or estimator.
        measure: Measure of the effect.
        found: The effect with its interval.
        truth: The true effect.
        says: ``treatment``, ``control``, ``undecided``, or ``none`` where it gives no verdict.
        right: Whether that is right; None without a verdict.
        p_value: Its p-value, if any.
        effective: Effective sample size of a log.
        users_needed: Users for 80 % power.
        gain: Users of an A/B test divided by these.
        caution: Caveats.
        objections: Why the log cannot decide.
        value: The off-policy estimate.
    """

    verdict: str
    method: str
    measure: str
    found: Estimate
    truth: float
    says: Says
    right: bool | None
    p_value: float | None = None
    effective: float | None = None
    users_needed: float | None = None
    gain: Estimate | None = None
    caution: CautionCode | None = None
    objections: tuple[Objection, ...] = ()
    value: PolicyValue | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a row, for tables."""
        return {
            "verdict": self.verdict,
            "method": self.method,
            "measure": self.measure,
            "effect": self.found.value,
            "low": self.found.low,
            "high": self.found.high,
            "truth": self.truth,
            "says": self.says,
            "right": self.right,
            "p_value": self.p_value,
            "effective": self.effective,
            "users_needed": self.users_needed,
            "gain": self.gain and self.gain.value,
            "gain_low": self.gain and self.gain.low,
            "gain_high": self.gain and self.gain.high,
            "note": self.caution or self.found.note,
        }


def is_same(row: MethodVerdict, other: MethodVerdict) -> bool:
    """Whether two rows are one estimate under two names: ``ips`` and ``iips`` where lists all are of one length."""
    pairs = ((row.found.low, other.found.low), (row.found.high, other.found.high))
    ends = all(a is not None and b is not None and bool(np.isclose(a, b, rtol=1e-9)) for a, b in pairs)
    return ends and bool(np.isclose([row.found.value, row.truth], [other.found.value, other.truth], rtol=1e-9).all())


def verdict_of(verdict: str, method: str, measure: str, found: Estimate, truth: Estimate) -> MethodVerdict:
    """What an estimate says, by the side of 0 on which its interval lies, and whether that is right."""
    says = _says(found)
    return MethodVerdict(
        verdict=verdict,
        method=method,
        measure=measure,
        found=found,
        truth=truth.value,
        says=says,
        right=None if verdict == "truth" else is_right(says, truth),
    )


def _says(found: Estimate) -> Says:
    if found.low is not None and found.low > 0:
        return "treatment"
    return "control" if found.high is not None and found.high < 0 else "undecided"


def is_right(says: Says, truth: Estimate) -> bool | None:
    """Whether the named side is that of the truth; None if none is named."""
    return None if says not in ("treatment", "control") else (says == "treatment") == (truth.value > 0)
