"""Plan an audit: the gaps that are detectable with the given users, computed without the lists."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.errors import Advice, ArgumentValueError, Setting, UsageError
from reclens.evaluation.argument_checks import asked_segments, with_segments_of
from reclens.evaluation.groups import UNKNOWN, make_groups
from reclens.tabular import Tabular
from reclens.vocabulary import Vocabulary

__all__ = ["AuditPlan", "DetectableGap", "plan"]

POWER: Final = 0.8
SPREAD: Final = 0.3
"""Standard deviation over users that is taken for a metric in 0 … 1 of which nothing is known yet."""


@dataclass(frozen=True, kw_only=True)
class DetectableGap(Tabular):
    """What could be found of one group.

    Attributes:
        by: The segmentation.
        segment: The group.
        n: Users of the group.
        n_reference: Users of the other known groups.
        difference: The difference that a test finds with 80 % power, after the correction; NaN for groups that are too
            small to be tested.
        ratio: The impact ratio that it is, from the mean that is expected; NaN without one.
        small: Whether the group has too few users to be tested.
    """

    by: str
    segment: str
    n: int
    n_reference: int
    difference: float
    ratio: float
    small: bool

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True)
class AuditPlan(Tabular):
    """Which gaps could be found.

    Attributes:
        metric: The primary metric.
        mean: Its expected mean, or None.
        spread: Its standard deviation over users.
        tests: Declared tests that are corrected together.
        gaps: One a group of users.
    """

    metric: str
    mean: float | None
    spread: float
    tests: int
    gaps: tuple[DetectableGap, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per group."""
        return [asdict(each) for each in self.gaps]


def plan(
    train: Dataset,
    settings: AuditSettings,
    *,
    users: pl.Series | None = None,
    mean: float | None = None,
    spread: float = SPREAD,
) -> AuditPlan:
    """Say which gaps between groups of users the audit could find.

    Formula: difference = (z(1 - α ÷ 2m) + z(0.8)) · spread · √(1 ÷ n + 1 ÷ n_rest), for m declared tests by the first
    step of Holm; ratio = 1 - difference ÷ mean.

    Args:
        train: The training data, with the attributes of users.
        settings: What is to be audited.
        users: The users with lists; those of the training data by default.
        mean: The expected mean of the primary metric, such as that of the last evaluation.
        spread: Its standard deviation over users.

    Raises:
        UsageError: If no groups of users are named, or mean or spread is not above 0.
        UnknownNameError: If there is no such group of users.

    References:
        Chow, Shao, Wang, Lokhnygina (2018), Sample size calculations in clinical research, section 3.2.
    """
    from scipy.special import ndtri

    by = asked_segments(settings.by)
    if not by:
        raise UsageError(
            "no groups of users are named",
            advice=Advice("name_groups", (Setting("by", ["gender"]),), "Name them, as by {by}."),
        )
    for name, value in (("mean", mean), ("spread", spread)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ArgumentValueError(name, f"is {value}, expected a number above 0")
    known = Vocabulary(train.user_vocabulary.ids if users is None else users)
    groups = make_groups(with_segments_of(train, by), known, by)
    sizes = {
        (name, label): int((codes == at).sum())
        for name, (labels, codes) in groups.items()
        for at, label in enumerate(labels)
    }
    tested = [cell for cell, n in sizes.items() if n >= settings.minimum]
    # Of two groups, each the rest of the other, one is tested.
    tests = max(sum(max(len([c for c in tested if c[0] == name]), 1) - _mirror(tested, name) for name in groups), 1)
    reach = float(ndtri(1 - settings.alpha / (2 * tests)) + ndtri(POWER))
    found = []
    for (name, label), n in sizes.items():
        rest = sum(size for cell, size in sizes.items() if cell[0] == name and cell[1] not in (label, UNKNOWN))
        small = min(n, rest) < settings.minimum
        difference = math.nan if small else reach * spread * math.sqrt(1 / n + 1 / rest)
        ratio = max(1 - difference / mean, 0.0) if mean is not None and not small else math.nan
        found.append(
            DetectableGap(
                by=name, segment=label, n=n, n_reference=rest, difference=difference, ratio=ratio, small=small
            )
        )
    metric = settings.metrics_of(truth=True)[0]
    return AuditPlan(metric=metric, mean=mean, spread=spread, tests=tests, gaps=tuple(found))


def _mirror(tested: list[tuple[str, str]], name: str) -> int:
    known = [cell for cell in tested if cell[0] == name and cell[1] != UNKNOWN]
    return int(len(known) == 2)
