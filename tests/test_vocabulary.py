"""Ids and codes, few and many: the compiled table answers what a dictionary answers, also where hashes clash."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens import vocabulary
from reclens.vocabulary import Vocabulary, number_ids

ROWS = 150_000


def made(kind: str) -> pl.Series:
    """Ids of 40,000 values with repeats, in several pieces of memory."""
    drawn = np.random.default_rng(0).integers(0, 40_000, ROWS)
    numbers = pl.Series("id", drawn * (2**40 + 1) - 2**50 if kind == "scattered" else drawn)
    ids = pl.format("a text longer than twelve bytes {}", numbers.to_frame().to_series()) if kind == "text" else None
    ids = numbers if ids is None else numbers.to_frame().select(ids).to_series()
    return pl.concat([ids.slice(0, 70_001), ids.slice(70_001)], rechunk=False)


@pytest.mark.parametrize("kind", ["dense", "scattered", "text"])
def test_many_ids_get_the_codes_of_a_dictionary(kind: str) -> None:
    ids = made(kind)
    words = Vocabulary(ids)
    assert words.ids.to_list() == sorted(set(ids.to_list()))
    code = {value: i for i, value in enumerate(words.ids.to_list())}
    assert words.encode(ids).tolist() == [code[value] for value in ids.to_list()]
    half = Vocabulary(words.ids.gather_every(2))
    expected = [code[value] // 2 if code[value] % 2 == 0 else -1 for value in ids.to_list()]
    assert half.encode(ids).tolist() == expected


@pytest.mark.parametrize("kind", ["dense", "scattered", "text"])
@pytest.mark.parametrize("rows", [1_000, ROWS])
def test_ids_are_numbered_by_first_appearance(kind: str, rows: int) -> None:
    ids = made(kind).head(rows)
    first = {value: i for i, value in enumerate(dict.fromkeys(ids.to_list()))}
    distinct, places = number_ids(ids)
    assert distinct.to_list() == list(first)
    assert places.tolist() == [first[value] for value in ids.to_list()]


def test_texts_that_share_a_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is cut to 8 bits here, so that nearly every text clashes with another one."""
    ids = made("text").head(ROWS)
    few = Vocabulary(ids.head(50).unique())
    expected = few.encode(ids), number_ids(ids), Vocabulary(ids).ids
    real = vocabulary.id_keys
    monkeypatch.setattr(vocabulary, "id_keys", lambda ids: real(ids) & np.uint64(0xFF))
    again = Vocabulary(ids.head(50).unique())
    assert np.array_equal(again.encode(ids), expected[0])
    distinct, places = number_ids(ids)
    assert distinct.equals(expected[1][0]) and np.array_equal(places, expected[1][1])
    whole = Vocabulary(ids)
    assert whole.ids.equals(expected[2]) and np.array_equal(whole.ids.gather(whole.encode(ids)), ids)


def test_a_missing_id_has_no_code_among_many() -> None:
    ids = made("text")
    codes = Vocabulary(ids).encode(pl.concat([ids, pl.Series("id", [None], pl.String)]))
    assert codes[-1] == -1 and (codes[:-1] >= 0).all()
