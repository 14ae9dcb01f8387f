"""Who gets which arm: a salted hash of the unit's id, the same on every machine, in every language and in SQL.

The *position* of a unit under a salt is the number that the first 13 hexadecimal digits of ``md5(salt + ":" + id)``
make (UTF-8, RFC 1321), divided by 16^13: 52 bits, which a double holds exactly. In this order a unit is

1. in the global holdout if its position under ``holdout`` is below the plan's ``holdout``;
2. in the layer's holdout if its position under ``holdout:LAYER`` is below ``layer_holdout``;
3. out of the experiment if its position under ``layer:LAYER`` lies outside ``slice``: experiments of one layer with
   slices that do not overlap exclude each other, and layers are independent of each other;
4. in the arm into whose part of 0 … 1 its position under the plan's ``salt`` falls: the arms stand in the order of the
   plan, each as wide as its share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.quoting import constant, quoted
from reclens.errors import DataError, UsageError
from reclens.experiment.assignment._md5 import leading_bits
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.tabular import Tabular

__all__ = [
    "HOLDOUT",
    "LAYER_HOLDOUT",
    "OUTSIDE",
    "Assignment",
    "LayerPair",
    "assign",
    "check_layers",
    "position",
    "sql_of",
]

HOLDOUT: Final = "holdout"
LAYER_HOLDOUT: Final = "layer holdout"
OUTSIDE: Final = "outside the slice"

_SCALE: Final = 16.0**13


@dataclass(frozen=True, eq=False)
class Assignment(Tabular):
    """The arms of the units.

    Attributes:
        table: Polars frame: the unit's column, ``variant`` (null outside the experiment) and ``reason`` why there.
        plan: The plan.
    """

    table: pl.DataFrame
    plan: Plan

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each arm, then for each reason to be outside: units and their share."""
        counts = {
            (row["variant"], row["reason"]): row["len"]
            for row in self.table.group_by("variant", "reason").len().to_dicts()
        }
        inside = sum(counts.get((arm, None), 0) for arm in self.plan.arms)
        rows: list[dict[str, Any]] = [
            {
                "variant": arm,
                "units": counts.get((arm, None), 0),
                "share": counts.get((arm, None), 0) / inside if inside else None,
                "planned": share,
            }
            for arm, share in self.plan.arms.items()
        ]
        outside = [(reason, counts.get((None, reason), 0)) for reason in (HOLDOUT, LAYER_HOLDOUT, OUTSIDE)]
        return rows + [
            {"variant": reason, "units": units, "share": None, "planned": None} for reason, units in outside if units
        ]


def position(units: pl.Series, *, salt: str) -> np.ndarray:
    """Where each unit stands under a salt: uniform on [0, 1), shape (n,).

    Example:
        >>> import polars as pl
        >>> position(pl.Series(["u1", "u2"]), salt="home page").round(6).tolist()
        [0.945065, 0.281281]
    """
    return (leading_bits(salt + ":" + _texts(units)) >> np.uint64(12)).astype(np.float64) / _SCALE


def assign(units: pl.Series | Iterable[Any], plan: Plan | str | Path) -> Assignment:
    """Assign units to the arms of a plan.

    Args:
        units: Their ids: strings or integers; 7 and "7" are the same unit.
        plan: The plan, or its TOML file.

    Returns:
        The assignment, a row for each id in the order given.

    Raises:
        DataError: If an id is missing, or is neither text nor a whole number.

    Example:
        >>> plan = Plan(name="a", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "clicks", "value": "clicks"},))
        >>> assign(["u1", "u2", "u3", "u4"], plan).table["variant"].to_list()
        ['old', 'old', 'new', 'old']
    """
    plan = load_plan(plan)
    ids = units if isinstance(units, pl.Series) else pl.Series(list(units))
    texts = _texts(ids)
    edges = np.cumsum(list(plan.arms.values()))[:-1]
    names = pl.Series([*plan.arms], dtype=pl.String)
    arms = np.searchsorted(edges, position(texts, salt=plan.salt), side="right")
    variant = names.gather(arms)
    reasons = np.zeros(len(ids), np.int8)
    low, high = plan.slice
    if (low, high) != (0.0, 1.0):
        at = position(texts, salt=f"layer:{plan.layer}")
        reasons[(at < low) | (at >= high)] = 3
    if plan.layer_holdout:
        reasons[position(texts, salt=f"holdout:{plan.layer}") < plan.layer_holdout] = 2
    if plan.holdout:
        reasons[position(texts, salt="holdout") < plan.holdout] = 1
    words = pl.Series([None, HOLDOUT, LAYER_HOLDOUT, OUTSIDE], dtype=pl.String).gather(reasons)
    table = pl.DataFrame({plan.unit: ids, "variant": variant, "reason": words})
    inside = pl.when(pl.col("reason").is_null()).then(pl.col("variant")).alias("variant")
    return Assignment(table.with_columns(inside), plan)


