"""Drill of phase 1 in SQL: one row a user, with repeats, ties and users without anything."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.drill import Drill, Paper, said_value
from reclens.learn.exercise import Draw, Remark

__all__ = ["SqlKata", "expected_rows"]

_KINDS: Final = ("view", "click", "purchase")
_COLUMNS: Final = ["user_id", "items", "last_item"]
_MOST_ROWS: Final = 10_000
_SECONDS: Final = 10.0

Row = tuple[str, int, str | None]


class SqlKata(Drill):
    """One query over a small log, which runs on hidden logs too."""

    code = "1.c"
    name = "sql_kata"
    mistakes = ("events counted", "users without such an event lost", "kind not looked at", "latest item by name alone")

    def make(self, rng: np.random.Generator) -> Paper:
        """A log of eight users, in which each mistake changes a row."""
        kind = str(rng.choice(_KINDS))
        events = 60
        rows = {
            "user_id": [f"u{at}" for at in rng.integers(1, 9, events)],
            "item_id": [f"i{at}" for at in rng.integers(1, 7, events)],
            "kind": rng.choice(_KINDS, events).tolist(),
            "minute": rng.integers(0, 40, events).tolist(),  # so few minutes that two events share one
        }
        log = pl.DataFrame(rows)
        quiet = (pl.col("user_id") == f"u{rng.integers(1, 9)}") & (pl.col("kind") == kind)
        return Paper(
            data=log.filter(~quiet),
            right={"query": _query(kind)},
            mistakes={
                "events counted": {"query": _query(kind).replace("count(DISTINCT item_id)", "count(item_id)")},
                "users without such an event lost": {"query": f"{_query(kind)} HAVING items > 0"},
                "kind not looked at": {"query": _query(kind).replace(_filter(kind), "")},
                "latest item by name alone": {
                    "query": _query(kind).replace("arg_min(item_id, (-minute, item_id))", "max(item_id)")
                },
            },
            facts={"kind": kind},
        )

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Run the query on the log of the learner, then on hidden ones with the same kind."""
        query = tomllib.loads(answer["answer.toml"]).get("query")
        if not isinstance(query, str) or not query.strip():
            yield Remark("drill_no_answer", {"key": "query", "seen": said_value(query)})
            return
        kind = self.paper(draw).facts["kind"]
        for each in (draw, *draw.hidden()):
            found = list(_on(self.paper(each).data, query, kind, hidden=each.number > 0))
            yield from found
            if found:
                return


def _on(log: pl.DataFrame, query: str, kind: Fact, *, hidden: bool) -> Iterator[Remark]:
    from reclens.workspace.query import ask

    with TemporaryDirectory() as place:
        path = Path(place) / "events.parquet"
        log.write_parquet(path)
        try:
            table = ask({"events": path}, query, limit=_MOST_ROWS, seconds=_SECONDS).table
        except RecLensError as error:
            yield Remark("query_failed", {"file": "query", "error": str(error), "hidden": hidden})
            return
    if table.columns != _COLUMNS:
        yield Remark("wrong_columns", {"file": "query", "seen": table.columns, "expected": _COLUMNS})
        return
    found, expected = table.rows(), expected_rows(log, str(kind))
    if sorted(found, key=repr) != sorted(expected, key=repr):
        users = sorted({str(row[0]) for row in {*found} ^ {*expected}})
        yield Remark("kata_rows_differ", {"users": users, "hidden": hidden})


def expected_rows(log: pl.DataFrame, kind: str) -> list[Row]:
    """The rows by loops over the events."""
    mine: dict[str, list[tuple[int, str]]] = {user: [] for user in log["user_id"]}
    for user, item, each, minute in log.iter_rows():
        if each == kind:
            mine[user].append((-minute, item))
    return [(user, len({item for _, item in held}), min(held)[1] if held else None) for user, held in mine.items()]


def _filter(kind: str) -> str:
    return f" FILTER (WHERE kind = '{kind}')"


def _query(kind: str) -> str:
    of = _filter(kind)
    return (
        f"SELECT user_id, count(DISTINCT item_id){of} AS items, arg_min(item_id, (-minute, item_id)){of} AS last_item "
        "FROM events GROUP BY user_id"
    )
