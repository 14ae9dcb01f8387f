"""Fields of click models: ids and attributes of users and items, as codes and values of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.schema import Vocabulary

__all__ = ["Encoded", "Field", "described", "joined", "learn_fields", "read_field"]

Kind = Literal["category", "list", "number"]
_MOST_VALUES = 1_000
"""Distinct values up to which a text is a category: a title is none."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of one side.

    Attributes:
        column: Its column.
        kind: ``category``: one value, ``list``: several, each with its share; ``number``: a standardised value.
        values: The categories, as text, in the order of their features; of a number its mean and its standard
            deviation.
        width: Most values that an entity has.
    """

    column: str
    kind: Kind
    values: tuple[Any, ...]
    width: int

    @property
    def size(self) -> int:
        """Number of features: the first one is that of a missing or an unseen value."""
        return 2 if self.kind == "number" else 1 + len(self.values)

    @classmethod
    def learn(cls, values: pl.Series) -> Field | None:
        """The field of a column; None for one that says nothing or has too many values."""
        if isinstance(values.dtype, pl.List):
            inner: Any = values.dtype.inner
            if not (inner == pl.String or inner.is_integer()):
                return None
            distinct = values.explode(empty_as_null=True).drop_nulls().cast(pl.String).unique().sort()
            width = int(values.list.len().max() or 0)  # type: ignore[arg-type]
            return cls(column=values.name, kind="list", values=tuple(distinct), width=max(width, 1))
        if values.dtype.is_float() or (values.dtype.is_integer() and values.n_unique() > 20):
            known = values.cast(pl.Float64).drop_nulls()
            known = known.filter(known.is_finite())
            spread: Any = known.std() if len(known) > 1 else None
            if not spread:
                return None
            return cls(column=values.name, kind="number", values=(known.mean(), spread), width=1)
        texts = (pl.String, pl.Boolean, pl.Categorical, pl.Enum)
        if not (values.dtype.is_integer() or any(values.dtype == each for each in texts)):
            return None
        distinct = values.drop_nulls().cast(pl.String).unique().sort()
        if not 1 < len(distinct) <= _MOST_VALUES:
            return None
        return cls(column=values.name, kind="category", values=tuple(distinct), width=1)

    def encode(self, values: pl.Series) -> tuple[np.ndarray, np.ndarray, int]:
        """Codes within the field and their values, int32 and float32, shape (n, width); and how many were unseen."""
        n = len(values)
        codes, weights = np.zeros((n, self.width), np.int32), np.zeros((n, self.width), np.float32)
        if self.kind == "number":
            try:
                numbers = values.cast(pl.Float64).to_numpy()
            except pl.exceptions.InvalidOperationError as error:
                raise DataError(f"is of type {values.dtype}, expected numbers", column=self.column) from error
            known = np.isfinite(numbers)
            codes[:, 0] = known
            weights[:, 0] = np.where(known, (np.nan_to_num(numbers) - self.values[0]) / self.values[1], 1.0)
            return codes, weights, 0
        listed = values if isinstance(values.dtype, pl.List) else values.cast(pl.String).reshape((n, 1)).arr.to_list()
        flat = pl.DataFrame({"row": np.arange(n), "value": listed}).explode("value", empty_as_null=True)
        flat = flat.with_columns(pl.col("value").cast(pl.String))
        places = pl.DataFrame({"value": self.values, "code": np.arange(1, len(self.values) + 1, dtype=np.int32)})
        found = flat.join(places.cast({"value": pl.String}), on="value", how="left", maintain_order="left")
        unseen = found.filter(pl.col("value").is_not_null() & pl.col("code").is_null()).height
        found = found.drop_nulls("code").unique(["row", "code"], maintain_order=True)
        found = found.with_columns(at=pl.int_range(pl.len()).over("row"), n=pl.len().over("row"))
        found = found.filter(pl.col("at") < self.width)
        rows, at = found["row"].to_numpy(), found["at"].to_numpy()
        codes[rows, at] = found["code"].to_numpy()
        weights[rows, at] = 1.0 / found["n"].to_numpy()
        weights[~(weights > 0).any(axis=1), 0] = 1.0  # missing: the first feature
        return codes, weights, unseen


@dataclass(frozen=True, eq=False, kw_only=True)
class Encoded:
    """Features of users or items.

    Attributes:
        codes: Codes over all features, int32, shape (n, columns).
        values: Their values, 0 where there is none; float32, shape (n, columns).
        unseen: Values that no feature stands for.
    """

    codes: np.ndarray
    values: np.ndarray
    unseen: int


def learn_fields(table: pl.DataFrame | None, key: str) -> list[Field]:
    """The fields of the attributes of a table."""
    if table is None:
        return []
    found = [Field.learn(table[name]) for name in table.columns if name != key]
    return [each for each in found if each is not None]


def joined(
    ids: pl.Series,
    vocabulary: Vocabulary,
    table: pl.DataFrame | None,
    fields: Sequence[Field],
    *,
    key: str,
    offset: int,
) -> Encoded:
    """Features of some users or items: their id, and their attributes.

    Args:
        ids: The users or items.
        vocabulary: Ids that have a feature; the others have that of the unknown.
        table: Their attributes; missing columns and rows are missing values.
        fields: The fields of the attributes.
        key: The column of ids.
        offset: Code of the first feature.
    """
    same = ids.dtype.is_integer() == vocabulary.is_integer
    own = vocabulary.encode(ids) + 1 if same else np.zeros(len(ids), np.int32)
    codes, values, unseen = [own[:, None] + offset], [np.ones((len(ids), 1), np.float32)], 0
    offset += 1 + len(vocabulary)
    known = pl.DataFrame({key: ids})
    if table is not None:
        if key not in table.columns:
            raise DataError(
                f"the attributes lack {key}", source=f"{key.removesuffix('_id')}s", fix="Rename its columns."
            )
        rows = table.unique(key, keep="first").with_columns(pl.col(key).cast(ids.dtype, strict=False))
        known = known.join(rows, on=key, how="left", maintain_order="left")
    for field in fields:
        column = known[field.column] if field.column in known.columns else pl.Series(field.column, [None] * len(ids))
        found, weights, missed = field.encode(column)
        codes.append(found + offset)
        values.append(weights)
        unseen += missed
        offset += field.size
    return Encoded(
        codes=np.concatenate(codes, axis=1).astype(np.int32), values=np.concatenate(values, axis=1), unseen=unseen
    )


def described(fields: Sequence[Field]) -> list[Mapping[str, Any]]:
    """Fields as JSON keeps them."""
    return [{"column": f.column, "kind": f.kind, "values": list(f.values), "width": f.width} for f in fields]


def read_field(about: Mapping[str, Any]) -> Field:
    """A field from what :func:`described` wrote.

    Raises:
        DataError: If it is none.
    """
    kind, values, width, column = (about.get(name) for name in ("kind", "values", "width", "column"))
    known = kind in ("category", "list", "number") and isinstance(values, list) and isinstance(column, str)
    if not known or not isinstance(width, int) or width < 1 or (kind == "number" and len(values) != 2):  # type: ignore[arg-type]
        raise DataError(f"a field is {about!r:.80}, expected column, kind, values and width")
    return Field(column=column, kind=kind, values=tuple(values), width=width)  # type: ignore[arg-type]
