"""Shared parts of vector stores: the card, validation of input, and parsing of filters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.errors import (
    Advice,
    ArgumentValueError,
    DataError,
    IncomparableError,
    NotFittedError,
    UnknownNameError,
    UsageError,
)
from reclens.explore.space import EmbeddingSpace
from reclens.explore.vectors import as_vectors, check_vectors, unit_vectors
from reclens.protocols import AttributeKind, StoreCard, Where

__all__ = [
    "Condition",
    "attribute_kind",
    "card_from_json",
    "card_of",
    "card_to_json",
    "check_same_card",
    "conditions",
    "known_card",
    "queries_for_store",
    "rows_for_store",
    "typed_attributes",
]

Operator = Literal["eq", "in", "gt", "gte", "lt", "lte"]
_RANGES: Final = ("gt", "gte", "lt", "lte")
_TYPES: Final[Mapping[str, Any]] = {
    "text": pl.String,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "texts": pl.List(pl.String),
}
_VALUES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "text": str,
    "number": (int, float),
    "boolean": bool,
    "texts": str,
}


@dataclass(frozen=True)
class Condition:
    """One condition of a filter.

    Attributes:
        attribute: The attribute.
        kind: Type of its values.
        operator: ``eq``, ``in`` (equal to one of several), or a bound of a range.
        value: A text, a number, a truth value; for ``in`` a list of them.
    """

    attribute: str
    kind: AttributeKind
    operator: Operator
    value: Any


def conditions(where: Where | None, card: StoreCard) -> list[Condition]:
    """A parsed filter; see :data:`reclens.protocols.Where`.

    Raises:
        UnknownNameError: If it names an attribute that the store does not have.
        UsageError: If a value is not of the kind of the attribute, or a list is empty.

    Example:
        >>> card = StoreCard(model="m", revision="1", dimension=2, attributes={"year": "number"})
        >>> [(each.operator, each.value) for each in conditions({"year": {"gte": 1990, "lt": 2000}}, card)]
        [('gte', 1990), ('lt', 2000)]
    """
    return [each for name, value in (where or {}).items() for each in _conditions(name, value, card)]


def _conditions(name: str, value: Any, card: StoreCard) -> Iterator[Condition]:
    if name not in card.attributes:
        raise UnknownNameError("attribute of the store", name, card.attributes)
    kind = card.attributes[name]
    if isinstance(value, Mapping):
        if kind != "number" or not value or set(value) - set(_RANGES):
            asked = ", ".join(map(str, value)) or "nothing"
            raise UsageError(
                f"'{name}' is asked for {asked}, and holds {kind}. Ranges are {', '.join(_RANGES)}, of numbers."
            )
        for operator, bound in value.items():
            _check_value(name, kind, bound)
            yield Condition(name, kind, operator, bound)
    elif isinstance(value, str | bool | int | float | np.generic):
        plain = value.item() if isinstance(value, np.generic) else value
        _check_value(name, kind, plain)
        yield Condition(name, kind, "eq", plain)
    elif isinstance(value, Sequence | set | frozenset | np.ndarray | pl.Series):
        values = list(value)
        if not values:
            raise UsageError(f"'{name}' is asked to be one of no values: nothing can match.")
        for each in values:
            _check_value(name, kind, each)
        yield Condition(name, kind, "in", values)
    else:
        raise UsageError(f"'{name}' is asked for a {type(value).__name__}, expected {kind}, a list or a range.")


def _check_value(name: str, kind: AttributeKind, value: Any) -> None:
    fits = isinstance(value, _VALUES[kind]) and (kind == "boolean") == isinstance(value, bool)
    if not fits or (kind == "number" and not np.isfinite(value)):
        raise UsageError(f"'{name}' is asked to be {value!r}, and holds {kind}.")


def attribute_kind(dtype: Any) -> AttributeKind | None:
    """Filter type of a column; None for unsupported types such as vectors and structs."""
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        return "texts" if inner == pl.String or isinstance(inner, pl.Categorical | pl.Enum) else None
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    if dtype == pl.Boolean:
        return "boolean"
    return "number" if dtype.is_numeric() else None


def card_of(space: EmbeddingSpace, *, attributes: Sequence[str] | None = None) -> StoreCard:
    """The card of a store that is to hold a space.

    Args:
        space: The space.
        attributes: Those that the store keeps; None for all that a store can filter by, but for the texts that were
            embedded: services take no more than some kilobytes with a vector.

    Raises:
        UnknownNameError: If the space has no such attribute.
        UsageError: If no store can filter by one.
    """
    schema = space.attributes.schema
    embedded = set(space.card.text_columns) if attributes is None else set[str]()
    kinds: dict[str, AttributeKind] = {}
    for name in schema if attributes is None else attributes:
        if name not in schema:
            raise UnknownNameError("attribute of the space", name, schema)
        kind = attribute_kind(schema[name])
        if kind is not None and name not in embedded:
            kinds[name] = kind
        elif attributes is not None:
            raise UsageError(f"the attribute '{name}' is {schema[name]}: no store filters by that.")
    id_type = "integer" if space.ids.dtype.is_integer() else "text"
    return StoreCard(
        model=space.card.model,
        revision=space.card.revision,
        dimension=space.dimension,
        id_type=id_type,
        attributes=kinds,
    )


def card_to_json(card: StoreCard) -> str:
    """A card as text, for storage."""
    return json.dumps(asdict(card), sort_keys=True)


def card_from_json(text: str, place: str) -> StoreCard:
    """Parse a stored card.

    Raises:
        DataError: If it is invalid.
    """
    try:
        return StoreCard(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise DataError(
            "its card cannot be read: it was not made by RecLens, or by another version", source=place
        ) from error


def check_same_card(there: StoreCard, card: StoreCard, place: str) -> None:
    """Reject vectors of another model than the stored ones.

    Raises:
        IncomparableError: With the differences.
    """
    unlike = [
        f"{name} {getattr(there, name)!r} and not {getattr(card, name)!r}"
        for name in ("model", "revision", "dimension", "id_type", "attributes")
        if getattr(there, name) != getattr(card, name)
    ]
    if unlike:
        raise IncomparableError(
            f"{place} holds vectors of another kind: {'; '.join(unlike)}. Choose another place, or delete it first."
        )


FILL_STORE: Final = Advice("fill_store", text="Write a space into it: rl.explore.move.")


def known_card(card: StoreCard | None, place: str) -> StoreCard:
    """The card of a store.

    Raises:
        NotFittedError: If it has none.
    """
    if card is None:
        raise NotFittedError(f"{place} holds no store yet", advice=FILL_STORE)
    return card


def rows_for_store(
    card: StoreCard, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None
) -> tuple[list[str], np.ndarray, pl.DataFrame]:
    """Validate input: ids, vectors of length 1 and typed attributes.

    Raises:
        DataError: If an id repeats or is empty, a vector is 0, not finite or of another dimension, or an attribute is
            not of the kind of the card.
    """
    vectors, listed = as_vectors(vectors), list(ids)
    if vectors.shape[1] != card.dimension:
        raise DataError(
            f"the vectors have {vectors.shape[1]} dimensions, and those of the store {card.dimension}",
            fix="Embed with the model that the store was made with.",
        )
    check_vectors(vectors, listed)
    if len(set(listed)) < len(listed):
        again = next(each for at, each in enumerate(listed) if each in listed[:at])
        raise DataError(f"the id {again!r} stands there more than once", fix="Keep one vector of each id.")
    if "" in listed:
        raise DataError("an id is empty", fix="Give every vector an id.")
    return listed, unit_vectors(vectors), typed_attributes(card, attributes, len(listed))


def typed_attributes(card: StoreCard, attributes: pl.DataFrame | None, n: int) -> pl.DataFrame:
    """The attributes of the card, n rows; one that is not given is missing everywhere.

    Raises:
        DataError: If one is not of the kind of the card, or there are not n rows.
    """
    given = pl.DataFrame() if attributes is None else attributes
    if given.width and given.height != n:
        raise DataError(f"there are {given.height:,} rows of attributes and {n:,} ids")
    columns: list[pl.Series] = []
    for name, kind in card.attributes.items():
        if name not in given.columns:
            columns.append(pl.Series(name, [None] * n, dtype=_TYPES[kind]))
            continue
        seen = attribute_kind(given.schema[name])
        if seen != kind and given.schema[name] != pl.Null:
            raise DataError(f"it is {given.schema[name]}, and the store holds {kind}", column=name)
        columns.append(given[name].cast(_TYPES[kind]))
    return pl.DataFrame(columns)


def queries_for_store(card: StoreCard, vectors: Any, k: int) -> np.ndarray:
    """Queries scaled to length 1.

    Raises:
        UsageError: If k is below 1.
        DataError: If their dimension is another, or one is 0 or not finite.
    """
    if k < 1:
        raise ArgumentValueError("k", f"is {k}, expected 1 or more")
    queries = as_vectors(vectors, name="queries")
    if queries.shape[1] != card.dimension:
        raise DataError(
            f"the queries have {queries.shape[1]} dimensions, and the vectors of the store {card.dimension}",
            fix="Embed with the model that the store was made with.",
        )
    check_vectors(queries, range(len(queries)))
    return unit_vectors(queries)
