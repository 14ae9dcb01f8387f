"""One number of an audit: the value of a group, its reference, and their ratio with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated, Scale
from reclens.tabular import Tabular

__all__ = ["BAND", "MINIMUM_USERS", "AuditRow", "Family", "Harm", "Reason", "Section", "Severity", "audit_row"]

Section = Literal["exposure", "popularity", "users", "lists", "calibration", "position", "loop", "two_sided"]
"""What a number tells of: ``exposure`` of item groups; ``popularity`` bias; ``users``: accuracy for groups of users;
``lists``: what groups of users are shown; ``calibration``; ``position`` bias; the feedback ``loop``; ``two_sided``:
groups of users and items together."""

Harm = Literal["low", "high", "either"]
"""Which side is the worse one for the group: a lower value, a higher value, or any difference."""

Family = Literal["confirmatory", "exploratory", "descriptive"]
"""``confirmatory``: declared beforehand; ``exploratory``: found by search; ``descriptive``: not tested."""

Severity = Literal["critical", "high", "medium", "low", "favoured", "none", "inconclusive", "descriptive"]
"""From the gravest on. ``favoured``: the difference is to the good of the group. ``none``: shown to be no material
difference. ``inconclusive``: neither that nor a difference could be shown. ``descriptive``: not tested."""

Reason = Literal["few_users", "few_runs", "no_variation", "no_reference", "not_defined", "resampling"]
"""Why there is no interval: too few users; too few runs of a simulation; the replicates do not vary; the reference is
zero; there is no value; resampling users would inflate it, as it does squares and maxima of noisy means."""

MINIMUM_USERS: Final = 30
"""Groups with fewer users are inconclusive."""
BAND: Final = 0.9
"""A ratio between this and its inverse is no material difference."""
_POWER: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class AuditRow(Tabular):
    """What a group gets beside a reference.

    Attributes:
        section: What it tells of.
        measure: What is measured, such as ``"exposure_share"`` or ``"ndcg@10"``.
        attribute: The attribute of items that makes the groups; None where the group is one of users.
        group: The group of items; None where the group is one of users.
        by: The segmentation of users; ``"overall"`` for all.
        segment: The group of users; ``"all"`` for all.
        reference: What it is held against, such as ``"catalogue"``, ``"merit"``, ``"profile"`` or ``"rest"``.
        n: Users behind the value.
        n_reference: Users behind the reference.
        value: What the group gets.
        reference_value: What the reference gets.
        difference: Value - reference.
        ratio: Value ÷ reference.
        harm: The worse side for the group.
        p_value: Two-sided, of no difference; NaN where nothing could be tested.
        p_equivalent: Of "the ratio lies outside the band": small where no material difference is shown (TOST).
        smallest_detectable: The ratio below 1 that this number of users finds with 80 % power; NaN without a test.
        reason: Why there is no interval; None where there is one.
        family: How it was asked.
        p_adjusted: Corrected over the tests of its family; None before the correction, and where nothing was tested.
        severity: How grave it is; see ``reclens.audit.severity``.
    """

    section: Section
    measure: str
    attribute: str | None = None
    group: str | None = None
    by: str = "overall"
    segment: str = "all"
    reference: str
    n: int
    n_reference: int
    value: Estimate
    reference_value: Estimate
    difference: Estimate
    ratio: Estimate
    harm: Harm = "low"
    p_value: float = math.nan
    p_equivalent: float = math.nan
    smallest_detectable: float = math.nan
    reason: Reason | None = None
    family: Family = "confirmatory"
    p_adjusted: float | None = None
    severity: Severity = "descriptive"

    @property
    def impact(self) -> Estimate:
        """The ratio with harm below 1: turned over where the higher side is the worse one, or lies above 1 anyway."""
        turned = self.harm == "high" or (self.harm == "either" and self.ratio.value > 1)
        if not turned:
            return self.ratio
        ends = [None if end is None or end <= 0 else 1 / end for end in (self.ratio.high, self.ratio.low)]
        value = 1 / self.ratio.value if self.ratio.value else math.nan
        return Estimate(value, low=ends[0], high=ends[1], n=self.ratio.n, level=self.ratio.level)

    @property
    def tested(self) -> bool:
        """Whether there is a test."""
        return not math.isnan(self.p_value)

    @property
    def subject(self) -> str:
        """The group of the row."""
        return self.segment if self.group is None else self.group

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one flat row, for tables."""
        row = {key: each for key, each in asdict(self).items() if not isinstance(each, dict)}
        for name in ("value", "reference_value", "difference", "ratio"):
            each: Estimate = getattr(self, name)
            row |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
        return [row]


