"""What items are called by people: the column of titles of an items table."""

from __future__ import annotations

from typing import Final

import polars as pl

from reclens.schema import ITEM, Vocabulary

__all__ = ["title_column", "titles_of"]

_NAMES: Final = ("title", "name", "item_name", "product_name", "description")


def title_column(items: pl.DataFrame | None) -> str | None:
    """The column of an items table that names items for people, if there is one."""
    if items is None:
        return None
    texts = [name for name, kind in items.schema.items() if kind == pl.String and name != ITEM]
    return next(iter(_titles_among(texts) or texts), None)


def titles_of(items: pl.DataFrame | None, catalogue: Vocabulary) -> pl.Series | None:
    """The title of each item of a catalogue, null where there is none; None without a column that is called one.

    Args:
        items: The items table.
        catalogue: The items, in the order of their codes.
    """
    texts = [] if items is None else [name for name, kind in items.schema.items() if kind == pl.String]
    named = _titles_among(texts)
    if items is None or not named or items[ITEM].dtype.is_integer() != catalogue.is_integer:
        return None
    codes = catalogue.encode(items[ITEM])
    rows = items.filter(pl.Series(codes >= 0, dtype=pl.Boolean))[named[0]]
    place = pl.DataFrame({"code": codes[codes >= 0], "title": rows}).unique("code", keep="first", maintain_order=True)
    everything = pl.DataFrame({"code": pl.Series(range(len(catalogue)), dtype=pl.Int32)})
    return everything.join(place, on="code", how="left", maintain_order="left")["title"]


def _titles_among(columns: list[str]) -> list[str]:
    return [name for name in columns if name.lower() in _NAMES]
