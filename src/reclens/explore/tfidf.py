"""Texts as vectors without a neural network: tf-idf over words and pairs of words, then a truncated SVD."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
import polars as pl

from reclens.engine import chunk_ranges
from reclens.errors import ArgumentValueError, DataError
from reclens.explore.linear_algebra import truncated_svd
from reclens.explore.vectors import unit_vectors
from reclens.models._content.words import ENGLISH, words_of
from reclens.protocols import EncoderCard

__all__ = ["TfidfSvd"]

_ROWS: Final = 5_000
_WORDS: Final = 50_000
"""Terms kept: those of the most texts."""
_LONG: Final = 1_000_000
"""Characters of one text that are read: a text of 10 MB says no more than its first tenth."""


class TfidfSvd:
    """Latent semantic analysis: tf-idf, then the leading singular vectors; no download, and no torch.

    A term is a word or two words side by side, English stop words left out. tf is 1 + ln(count), idf is
    ln((1 + texts) ÷ (1 + texts with it)) + 1 over the texts that have a term, and each row is brought to length 1,
    before the SVD and after it.
    The vectors of two fits cannot be compared: the revision is a hash of what was learned.

    Args:
        dimension: Length of the vectors, 1 or more; fewer come out where the texts have fewer.
        min_texts: Texts that a term has to stand in; None for 2, or 1 where there are at most 20 texts.
        seed: Seed of the SVD.

    Example:
        >>> texts = ["a ship at sea", "the sea and a storm", "love in Paris", "Paris, love and storm"]
        >>> vectors = TfidfSvd(dimension=2).fit(texts).encode(["ship on the sea", "love letters"])
        >>> vectors.shape
        (2, 2)

    References:
        Deerwester, Dumais, Furnas, Landauer, Harshman (1990), Indexing by latent semantic analysis; JASIS 41(6).
    """

    def __init__(self, *, dimension: int = 128, min_texts: int | None = None, seed: int = 0) -> None:
        if dimension < 1:
            raise ArgumentValueError("dimension", f"is {dimension}, expected 1 or more")
        self.dimension, self.min_texts, self.seed = dimension, min_texts, seed

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn terms, their weights and the singular vectors.

        Raises:
            DataError: If no term stands in a text.
        """
        terms = pl.concat([_terms_of(texts, rows) for rows in chunk_ranges(len(texts), _ROWS)] or [_NOTHING])
        self.min_texts_ = (2 if len(texts) > 20 else 1) if self.min_texts is None else self.min_texts
        holders = terms.group_by("term").len("holders").filter(pl.col("holders") >= self.min_texts_)
        holders = holders.sort(["holders", "term"], descending=[True, False]).head(_WORDS).sort("term")
        if not holders.height:
            raise DataError(
                f"none of {len(texts):,} texts has a word that another one has", fix="Name columns that hold words."
            )
        self.terms_ = holders["term"]
        # Texts without a term say nothing of how rare the terms are, and have no vector.
        n = terms.join(holders, on="term", how="semi")["row"].n_unique()
        self.idf_ = np.log((1 + n) / (1 + holders["holders"].to_numpy())) + 1
        _, self.singular_values_, right = truncated_svd(
            self._weighted(terms, len(texts)), self.dimension, seed=self.seed
        )
        self.components_ = np.ascontiguousarray(right.T, np.float32)
        return self

    @property
    def card(self) -> EncoderCard:
        """What it is; the revision is a hash of terms, weights and singular vectors."""
        digest = hashlib.blake2b("\0".join(self.terms_.to_list()).encode(), digest_size=8)
        digest.update(self.idf_.tobytes())
        # Rounded: the last bits of a decomposition are those of the processor.
        digest.update(np.round(self.singular_values_, 6).tobytes())
        told = {"dimension": self.dimension, "min_texts": self.min_texts_, "seed": self.seed}
        return EncoderCard(
            model="tfidf_svd",
            revision=digest.hexdigest(),
            dimension=self.components_.shape[1],
            pooling="sum",
            settings=told,
        )

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as vectors of length 1, float32, shape (n, dimension); 0 for a text without a known word."""
        found = np.zeros((len(texts), self.components_.shape[1]), np.float32)
        for rows in chunk_ranges(len(texts), _ROWS):
            terms = _terms_of(texts, rows).with_columns(pl.col("row") - rows.start)
            found[rows.start : rows.stop] = self._weighted(terms, len(rows)) @ self.components_
        return unit_vectors(found)

    def _weighted(self, terms: pl.DataFrame, n: int) -> Any:
        """Texts × terms, tf-idf, rows of length 1."""
        from scipy.sparse import csr_array

        known = pl.DataFrame({"term": self.terms_, "code": np.arange(len(self.terms_), dtype=np.int64)})
        cells = terms.join(known, on="term").sort("row", "code")
        row, code = cells["row"].to_numpy().astype(np.int64), cells["code"].to_numpy()
        value = (1 + np.log(cells["count"].to_numpy())) * self.idf_[code]
        value /= np.sqrt(np.bincount(row, value**2, n))[row]
        return csr_array((value.astype(np.float32), (row, code)), shape=(n, len(self.terms_)))


_NOTHING: Final = pl.DataFrame(schema={"row": pl.Int64, "term": pl.String, "count": pl.UInt32})


def _terms_of(texts: Sequence[str], rows: range) -> pl.DataFrame:
    """Row, term and count of some texts; the rows are those of all texts."""
    words = words_of(pl.Series([text[:_LONG] for text in texts[rows.start : rows.stop]], dtype=pl.String))
    table = pl.DataFrame({"row": pl.Series(rows, dtype=pl.Int64), "term": words}).explode("term").drop_nulls()
    table = table.filter(~pl.col("term").is_in(list(ENGLISH)))
    following = pl.col("term").shift(-1).over("row")
    pairs = table.with_columns(pl.concat_str("term", following, separator=" ").alias("term")).drop_nulls()
    return pl.concat([table, pairs]).group_by("row", "term").len("count")
