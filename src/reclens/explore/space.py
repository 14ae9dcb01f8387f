"""An embedding space: ids, their vectors, what made these, and what is known of each id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.manifest import reading
from reclens.data.read.frames import read_parquet
from reclens.errors import Advice, DataError, IncomparableError, Setting
from reclens.explore.vectors import as_vectors, check_ids, check_vectors, unit_vectors, unusable_rows
from reclens.files import made_folder, write_text
from reclens.schema import Vocabulary
from reclens.tabular import Tabular

__all__ = ["EmbeddingCard", "EmbeddingSpace", "Entity", "Reason"]

Entity = Literal["item", "user", "query"]

Reason = Literal["empty_text", "zero_vector", "not_finite"]
"""Why an id has no vector: nothing to embed, a vector of 0, or one that holds what is no finite number."""

_ID: Final = "id"
_LENGTH_1: Final = 1e-4
"""How far the length of a vector may be from 1 by rounding."""
_SAMPLE: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class EmbeddingCard:
    """What made the vectors.

    Attributes:
        model: Its name: ``tfidf_svd``, a name of the hub, a model of RecLens, a file.
        revision: Which version of it: a revision of the hub, or a hash of what it learned or of the file.
        dimension: Length of the vectors.
        source: Where they come from.
        text_columns: Columns that were embedded, in their order.
        pooling: How vectors of words became one: ``mean``, ``cls``, ``max``; None where there are no words.
        normalized: Whether every vector has length 1.
        similarity: What the model compares by. The dot product also tells by length, the cosine by direction alone.
        settings: What else it was told, as JSON values.
    """

    model: str
    revision: str
    dimension: int
    source: Literal["text", "model", "file"]
    text_columns: tuple[str, ...] = ()
    pooling: str | None = None
    normalized: bool = True
    similarity: Literal["cosine", "dot"] = "cosine"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def check_same_model(self, other: EmbeddingCard) -> None:
        """Refuse to compare vectors of two models: their dimensions mean different things.

        Raises:
            IncomparableError: If model, revision or dimension differ.
        """
        mine, theirs = (
            {"model": each.model, "revision": each.revision, "dimension": each.dimension} for each in (self, other)
        )
        unlike = [f"{name} {mine[name]} and {theirs[name]}" for name in mine if mine[name] != theirs[name]]
        if unlike:
            raise IncomparableError(
                f"the vectors are of two models: {', '.join(unlike)}. Embed both with one model, or align the spaces."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbeddingSpace(Tabular):
    """Vectors by id.

    Attributes:
        ids: n ids, integers or text, each once; in any order.
        vectors: Shape (n, d), float32, each finite and not 0; may be a memory-mapped file.
        card: What made them.
        entity: What the ids are.
        name: Its name.
        attributes: n rows in the order of ``ids``: titles, texts, genres and whatever else is known.
        left_out: Ids without a vector, and why: columns ``id`` and ``reason``, see :data:`Reason`.

    Raises:
        DataError: If an id repeats or is missing, the shapes do not fit, or a vector is 0 or not finite.

    Example:
        >>> card = EmbeddingCard(model="by_hand", revision="1", dimension=2, source="file")
        >>> space = EmbeddingSpace(ids=pl.Series(["a", "b"]), vectors=np.eye(2), card=card)
        >>> space.rows(["b", "z"]).tolist()
        [1, -1]
    """

    ids: pl.Series
    vectors: np.ndarray
    card: EmbeddingCard
    entity: Entity = "item"
    name: str = "space"
    attributes: pl.DataFrame = field(default_factory=pl.DataFrame)
    left_out: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __post_init__(self) -> None:
        vectors = as_vectors(self.vectors)
        ids = self.ids.alias(_ID)
        check_ids(ids, column=_ID)
        check_vectors(vectors, ids)
        if vectors.shape[1] != self.card.dimension:
            raise DataError(f"the vectors have {vectors.shape[1]} dimensions, and the card says {self.card.dimension}")
        if self.card.normalized and len(vectors):
            self._check_lengths(vectors)
        if self.attributes.width and self.attributes.height != len(ids):
            raise DataError(f"there are {self.attributes.height:,} rows of attributes and {len(ids):,} ids")
        if _ID in self.attributes.columns:
            raise DataError("an attribute is called 'id', as the ids are", column=_ID, fix="Rename or drop it.")
        object.__setattr__(self, "ids", ids.cast(pl.Int64) if ids.dtype.is_integer() else ids)
        object.__setattr__(self, "vectors", vectors)
        if not self.left_out.width:
            nobody = pl.DataFrame(schema={_ID: self.ids.dtype, "reason": pl.String})
            object.__setattr__(self, "left_out", nobody)

    @staticmethod
    def _check_lengths(vectors: np.ndarray) -> None:
        """Check the first vectors against a card that states unit length; checking all would take another pass."""
        lengths = np.linalg.norm(vectors[:_SAMPLE].astype(np.float64), axis=1)
        if np.abs(lengths - 1).max() > _LENGTH_1:
            raise DataError(
                f"the card says that vectors have length 1, and one has {lengths[np.abs(lengths - 1).argmax()]:.4g}",
                fix=Advice(
                    "say_lengths",
                    (Setting("normalized", False),),
                    "Divide them by their lengths, or say {normalized} in the card.",
                ),
            )

    @classmethod
    def of_usable(
        cls,
        ids: pl.Series,
        vectors: np.ndarray,
        card: EmbeddingCard,
        *,
        entity: Entity = "item",
        name: str = "space",
        attributes: pl.DataFrame | None = None,
        empty: np.ndarray | None = None,
    ) -> EmbeddingSpace:
        """A space of the vectors that have a direction; the other ids are listed in ``left_out`` with the reason.

        Args:
            ids: n ids.
            vectors: Shape (n, d).
            card: What made them.
            entity: What the ids are.
            name: Its name.
            attributes: n rows in the order of ``ids``.
            empty: Rows that had nothing to embed.

        Raises:
            DataError: If no vector is left.
        """
        vectors = as_vectors(vectors)
        broken, zero = unusable_rows(vectors)
        reasons = np.full(len(ids), "", object)
        reasons[zero], reasons[broken] = "zero_vector", "not_finite"
        reasons[[] if empty is None else empty] = "empty_text"
        gone = pl.Series(reasons != "", dtype=pl.Boolean)
        if gone.all():
            seen = ", ".join(sorted(set(reasons.tolist()))) or "none were given"
            raise DataError(f"none of {len(ids):,} vectors has a direction ({seen})", fix="See where they come from.")
        left_out = pl.DataFrame({_ID: ids, "reason": pl.Series(reasons.tolist(), dtype=pl.String)}).filter(gone)
        kept = np.flatnonzero(~gone.to_numpy())
        whole = len(kept) == len(ids)
        return cls(
            ids=ids if whole else ids.gather(kept),
            vectors=vectors if whole else vectors[kept],
            card=card,
            entity=entity,
            name=name,
            attributes=attributes[kept] if attributes is not None and attributes.width else pl.DataFrame(),
            left_out=left_out,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.vectors.shape[1]

    @cached_property
    def unit(self) -> np.ndarray:
        """The vectors at length 1, shape (n, d), float32: their products are cosines."""
        return self.vectors if self.card.normalized else unit_vectors(self.vectors)

    @cached_property
    def revision(self) -> str:
        """A hash of ids and vectors, 16 hexadecimal digits: the same for the same content in the same order."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(str(self.vectors.shape).encode())
        for each in self.ids.cast(pl.String).to_list():
            digest.update(f"{len(each)}:{each}".encode())
        digest.update(np.ascontiguousarray(self.vectors).view(np.uint8).data)
        return digest.hexdigest()

    def rows(self, ids: Sequence[Any] | pl.Series) -> np.ndarray:
        """The rows of ids, int64, shape (m,); -1 where an id is not in the space.

        Raises:
            DataError: If integers are looked up among text, or the other way round.
        """
        wanted = ids if isinstance(ids, pl.Series) else pl.Series(ids, dtype=None if len(ids) else self.ids.dtype)
        codes = self._vocabulary.encode(wanted)
        return np.where(codes < 0, -1, self._row_of_code[codes])

    def take(self, rows: np.ndarray) -> EmbeddingSpace:
        """A space of some rows, in this order; ``left_out`` goes along."""
        return EmbeddingSpace(
            ids=self.ids.gather(rows),
            vectors=self.vectors[rows],
            card=self.card,
            entity=self.entity,
            name=self.name,
            attributes=self.attributes[rows] if self.attributes.width else self.attributes,
            left_out=self.left_out,
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per id, without its vector, for tables."""
        return self.to_frame().to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """Ids and attributes."""
        return pl.DataFrame([self.ids]).hstack(self.attributes) if self.attributes.width else pl.DataFrame([self.ids])

    def _first_rows(self, most: int) -> tuple[list[dict[str, Any]], int]:
        return self.to_frame().head(most).to_dicts(), len(self)

    def _about(self) -> str:
        return f"EmbeddingSpace '{self.name}' of {self.card.model}, {self.dimension} dimensions"

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.ids)

    @cached_property
    def _row_of_code(self) -> np.ndarray:
        found = np.empty(len(self), np.int64)
        found[self._vocabulary.encode(self.ids)] = np.arange(len(self))
        return found

    def save(self, folder: str | Path) -> None:
        """Write vectors as ``vectors.npy``, ids and attributes as Parquet and the card as JSON into a folder."""
        path = made_folder(folder)
        np.save(path / "vectors.npy", self.vectors, allow_pickle=False)
        self.to_frame().write_parquet(path / "rows.parquet")
        self.left_out.write_parquet(path / "left_out.parquet")
        head = {"name": self.name, "entity": self.entity, "revision": self.revision, "card": asdict(self.card)}
        write_text(path / "space.json", json.dumps(head, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, folder: str | Path) -> EmbeddingSpace:
        """Read what :meth:`save` wrote; the vectors stay in their file and are read when they are used.

        Raises:
            DataError: If the folder does not hold a whole space.
        """
        path = Path(folder)
        with reading(path, "embedding space", fix="Embed again."):
            head = json.loads((path / "space.json").read_text(encoding="utf-8"))
            about = head["card"]
            card = EmbeddingCard(**(about | {"text_columns": tuple(about["text_columns"])}))
            table = read_parquet(path / "rows.parquet")
            vectors = np.load(path / "vectors.npy", mmap_mode="r", allow_pickle=False)
            if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != table.height:
                raise DataError(
                    f"it holds {vectors.dtype} of shape {vectors.shape}, expected float32 and {table.height:,} rows",
                    source="vectors.npy",
                )
            attributes = table.drop(_ID)
            left_out = read_parquet(path / "left_out.parquet")
            return cls(
                ids=table[_ID],
                vectors=vectors,
                card=card,
                entity=head["entity"],
                name=head["name"],
                attributes=attributes,
                left_out=left_out,
            )
