"""Cleaning of the columns of the schema; rows that are bad in any of them are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from reclens.data.read.clean import Cleaner, clean_numbers, clean_timestamps
from reclens.data.read.ids import clean_ids, infer_type
from reclens.data.read.raw import Raw
from reclens.engine import LocalEngine
from reclens.schema import ITEM, RANK, RATING, RELEVANCE, SCORE, TIMESTAMP, USER, WEIGHT

__all__ = ["clean_columns"]

_MANY: Final = 200_000
"""Number of rows from which columns are cleaned in parallel."""


def clean_columns(
    raw: Raw, found: Mapping[str, str], cleaner: Cleaner, form: str | None, *, others: Sequence[str] = ()
) -> pl.DataFrame:
    """Rename the found columns, convert them to the types of the schema, and drop bad rows.

    Args:
        raw: The rows.
        found: Our name -> their name, of the columns to clean.
        cleaner: Collects bad rows and rules.
        form: Format of times in text, or None.
        others: Further columns, kept under their own names.
    """

    def clean(ours: str, own: Cleaner) -> pl.Series:
        values, theirs = raw.frame[found[ours]], found[ours]
        if ours in (USER, ITEM):
            values = clean_ids(values, own, column=theirs, text=raw.text)
        elif ours in (RATING, WEIGHT, RELEVANCE):
            values = clean_numbers(values, own, column=theirs, decimal=raw.decimal)
        elif ours == SCORE:
            # Scores order the lists only where there are no ranks; next to ranks they may be missing.
            values = clean_numbers(values, own, column=theirs, missing_ok=RANK in found, decimal=raw.decimal)
        elif ours == TIMESTAMP:
            # Integers in text may be days, such as 20240229.
            if raw.text and values.dtype.is_integer() and (form or values.is_between(19_000_000, 20_999_999).any()):
                values = values.cast(pl.String)
            values = clean_timestamps(values, own, column=theirs, form=form)
        return values.alias(ours)

    if cleaner.bad_rows == "drop" or raw.frame.height < _MANY:
        made = [clean(ours, cleaner) for ours in found]
    else:
        # In parallel: bad rows are errors, so that no column depends on the rows dropped by another.
        apart = {ours: Cleaner(raw.where) for ours in found}
        made = list(LocalEngine().map(lambda ours: clean(ours, apart[ours]), found))
        cleaner.rules += [rule for each in apart.values() for rule in each.rules]
    made += [infer_type(raw.frame[name], raw.decimal) if raw.text else raw.frame[name] for name in others]
    return cleaner.apply(pl.DataFrame(made))
