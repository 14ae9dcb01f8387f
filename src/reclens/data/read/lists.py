"""Normalisation of recommendation lists: grouped by user, ranks 1 … n, no repeated items."""

from __future__ import annotations

from typing import Any, Final, NoReturn

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.read.options import name_column
from reclens.data.rules import rule
from reclens.engine import chunk_ranges
from reclens.errors import Advice, DataError, Setting
from reclens.kernels import kernel
from reclens.schema import ITEM, RANK, SCORE, USER
from reclens.vocabulary import id_keys

__all__ = ["drop_repeated_items", "normalize_recommendations", "order_lists", "run_starts"]

_MANY: Final = 1_000_000
"""Number of rows from which a compiled loop over lists is used; it takes a tenth of the time of hashing all rows."""

_ROWS_A_PIECE: Final = 50_000
"""Rows per block: the output of one pass is still in the cache for the next one."""

_RANKS: Final = "Ranks count 1, 2, 3 … from the top of each list."


def normalize_recommendations(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """Normalise lists and report the rules that were applied.

    Rows are grouped by user, in the order of their first rows. A list is ordered by rank, or by descending score if
    there are no ranks (ties keep the order of the rows). Gaps in the ranks are closed. An item that is repeated in a
    list keeps its best rank.

    Args:
        table: ``user_id, item_id`` and ``rank`` or ``score``.
        source: File or table, for messages.

    Returns:
        The frame ``user_id, item_id, rank, score?``, and the rules that changed something, each with its row count.

    Raises:
        DataError: If a column is missing, ids are null, a rank is not a whole number or negative, two items share a
            rank and no score tells them apart, or a score is not a number.

    Example:
        >>> import polars as pl
        >>> lists = pl.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "rank": [4, 2]})
        >>> table, rules = normalize_recommendations(lists, "lists")
        >>> table.rows(), [rule["code"] for rule in rules]
        ([(1, 8, 1), (1, 7, 2)], ['lists_sorted', 'rank_gaps_closed'])
    """
    table, starts, rules = order_lists(table, source)
    return drop_repeated_items(table, starts, rules), rules


def order_lists(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, np.ndarray, list[AppliedRule]]:
    """As :func:`normalize_recommendations`, without the check for repeated items.

    Rows that are already in order cost one pass; the check would take ten times as long.

    Returns:
        The frame, the first row of each list (int64), and the rules.
    """
    _check_columns(table, source)
    table = table.select([name for name in (USER, ITEM, RANK, SCORE) if name in table.columns])
    _check_ids(table, source)
    rules: list[AppliedRule] = []
    if RANK in table.columns:
        return *_group_and_order(_with_whole_ranks(table, source), source, rules), rules
    return *_rank_by_score(table, source, rules), rules


def drop_repeated_items(table: pl.DataFrame, starts: np.ndarray, rules: list[AppliedRule]) -> pl.DataFrame:
    """Keep the best rank of items that are repeated in a list, close the gaps, and add the rule to ``rules``."""
    if table.height > _MANY and not _may_repeat(table, starts):
        return table
    kept = table.unique([USER, ITEM], keep="first", maintain_order=True)
    repeated = table.height - kept.height
    if not repeated:
        return table
    rules.append(rule("repeated_items", repeated))
    return kept.with_columns(_dense_ranks(kept, run_starts(kept[USER])))


def _may_repeat(table: pl.DataFrame, starts: np.ndarray) -> bool:
    """Whether a list may repeat an item: exact for integers, by 64-bit hashes for text."""
    bounds = np.append(starts, table.height)
    bits = int(2 * np.diff(bounds).max()).bit_length()
    keys = id_keys(table[ITEM])
    return bool(_has_repeats(keys, bounds, np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int64)))


