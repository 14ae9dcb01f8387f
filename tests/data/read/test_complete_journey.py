"""The Complete Journey: a tiny zip by hand, and the counts of the published sample."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import reclens as rl
from reclens.errors import DataError, UsageError

PURCHASES = """household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,week,transaction_timestamp
7,1,10,100,2,5.00,0,1,2017-01-01 08:00:00
7,1,11,100,1,4.00,0,2,2017-01-09 08:30:00
9,1,12,100,1,1.00,0,2,2017-01-09 23:59:59
9,1,12,200,0,3.00,0,2,2017-01-09 23:59:59
9,1,12,300,1,0,0,2,2017-01-09 23:59:59
9,1,12,400,4,2.00,0,2,2017-01-09 23:59:59
"""
DEMOGRAPHICS = """household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count
7,65+,35-49K,NA,Married,2,2 Adults No Kids,0
"""
PRODUCTS = """product_id,manufacturer_id,department,brand,product_category,product_type,package_size
100,2,GROCERY,National,ICE,"ICE, CRUSHED",22 LB
200,69,PASTRY,Private,BREAD,BREAD:ITALIAN,
300,69,PASTRY,Private,,,
400,2,GROCERY,National,ICE,ICE,1 LB
500,2,MEAT,National,BEEF,BEEF,
"""


def write(folder: Path, **changed: str) -> Path:
    tables = {"transactions_sample": PURCHASES, "demographics": DEMOGRAPHICS, "products": PRODUCTS, **changed}
    path = folder / "journey.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in tables.items():
            if text:
                archive.writestr(f"complete_journey/{name}.csv", text)
        archive.writestr("complete_journey/coupons.csv", "coupon_upc,product_id,campaign_id\n1,100,1\n")
    return path


def test_a_small_journey_by_hand(tmp_path: Path) -> None:
    data = rl.read_complete_journey(write(tmp_path))
    assert data.name == "complete_journey"
    assert data.events.height == 6 and data.interactions.height == 5  # household 7 bought product 100 twice
    assert data.interactions.filter(pl.col("user_id") == 7).row(0) == (7, 100, datetime(2017, 1, 9, 8, 30, tzinfo=UTC))
    assert data.users is not None and data.items is not None
    assert data.users.rows() == [(7, "65+", "35-49K", None, "Married", "2", "2 Adults No Kids", "0")]
    assert data.card["users_without_attributes"] == 1  # household 9
    # 5.00 / 2, 4.00 and 1.00: the median is 2.5; nothing was paid for 300, and 0 pieces of 200 say nothing.
    prices = dict(data.items.select("item_id", "price").rows())
    assert prices == {100: 2.5, 200: None, 300: None, 400: 0.5, 500: None}
    assert data.items.row(0) == (100, "2", "GROCERY", "ICE", "ICE, CRUSHED", "National", "22 LB", 2.5)
    assert data.items.row(2)[3:6] == (None, None, "Private")


def test_it_is_recognised_as_zip_and_folder_and_beside_the_whole_table(tmp_path: Path) -> None:
    path = write(tmp_path)
    expected = rl.read_complete_journey(path)
    assert rl.load(path).fingerprint == expected.fingerprint
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    for place in (folder, folder / "complete_journey"):
        loaded = rl.load(str(place))
        assert loaded.fingerprint == expected.fingerprint
        assert loaded.items is not None and loaded.items.equals(expected.items)
    whole = PURCHASES.replace("7,1,11,100,1,4.00", "7,1,11,400,1,4.00")
    (folder / "complete_journey" / "transactions.csv").write_text(whole, encoding="utf-8")
    assert rl.load(folder).interactions.height == 6  # all purchases go before the sample of them
    with pytest.raises(DataError, match="read_complete_journey"):
        rl.read(folder / "complete_journey")


def test_households_without_demographics_are_unknown(tmp_path: Path) -> None:
    data = rl.load(write(tmp_path))
    lists = pl.DataFrame({"user_id": [7, 9], "item_id": [400, 100], "rank": [1, 1]})
    truth = pl.DataFrame({"user_id": [7, 9], "item_id": [400, 500]})
    found = rl.evaluate(lists, truth, train=data, metrics=["recall@1"], by="age")
    assert {row["segment"] for row in found.to_dicts()} >= {"65+", "(unknown)"}


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no demographics\.csv.*coupons\.csv"):
        rl.read_complete_journey(write(tmp_path, demographics=""))
    with pytest.raises(DataError, match=r"products\.csv: there is no column 'brand'"):
        rl.read_complete_journey(write(tmp_path, products=PRODUCTS.replace("brand", "label")))
    with pytest.raises(DataError, match=r"column 'sales_value', row 3: the value is 'four', expected a number"):
        rl.read_complete_journey(write(tmp_path, transactions_sample=PURCHASES.replace("4.00", "four")))
    with pytest.raises(UsageError, match="brings attributes of its own"):
        rl.load(write(tmp_path), users=str(tmp_path / "users.csv"))
    with pytest.raises(UsageError, match="the Complete Journey, whose layout is known"):
        rl.load(write(tmp_path), delimiter=";")


def test_published_counts(shared_data: Path) -> None:
    path = shared_data / "ecommerce" / "complete_journey.zip"
    if not path.is_file():
        pytest.skip("needs ecommerce/complete_journey.zip in the folder of real data")
    data = rl.load(path)
    assert data.events.height == 75_000
    assert len(data.user_vocabulary) == 2_377 and len(data.item_vocabulary) == 20_902
    assert data.users is not None and data.users.height == 801
    assert data.card["users_without_attributes"] == 1_576
    assert data.items is not None and data.items.height == 92_331
    first = data.events.row(0, named=True)
    assert (first["user_id"], first["item_id"]) == (2261, 940996)
    assert first["timestamp"] == datetime(2017, 1, 28, 19, 6, 53, tzinfo=UTC)
    assert data.users.row(by_predicate=pl.col("user_id") == 1)[1:3] == ("65+", "35-49K")
    # Product 940996 by the rows of the file: one piece a purchase or more, none free.
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("complete_journey/transactions_sample.csv").decode().splitlines()[1:]
    paid = sorted(float(p[5]) / float(p[4]) for p in (line.split(",") for line in lines) if p[3] == "940996")
    middle = (paid[(len(paid) - 1) // 2] + paid[len(paid) // 2]) / 2
    assert data.items.row(by_predicate=pl.col("item_id") == 940996)[-1] == pytest.approx(middle, abs=1e-12)
