"""Texts of items, users or queries as an embedding space; what was embedded once is not embedded again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.read.frames import from_frame
from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.explore.space import EmbeddingCard, EmbeddingSpace, Entity
from reclens.explore.tfidf import TfidfSvd
from reclens.explore.vectors import check_ids
from reclens.files import made_folder, write_bytes
from reclens.protocols import EncoderCard, TextEncoder
from reclens.schema import read_arrays

__all__ = ["VectorCache", "embed_texts", "joined_texts"]

_BATCH: Final = 512
"""Texts between two looks of the progress, and two files of the cache: what a killed run loses at most."""
_FILES: Final = 32
"""Files of a cache that are merged into one."""


def embed_texts(
    table: Any,
    *,
    columns: Sequence[str],
    id_column: str = "item_id",
    encoder: TextEncoder | None = None,
    dimension: int = 128,
    entity: Entity = "item",
    name: str = "space",
    cache: str | Path | None = None,
    progress: Progress = quiet,
) -> EmbeddingSpace:
    """Embed the texts of a table.

    The texts of a row are joined, each on a line of its own. A row without a text, or without a word that the encoder
    knows, has no vector: it is listed in ``left_out``.

    Args:
        table: A frame of any library, with ids and texts; the other columns become attributes.
        columns: Columns of text, or of lists of texts, in their order.
        id_column: The column of ids.
        encoder: What makes the vectors; None fits :class:`TfidfSvd` on these texts.
        dimension: Length of the vectors of :class:`TfidfSvd`.
        entity: What the ids are.
        name: Name of the space.
        cache: A folder that keeps every vector by encoder and text. A run that was killed goes on from there. Not for
            :class:`TfidfSvd`, which is as fast as reading.
        progress: Called as texts are embedded.

    Returns:
        The space; vectors have length 1.

    Raises:
        UnknownNameError: If the table lacks a column.
        DataError: If ids repeat, or no row has a vector.
        UsageError: If no column is named.

    Example:
        >>> films = pl.DataFrame({"item_id": [1, 2, 3], "plot": ["a ship at sea", "a storm at sea", None]})
        >>> space = embed_texts(films, columns=["plot"], dimension=2)
        >>> space.ids.to_list(), space.left_out.rows()
        ([1, 2], [(3, 'empty_text')])
    """
    frame = from_frame(table)
    for column in (id_column, *columns):
        if column not in frame.columns:
            raise UnknownNameError("column", column, frame.columns)
    check_ids(frame[id_column], column=id_column)
    texts = joined_texts(frame, columns)
    blank = np.array([not text for text in texts], bool)
    if blank.all():
        raise DataError(
            f"none of {len(texts):,} rows has a text in {', '.join(columns)}", fix="Name columns that hold texts."
        )
    wanted = [text for text, empty in zip(texts, blank.tolist(), strict=True) if not empty]
    maker = TfidfSvd(dimension=dimension).fit(wanted) if encoder is None else encoder
    about = maker.card
    kept = VectorCache(cache, about) if cache is not None and encoder is not None else None
    vectors = np.zeros((len(texts), about.dimension), np.float32)
    vectors[~blank] = _encoded(maker, wanted, kept, progress)
    card = EmbeddingCard(
        model=about.model,
        revision=about.revision,
        dimension=about.dimension,
        source="text",
        text_columns=tuple(columns),
        pooling=about.pooling,
        normalized=True,
        settings={**about.settings, "address": about.address} if about.address else dict(about.settings),
    )
    rest = frame.drop(id_column)
    if "id" in rest.columns:
        rest = rest.rename({"id": "id_"})
    ids = frame[id_column]
    return EmbeddingSpace.of_usable(
        ids, vectors, card, entity=entity, name=name, attributes=rest, empty=np.flatnonzero(blank)
    )


def joined_texts(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """The text of each row: its columns without blanks around, those that are empty left out, a line each.

    Raises:
        UsageError: If no column is named, or one holds neither texts nor lists of texts.
    """
    if not columns:
        raise UsageError("no column of text is named: there is nothing to embed.")
    parts: list[pl.Expr] = []
    for column in columns:
        dtype = frame.schema[column]
        inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
        if inner != pl.String and not isinstance(inner, pl.Categorical | pl.Enum):
            raise UsageError(f"the column '{column}' is {dtype}, expected text or lists of texts.")
        value = pl.col(column).cast(pl.String) if inner is dtype else None
        value = pl.col(column).cast(pl.List(pl.String)).list.drop_nulls().list.join(", ") if value is None else value
        value = value.str.strip_chars()
        parts.append(pl.when(value != "").then(value))
    return frame.select(pl.concat_str(parts, separator="\n", ignore_nulls=True).fill_null("")).to_series().to_list()


def _encoded(encoder: TextEncoder, texts: Sequence[str], cache: VectorCache | None, progress: Progress) -> np.ndarray:
    """The vectors of texts, each distinct text once, those in the cache from there."""
    distinct = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    found = np.empty((len(distinct), encoder.card.dimension), np.float32)
    waiting = list(distinct)
    if cache is not None:
        known = cache.get(waiting)
        for at, vector in known.items():
            found[at] = vector
        waiting = [text for at, text in enumerate(waiting) if at not in known]
    done = len(distinct) - len(waiting)
    # The longest first: batches of one length are the fastest, and a batch that does not fit fails at once.
    waiting.sort(key=len, reverse=True)
    for rows in chunk_ranges(len(waiting), _BATCH):
        batch = waiting[rows.start : rows.stop]
        vectors = _checked(encoder.encode(batch), len(batch), encoder.card)
        found[[distinct[text] for text in batch]] = vectors
        if cache is not None:
            cache.put(batch, vectors)
        progress("embed", done + rows.stop, len(distinct))
    if cache is not None:
        cache.merge()
    return found[[distinct[text] for text in texts]]


def _checked(vectors: np.ndarray, n: int, card: EncoderCard) -> np.ndarray:
    if np.shape(vectors) != (n, card.dimension):
        raise DataError(
            f"{card.model} gave vectors of the shape {np.shape(vectors)}, expected {(n, card.dimension)}",
            fix="See whether the model is the one that the card names.",
        )
    return np.asarray(vectors, np.float32)


class VectorCache:
    """Vectors on disk by the hash of their text; one folder an encoder, and no file that is half written.

    Args:
        folder: The folder of all caches.
        card: The encoder.
    """

    def __init__(self, folder: str | Path, card: EncoderCard) -> None:
        told = repr((card.model, card.revision, card.dimension, card.pooling, sorted(card.settings.items())))
        self.folder = made_folder(Path(folder) / hashlib.blake2b(told.encode(), digest_size=8).hexdigest())
        self._dimension = card.dimension
        self._place: dict[bytes, np.ndarray] = {}
        for file in sorted(self.folder.glob("*.npz")):
            self._place |= self._read(file)

    def get(self, texts: Sequence[str]) -> Mapping[int, np.ndarray]:
        """Place -> vector, of the texts that are known."""
        keys = map(_key, texts)
        return {at: self._place[key] for at, key in enumerate(keys) if key in self._place}

    def put(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep vectors."""
        keys = [_key(text) for text in texts]
        self._place |= dict(zip(keys, vectors, strict=True))
        self._write(keys, vectors)

    def merge(self) -> None:
        """Make one file of many."""
        files = sorted(self.folder.glob("*.npz"))
        if len(files) < _FILES:
            return
        keys = list(self._place)
        whole = self._write(keys, np.stack([self._place[key] for key in keys]))
        for file in files:
            if file != whole:
                file.unlink(missing_ok=True)

    def _read(self, file: Path) -> dict[bytes, np.ndarray]:
        """The vectors of a file; none of one that is broken: they are made again."""
        try:
            arrays = read_arrays(file)
            keys, vectors = arrays["keys"], arrays["vectors"]
        except (OSError, ValueError, KeyError):
            return {}
        if keys.shape != (len(vectors), 16) or vectors.shape[1:] != (self._dimension,) or vectors.dtype != np.float32:
            return {}
        return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}

    def _write(self, keys: Sequence[bytes], vectors: np.ndarray) -> Path:
        packed = io.BytesIO()
        np.savez(packed, keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), vectors=vectors)
        content = packed.getvalue()
        file = self.folder / f"{hashlib.blake2b(b''.join(keys), digest_size=8).hexdigest()}.npz"
        write_bytes(file, content)
        return file


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