@kernel("int64(Array(uint64, 1, 'C', readonly=True), int64[::1], uint64[::1], int64[::1])")
def _has_repeats(ids: Any, bounds: Any, slots: Any, owners: Any) -> Any:
    # All lists share one small open-addressing table; a slot is valid only if the current list wrote it.
    mask = len(slots) - 1
    for i in range(len(bounds) - 1):
        for j in range(bounds[i], bounds[i + 1]):
            mixed = ids[j] * np.uint64(0x9E3779B97F4A7C15)
            slot = np.int64(mixed >> np.uint64(32)) & mask
            while owners[slot] == i + 1:
                if slots[slot] == ids[j]:
                    return 1
                slot = (slot + 1) & mask
            owners[slot] = i + 1
            slots[slot] = ids[j]
    return 0


def run_starts(users: pl.Series) -> np.ndarray:
    """First row of each run of one user, int64; the users without nulls."""
    if users.n_chunks() > 1 + len(users) // _ROWS_A_PIECE:
        users = users.rechunk()
    changes = [pl.Series(dtype=pl.Boolean)]
    before = None
    for part in users.get_chunks():  # chunk by chunk: a comparison across chunks would copy all of them
        if len(part):
            changes += [pl.Series([part[0] != before]), part.slice(1) != part.head(-1)]
            before = part[-1]
    return pl.concat(changes).arg_true().to_numpy().astype(np.int64)


def _check_columns(table: pl.DataFrame, source: str) -> None:
    for name in (USER, ITEM):
        if name not in table.columns:
            raise DataError(
                f"there is no column '{name}'; there are {', '.join(table.columns) or 'none'}",
                source=source,
                fix=name_column(name),
            )
    if RANK not in table.columns and SCORE not in table.columns:
        raise DataError(
            f"there is neither '{RANK}' nor '{SCORE}'; there are {', '.join(table.columns)}",
            source=source,
            fix=Advice(
                "name_order",
                (Setting("columns", {RANK: "your name"}),),
                "Lists need an order: name one of them by {columns}.",
            ),
        )


def _check_ids(table: pl.DataFrame, source: str) -> None:
    for name in (USER, ITEM):
        if table[name].null_count():
            row = int(table[name].is_null().arg_true()[0]) + 1
            raise DataError(
                f"{table[name].null_count():,} ids are missing",
                source=source,
                column=name,
                row=row,
                fix="Drop or fill those rows.",
            )


def _with_whole_ranks(table: pl.DataFrame, source: str) -> pl.DataFrame:
    ranks = table[RANK]
    if not ranks.dtype.is_integer():
        numbers = ranks.cast(pl.Float64, strict=False)
        bad = numbers.is_null() | (numbers != numbers.round())
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"'{ranks[row]}' is not a whole number", source=source, column=RANK, row=row + 1, fix=_RANKS
            )
        ranks = numbers.cast(pl.Int64)
    if ranks.null_count():
        _refuse_rank(ranks, ranks.is_null(), source)
    return table.with_columns(ranks)


def _refuse_rank(ranks: pl.Series, bad: pl.Series, source: str) -> NoReturn:
    row = int(bad.arg_true()[0])
    raise DataError(
        f"the rank is {ranks[row]}, expected 1 or more", source=source, column=RANK, row=row + 1, fix=_RANKS
    )


def _group_and_order(table: pl.DataFrame, source: str, rules: list[AppliedRule]) -> tuple[pl.DataFrame, np.ndarray]:
    """Sort and renumber the rows unless they are already in order; also returns the first row of each list."""
    starts = run_starts(table[USER])
    grouped = table[USER].gather(starts).n_unique() == len(starts)
    if grouped and _count_from_one(table[RANK], starts):
        return table, starts
    negative = table[RANK] < 0  # ranks from 0 are closed up like any gap
    if negative.any():
        _refuse_rank(table[RANK], negative, source)
    ranks = table[RANK].to_numpy()
    numbered = table.with_row_index("row")
    starting = np.zeros(table.height, bool)
    starting[starts] = True
    if not grouped or ((ranks[1:] < ranks[:-1]) & ~starting[1:]).any():
        numbered = numbered.sort(pl.col("row").min().over(USER), RANK, "row")
        rules.append(rule("lists_sorted", table.height))
    ordered = _break_ties(numbered, source, rules).drop("row")
    starts = run_starts(ordered[USER])
    dense = _dense_ranks(ordered, starts)
    moved = int((dense.to_numpy() != ordered[RANK].to_numpy()).sum())
    if moved:
        rules.append(rule("rank_gaps_closed", moved))
    return ordered.with_columns(dense), starts


