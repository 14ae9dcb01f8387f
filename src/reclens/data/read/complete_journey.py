"""The Complete Journey: a year of purchases of grocery households, as the published tables in CSV.

What a reader of it has to know: only some households have demographics, and a field of theirs may be empty; households
without are *unknown* wherever users are grouped. A product is bought again and again: pairs are merged, and the log
keeps every purchase. No table has prices: a product's price is the median of what was paid for a piece of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.attributes import clean_attributes
from reclens.data.read.clean import Cleaner
from reclens.data.read.delimited import read_delimited
from reclens.data.read.ids import as_integers
from reclens.data.read.kinds import COMPLETE_JOURNEY, PURCHASES
from reclens.data.read.raw import Raw
from reclens.data.read.tables import make_dataset
from reclens.data.read.zips import Members, open_members
from reclens.errors import DataError
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["read_complete_journey"]

_PURCHASE: Final = ("household_id", "product_id", "transaction_timestamp", "quantity", "sales_value")
_DEMOGRAPHICS: Final = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)
_PRODUCT: Final = {
    "manufacturer_id": "manufacturer",
    "department": "department",
    "product_category": "category",
    "product_type": "type",
    "brand": "brand",
    "package_size": "package_size",
}
"""Column of the file -> column of the schema."""


def read_complete_journey(path: str | Path) -> Dataset:
    """Read the Complete Journey retail data.

    Promotions, campaigns and coupons are not read.

    Args:
        path: A zip or a folder with ``transactions.csv`` or ``transactions_sample.csv``, ``demographics.csv`` and
            ``products.csv``, in the columns of the R package completejourney.

    Returns:
        Purchases with ``timestamp`` (UTC); a pair that is repeated is one interaction, and ``events`` keeps every
        purchase. ``users`` with ``age``, ``income``, ``home_ownership``, ``marital_status``, ``household_size``,
        ``household_comp`` and ``kids_count``, all text, for the households that have demographics; ``items`` with
        ``manufacturer``, ``department``, ``category``, ``type``, ``brand``, ``package_size`` and ``price``: the median
        over its purchases of sales value ÷ quantity, in dollars, after the retailer's discounts; null for a product
        that nobody paid for.

    Raises:
        DataError: If the path is no Complete Journey data, or a member is broken.

    References:
        84.51° (2014), The Complete Journey; R package completejourney 1.1 (Boehmke 2019), licence CC0.
    """
    path = Path(path).expanduser()
    with open_members(path) as members:
        found = _members(members)
        purchases, where = _table(members, found[0], _PURCHASE)
        demographics, of_users = _table(members, found[1], ("household_id", *_DEMOGRAPHICS))
        products, of_items = _table(members, found[2], ("product_id", *_PRODUCT))
    households = demographics.select(pl.col("household_id").alias(USER), *_DEMOGRAPHICS)
    users = _attributes(households, of_users, USER)
    listed = products.select(
        pl.col("product_id").alias(ITEM), *(pl.col(theirs).alias(ours) for theirs, ours in _PRODUCT.items())
    )
    priced = listed.join(_prices(purchases, where), on=ITEM, how="left", maintain_order="left")
    items = _attributes(priced, of_items, ITEM)
    rows = purchases.select(
        pl.col("household_id").alias(USER),
        pl.col("product_id").alias(ITEM),
        pl.col("transaction_timestamp").alias(TIMESTAMP),
    )
    return make_dataset(
        Raw(frame=rows, where=where, name="complete_journey", text=True),
        users=users,
        items=items,
        name="complete_journey",
        card={"layout": "Complete Journey", "price": "median_paid_each"},
    )


def _members(members: Members) -> list[str]:
    """Paths of the tables of purchases, households and products inside the zip."""
    every = {name.rpartition("/")[2]: name for name in members.names}
    needed = [next((name for name in PURCHASES if name in every), PURCHASES[-1]), *COMPLETE_JOURNEY]
    absent = [name for name in needed if name not in every]
    if absent:
        raise DataError(
            f"there is no {absent[0]}: it has {', '.join(sorted(every)[:8]) or 'no files'}",
            source=str(members.path),
            fix="Expected transactions.csv or transactions_sample.csv, demographics.csv and products.csv.",
        )
    return [every[name] for name in needed]


def _table(members: Members, name: str, needed: Sequence[str]) -> tuple[pl.DataFrame, str]:
    """Read a table as text; returns it and its name for messages. Empty cells and R's ``NA`` are null."""
    where = members.where(name)
    frame = read_delimited(members.read(name), source=where, delimiter=",")
    absent = [column for column in needed if column not in frame.columns]
    if absent:
        raise DataError(
            f"there is no column '{absent[0]}'; there are {', '.join(frame.columns)}",
            source=where,
            fix="Expected the columns of the R package completejourney.",
        )
    text = pl.col(pl.String).str.strip_chars()
    return frame.with_columns(pl.when(~text.is_in(["", "NA"])).then(text).name.keep()), where


def _prices(purchases: pl.DataFrame, where: str) -> pl.DataFrame:
    """Median price of each item, over purchases of at least one unit at a price above 0."""
    paid = purchases.select(
        pl.col("product_id").alias(ITEM), *(pl.col(name).cast(pl.Float64, strict=False) for name in _PURCHASE[3:])
    )
    for name in _PURCHASE[3:]:
        bad = paid[name].is_null() & purchases[name].is_not_null()
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"the value is {purchases[name][row]!r}, expected a number", source=where, row=row + 2, column=name
            )
    counted = paid.filter((pl.col("quantity") > 0) & (pl.col("sales_value") > 0))
    return counted.group_by(ITEM).agg((pl.col("sales_value") / pl.col("quantity")).median().alias("price"))


def _attributes(table: pl.DataFrame, where: str, key: str) -> tuple[pl.DataFrame, Cleaner]:
    """Attributes with clean ids; sizes stay text, because ``5+`` may occur."""
    whole = as_integers(table[key])
    typed = table if whole is None else table.with_columns(whole.alias(key))
    return clean_attributes(Raw(frame=typed, where=where, name=key), key)
