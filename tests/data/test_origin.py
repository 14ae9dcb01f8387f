"""A file says that its rows are synthetic, in its footer or by the card of what it belongs to."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest

from reclens.data.origin import MADE_UP, file_is_synthetic, parquet_is_synthetic


def test_a_footer_says_it(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": [1]})
    made, plain, text = (tmp_path / name for name in ("made.parquet", "plain.parquet", "text.csv"))
    rows.write_parquet(made, metadata=MADE_UP)
    rows.write_parquet(plain)
    rows.write_csv(text)
    assert [file_is_synthetic(each) for each in (made, plain, text, tmp_path / "absent", None)] == [True, *[False] * 4]
    assert parquet_is_synthetic(io.BytesIO(made.read_bytes())) and not parquet_is_synthetic(io.BytesIO(b"no Parquet"))


@pytest.mark.parametrize(("card", "said"), [({"of": {"synthetic": True}}, True), ({"synthetic": "yes"}, False)])
def test_the_card_of_the_folder_says_it(tmp_path: Path, card: dict[str, object], said: bool) -> None:
    table = tmp_path / "simulation" / "impressions"
    table.mkdir(parents=True)
    (tmp_path / "simulation" / "card.json").write_text(json.dumps(card))
    assert file_is_synthetic(table / "*.parquet") is said
