"""``reclens knowledge``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EVENTS = "user_id,item_id\n1,1\n1,2\n2,1\n"
ITEMS = "item_id,title,price,brand\n1,Alpha,100,Nord\n2,Beta,60,Nord\n3,Gamma,40,Sud\n4,[red]Delta,20,Ost\n"


@pytest.fixture
def shop(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "items.csv").write_text(ITEMS)
    return ("--data", "events.csv", "--items", "items.csv")


def rows(done) -> list[dict]:
    return json.loads(done.stdout)["rows"]


def test_ask(run, shop, tmp_path: Path) -> None:
    asked = ("knowledge", "ask", *shop, "-r", "price <= 60", "-p", "2 * price low", "-p", "brand = Nord")
    found = rows(run(*asked, "-f", "json", cwd=tmp_path))
    # Prices run from 20 to 100; two users have item 1, and one has 2.
    assert [row["item_id"] for row in found] == [2, 4, 3]
    assert [row["score"] for row in found] == pytest.approx([1 + 2 / 3 * 0.5 + 1 / 3 + 0.005, 1 + 2 / 3, 1.5])
    assert found[1]["title"] == "[red]Delta" and found[1]["why"].startswith("4 meets price <= 60 (1), the wish price")
    assert [row["item_id"] for row in rows(run(*asked, "-u", "1", "-f", "json", cwd=tmp_path))] == [4, 3]
    said = run("knowledge", "ask", *shop, "-r", "brand = Nrd", cwd=tmp_path).stderr
    assert "did you mean 'Nord'" in said and "requirements dropped" in said
    assert "Did you mean 'price'" in run("knowledge", "ask", *shop, "-r", "prise < 3", cwd=tmp_path, status=2).stderr


def test_relax(run, shop, tmp_path: Path) -> None:
    done = run("knowledge", "relax", *shop, "-r", "price < 30", "-r", "brand = Nord", "-f", "json", cwd=tmp_path)
    assert rows(done) == [
        {"rank": 1, "drop": "price < 30", "items": 2, "instead": "price <= 60", "for example": "1, 2"},
        {"rank": 2, "drop": "brand = Nord", "items": 1, "instead": None, "for example": "4"},
    ]
    assert "no item meets together: price < 30; brand = Nord" in done.stderr
    assert "nothing has to be dropped" in run("knowledge", "relax", *shop, "-r", "price < 30", cwd=tmp_path).stderr


def test_critique(run, shop, tmp_path: Path) -> None:
    done = run("knowledge", "critique", "1", "cheaper", *shop, "-r", "brand = Nord", "-f", "json", cwd=tmp_path)
    assert [row["item_id"] for row in rows(done)] == [2] and "1 items meet: brand = Nord; price < 100" in done.stderr
    possible = rows(run("knowledge", "critique", "1", *shop, "-f", "json", cwd=tmp_path))
    assert {row["critique"]: row["items"] for row in possible if row["size"] == 1} == {
        "cheaper": 3,
        "same brand": 1,
        "other brand": 2,
    }
    assert "Did you mean 'cheaper'" in run("knowledge", "critique", "1", "chaper", *shop, cwd=tmp_path, status=2).stderr


def test_a_fitted_model_and_its_columns(run, shop, tmp_path: Path) -> None:
    run("fit", "knowledge", *shop[:2], cwd=tmp_path)
    columns = rows(run("knowledge", "columns", *shop, "-f", "json", cwd=tmp_path))
    assert {row["column"]: row["holds"] for row in columns} == {"title": "text", "price": "number", "brand": "text"}
    kept = rows(run("knowledge", "ask", "--model", "knowledge", "-f", "json", cwd=tmp_path))
    assert [row["item_id"] for row in kept] == [1, 2]
    assert (
        "--data would not be used with --model, which is fitted already"
        in run("knowledge", "ask", "-m", "knowledge", *shop, cwd=tmp_path, status=2).stderr
    )
