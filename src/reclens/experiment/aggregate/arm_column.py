"""The column of the arm: where it is not there, which one could be it; and rows that name no unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reclens.data.quoting import quoted
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.experiment.aggregate.source import Table, run
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.planning.plan import Plan

__all__ = ["NAME_UNITS", "NO_IDS", "UnknownArmColumnError", "arm_column", "numbered", "unit_column"]

NAME_UNITS: Final = Advice(
    "name_unit", (Setting("ids", False),), "Leave out {ids}, and name the column of the units in the plan."
)
NO_IDS: Final = (Unknown("repeated_units"), Unknown("crossed_units"), Unknown("shared_ids"))
"""What cannot be told of units without ids."""

_FEW: Final = 20  # values that a column of arms has at most


class UnknownArmColumnError(UnknownNameError):
    """The column of the arm is not there.

    Args:
        name: The column that was asked for.
        where: The table.
        columns: Its columns.
        arms: The arms of the plan.
        candidates: Column -> its values, of those that hold the arms of the plan, or of those with few values.
        holds: Whether the candidates hold the arms of the plan.
    """

    def __init__(
        self,
        name: str,
        where: str,
        columns: tuple[str, ...],
        arms: tuple[str, ...],
        candidates: dict[str, tuple[str, ...]],
        *,
        holds: bool,
    ) -> None:
        self.arms, self.candidates, self.holds = arms, candidates, holds
        super().__init__(f"column of the arm in {where}", name, columns)
        if not candidates:
            return
        first = next(iter(candidates))
        if holds:
            said = f"The arms of the plan ({', '.join(arms)}) stand in {' and in '.join(map(repr, candidates))}"
        else:
            listed = "; ".join(f"'{each}' ({', '.join(values)})" for each, values in candidates.items())
            said = f"No column holds the arms of the plan ({', '.join(arms)}); these have few values: {listed}"
        self.args = (f"unknown {self.what} '{name}'. {said}.",)
        self.advice = Advice("name_arm", (Setting("arm", first),), "Name it by {arm}.")


def arm_column(rows: Table, plan: Plan, arm: str) -> None:
    """Refuse a column of the arm that is not there, and name those that could be it.

    Raises:
        UnknownArmColumnError: If it is not there.
    """
    if arm in rows.columns:
        return
    few: dict[str, tuple[str, ...]] = {}
    for column in rows.columns:
        text = f"CAST({quoted(column)} AS VARCHAR)"
        found = run(rows, f"SELECT DISTINCT {text} FROM {rows.sql} WHERE {text} IS NOT NULL LIMIT {_FEW + 1}")
        if 2 <= len(found) <= _FEW:
            few[column] = tuple(sorted(str(value) for (value,) in found))
    arms = tuple(plan.arms)
    holding = {column: values for column, values in few.items() if set(arms) <= set(values)}
    few = {column: values for column, values in few.items() if len(values) <= max(6, len(arms))}
    raise UnknownArmColumnError(arm, rows.where, rows.columns, arms, holding or few, holds=bool(holding))


def unit_column(rows: Table, unit: str) -> None:
    """Refuse a column of the unit that is not there.

    Raises:
        UnknownNameError: With what to do where there is none.
    """
    if unit not in rows.columns:
        raise UnknownNameError(
            f"column of {rows.where}",
            unit,
            rows.columns,
            advice=Advice(
                "no_ids",
                (Setting("ids", False),),
                "The plan's unit names it. Where there is none and each row is one unit, say {ids}.",
            ),
        )


def numbered(rows: Table, unit: str) -> Table:
    """The rows of a table without ids, each with its number for one: each of them is a unit.

    Raises:
        UsageError: If the table has the column of the ids.
    """
    if unit in rows.columns:
        raise UsageError(
            f"{rows.where} has the plan's unit '{unit}' for a column, and was said to have none",
            advice=Advice(
                "leave_out_ids", (Setting("ids", False),), "Leave {ids} out, so that repeated units are found."
            ),
        )
    return replace(
        rows, sql=f"(SELECT row_number() OVER () AS {quoted(unit)}, * FROM {rows.sql})", columns=(unit, *rows.columns)
    )
