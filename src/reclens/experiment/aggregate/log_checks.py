"""Checks of a log's rows: duplicates by arm, and ids that are coarser than the unit and stand in one arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from reclens.data.quoting import quoted
from reclens.errors import Advice, Setting, UsageError
from reclens.experiment.aggregate.missing_values import tally_of
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, hashed, kept, let_go, present, run
from reclens.experiment.aggregate.tally import Coarser, Tally
from reclens.experiment.planning.plan import Plan
from reclens.schema import ITEM

__all__ = ["coarser_ids", "duplicate_tally", "once"]

_LEAST_IDS = 10  # ids with several units; ten of two stay in one arm of two once in a thousand times
_NAMED_LIKE_IDS = ("id", "key", "user", "visitor", "member", "customer", "account", "household", "device")


def once(rows: Table, keys: Sequence[str], event_id: str | None, time: str | None) -> Table:
    """The rows, each of them once: of several with one event id and unit the first."""
    if event_id is None:
        return replace(rows, sql=f"(SELECT DISTINCT * FROM {rows.sql})")
    order = f" ORDER BY {quoted(time)}" if time else ""
    parted = ", ".join(quoted(name) for name in (*keys, event_id))
    kept = f"{quoted(event_id)} IS NULL OR row_number() OVER (PARTITION BY {parted}{order}) = 1"
    return replace(rows, sql=f"(SELECT * FROM {rows.sql} QUALIFY {kept})")


def duplicate_tally(
    rows: Table, units: Table, keys: Sequence[str], window: Window, *, event_id: str | None, dropped: bool
) -> Tally:
    """Rows that stand there once more, by arm; not checked where neither a time nor an id of the event tells.

    Args:
        rows: The log.
        units: The log grouped by unit.
        keys: Columns of what was randomised, then of finer units.
        window: Which events belong to the experiment.
        event_id: Column of an id that every event of a unit has once; else whole rows are compared.
        dropped: Whether each counts once already in ``units``.
    """
    if event_id is not None:
        present(rows, [event_id])
    elif window.time is None or _is_day(rows, window.time):
        if dropped:
            raise UsageError(
                "repeated rows are to be left out, and no time of a row tells which they are",
                advice=Advice("name_events", (Setting("event_id"),), "Name the column of their ids by {event_id}."),
            )
        return Tally(code="duplicate_rows", column="whole rows", handled="not_checked", arms={})
    same = hashed(rows) if event_id is None else quoted(event_id)
    at = quoted(keys[0])
    listed = ", ".join(quoted(name) for name in dict.fromkeys(keys))
    known = f" AND {same} IS NOT NULL" if event_id is not None else ""
    more = (
        f"SELECT unit_, sum(n_ - 1) AS more_ FROM (SELECT {at} AS unit_, count(*) AS n_ FROM {rows.sql} "
        f"WHERE {window.sql}{known} GROUP BY {listed}, {same} HAVING count(*) > 1) GROUP BY unit_"
    )
    repeats = kept(rows, "reclens_more", more, window.params)
    empty = Tally(
        code="duplicate_rows", column=event_id or "whole rows", handled="dropped" if dropped else "kept", arms={}
    )
    try:
        if not run(rows, f"SELECT count(*) FROM {repeats}")[0][0]:
            return empty
        joined = f"({units.sql} u LEFT JOIN {repeats} m ON u.{at} = m.unit_)"
        of = "events" if dropped else "(events - coalesce(more_, 0))"
        return tally_of(replace(units, sql=joined), empty, "coalesce(more_, 0)", of)
    finally:
        let_go(rows, "reclens_more")


def coarser_ids(rows: Table, plan: Plan, key: str, arm: str, window: Window) -> tuple[Coarser, ...]:
    """Columns of ids that stand for several units each, and how many of those ids are in one arm alone.

    Where units are randomised one by one, the units of an id fall into one arm by chance: Σ shareᵏ of k units. Where
    they do much more often it is the id that was randomised.

    Args:
        rows: The rows.
        plan: The plan.
        key: Column of what the plan takes for randomised.
        arm: Column of the arm.
        window: Which rows belong to the experiment.
    """
    apart = {key, plan.unit, arm, window.time, ITEM, *plan.columns}
    names = [name for name in rows.columns if name not in apart and name.lower().endswith(_NAMED_LIKE_IDS)]
    if not names:
        return ()
    counted = ", ".join(f"approx_count_distinct({quoted(name)})" for name in (key, *names))
    units, *ids = run(rows, f"SELECT {counted} FROM {rows.sql} WHERE {window.sql}", window.params)[0]
    found = [
        _coarser(rows, plan, key, arm, window, name)
        for name, n in zip(names, ids, strict=True)
        if _LEAST_IDS <= n < 0.95 * units
    ]
    return tuple(each for each in found if each is not None)


def _coarser(rows: Table, plan: Plan, key: str, arm: str, window: Window, name: str) -> Coarser | None:
    from scipy.stats import binom

    at, low = quoted(name), f"CAST({quoted(arm)} AS VARCHAR)"
    inner = (
        f"SELECT {at} AS id_, {quoted(key)} AS unit_, min({low}) AS low_, max({low}) AS high_ FROM {rows.sql} "
        f"WHERE {window.sql} AND {at} IS NOT NULL GROUP BY id_, unit_"
    )
    grouped = f"SELECT count(*) AS k_, min(low_) = max(high_) AS one_ FROM ({inner}) GROUP BY id_ HAVING count(*) > 1"
    answer = run(
        rows, f"SELECT k_, count(*), count(*) FILTER (one_) FROM ({grouped}) GROUP BY k_ ORDER BY k_", window.params
    )
    groups, one = sum(int(n) for _, n, _ in answer), sum(int(n) for _, _, n in answer)
    if groups < _LEAST_IDS:
        return None
    expected = sum(int(n) * sum(share ** int(k) for share in plan.arms.values()) for k, n, _ in answer)
    # The sum of unequal chances varies no more than as many equal ones of the same mean.
    return Coarser(
        column=name,
        groups=groups,
        one_arm=one,
        expected=expected,
        p_value=float(binom.sf(one - 1, groups, min(expected / groups, 1.0))),
    )


def _is_day(rows: Table, column: str) -> bool:
    found = run(rows, f"SELECT {quoted(column)} FROM {rows.sql} WHERE {quoted(column)} IS NOT NULL LIMIT 1")
    return bool(found) and isinstance(found[0][0], date) and not isinstance(found[0][0], datetime)