def _count_from_one(ranks: pl.Series, starts: np.ndarray) -> bool:
    """Whether the ranks of every list are consecutive from 1."""
    if (ranks.gather(starts) != 1).any():
        return False
    jumps: list[np.ndarray] = [np.zeros(0, np.int64)]
    for rows in chunk_ranges(len(ranks) - 1, _ROWS_A_PIECE):
        piece = ranks.slice(rows.start, len(rows) + 1).to_numpy()
        jumps.append(np.flatnonzero(piece[1:] - piece[:-1] != 1) + rows.start + 1)
    # The first rank of a list never continues the ranks of the list before.
    return np.array_equal(np.concatenate(jumps), starts[1:])


def _break_ties(numbered: pl.DataFrame, source: str, rules: list[AppliedRule]) -> pl.DataFrame:
    """Order items with equal ranks by descending score; raises an error if that does not order them."""
    before = pl.all().shift(1).name.prefix("before ")
    # One item twice at the same rank is a repeated item, which another rule handles.
    same = (
        (pl.col(USER) == pl.col(f"before {USER}"))
        & (pl.col(RANK) == pl.col(f"before {RANK}"))
        & (pl.col(ITEM) != pl.col(f"before {ITEM}"))
    )
    tied = numbered.with_columns(before).select(same.fill_null(False)).to_series()
    if not tied.any():
        return numbered
    open_ties = tied
    if SCORE in numbered.columns:
        ties = rule("equal_ranks_by_score", int(tied.sum()))
        scores = pl.col(SCORE).cast(pl.Float64, strict=False).fill_nan(None)
        numbered = numbered.sort(
            pl.col("row").min().over(USER), RANK, scores, "row", descending=[False, False, True, False], nulls_last=True
        )
        falls = (pl.col(SCORE) < pl.col(f"before {SCORE}")).fill_null(False)
        open_ties = numbered.with_columns(before).select(same.fill_null(False) & ~falls).to_series()
        if not open_ties.any():
            rules.append(ties)
            return numbered
    at = int(open_ties.arg_true()[0])
    one, other = numbered.row(at - 1, named=True), numbered.row(at, named=True)
    raise DataError(
        f"user {one[USER]!r} has {one[ITEM]!r} and {other[ITEM]!r} at rank {one[RANK]}",
        source=source,
        column=RANK,
        row=int(other["row"]) + 1,
        fix="Give each item a rank of its own, or drop the ranks and keep the scores.",
    )


def _rank_by_score(table: pl.DataFrame, source: str, rules: list[AppliedRule]) -> tuple[pl.DataFrame, np.ndarray]:
    scores = table[SCORE].cast(pl.Float64, strict=False)
    bad = scores.is_null() | scores.is_nan()
    if bad.any():
        row = int(bad.arg_true()[0])
        raise DataError(
            f"the score is {table[SCORE][row]!r}, expected a number",
            source=source,
            column=SCORE,
            row=row + 1,
            fix="Drop those rows, or give ranks.",
        )
    ordered = (
        table.with_columns(scores)
        .with_row_index("row")
        .sort(pl.col("row").min().over(USER), pl.col(SCORE), pl.col("row"), descending=[False, True, False])
        .drop("row")
    )
    tied = int(((ordered[SCORE] == ordered[SCORE].shift(1)) & (ordered[USER] == ordered[USER].shift(1))).sum())
    rules.append(rule("ranked_by_score", ordered.height, tied=tied))
    starts = run_starts(ordered[USER])
    return ordered.with_columns(_dense_ranks(ordered, starts)).select(USER, ITEM, RANK, SCORE), starts


def _dense_ranks(table: pl.DataFrame, starts: np.ndarray) -> pl.Series:
    lengths = np.diff(np.append(starts, table.height))
    return pl.Series(RANK, (np.arange(1, table.height + 1) - np.repeat(starts, lengths)).astype(np.int32))
