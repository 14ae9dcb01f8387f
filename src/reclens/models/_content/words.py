"""Tokenisation of texts, and stop words."""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = ["ENGLISH", "words_of"]

_ENGLISH: Final = """
    about above after again against all also am an and any are aren as at be because been before being below between
    both but by can cannot could couldn did didn do does doesn doing don down during each else ever every few for from
    further get gets had hadn has hasn have haven having he her here hers herself him himself his how however if in into
    is isn it its itself just ll may me might more most must my myself neither no nor not now of off on once one only or
    other others our ours ourselves out over own per rather re same shall she should shouldn since so some such than
    that the their theirs them themselves then there these they this those through to too under until up upon us ve very
    was wasn we were weren what when where whether which while who whom whose why will with within without won would
    wouldn yet you your yours yourself yourselves
"""
ENGLISH: Final = frozenset(_ENGLISH.split())
"""English stop words, for ``stop_words="english"``; single letters are never terms."""


def words_of(texts: pl.Series) -> pl.Series:
    """Split each text into terms, in order.

    A text is normalised by Unicode NFKC (full-width letters and ligatures become plain ones) and lower-cased. A term is
    a run of two or more letters, marks, digits and underscores of any script; all other characters separate terms,
    including the apostrophe ("don't" gives "don"). There is no stemming. In scripts without spaces, such as Chinese, a
    whole phrase is one term: segment such texts first, and pass them as a list column.

    Args:
        texts: Texts, shape (n,); null has no terms.

    Returns:
        Lists of terms, shape (n,).

    Example:
        >>> words_of(pl.Series(["Don't panic: Ça va, Привет!", None])).to_list()
        [['don', 'panic', 'ça', 'va', 'привет'], []]
    """
    plain = texts.cast(pl.String).fill_null("").str.normalize("NFKC").str.to_lowercase()
    return plain.str.extract_all(r"\w\w+")
