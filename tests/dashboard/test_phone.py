"""Cards in the place of a grid: every cell is there as the grid writes it, names are data, and rows lead on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import polars as pl
import streamlit as st

from reclens.dashboard.phone import cards_html


def said(html: str) -> list[str]:
    return [
        " ".join(unescape(re.sub(r"<[^>]+>", " ", card)).split())
        for card in re.findall(r"<li>(.*?)</li>", html, re.DOTALL)
    ]


def test_every_cell_of_a_row_is_on_its_card() -> None:
    rows = pl.DataFrame(
        {
            "user_id": [12345],
            "clicks": [12345],
            "share": [0.25],
            "ndcg@10": [0.123456],
            "nothing": [None],
            "none": ["–"],
            "genres": [["Action", "Children's"]],
            "rating": [4.0],
            "written": [datetime(2026, 1, 5, 13, 45, tzinfo=UTC)],
        }
    )
    columns = {
        "clicks": "all clicks",
        "share": st.column_config.ProgressColumn("of all", format="percent", min_value=0, max_value=1),
    }
    numbers = "12345 all clicks 12,345 of all 25.0% ndcg@10 0.1235"
    expected = f"{numbers} genres Action, Children's rating 4 written 2026-01-05 13:45"
    assert said(cards_html(rows, columns)) == [expected]
    assert said(cards_html(rows.to_dicts(), columns)) == said(cards_html(rows.to_dict(as_series=False), columns))


def test_sizes_are_told_in_units_that_hold_them() -> None:
    size = {"size": st.column_config.NumberColumn("size", format="bytes")}
    assert said(cards_html({"name": ["a", "b"], "size": [2_340, 11_700_000]}, size)) == [
        "a size 2.3 KB",
        "b size 11.7 MB",
    ]


def test_rows_beyond_ten_are_counted_and_names_are_data() -> None:
    cards = said(cards_html({"name": [f"<b>{at}</b>" for at in range(23)]}))
    assert cards[0] == "<b>0</b>" and len(cards) == 11 and cards[-1] == "13 more on a wider screen."
    assert said(cards_html(pl.DataFrame({"name": [str(at) for at in range(23)]})))[-1] == "13 more on a wider screen."
    assert cards_html([]) == cards_html({"name": []}) == ""


def test_a_card_leads_to_its_row() -> None:
    html = cards_html({"user": ["a&b", "c"]}, leads=("user", ["a&b", "c"]))
    assert re.findall(r'href="([^"]*)" target="_self"', html) == ["?user=a%26b", "?user=c"]
