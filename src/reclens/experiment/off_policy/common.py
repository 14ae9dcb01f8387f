"""A log and a policy that is the same for everybody, from tables as files hold them."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from reclens.data.read.raw import Raw
from reclens.errors import DataError, UnknownNameError
from reclens.experiment.off_policy.log import Decisions, Target, read_decisions
from reclens.memory import require_memory
from reclens.schema import CLICKED, ITEM, POSITION, PROPENSITY, REQUEST, USER

__all__ = ["PROBABILITY", "read_common_policy"]

PROBABILITY: Final = "probability"
"""Column of the policy's table."""


def read_common_policy(log: Raw, policy: Raw, *, reward: str = CLICKED) -> tuple[Decisions, Target]:
    """The decisions of a log, and the policy in question.

    Args:
        log: The table of impressions of the schema, with ``propensity``.
        policy: ``item_id, probability``, and ``position`` where it differs by place; what is not listed has 0.
        reward: Column with the reward.

    Raises:
        UnknownNameError: If a column is not there.
        DataError: If a value is no number or missing, or probabilities do not add up to 1.
    """
    shown = _numbers(log, (PROPENSITY, reward, POSITION), needed=(USER, ITEM, PROPENSITY, reward))
    given = _numbers(policy, (PROBABILITY, POSITION), needed=(ITEM, PROBABILITY))
    given = given.with_columns(given[ITEM].cast(shown[ITEM].dtype, strict=False))
    items = pl.concat([shown[ITEM], given[ITEM]]).unique().sort()
    decisions = read_decisions(shown, items=items, reward=reward)
    places = decisions.n_places if POSITION in given.columns else 1
    require_memory(
        8 * len(items) * places,
        f"the chances of {len(items):,} items at {places:,} places",
        advice="Leave out positions that hold next to no row.",
    )
    table = np.zeros((1, len(items), places))
    code = given.select(pl.col(ITEM).replace_strict(items, pl.int_range(len(items), eager=True))).to_series().to_numpy()
    place = given[POSITION].to_numpy().astype(np.int64) - 1 if POSITION in given.columns else np.zeros(len(code), int)
    odd = (place < 0) | (place >= places)
    if odd.any():
        raise DataError(
            f"the place is {place[odd][0] + 1}; the log has places 1 … {places}",
            source=policy.where,
            column=POSITION,
            row=int(odd.argmax()) + 1,
        )
    for at, where, chance in zip(code, place, given[PROBABILITY], strict=True):
        table[0, at, where] += chance
    return decisions, Target.of_probabilities(decisions, table)


def _numbers(raw: Raw, columns: tuple[str, ...], *, needed: tuple[str, ...]) -> pl.DataFrame:
    frame = raw.frame
    for name in needed:
        if name not in frame.columns:
            raise UnknownNameError(f"column of {raw.where}", name, frame.columns)
    for name in columns:
        if name not in frame.columns:
            continue
        values = frame[name].cast(pl.Float64, strict=False)
        if values.null_count():
            row = int(values.is_null().arg_true()[0])
            raise DataError(
                f"the value is {frame[name][row]!r}, expected a number", source=raw.where, column=name, row=row + 1
            )
        frame = frame.with_columns(values)
    if raw.text and REQUEST in frame.columns:
        frame = frame.with_columns(pl.col(REQUEST).rank("dense"))
    return frame
