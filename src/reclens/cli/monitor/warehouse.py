"""``reclens monitor sql``: the daily marts of a log that lies in a warehouse."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.monitor.places import DAY
from reclens.cli.registry import command
from reclens.cli.unused_options import refuse_unused

__all__ = ["sql"]


@command("monitor sql")
def sql(
    ctx: typer.Context,
    mart: Annotated[str, typer.Argument(help="The mart: daily_metrics, daily_lists, item_exposure, user_cohort …")],
    log: Annotated[str, typer.Argument(help="Table with a row per impression; postgres:TABLE runs the query there.")],
    dialect: Annotated[
        str | None, typer.Option("--dialect", help="Dialect to print: postgres, snowflake, bigquery, databricks …")
    ] = None,
    day: Annotated[
        datetime | None, typer.Option("--day", formats=DAY, help="The day, in UTC; by default, every day of the log.")
    ] = None,
    output: Output = OUTPUT,
) -> None:
    """Print the SQL of a daily mart in the dialect of a warehouse, or run it on PostgreSQL.

    Examples:
      reclens monitor sql daily_metrics shop.impressions --dialect snowflake

      reclens monitor sql item_exposure postgres:impressions --day 2026-01-05
    """
    from reclens.cli.shared import put, table_of, working
    from reclens.cli.warehouse_tables import in_warehouse, warehouse_table
    from reclens.monitor.warehouse_marts import mart as made
    from reclens.monitor.warehouse_marts import mart_sql

    if not in_warehouse(log):
        refuse_unused(ctx, "where the query is printed", "day", "format")
        put(mart_sql(mart, table=log, dialect=dialect or "duckdb"), output.out)
        return
    refuse_unused(ctx, "where the query is run", "dialect")
    with working(f"make {mart} in PostgreSQL", quiet=output.quiet):
        warehouse, table = warehouse_table(log)
        found = made(mart, warehouse, table=table, day=None if day is None else day.date())
    output.emit(table_of(mart, found.to_dicts(), columns=found.columns))