def sql_of(plan: Plan, *, table: str = "units") -> str:
    """The same assignment in DuckDB's SQL: every row of a table with its ``variant`` (null outside the experiment).

    ``md5`` and hexadecimal numbers are all that it needs, so that another dialect is a small change.

    Args:
        plan: The plan.
        table: Table or view with the unit's column.

    Example:
        >>> plan = Plan(name="a", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "clicks", "value": "clicks"},))
        >>> print(sql_of(plan).splitlines()[-1])
        FROM "units"
    """
    unit = quoted(plan.unit)

    def at(salt: str) -> str:
        text = f"{constant(salt + ':')} || CAST({unit} AS VARCHAR)"
        return f"CAST(CAST('0x' || substr(md5({text}), 1, 13) AS BIGINT) AS DOUBLE) / 4503599627370496.0"

    cases: list[str] = []
    if plan.holdout:
        cases.append(f"    WHEN {at('holdout')} < {plan.holdout!r} THEN NULL")
    if plan.layer_holdout:
        cases.append(f"    WHEN {at(f'holdout:{plan.layer}')} < {plan.layer_holdout!r} THEN NULL")
    low, high = plan.slice
    if (low, high) != (0.0, 1.0):
        place = at(f"layer:{plan.layer}")
        cases.append(f"    WHEN {place} < {low!r} OR {place} >= {high!r} THEN NULL")
    *first, last = plan.arms
    edges = np.cumsum(list(plan.arms.values())).tolist()
    cases += [
        f"    WHEN {at(plan.salt)} < {edge!r} THEN {constant(arm)}" for arm, edge in zip(first, edges, strict=False)
    ]
    body = "\n".join([*cases, f"    ELSE {constant(last)}"])
    return f"SELECT *,\n  CASE\n{body}\n  END AS variant\nFROM {quoted(table)}"


@dataclass(frozen=True)
class LayerPair:
    """Two experiments that run at the same time.

    Attributes:
        one: Name of the first.
        other: Name of the second.
        relation: ``independent``, in different layers; or ``exclusive``, in different slices of one layer.
        layer: The layer of the first.
    """

    one: str
    other: str
    relation: Literal["independent", "exclusive"]
    layer: str


def check_layers(plans: Sequence[Plan]) -> list[LayerPair]:
    """Whether experiments that run at the same time exclude each other or overlap independently.

    Returns:
        One for each pair.

    Raises:
        UsageError: If two experiments of one layer take overlapping slices, or two share a salt, so that their arms
            would be the same people.
    """
    found: list[LayerPair] = []
    for at, one in enumerate(plans):
        for other in plans[at + 1 :]:
            if one.salt == other.salt:
                raise UsageError(
                    f"'{one.name}' and '{other.name}' have the same salt '{one.salt}', so that the same "
                    "units would be in the same arms. Give each its own salt."
                )
            if one.layer != other.layer:
                found.append(LayerPair(one.name, other.name, "independent", one.layer))
                continue
            (low, high), (from_, to) = one.slice, other.slice
            if max(low, from_) < min(high, to):
                raise UsageError(
                    f"'{one.name}' and '{other.name}' are in the layer '{one.layer}' and both take the part from "
                    f"{max(low, from_):g} to {min(high, to):g}. Give them slices that do not overlap, such as "
                    "[0.0, 0.5] and [0.5, 1.0], or different layers."
                )
            found.append(LayerPair(one.name, other.name, "exclusive", one.layer))
    return found


def _texts(units: pl.Series) -> pl.Series:
    if units.dtype != pl.String and not units.dtype.is_integer():
        raise DataError(
            f"ids of kind {units.dtype}",
            column=units.name or None,
            fix="Use text or whole numbers: other kinds have no one spelling to hash.",
        )
    if units.null_count():
        row = int(units.is_null().arg_max() or 0) + 1
        raise DataError("an id is missing", column=units.name or None, row=row, fix="Leave such rows out.")
    return units.cast(pl.String)
