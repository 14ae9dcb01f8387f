"""Ids and codes, few and many: the compiled table answers what a dictionary answers, also where hashes clash."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens import vocabulary
from reclens.errors import DataError
from reclens.vocabulary import Numbering, Vocabulary, number_ids

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


TEXTS = ["", "7", "é", "z", "Ω", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0001f600"]
"""In the order of their UTF-8, in which the last two stand before the three others in UTF-16."""
NUMBERS = [-(2**63), -5, 0, 3, 10**12, 2**63 - 1]


@pytest.mark.parametrize("values", [TEXTS, NUMBERS, list(range(50))], ids=["texts", "scattered", "dense"])
@pytest.mark.parametrize("asked", [1, 3, 128, 129, 200])
def test_few_ids_and_many_get_the_same_codes(values: list[int] | list[str], asked: int) -> None:
    known = values[::2]
    cast = pl.String if isinstance(values[0], str) else pl.Int64
    words = Vocabulary(pl.Series("id", known[::-1] * 2, cast))
    assert words.ids.to_list() == known
    ids = [*values, None, values[0]] * 20
    expected = [known.index(value) if value in known else -1 for value in ids]
    for start in range(0, len(values), 3):
        part = slice(start, start + asked)
        codes = words.encode(pl.Series("id", ids[part], cast))
        assert codes.dtype == np.int32 and codes.tolist() == expected[part]


@pytest.mark.parametrize("few", [1, 3, 128])
def test_few_ids_are_found_without_a_query(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query costs more than all the rest of a request for one user."""
    words = Vocabulary(pl.Series([f"item {at}" for at in range(1_000)]))
    asked = pl.Series([f"item {at}" for at in range(few)])

    def query(*_: object, **__: object) -> None:
        raise AssertionError("a query was run")

    for kind, name in ((pl.DataFrame, "join"), (pl.Series, "unique"), (pl.Series, "sort"), (pl.Series, "hash")):
        monkeypatch.setattr(kind, name, query)
    assert words.encode(asked).tolist() == [sorted(map(str, range(1_000))).index(str(at)) for at in range(few)]
    assert Vocabulary(asked).ids.to_list() == sorted(asked.to_list())


@pytest.mark.parametrize("n", [3, 100])
def test_ids_of_another_kind_are_refused_however_many(n: int) -> None:
    numbers, texts = pl.Series("user_id", range(n)), pl.Series("user_id", [f"{at}" for at in range(n)])
    for words, ids in ((Vocabulary(numbers), texts), (Vocabulary(texts), numbers)):
        with pytest.raises(DataError, match="so that none can match") as caught:
            words.encode(ids)
        assert caught.value.column == "user_id"


@pytest.mark.parametrize("bits", [64, 3])
@pytest.mark.parametrize("kind", ["text", "whole"])
def test_ids_that_come_in_pieces_are_numbered_by_first_appearance(
    kind: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "text":  # of 3 bits, most texts share their key with others
        monkeypatch.setattr(vocabulary, "id_keys", lambda ids: ids.hash().to_numpy() % np.uint64(2**bits - 1))
    n = 6_000 if bits == 64 else 600
    drawn = np.tile(np.random.default_rng(0).integers(-n, n, n), 2)  # each comes again, when the table has grown
    ids = pl.Series("item_id", drawn) if kind == "whole" else pl.Series("item_id", [f"i{each}" for each in drawn])
    numbering = Numbering()

    places = np.concatenate([numbering.number(ids[start : start + 250]) for start in range(0, len(ids), 250)])

    known: dict[int | str, int] = {}
    assert numbering.ids is not None and numbering.ids.name == "item_id"
    for each, place in zip(ids, places, strict=True):
        assert known.setdefault(each, int(place)) == place
        assert numbering.ids[int(place)] == each
    if bits == 64:
        assert list(known.values()) == list(range(len(known))) and len(numbering.ids) == len(known)
    assert numbering.ids.n_unique() == len(numbering.ids) == len(known)
