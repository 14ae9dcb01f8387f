"""One pass over the lists of a system: chunks of whole users, coded, measured and gathered in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.read.lists import drop_repeated_items, run_starts
from reclens.engine import Engine, Progress
from reclens.evaluation.chunks import Chunk
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.source import Source
from reclens.memory import require_memory
from reclens.metrics.matching import has_repeats
from reclens.schema import ITEM, RANK, SCORE, USER
from reclens.vocabulary import id_keys

__all__ = ["CodedLists", "measure_all"]

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False, kw_only=True)
class CodedLists:
    """Lists of some evaluated users, by code.

    Attributes:
        users: User codes, int64, shape (n,).
        items: Item code at each rank, int32, shape (n, depth); -1 past the end of a list and for unknown items.
        length: Items in each list, int32, shape (n,), at most depth.
        scores: Score at each rank, float64, shape (n, depth), NaN past the end of a list; None where they are not asked
            for, or the lists have none.
        strangers: Lists of users that are not evaluated, which were left out.
        rules: Rules that were applied, each with its count.
    """

    users: np.ndarray
    items: np.ndarray
    length: np.ndarray
    scores: np.ndarray | None = None
    strangers: int = 0
    rules: list[AppliedRule] = field(default_factory=list)


class _SplitUserError(Exception):
    """The rows of a user are not contiguous in a stream."""


def measure_all(
    measure: Callable[[CodedLists], Part],
    context: EvaluationContext,
    depth: int,
    *,
    source: Source,
    engine: Engine,
    progress: Progress,
    scores: bool = False,
) -> list[tuple[CodedLists, Part]]:
    """What each chunk of lists gives, and last what the users without a list give, with their coded lists.

    Args:
        measure: Called once a chunk, in several threads.
        context: What the lists are evaluated against.
        depth: Places of each list that are looked at.
        source: The lists.
        engine: Where chunks are run.
        progress: Callback for the progress.
        scores: Whether the coded lists have the scores.

    Returns:
        In the order of the chunks; the items of the coded lists are dropped, so that no list is kept.
    """
    try:
        return _measured(measure, context, depth, source, source.chunks(), engine, progress, scores)
    except _SplitUserError:
        progress(f"sort the lists of {source.name} by user", 0, 0)
        return _measured(measure, context, depth, source, source.sorted_by_user(), engine, progress, scores)


def _measured(
    measure: Callable[[CodedLists], Part],
    context: EvaluationContext,
    depth: int,
    source: Source,
    chunks: Iterator[Chunk],
    engine: Engine,
    progress: Progress,
    scores: bool,
) -> list[tuple[CodedLists, Part]]:
    n_users = len(context.users)
    served = np.zeros(n_users, bool)
    parts: list[tuple[CodedLists, Part]] = []
    nothing = np.zeros((0, depth), np.int32)

    def one(chunk: Chunk) -> tuple[CodedLists, Part]:
        lists = _coded(context, chunk, depth, scores)
        return replace(lists, items=nothing, scores=None), measure(lists)

    for lists, part in engine.map(one, chunks):
        if served[lists.users].any():
            raise _SplitUserError
        served[lists.users] = True
        source.add(lists.rules)
        parts.append((lists, part))
        progress(f"evaluate {source.name}", int(served.sum()), n_users)
    missing = np.flatnonzero(~served)
    if len(missing):
        _require_places(len(missing), depth)
        empty = np.full((len(missing), depth), -1, np.int32)
        without = CodedLists(users=missing, items=empty, length=np.zeros(len(missing), np.int32))
        parts.append((replace(without, items=nothing), measure(without)))
    return parts


def _coded(context: EvaluationContext, chunk: Chunk, depth: int, scores: bool) -> CodedLists:
    """The lists of a chunk by code; items that a list repeats are dropped and counted."""
    table, starts = chunk.table, chunk.starts
    codes = context.users.encode(table[USER].gather(starts))
    evaluated = codes >= 0
    length = np.minimum(np.diff(starts, append=table.height), depth).astype(np.int32)
    listed = table.select(ITEM, *([SCORE] if scores and SCORE in table.columns else [])).filter(table[RANK] <= depth)
    if not evaluated.all():
        listed, length = listed.filter(pl.Series(np.repeat(evaluated, length))), length[evaluated]
    rules: list[AppliedRule] = []
    if has_repeats(id_keys(listed[ITEM]), length):
        table = drop_repeated_items(table, starts, rules)
    if rules:
        return replace(_coded(context, Chunk(table, run_starts(table[USER])), depth, scores), rules=rules)
    _require_places(len(length), depth)
    items, inside = np.full((len(length), depth), -1, np.int32), np.arange(depth) < length[:, None]
    items[inside] = context.items.encode(listed[ITEM])
    scored = None
    if SCORE in listed.columns:
        scored = np.full(items.shape, np.nan)
        scored[inside] = listed[SCORE].cast(pl.Float64).to_numpy()
    return CodedLists(
        users=codes[evaluated].astype(np.int64),
        items=items,
        length=length,
        scores=scored,
        strangers=int((~evaluated).sum()),
    )


def _require_places(n: int, depth: int) -> None:
    """Refuse lists that are cut so deep that their table does not fit: codes, gains and their likes."""
    require_memory(44 * n * depth, f"measuring {n:,} lists of {depth:,} places", advice="Measure at a smaller k.")