def audit_row(
    value: Replicated,
    against: Replicated | float,
    *,
    n: int,
    n_reference: int | None = None,
    scale: Scale = "identity",
    test: Literal["ratio", "difference"] = "ratio",
    level: float = 0.95,
    minimum: int = MINIMUM_USERS,
    band: float = BAND,
    **about: Any,
) -> AuditRow:
    """Hold a number against a reference.

    Args:
        value: What the group gets, a single number.
        against: What it is compared with: a number with replicates of the same draws, or one that is known.
        n: Users behind the value.
        n_reference: Users behind the reference, where they are others.
        scale: Where the interval of the value is made.
        test: Whether there has to be a ratio or a difference that varies. Where there are both, each has to show a
            difference: of skewed values in a small group one of the two alone would raise too many false alarms.
        level: Confidence level.
        minimum: With fewer users there is no test.
        band: A ratio between this and its inverse is no material difference.
        about: ``section``, ``measure`` and the other fields of the row.

    Raises:
        UsageError: If the band does not lie between 0 and 1.
    """
    if not 0 < band < 1:
        raise ArgumentValueError("band", f"is {band}, expected a ratio between 0 and 1 such as 0.9")
    other = against if isinstance(against, Replicated) else _known(against, value)
    few = min(n, n if n_reference is None else n_reference)
    difference, ratio = value - other, value / other
    estimates = {
        "value": value.estimate(n=n, level=level, scale=scale),
        "reference_value": other.estimate(n=n if n_reference is None else n_reference, level=level, scale=scale),
        "difference": difference.estimate(n=few, level=level),
        "ratio": ratio.estimate(n=few, level=level, scale="log"),
    }
    row = AuditRow(n=n, n_reference=n if n_reference is None else n_reference, **estimates, **about)
    if scale == "logit" and few >= minimum and not value.draws.any() and float(other.value) > 0:
        return _never(row, float(other.value), few, level)
    reason = _reason(value, other, difference if test == "difference" else ratio, few, minimum, test)
    if reason is not None:
        return replace(row, reason=reason)
    return replace(
        row,
        p_value=_difference_of_both(difference, ratio, few),
        p_equivalent=_equivalence(ratio, few, band),
        smallest_detectable=_smallest(ratio, few, 1 - level),
    )


def _never(row: AuditRow, alike: float, n: int, level: float) -> AuditRow:
    """A share that is 0 for all users: bounds from the number of users.

    A user who has some has at most all of it, so that the share is at most the share of users who have some: its upper
    end is that of 0 of n users (Clopper and Pearson), and at parity no user has any with chance (1 - parity)^n at most;
    twice that is the two-sided p-value.
    """
    high = 1 - ((1 - level) / 2) ** (1 / n)
    value, ratio = (Estimate(0.0, low=0.0, high=end, n=n, level=level) for end in (high, high / alike))
    return replace(row, value=value, ratio=ratio, p_value=min(2 * (1 - alike) ** n, 1.0))


def _known(value: float, like: Replicated) -> Replicated:
    """A constant number."""
    return Replicated(np.asarray(float(value)), np.full(like.draws.shape[-1], float(value)))


def _reason(
    value: Replicated, other: Replicated, tested: Replicated, few: int, minimum: int, test: str
) -> Reason | None:
    if not (math.isfinite(float(value.value)) and math.isfinite(float(other.value))):
        return "not_defined"
    if few < minimum:
        return "few_users"
    if test == "ratio" and not float(other.value) > 0:
        return "no_reference"
    return None if tested.varies("log" if test == "ratio" else "identity") else "no_variation"


def _difference_of_both(difference: Replicated, ratio: Replicated, n: int) -> float:
    """The larger p-value of the difference and of the logarithm of the ratio, of those that vary."""
    found = [difference.p_value(n=n), ratio.p_value(1.0, n=n, scale="log")]
    return max(each for each in found if not math.isnan(each))


def _equivalence(ratio: Replicated, n: int, band: float) -> float:
    """The larger of the two one-sided p-values (Schuirmann 1987); NaN where the ratio does not vary."""
    from scipy.special import stdtr

    below, above = ratio.z(band, "log"), ratio.z(1 / band, "log")
    if math.isnan(below):
        return math.nan
    shrunk = math.sqrt((n - 1) / n)
    return float(max(stdtr(n - 1, -below * shrunk), stdtr(n - 1, above * shrunk)))


def _smallest(ratio: Replicated, n: int, alpha: float) -> float:
    """The ratio below 1 that is found with 80 % power, by the standard error of the logarithm."""
    from scipy.special import stdtrit

    if not ratio.varies("log"):
        return math.nan
    reach = -float(stdtrit(n - 1, alpha / 2)) + float(stdtrit(n - 1, _POWER))
    return math.exp(-reach * math.sqrt(n / (n - 1)) * float(ratio.standard_error("log")))
