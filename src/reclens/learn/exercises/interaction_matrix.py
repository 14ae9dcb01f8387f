"""Exercise 1.2: SQL that turns a dirty event log into a user-item matrix and into pairs of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import comment_header

__all__ = ["InteractionMatrix", "small"]

_LATE_HOURS: Final = 72
_WINDOW_DAYS: Final = 30
_FEWEST_USERS: Final = 5
_FIRST, _LAST = date(2026, 3, 1), date(2026, 5, 31)
_OFFSETS: Final = (-300, 0, 60, 120, 540)
"""Minutes that local time is ahead of UTC."""
_KINDS: Final = ("view", "purchase", "return")
_SECONDS: Final = 60.0
_MOST_ROWS: Final = 2_000_000

_RULES: Final = ("duplicates", "bots", "late", "local_day")
"""Rules that a query may have missed, and be told so: each moves some cells of every log."""

Cells = dict[tuple[int, int], int]


@dataclass(frozen=True)
class _Size:
    """How large a log is."""

    events: int
    users: int
    items: int


_HIDDEN: Final = _Size(3_000, 60, 20)


@dataclass(frozen=True, eq=False)
class _World:
    """A log, and what the queries have to give of it."""

    log: pl.DataFrame
    matrix: Cells
    pairs: Cells


class InteractionMatrix(Exercise):
    """The queries run on the learner's log and on hidden ones; Python says what they have to give.

    Args:
        size: How large the log of the learner is.
    """

    code = "1.2"
    name = "from_log_to_matrix"
    files = ("matrix.sql", "pairs.sql")
    minutes = 120

    def __init__(self, size: _Size = _Size(200_000, 2_500, 400)) -> None:
        self.size = size

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The numbers of the rules, which are the same for all."""
        return {
            "late": _LATE_HOURS,
            "window": _WINDOW_DAYS,
            "fewest": _FEWEST_USERS,
            "first": str(_FIRST),
            "last": str(_LAST),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The log, and a copy of 5 % of its events."""
        _world(draw, self.size).log.write_parquet(folder / "events.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Queries that read the log, and nothing more."""
        head = comment_header(draw)
        return {
            "matrix.sql": f"{head}SELECT user_id, item_id, count(*) AS strength FROM events GROUP BY ALL\n",
            "pairs.sql": f"{head}SELECT item_id AS item_a, item_id AS item_b, 0 AS users FROM events\n",
        }

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Run both queries on each log, and compare cell by cell."""
        for each in (draw, *draw.hidden()):
            world = _world(each, _HIDDEN if each.number else self.size)
            found = list(_on_log(answer, world, hidden=each.number > 0))
            yield from found
            if found:
                return

    def solve(self, draw: Draw, folder: Path) -> None:
        """The queries as the rules say."""
        _write(folder, draw, _query(_CLEAN, _MATRIX), _query(_CLEAN, _PAIRS))


@lru_cache(maxsize=4)
def _world(draw: Draw, size: _Size) -> _World:
    log = _log(draw, size)
    matrix = _matrix_of(log)
    return _World(log, matrix, _pairs_of(log, matrix))


def small() -> InteractionMatrix:
    """The exercise with a log of its own as small as the hidden ones."""
    return InteractionMatrix(_HIDDEN)


def _on_log(answer: Mapping[str, str], world: _World, *, hidden: bool) -> Iterator[Remark]:
    from reclens.workspace.query import ask

    with TemporaryDirectory() as place:
        path = Path(place) / "events.parquet"
        world.log.write_parquet(path)
        for file, expected, columns in (
            ("matrix.sql", world.matrix, ("user_id", "item_id", "strength")),
            ("pairs.sql", world.pairs, ("item_a", "item_b", "users")),
        ):
            try:
                found = ask({"events": path}, answer[file], limit=_MOST_ROWS, seconds=_SECONDS)
            except RecLensError as error:
                yield Remark("query_failed", {"file": file, "error": str(error), "hidden": hidden})
                continue
            if found.table.columns != list(columns):
                yield Remark("wrong_columns", {"file": file, "seen": found.table.columns, "expected": list(columns)})
                continue
            yield from _compared(file, found.table, expected, world.log, hidden=hidden)


def _compared(file: str, table: pl.DataFrame, expected: Cells, log: pl.DataFrame, *, hidden: bool) -> Iterator[Remark]:
    """Cells that are missing, too many or different; and which rule that looks like."""
    bad = [name for name, kind in table.schema.items() if not kind.is_integer()]
    if bad:
        kinds = [str(table.schema[name]) for name in bad]
        yield Remark("not_whole", {"file": file, "columns": bad, "seen": kinds, "hidden": hidden})
        return
    rows = list(table.iter_rows())
    found = {(a, b): value for a, b, value in rows}
    if len(found) < len(rows):
        yield Remark("repeated_rows", {"file": file, "repeats": len(rows) - len(found), "hidden": hidden})
        return
    if found == expected:
        return
    counts: dict[str, Fact] = {
        "missing": len(expected.keys() - found.keys()),
        "extra": len(found.keys() - expected.keys()),
        "other": sum(found[key] != expected[key] for key in found.keys() & expected.keys()),
        "cells": len(expected),
    }
    yield Remark("cells_differ", {"file": file, "hidden": hidden, **counts})
    if not hidden and file == "matrix.sql":
        for rule in _RULES:
            if _matrix_of(log, without=rule) == found:
                yield Remark("as_if_without", {"file": file, "rule": rule})


def _matrix_of(log: pl.DataFrame, *, without: str = "") -> Cells:
    """Purchases less returns by user and item, by loops over the events."""
    strength: Counter[tuple[int, int]] = Counter()
    for user, item, kind, _ in _clean(log, without):
        if kind != "view":
            strength[user, item] += 1 if kind == "purchase" else -1
    return {key: value for key, value in strength.items() if value > 0}


def _pairs_of(log: pl.DataFrame, kept: Cells) -> Cells:
    """Users who bought both items of cells that are kept within the window, by loops over each user's purchases."""
    times: dict[int, list[tuple[datetime, int]]] = {}
    for user, item, kind, at in _clean(log, ""):
        if kind == "purchase" and (user, item) in kept:
            times.setdefault(user, []).append((at, item))
    together: Counter[tuple[int, int]] = Counter()
    near = timedelta(days=_WINDOW_DAYS)
    for bought in times.values():
        bought.sort()
        pairs = {
            (min(a, b), max(a, b))
            for (first, a), (second, b) in combinations(bought, 2)
            if a != b and second - first <= near
        }
        together.update(pairs)
    return {pair: users for pair, users in together.items() if users >= _FEWEST_USERS}


def _clean(log: pl.DataFrame, without: str) -> Iterator[tuple[int, int, str, datetime]]:
    """Events that count, each once; ``without`` names a rule that is left out."""
    seen: dict[int, datetime] = {}
    names = ("event_id", "user_id", "item_id", "kind", "agent", "occurred_at", "received_at", "utc_offset")
    late = timedelta(hours=_LATE_HOURS)
    for event, user, item, kind, agent, occurred, received, offset in log.sort("received_at").select(names).iter_rows():
        if event in seen and without != "duplicates":
            continue
        seen[event] = received
        if user is None or item is None or (agent == "bot" and without != "bots"):
            continue
        if received - occurred > late and without != "late":
            continue
        local = occurred + timedelta(minutes=0 if without == "local_day" else offset)
        if _FIRST <= local.date() <= _LAST:
            yield user, item, kind, occurred


def _log(draw: Draw, size: _Size) -> pl.DataFrame:
    """A log with every kind of dirt in it: a row an event, and 5 % of them twice."""
    rng = draw.rng("log")
    events, users, items = size.events, size.users, size.items
    user = rng.permutation(10 * users)[:users][rng.integers(users, size=events)]
    weights = 1 / (np.arange(items) + 5.0)
    item = rng.permutation(10 * items)[:items][rng.choice(items, events, p=weights / weights.sum())]
    kind = rng.choice(_KINDS, events, p=(0.62, 0.33, 0.05))
    start = datetime(2026, 2, 27)
    seconds = rng.integers(0, 96 * 86_400, events)
    delay = np.where(
        rng.random(events) < 0.04, rng.integers(73, 400, events) * 3600, rng.integers(0, 71 * 3600, events)
    )
    offset = np.asarray(_OFFSETS)[user % len(_OFFSETS)]
    frame = pl.DataFrame(
        {
            "event_id": rng.permutation(50 * events)[:events],
            "user_id": user,
            "item_id": item,
            "kind": kind,
            "agent": np.where(user % 37 == 0, "bot", np.where(rng.random(events) < 0.5, "web", "app")),
            "occurred_at": pl.Series([start]).dt.cast_time_unit("us").extend_constant(start, events - 1)
            + pl.Series(seconds * 1_000_000).cast(pl.Duration("us")),
            "utc_offset": offset,
        }
    ).with_columns(received_at=pl.col("occurred_at") + pl.Series(delay * 1_000_000).cast(pl.Duration("us")))
    holes = pl.Series(rng.random(events))
    frame = frame.with_columns(
        user_id=pl.when(holes < 0.01).then(None).otherwise("user_id"),
        item_id=pl.when(holes > 0.98).then(None).otherwise("item_id"),
    )
    # A repeat arrives later, some of them late enough to matter by themselves.
    again = frame.sample(events // 20, seed=int(rng.integers(2**31))).with_columns(
        received_at=pl.col("received_at") + pl.duration(hours=9)
    )
    whole = pl.concat([frame, again])
    return whole.sample(fraction=1, shuffle=True, seed=int(rng.integers(2**31)))


_CLEAN: Final = f"""WITH once AS (
  SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY received_at) = 1
), clean AS (
  SELECT user_id, item_id, kind, occurred_at FROM once
  WHERE user_id IS NOT NULL AND item_id IS NOT NULL AND agent <> 'bot'
    AND received_at <= occurred_at + INTERVAL {_LATE_HOURS} HOUR
    AND CAST(occurred_at + to_minutes(utc_offset) AS DATE) BETWEEN DATE '{_FIRST}' AND DATE '{_LAST}'
), matrix AS (
  SELECT user_id, item_id,
    count(*) FILTER (kind = 'purchase') - count(*) FILTER (kind = 'return') AS strength
  FROM clean GROUP BY ALL HAVING strength > 0
)"""
_MATRIX: Final = "SELECT user_id, item_id, strength FROM matrix"
_PAIRS: Final = f""", bought AS (
  SELECT user_id, item_id, occurred_at FROM clean SEMI JOIN matrix USING (user_id, item_id) WHERE kind = 'purchase'
)
SELECT a.item_id AS item_a, b.item_id AS item_b, count(DISTINCT a.user_id) AS users
FROM bought AS a JOIN bought AS b ON a.user_id = b.user_id AND a.item_id < b.item_id
  AND abs(epoch(a.occurred_at) - epoch(b.occurred_at)) <= {_WINDOW_DAYS} * 86400
GROUP BY ALL HAVING users >= {_FEWEST_USERS}"""


def _query(clean: str, select: str) -> str:
    return f"{clean}{select}\n" if select.startswith(",") else f"{clean}\n{select}\n"


def _write(folder: Path, draw: Draw, matrix: str, pairs: str) -> None:
    for file, query in (("matrix.sql", matrix), ("pairs.sql", pairs)):
        (folder / file).write_text(comment_header(draw) + query, encoding="utf-8")


def _changed(old: str, new: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: one rule is read otherwise."""
    assert old in _CLEAN + _PAIRS

    def write(draw: Draw, folder: Path) -> None:
        clean, pairs = _CLEAN.replace(old, new), _PAIRS.replace(old, new)
        _write(folder, draw, _query(clean, _MATRIX), _query(clean, pairs))

    return write


def _literals(draw: Draw, folder: Path) -> None:
    """The right cells of the learner's own log as far as they fit, written out as values."""
    world = _world(draw, _HIDDEN)
    queries: list[str] = []
    for names, cells in (("user_id, item_id, strength", world.matrix), ("item_a, item_b, users", world.pairs)):
        rows = ",".join(f"({a},{b},{value})" for (a, b), value in cells.items())
        queries.append(f"SELECT * FROM (VALUES {rows}) AS t({names})\n")
    _write(folder, draw, *queries)


InteractionMatrix.wrong = {
    "keeps duplicates": _changed("QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY received_at) = 1", ""),
    "keeps the last copy": _changed("ORDER BY received_at)", "ORDER BY received_at DESC)"),
    "days of UTC": _changed(" + to_minutes(utc_offset)", ""),
    "ignores returns": _changed(" - count(*) FILTER (kind = 'return')", ""),
    "window open at its end": _changed("* 86400", "* 86400 - 86400"),
    "literals": _literals,
}
