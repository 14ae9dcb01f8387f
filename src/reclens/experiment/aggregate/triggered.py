"""Which units were triggered: by a column of the rows, or by a query that lists them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reclens.data.quoting import quoted
from reclens.errors import DataError, UsageError
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, columns_of, kept, present, run
from reclens.experiment.planning.plan import Plan

__all__ = ["TRIGGERED", "list_triggered", "of_triggered"]

TRIGGERED: Final = "reclens_triggered"
"""The table of the triggered units, in DuckDB."""


def list_triggered(rows: Table, plan: Plan, window: Window) -> str:
    """The ids of the triggered units, of what was randomised, as what stands after FROM: the column ``id_``.

    Raises:
        UsageError: If the query has more than one column.
        DataError: If the column is missing in some rows, or neither 0 nor 1 there.
    """
    unit, asked = plan.cluster or plan.unit, plan.triggered or ""
    if plan.triggered_by_query:
        columns = list(columns_of(rows, f"({asked})"))
        if len(columns) != 1:
            raise UsageError(f"the query of triggered units has {len(columns)} columns; expected one, of {unit}.")
        ids, params = f"SELECT DISTINCT {quoted(columns[0])} AS id_ FROM ({asked})", None
    else:
        present(rows, [asked])
        flag = f"CAST({quoted(asked)} AS DOUBLE)"
        wrong = run(
            rows,
            f"SELECT count(*) FROM {rows.sql} WHERE {window.sql} AND ({flag} IS NULL OR {flag} NOT IN (0, 1))",
            window.params,
        )[0][0]
        if wrong:
            raise DataError(
                f"{wrong:,} rows do not say 0 or 1; expected whether the unit was triggered",
                source=rows.where,
                column=asked,
                fix="Mend the log, or name the units by a query.",
            )
        ids = f"SELECT DISTINCT {quoted(unit)} AS id_ FROM {rows.sql} WHERE {window.sql} AND {flag} = 1"
        params = window.params
    return kept(rows, TRIGGERED, ids, params)


def of_triggered(rows: Table, plan: Plan, listed: str, *, triggered: bool = True) -> Table:
    """The rows of the triggered units, which :func:`list_triggered` listed, or those of the others."""
    key, negated = quoted(plan.cluster or plan.unit), "" if triggered else "NOT "
    chosen = f"SELECT id_ FROM {listed} WHERE id_ IS NOT NULL"
    return replace(rows, sql=f"(SELECT * FROM {rows.sql} WHERE {negated}{key} IN ({chosen}))")
