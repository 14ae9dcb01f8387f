"""Lists of RecBole, from the arrays of its ``full_sort_topk``.

RecBole prints metrics and keeps no lists. Its case study returns them, and ``numpy.savez`` keeps them::

    scores, items = full_sort_topk(uids, model, test_data, k=20, device=config["device"])
    np.savez(
        "lists.npz",
        users=dataset.id2token(dataset.uid_field, uids),
        items=dataset.id2token(dataset.iid_field, items.cpu()),
        scores=scores.cpu(),
    )
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from reclens.data.read.tables import read_recommendations
from reclens.errors import DataError, first_line
from reclens.schema import ITEM, SCORE, USER, Recommendations, read_arrays

__all__ = ["read_recbole_lists"]

_PAD = "[PAD]"
"""What RecBole fills arrays with; it is no item."""


def read_recbole_lists(path: str | Path, *, name: str | None = None) -> Recommendations:
    """Read lists that RecBole made: an ``.npz`` file with ``users``, ``items`` and ``scores``.

    Args:
        path: The file; ``users`` are n tokens, ``items`` n × k tokens, best first, and ``scores`` n × k numbers. Places
            that hold ``[PAD]``, or a score of -∞, which RecBole gives to what the user has, are left out.
        name: Name of the system; by default that of the file.

    Returns:
        The lists, ranks from 1. Ids are integers where all tokens are, else text, as :func:`reclens.read_recbole` reads
        them.

    Raises:
        DataError: If the file cannot be read, an array is missing, or the shapes do not fit.
    """
    place = Path(path)
    try:
        arrays = read_arrays(place)
    except (OSError, ValueError) as error:
        raise DataError(f"no file of arrays ({first_line(error)})", source=str(place)) from error
    absent = [each for each in ("users", "items", "scores") if each not in arrays]
    if absent:
        raise DataError(f"lacks {', '.join(absent)}", source=str(place), fix="Save users, items and scores.")
    users, items, scores = (arrays[each] for each in ("users", "items", "scores"))
    if items.ndim != 2 or users.shape != items.shape[:1] or scores.shape != items.shape or scores.dtype.kind != "f":
        shapes = ", ".join(f"{each} {arrays[each].shape}" for each in ("users", "items", "scores"))
        raise DataError(f"{shapes}, expected n users, and n × k items and scores", source=str(place))
    rows, columns = np.nonzero((items.astype(str) != _PAD) & (scores > -np.inf))
    table = {USER: users[rows], ITEM: items[rows, columns], SCORE: scores[rows, columns].astype(np.float64)}
    frame = pl.DataFrame({key: pl.Series(key, each) for key, each in table.items()})
    return read_recommendations(_whole(frame), name=name or place.stem)


def _whole(frame: pl.DataFrame) -> pl.DataFrame:
    """Ids as integers where all tokens are."""
    from reclens.data.read.ids import as_integers

    for column in (USER, ITEM):
        whole = as_integers(frame[column].cast(pl.String))
        frame = frame.with_columns(frame[column].cast(pl.String) if whole is None else whole.alias(column))
    return frame
