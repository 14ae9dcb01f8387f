"""One buffer for a whole map: places, columns, titles, neighbours and findings, as ``model.js`` unpacks it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError, UsageError
from reclens.report._toolkit.charts import BACKGROUND, THEME
from reclens.report._toolkit.format import whole

__all__ = ["BEHIND", "UNSURE", "MapColumn", "MapFinding", "MapLabel", "MapView", "pack_map"]

_MAGIC: Final = b"RLM1"
_TYPES: Final = {"u1": np.uint8, "u2": np.uint16, "u4": np.uint32, "f4": np.float32}
_SIDE: Final = 65_535
"""Places are 16-bit integers: finer than the pixels of any screen at a zoom of 30."""
_COLOURS: Final = len(THEME["light"]) - 1
"""Colours that people can tell apart; the last of the theme is grey."""
BEHIND: Final = _COLOURS
"""The place of what others stand out from: the grey category of a column, and all categories after the seventh."""
UNSURE: Final = _COLOURS + 1
"""The place of the grey of the theme."""
_LABELS: Final = 65_534
_NOBODY: Final = 2**32 - 1
"""What -1 becomes as 32 bits without a sign."""


@dataclass(frozen=True, kw_only=True)
class MapLabel:
    """Words on a map.

    Attributes:
        text: What is written.
        x: Where, in the coordinates of the view.
        y: Where, in the coordinates of the view.
        level: 0 is shown for the whole map, 1 closer by.
    """

    text: str
    x: float
    y: float
    level: int = 0


@dataclass(frozen=True, kw_only=True)
class MapView:
    """One arrangement of the points; two of them stand side by side and share the selection.

    Attributes:
        places: Shape (n, 2): x and y of each point, in any unit; both axes keep their proportion.
        name: What it shows, such as the model.
        labels: Words on it; of two that would overlap the earlier is shown.
        colour: Column that this view is coloured by; None follows the choice of the reader.
    """

    places: np.ndarray
    name: str = ""
    labels: Sequence[MapLabel] = ()
    colour: str | None = None


@dataclass(frozen=True, kw_only=True)
class MapColumn:
    """What is known of each point: the points are coloured and filtered by it.

    Attributes:
        name: Its name.
        values: n values: numbers, or text and truth values, which are categories. Null is unknown.
        about: What it means, in a sentence.
        unit: Unit of numbers.
        ends: Lowest and highest number of the scale of colours; None takes the 1st and the 99th percentile.
        regions: Whether it has many categories that lie apart, such as clusters: colours repeat, instead of grey for
            all but the largest seven.
        grey: The category that the others stand out from.
        colours: Category -> place of its colour in the theme, for categories that have one colour everywhere; others
            have a colour by their size.
    """

    name: str
    values: pl.Series
    about: str = ""
    unit: str = ""
    ends: tuple[float, float] | None = None
    regions: bool = False
    grey: str | None = None
    colours: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MapFinding:
    """What was found, and the points it is about.

    Attributes:
        text: What was found, in a few words.
        points: Places of the points, from 0.
    """

    text: str
    points: np.ndarray


def pack_map(
    views: Sequence[MapView],
    columns: Sequence[MapColumn] = (),
    *,
    titles: pl.Series | None = None,
    details: pl.Series | None = None,
    neighbours: np.ndarray | None = None,
    findings: Sequence[MapFinding] = (),
    colour: str | None = None,
    noun: str = "item",
    file: str = "map",
) -> bytes:
    """One buffer for a whole map.

    Args:
        views: One or more arrangements of the same n points.
        columns: What is known of each.
        titles: n names; None shows the number of the point.
        details: n texts, shown on the card of a point and searched.
        neighbours: Shape (n, k): places of the nearest points, which are drawn where a point is chosen; -1 for
            none.
        findings: What was found, each chosen by a click.
        colour: Column that the points are coloured by at first; None takes the first.
        noun: What a point is.
        file: Name of the file of a download, without its end.

    Raises:
        UsageError: If something does not have n rows, a place is not finite, or a name stands there twice.
    """
    if not views:
        raise ArgumentValueError("views", "is empty, expected one arrangement of the points or more")
    count = len(views[0].places)
    _check(count, views, columns, titles, details, neighbours, colour)
    arrays = _Arrays()
    header: dict[str, Any] = {
        "count": count,
        "noun": noun,
        "file": file,
        "colour": colour,
        "palettes": {scheme: [*colours[:_COLOURS], BACKGROUND, colours[_COLOURS]] for scheme, colours in THEME.items()},
        "views": [_view(view, arrays) for view in views],
        "columns": [_column(column, arrays) for column in columns],
        "findings": [
            {"text": finding.text, "array": arrays.add(np.asarray(finding.points), "u4")} for finding in findings
        ],
        "titles": arrays.add_text(titles) if titles is not None else None,
        "details": arrays.add_text(details) if details is not None else None,
    }
    if neighbours is not None:
        rows = np.asarray(neighbours, np.int64).ravel() & _NOBODY
        header["neighbours"] = {"array": arrays.add(rows, "u4"), "k": int(neighbours.shape[1])}
    return arrays.packed(header)


class _Arrays:
    """Arrays one after the other, each at a place that its width divides."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._known: dict[str, dict[str, Any]] = {}
        self._size = 0

    def add(self, values: np.ndarray, kind: str) -> str:
        """Keep an array; returns its name."""
        data = np.ascontiguousarray(values, _TYPES[kind]).astype(np.dtype(_TYPES[kind]).newbyteorder("<")).tobytes()
        name = f"a{len(self._known)}"
        self._known[name] = {"type": kind, "at": self._size, "count": len(values)}
        self._parts.append(data + bytes(-len(data) % 4))
        self._size += len(self._parts[-1])
        return name

    def add_text(self, values: pl.Series) -> str:
        """Keep texts as a JSON list; returns their name."""
        texts = json.dumps(values.cast(pl.String).fill_null("").to_list(), ensure_ascii=False, separators=(",", ":"))
        return self.add(np.frombuffer(texts.encode(errors="replace"), np.uint8), "u1")

    def packed(self, header: dict[str, Any]) -> bytes:
        """Magic, length of the header, the header, the arrays from the next multiple of 4 on."""
        text = json.dumps({**header, "arrays": self._known}, allow_nan=False).encode()
        head = _MAGIC + struct.pack("<I", len(text)) + text
        return head + bytes(-len(head) % 4) + b"".join(self._parts)


