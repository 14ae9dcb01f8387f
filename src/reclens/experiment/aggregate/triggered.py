"""Which units were triggered: by a column of the rows, or by a query that lists them."""

from __future__ import annotations

from dataclasses import replace

from reclens.data.quoting import quoted
from reclens.errors import DataError, UsageError
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, present, run
from reclens.experiment.planning.plan import Plan

__all__ = ["list_triggered", "of_triggered"]


def list_triggered(rows: Table, plan: Plan, window: Window) -> None:
    """Write the ids of the triggered units into the table ``reclens_triggered``: of what was randomised.

    Raises:
        UsageError: If the query has more than one column.
        DataError: If the column is missing in some rows, or neither 0 nor 1 there.
    """
    key, asked = quoted(plan.cluster or plan.unit), plan.triggered or ""
    if plan.triggered_by_query:
        width = len(rows.connection.sql(f"SELECT * FROM ({asked}) LIMIT 0").columns)
        if width != 1:
            raise UsageError(
                f"the query of triggered units has {width} columns; expected one, of {plan.cluster or plan.unit}."
            )
        ids, params = f"SELECT DISTINCT * FROM ({asked})", None
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
        ids, params = f"SELECT DISTINCT {key} FROM {rows.sql} WHERE {window.sql} AND {flag} = 1", window.params
    run(rows, f"CREATE OR REPLACE TEMP TABLE reclens_triggered AS SELECT * FROM ({ids}) AS t(id_)", params)


def of_triggered(rows: Table, plan: Plan, *, triggered: bool = True) -> Table:
    """The rows of the triggered units, or those of the others."""
    key, negated = quoted(plan.cluster or plan.unit), "" if triggered else "NOT "
    listed = "SELECT id_ FROM reclens_triggered WHERE id_ IS NOT NULL"
    return replace(rows, sql=f"(SELECT * FROM {rows.sql} WHERE {negated}{key} IN ({listed}))")
