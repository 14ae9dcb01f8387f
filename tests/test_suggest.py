"""Which name was meant: one that is near, in any case of letters, and never the very same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import UnknownNameError, suggest


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("ncdg", ["map", "ndcg"], " Did you mean 'ndcg'?"),
        ("NDCG", ["map", "ndcg"], " Did you mean 'ndcg'?"),
        ("ab", ["AB"], " Did you mean 'AB'?"),
        ("USER_IDS", ["ITEM", "USER_ID"], " Did you mean 'USER_ID'?"),
        ("STRASSE", ["straße"], " Did you mean 'straße'?"),
        ("zzz", ["map", "ndcg"], " Known: map, ndcg."),
        ("zzz", [], " There are none."),
        (
            "7",
            ["7", "8"],
            " There is one that reads '7', of another type: text where numbers are expected, or the reverse.",
        ),
        (
            "ndcg\u200b",
            ["ndcg"],
            " There is one that looks the same: it is written 'ndcg', and this one 'ndcg\\u200b'.",
        ),
        (
            "user id",
            ["user\u00a0id"],
            " There is one that looks the same: it is written 'user\\xa0id', and this one 'user id'.",
        ),
        (
            "caf\u00e9",
            ["cafe\u0301"],
            " There is one that looks the same: it is written 'cafe\\u0301', and this one 'caf\\xe9'.",
        ),
        ("ndcg ", ["ndcg"], " There is one that looks the same: it is written 'ndcg', and this one 'ndcg '."),
    ],
)
def test_what_is_suggested(name: str, known: list[str], said: str) -> None:
    assert suggest(name, known) == said


@given(st.text("aAbBé\u0301\u200b \u00a0_", min_size=1, max_size=6), st.data())
def test_the_name_that_was_typed_is_never_asked_for(name: str, data: st.DataObject) -> None:
    """Known are the name itself, or as it is in another case of letters or with something invisible."""
    same = st.sampled_from([name, name + "\u200b", name + " ", name.upper(), name.lower()])
    known = data.draw(st.lists(same | st.text("abAB", min_size=1, max_size=6), min_size=1, max_size=4))
    said = suggest(name, known)
    if said.startswith(" Did you mean '"):
        meant = said.removeprefix(" Did you mean '").removesuffix("'?")
        assert meant in known and meant != name
        assert meant.replace("\u200b", "").strip() != name.replace("\u200b", "").strip()


def test_an_unknown_name_of_another_type() -> None:
    assert "Did you mean" not in str(UnknownNameError("user", 7, ["7", "8"]))