def _check(
    count: int,
    views: Sequence[MapView],
    columns: Sequence[MapColumn],
    titles: pl.Series | None,
    details: pl.Series | None,
    neighbours: np.ndarray | None,
    colour: str | None,
) -> None:
    for view in views:
        if view.places.shape != (count, 2):
            raise UsageError(f"places has the shape {view.places.shape}, expected ({count}, 2).")
        if not np.isfinite(view.places).all():
            raise UsageError(
                f"{whole(int((~np.isfinite(view.places)).any(axis=1).sum()))} places are not finite numbers."
            )
    rows = {column.name: len(column.values) for column in columns}
    rows |= {name: len(values) for name, values in (("titles", titles), ("details", details)) if values is not None}
    rows |= {} if neighbours is None else {"neighbours": len(neighbours)}
    unlike = next((name for name, height in rows.items() if height != count), None)
    if unlike is not None:
        raise UsageError(f"{unlike} has {whole(rows[unlike])} rows, and there are {whole(count)} points.")
    names = [column.name for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two columns are called '{twice}'.")
    for chosen in (colour, *(view.colour for view in views)):
        if chosen is not None and chosen not in names:
            raise UsageError(
                f"there is no column '{chosen}' to colour by; the columns are {', '.join(names) or 'none'}."
            )


def _view(view: MapView, arrays: _Arrays) -> dict[str, Any]:
    places = np.asarray(view.places, np.float64)
    low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.ones(2))
    width = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    unit = (places - middle) / width + 0.5  # one scale for both axes: distances keep their proportion
    labels = [
        {"text": label.text, "level": label.level, "x": x, "y": y}
        for label in view.labels
        for x, y in [(((label.x, label.y) - middle) / width + 0.5).tolist()]
    ]
    array = arrays.add(np.rint(unit * _SIDE).ravel(), "u2")
    return {"name": view.name, "array": array, "labels": labels, "colour": view.colour}


def _column(column: MapColumn, arrays: _Arrays) -> dict[str, Any]:
    shared = {"name": column.name, "about": column.about, "unit": column.unit}
    values = column.values
    if values.dtype.is_numeric():
        numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        finite = numbers[np.isfinite(numbers)]
        ends = column.ends or (tuple(np.quantile(finite, (0.01, 0.99)).tolist()) if len(finite) else (0.0, 1.0))
        array = arrays.add(np.where(np.isfinite(numbers), numbers, np.nan), "f4")
        return {**shared, "kind": "number", "array": array, "low": float(ends[0]), "high": float(ends[1])}
    text = values.cast(pl.String)
    sizes = text.drop_nulls().value_counts(name="n").sort(["n", text.name], descending=[True, False])
    labels = sizes[text.name].to_list()
    if len(labels) > _LABELS:
        raise UsageError(
            f"the column '{column.name}' has {whole(len(labels))} categories, expected at most {whole(_LABELS)}."
        )
    kind, missing = ("u1", 255) if len(labels) < 255 else ("u2", _SIDE)
    codes = text.replace_strict(labels, list(range(len(labels))), default=missing, return_dtype=pl.UInt32).to_numpy()
    counts = {str(code): n for code, n in enumerate(sizes["n"].to_list())}
    places = np.cumsum([label != column.grey for label in labels]) - 1
    slots = [at % _COLOURS if column.regions else min(at, BEHIND) for at in places.tolist()]
    slots = [
        column.colours.get(label, BEHIND if label == column.grey else slot)
        for label, slot in zip(labels, slots, strict=True)
    ]
    return {
        **shared,
        "kind": "category",
        "array": arrays.add(codes, kind),
        "labels": labels,
        "missing": missing,
        "counts": {**counts, str(missing): text.null_count()},
        "slots": slots,
    }
