"""The segments of evaluated users: labels and codes of every segmentation that is asked for, and of products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from reclens.data.bands import in_order
from reclens.data.dataset import Dataset
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.evaluation.given_histories import NAME_SEGMENTS
from reclens.schema import USER
from reclens.vocabulary import Vocabulary

__all__ = ["UNKNOWN", "groups_of", "make_groups", "named_parts", "segments_table"]

UNKNOWN = "(unknown)"
"""The segment of users that could not be placed."""


def segments_table(users: pl.Series, groups: Mapping[str, tuple[list[str], np.ndarray]]) -> pl.DataFrame:
    """A row a user, and a column a segmentation."""
    labels = {by: pl.Series(names, dtype=pl.String).gather(codes) for by, (names, codes) in groups.items()}
    return pl.DataFrame({USER: users, **labels})


def make_groups(
    train: Dataset | None, users: Vocabulary, by: Sequence[str | tuple[str, str]]
) -> dict[str, tuple[list[str], np.ndarray]]:
    """Labels and codes of every segmentation asked for; ``"a × b"``, ``"a*b"`` and ``("a", "b")`` are products."""
    if by and train is None:
        part = named_parts(by[0])[0]
        raise UsageError(
            f"'{part}' is of the users of the training data, which is not given",
            advice=Advice("pass_train", (Setting("train"),), "Pass {train}."),
        )
    return groups_of(None if train is None else train.segments, users, by)


def named_parts(wanted: str | tuple[str, str]) -> list[str]:
    """The segmentations that one is the product of; itself where it is none."""
    text = "×".join(wanted) if isinstance(wanted, tuple) else wanted.replace("*", "×")
    return [part.strip() for part in text.split("×")]


def groups_of(
    table: pl.DataFrame | None, users: Vocabulary, by: Sequence[str | tuple[str, str]]
) -> dict[str, tuple[list[str], np.ndarray]]:
    """As :func:`make_groups`, of a table ``user_id, one column a segmentation``."""
    groups: dict[str, tuple[list[str], np.ndarray]] = {}
    for wanted in by:
        parts = named_parts(wanted)
        columns = [_labels(table, users, part) for part in parts]
        labels, codes = columns[0]
        for more, more_codes in columns[1:]:
            labels = [f"{a} × {b}" for a in labels for b in more]
            codes = codes * len(more) + more_codes
        present = np.unique(codes)
        compact = np.searchsorted(present, codes)
        groups[" × ".join(parts)] = ([labels[code] for code in present], compact.astype(np.int64))
    return groups


def _labels(table: pl.DataFrame | None, users: Vocabulary, name: str) -> tuple[list[str], np.ndarray]:
    known = [] if table is None else [column for column in table.columns if column != USER]
    if table is None or name not in known:
        raise UnknownNameError("segmentation of the training data", name, known, advice=NAME_SEGMENTS)
    placed = users.ids.alias(USER).to_frame().join(table.select(USER, name), on=USER, how="left", maintain_order="left")
    column = placed[name]
    if isinstance(column.dtype, pl.Enum):
        labels = column.dtype.categories.to_list()
    else:
        labels = in_order(column.cast(pl.String).drop_nulls().unique().to_list())
    codes = Vocabulary(pl.Series(labels, dtype=pl.String)).encode(column.cast(pl.String))
    order = np.array([sorted(labels).index(label) for label in labels], np.int64)
    position = np.empty(len(labels) + 1, np.int64)
    position[order] = np.arange(len(labels))
    position[-1] = len(labels)  # a code of -1 picks the last: unknown
    return [*labels, UNKNOWN], position[codes]
