"""Whether the ids of lists, truth and training data are the same ids: none in common is an error, few are a note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.near_ids import Near, explain_mismatch
from reclens.errors import UnmatchedIdsError
from reclens.evaluation.cards import IdProblemRow
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.source import Source
from reclens.evaluation.warnings import IdsWarning
from reclens.schema import ITEM, USER

__all__ = ["IdProblem", "check_kinds", "check_overlap", "explain_unmatched"]

IdProblem = Literal["few_shared", "near_ids"]
"""What is odd about ids, as ``card["id_problems"]`` has it.

``few_shared``: under a tenth of the ids of one table are in another. ``near_ids``: ids that do not match would, if it
were not for what ``cause`` names.
"""

_FEW: Final = 0.1
_TOO_FEW: Final = 10
"""Of so few ids that none is shared says nothing."""
_ROWS: Final = 200_000
"""Rows of lists that are looked at for ids that nearly match."""
_LISTS, _TRUTH, _TRAIN, _OFFERED, _TOLD = (
    "the lists",
    "the truth",
    "the training data",
    "the catalogue",
    "the history",
)


def check_kinds(
    source: Source,
    truth: pl.DataFrame | None,
    train: Dataset | None,
    told: pl.DataFrame | None,
    offered: pl.Series | None,
) -> None:
    """Refuse tables of which one has integers for ids and another text: none can match.

    Raises:
        UnmatchedIdsError: With examples of both, and what would make them match.
    """
    for column in (USER, ITEM):
        tables = {_TRUTH: truth, _TRAIN: None if train is None else train.interactions, _TOLD: told}
        found = {side: each[column] for side, each in tables.items() if each is not None and column in each.columns}
        if column == ITEM and offered is not None:
            found[_OFFERED] = offered
        integers = {side: ids.dtype.is_integer() for side, ids in found.items() if len(ids) and _is_id(ids.dtype)}
        kind = source.kind_of(column)
        if kind is not None and _is_id(kind):
            integers = {_LISTS: kind.is_integer(), **integers}
        sides = list(integers)
        for side in sides[1:]:
            if integers[side] != integers[sides[0]]:
                left = source.ids(column) if sides[0] == _LISTS else found[sides[0]]
                raise _unmatched(column, (sides[0], side), explain_mismatch(left, found[side]))


def check_overlap(
    context: EvaluationContext, source: Source, length: np.ndarray, counts: Mapping[str, Any], train: Dataset | None
) -> list[IdProblemRow]:
    """Hold the ids of lists, truth and training data against each other, once everything has been measured.

    Args:
        context: What the lists are evaluated against.
        source: The lists.
        length: Items in the list of each user of the context, shape (users,).
        counts: ``lists_of_users_without_truth``, ``recommendations`` and ``outside``: recommendations of items that
            neither the catalogue nor, where there is none, the truth holds.
        train: The training part.

    Returns:
        What is odd, for the card; each with a code, the two sides, counts, the likely cause and examples.

    Raises:
        UnmatchedIdsError: If no user or no item of the lists is in the truth, and no catalogue says that the items are
            the same all the same.
    """
    found: list[IdProblemRow] = []
    has_truth = bool(context.n_relevant.sum())
    if has_truth:
        found += _of_users(context, source, length, counts["lists_of_users_without_truth"])
        # Users whom nothing was learned of are what a split by users is made for.
        by_user = train is not None and (train.card.get("split") or {}).get("method") == "by_user"
        if (
            train is not None
            and context.card.get("users_without_history")
            and not by_user
            and not context.card.get("history")
        ):
            found += _of_training_users(context, train)
    if counts["outside"]:
        found += _of_items(context, source, counts["recommendations"] - counts["outside"], has_truth=has_truth)
    if has_truth and context.has_catalogue:
        found += _of_truth_items(context, source)
    return found


def _of_users(context: EvaluationContext, source: Source, length: np.ndarray, others: int) -> Iterator[IdProblemRow]:
    served = int((length > 0).sum())
    if not served and others:
        items = context.items.ids.gather(_relevant(context))
        raise _unmatched(USER, (_LISTS, _TRUTH), explain_mismatch(source.ids(USER), context.users.ids, crossed=items))
    if others and served < len(context.users):
        listed = source.ids(USER, rows=_ROWS).unique()
        near = explain_mismatch(_outside(listed, context.users.ids), context.users.ids.filter(length == 0))
        yield from _problem(USER, (_LISTS, _TRUTH), served, min(served + others, len(context.users)), near)


def _of_training_users(context: EvaluationContext, train: Dataset) -> Iterator[IdProblemRow]:
    users, known = context.users.ids, train.user_vocabulary.ids
    cold = _outside(users, known)
    near = explain_mismatch(cold, _outside(known, users))
    yield from _problem(USER, (_TRUTH, _TRAIN), len(users) - len(cold), min(len(users), len(known)), near)


def _of_items(context: EvaluationContext, source: Source, inside: int, *, has_truth: bool) -> Iterator[IdProblemRow]:
    side = _catalogue_of(context) if context.has_catalogue else _TRUTH
    held = context.items.ids.filter(context.catalogue.in_catalogue)
    # What stands deeper than any metric looks, or in lists of other users, tells that the ids are the same.
    listed = source.ids(ITEM, rows=_ROWS if inside else None).unique()
    strangers = _outside(listed, held)
    if len(strangers) == len(listed) and not inside:
        truth = context.items.ids.gather(_relevant(context))
        if not has_truth:
            raise _unmatched(ITEM, (_LISTS, side), explain_mismatch(listed, held))
        if len(_outside(listed, truth)) == len(listed):
            near = explain_mismatch(listed, truth, crossed=context.users.ids)
            raise _unmatched(ITEM, (_LISTS, _TRUTH), near)
    near = explain_mismatch(strangers, _outside(held, listed))
    yield from _problem(ITEM, (_LISTS, side), len(listed) - len(strangers), min(len(listed), len(held)), near)


def _of_truth_items(context: EvaluationContext, source: Source) -> Iterator[IdProblemRow]:
    relevant = _relevant(context)
    is_cold = ~context.catalogue.in_catalogue[relevant]
    if not is_cold.any():
        return
    cold, held = (
        context.items.ids.gather(codes) for codes in (relevant[is_cold], np.flatnonzero(context.catalogue.in_catalogue))
    )
    near = explain_mismatch(cold, _outside(held, context.items.ids.gather(relevant)))
    sides = _TRUTH, _catalogue_of(context)
    # Items that nobody had before can be recommended all the same, by their content: where lists hold them and no
    # mend brings them to the catalogue, the ids are the same.
    if is_cold.all() and (near.mended or len(_outside(cold, source.ids(ITEM).unique())) == len(cold)):
        raise _unmatched(ITEM, sides, near)
    yield from _problem(ITEM, sides, int((~is_cold).sum()), min(len(relevant), len(held)), near)


def explain_unmatched(
    column: str, listed: pl.Series, held: pl.Series, *, truth: bool, trained: bool
) -> UnmatchedIdsError:
    """The error for lists of which no id of a column is in what they are held against.

    Args:
        column: ``user_id`` or ``item_id``.
        listed: Some ids of the lists.
        held: Some ids of what they are held against.
        truth: Whether that is the truth.
        trained: Whether it is the training data, and not a catalogue.
    """
    side = _TRUTH if truth else _TRAIN if trained else _OFFERED
    return _unmatched(column, (_LISTS, side), explain_mismatch(listed, held))


def _relevant(context: EvaluationContext) -> np.ndarray:
    """Codes of the items of the truth."""
    return np.flatnonzero(np.bincount(context.relevant, minlength=len(context.items)))


def _catalogue_of(context: EvaluationContext) -> str:
    return _TRAIN if context.card["train"] else _OFFERED


def _outside(ids: pl.Series, others: pl.Series) -> pl.Series:
    """The ids, each once, that are not among the others."""
    return ids.filter(~ids.is_in(others.implode()))


def _is_id(kind: pl.DataType) -> bool:
    return kind.is_integer() or kind == pl.String


def _problem(column: str, sides: tuple[str, str], shared: int, of: int, near: Near) -> Iterator[IdProblemRow]:
    code: IdProblem | None = "near_ids" if near.mended else None
    if shared < _FEW * of and (near.mended or of >= _TOO_FEW):
        code = "few_shared"
    if code is not None:
        yield {
            "code": code,
            "column": column,
            "sides": list(sides),
            "shared": shared,
            "of": of,
            "cause": near.cause,
            "mended": near.mended,
            "mended_of": near.of,
            "affix": near.affix,
            "width": near.width,
            "examples": [list(each) for each in near.examples],
        }


def _unmatched(column: str, sides: tuple[str, str], near: Near) -> UnmatchedIdsError:
    what = f"no {column.removesuffix('_id')} of {sides[0]} is in {sides[1]}: {IdsWarning.shown(sides, near.examples)}"
    why = IdsWarning.why(near.cause, near.mended, near.of, near.affix, sides)
    return UnmatchedIdsError(
        f"{what}. {why}" if why else what,
        column=column,
        sides=sides,
        cause=near.cause,
        examples=near.examples,
        mended=near.mended,
        of=near.of,
        fix=IdsWarning.fix(column, sides, near.cause, near.width),
    )
