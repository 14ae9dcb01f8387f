"""MIND, Microsoft's news data: what was shown in each impression, and a submission's ranks of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from reclens.data.read.nested import adjacency
from reclens.data.read.packed import unpack
from reclens.data.read.sources import load
from reclens.errors import DataError
from reclens.schema import CLICKED, ITEM, RANK, REQUEST, TIMESTAMP, USER

__all__ = ["read_mind"]

_TIMES = "%m/%d/%Y %I:%M:%S %p"


def read_mind(behaviors: str | Path | bytes, predictions: str | Path | bytes | None = None) -> pl.DataFrame:
    r"""Read MIND's ``behaviors.tsv``: one row a candidate of an impression, in the order of the file.

    Args:
        behaviors: ``impression, user, time, history, candidates``, tab-separated without a header; a candidate is
            ``N55689-1`` if it was clicked and ``N35729-0`` if not.
        predictions: A submission, ``prediction.txt``: lines ``impression [3,1,2]``, the rank of each candidate.

    Returns:
        ``request_id, user_id, timestamp, item_id, clicked`` and, of a submission, ``rank``: what
        :func:`reclens.evaluate_requests` takes. Another system's scores are a column ``score`` to be added.

    Raises:
        DataError: If a file is not valid: candidates without a label, or ranks that do not fit them.

    Example:
        >>> shown = read_mind(b"1\tU1\t11/15/2019 9:55:12 AM\tN3\tN1-0 N2-1\n", b"1 [2,1]\n")
        >>> shown.select("request_id", "item_id", "clicked", "rank").rows()
        [(1, 'N1', 0, 2), (1, 'N2', 1, 1)]
    """
    lines = None if predictions is None else _lines(predictions)
    raw = load(str(behaviors) if isinstance(behaviors, Path) else behaviors, delimiter="\t", quote=None, header=False)
    if raw.frame.width != 5:
        raise DataError(
            f"there are {raw.frame.width} columns, expected 5: impression, user, time, history, candidates",
            source=raw.where,
        )
    frame = raw.frame.rename(dict(zip(raw.frame.columns, (REQUEST, USER, TIMESTAMP, "history", ITEM), strict=True)))
    shown = frame.drop("history").with_columns(
        pl.col(ITEM).fill_null("").str.strip_chars().str.split(" "),
        pl.col(TIMESTAMP).str.to_datetime(_TIMES, time_unit="us", strict=False).dt.replace_time_zone("UTC"),
    )
    rows = shown.explode(ITEM)
    parts = rows[ITEM].str.extract_groups(r"^(.+)-([01])$")
    bad = parts.struct[0].is_null()
    if bad.any():
        row = int(bad.arg_true()[0])
        raise DataError(
            f"the candidate {rows[ITEM][row]!r} has no label: expected N1-0 or N1-1",
            source=raw.where,
            fix="The test set of MIND has none; take the part for development.",
        )
    rows = rows.with_columns(parts.struct[0].alias(ITEM), parts.struct[1].cast(pl.Int64).alias(CLICKED))
    rows = rows.with_columns(_whole(rows[REQUEST]))
    return rows if lines is None else _with_ranks(rows, *lines)


def _whole(ids: pl.Series) -> pl.Series:
    numbers = ids.cast(pl.Int64, strict=False)
    return ids if numbers.null_count() else numbers


def _lines(predictions: str | Path | bytes) -> tuple[pl.DataFrame, str]:
    """The lines of a submission, and its name for messages."""
    source = "predictions" if isinstance(predictions, bytes) else str(predictions)
    try:
        data = predictions if isinstance(predictions, bytes) else Path(predictions).expanduser().read_bytes()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=source) from None
    return adjacency(unpack(data, source), source=source), source


def _with_ranks(rows: pl.DataFrame, lines: pl.DataFrame, source: str) -> pl.DataFrame:
    """Add the ranks of a submission, which are in the order of the candidates."""
    told = pl.DataFrame(
        {
            REQUEST: _whole(lines["user_id"]).cast(rows.schema[REQUEST], strict=False),
            RANK: lines["item_id"]
            .list.eval(pl.element().str.strip_chars("[]"))
            .list.eval(pl.element().filter(pl.element() != "").cast(pl.Int64, strict=False)),
        }
    )
    if told[REQUEST].is_duplicated().any():
        raise DataError("an impression stands there twice", source=source)
    sizes = rows.group_by(REQUEST, maintain_order=True).agg(n=pl.len())
    both = sizes.join(told, on=REQUEST, how="left", maintain_order="left")
    ranks = both[RANK]
    wrong = ranks.is_null() | (ranks.list.len() != both["n"]) | ranks.list.eval(pl.element().is_null()).list.any()
    wrong |= ranks.list.n_unique() != both["n"]
    if wrong.fill_null(value=True).any():
        at = int(wrong.fill_null(value=True).arg_true()[0])
        seen = "no line" if ranks[at] is None else f"{len(ranks[at])} ranks, {ranks[at].n_unique()} of them different,"
        raise DataError(
            f"impression {both[REQUEST][at]!r} has {both['n'][at]} candidates and {seen} in the submission",
            source=source,
            fix="Expected a line 'impression [3,1,2]' for each, a rank for every candidate.",
        )
    return rows.with_columns(ranks.explode().alias(RANK))
