"""Whether an assignment is what it should be: the planned shares, uniform, and independent of everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.experiment.assignment.assign import Assignment, assign, position
from reclens.experiment.planning.plan import Plan
from reclens.tabular import Tabular

__all__ = ["BUCKETS", "AssignmentCheck", "check_assignment"]

SUSPICIOUS: Final = 0.001
"""Below this p-value a check fails: with a handful of checks a sound assignment fails one time in some hundred."""

BUCKETS: Final = 100
"""Buckets that positions are counted in."""


@dataclass(frozen=True, kw_only=True)
class AssignmentCheck(Tabular):
    """One test of an assignment.

    Attributes:
        code: What was tested: ``shares`` as planned; ``uniform`` positions; ``independent`` of the arms of another
            experiment; the same ``mix`` of an attribute in every arm.
        of: The other experiment or the attribute; empty where it is about neither.
        statistic: Pearson's chi².
        df: Its degrees of freedom.
        p: p-value; NaN where there was nothing to test.
        n: Units it rests on.
        fine: Whether p is not suspiciously small.
    """

    code: Literal["shares", "uniform", "independent", "mix"]
    of: str = ""
    statistic: float
    df: int
    p: float
    n: int
    fine: bool

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def check_assignment(
    units: pl.Series, plan: Plan, *, others: Sequence[Plan] = (), attributes: pl.DataFrame | None = None
) -> list[AssignmentCheck]:
    """Test an assignment before the start of the experiment.

    The shares are compared with the plan, the positions with uniformity over 100 buckets, and the arms against the
    arms of other experiments and against what is known of the units. Source: Pearson (1900); Kohavi, Tang and Xu
    (2020), ch. 14 and 21.

    Args:
        units: Ids of the units, each once.
        plan: The plan.
        others: Plans that run at the same time.
        attributes: Column name -> group of each unit, in the order of ``units``.

    Returns:
        The checks, in that order.

    Raises:
        DataError: If an id is repeated, or attributes has another number of rows.
    """
    if units.n_unique() != len(units):
        raise DataError("an id is repeated", column=units.name or None, fix="Give each unit once.")
    if attributes is not None and attributes.height != len(units):
        raise DataError(
            f"attributes has {attributes.height:,} rows for {len(units):,} units",
            fix="Give one row a unit, in the same order.",
        )
    made = assign(units, plan)
    inside = made.table["variant"].is_not_null()
    arms = made.table["variant"].filter(inside)
    found = [_shares(made), _uniform(units, plan)]
    for other in others:
        theirs = assign(units, other).table["variant"].filter(inside)
        found.append(_independent(arms, theirs, "independent", other.name))
    for column in attributes.columns if attributes is not None else ():
        assert attributes is not None
        groups = attributes[column].cast(pl.String).filter(inside)
        found.append(_independent(arms, groups, "mix", column))
    return found


def _shares(made: Assignment) -> AssignmentCheck:
    rows = [row for row in made.to_dicts() if row["planned"] is not None]
    seen = np.array([row["units"] for row in rows], float)
    return _verdict("shares", "", seen, seen.sum() * np.array([row["planned"] for row in rows]), len(rows) - 1)


def _uniform(units: pl.Series, plan: Plan) -> AssignmentCheck:
    seen = np.bincount((position(units, salt=plan.salt) * BUCKETS).astype(int), minlength=BUCKETS).astype(float)
    expected = np.full(BUCKETS, len(units) / BUCKETS)
    return _verdict("uniform", "", seen, expected, BUCKETS - 1)


def _independent(arms: pl.Series, groups: pl.Series, code: Literal["independent", "mix"], of: str) -> AssignmentCheck:
    known = groups.is_not_null()
    pairs = pl.DataFrame({"arm": arms.filter(known), "group": groups.filter(known)})
    counted: Mapping[tuple[str, str], int] = {
        (row["arm"], row["group"]): row["len"] for row in pairs.group_by("arm", "group").len().to_dicts()
    }
    rows, columns = sorted({arm for arm, _ in counted}), sorted({group for _, group in counted})
    seen = np.array([[counted.get((arm, group), 0) for group in columns] for arm in rows], float)
    if seen.size == 0:
        return _verdict(code, of, np.zeros(0), np.zeros(0), 0)
    expected = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / seen.sum()
    return _verdict(code, of, seen.ravel(), expected.ravel(), (len(rows) - 1) * (len(columns) - 1))


def _verdict(
    code: Literal["shares", "uniform", "independent", "mix"], of: str, seen: np.ndarray, expected: np.ndarray, df: int
) -> AssignmentCheck:
    from scipy.special import chdtrc

    n = int(seen.sum())
    nothing = float("nan")
    if df < 1 or n == 0 or expected.min() < 5:
        return AssignmentCheck(code=code, of=of, statistic=nothing, df=df, p=nothing, n=n, fine=True)
    statistic = float(((seen - expected) ** 2 / expected).sum())
    p = float(chdtrc(df, statistic))
    return AssignmentCheck(code=code, of=of, statistic=statistic, df=df, p=p, n=n, fine=p >= SUSPICIOUS)
