"""Assignment is the same everywhere and for ever, uniform, and independent between layers."""

from __future__ import annotations

import hashlib

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.errors import DataError, UsageError
from reclens.experiment import Plan
from reclens.experiment.assignment._md5 import leading_bits
from reclens.experiment.assignment.assign import HOLDOUT, LAYER_HOLDOUT, OUTSIDE, assign, check_layers, position, sql_of
from reclens.experiment.assignment.checks import check_assignment

CLICKS = {"name": "clicks", "value": "clicks"}
IDS = pl.Series("user_id", [f"u{number}" for number in range(60_000)])


def plan(name: str = "home page", **more) -> Plan:
    return Plan(**({"name": name, "arms": {"old": 0.5, "new": 0.5}, "metrics": (CLICKS,)} | more))


def test_the_hash_is_that_of_the_standard() -> None:
    # The test suite of RFC 1321, first 16 digits; the last needs two blocks.
    known = {
        "": "d41d8cd98f00b204",
        "a": "0cc175b9c0f1b6a8",
        "abc": "900150983cd24fb0",
        "message digest": "f96b697d7cb7938d",
        "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e400",
        "1234567890" * 8: "57edf4a22be3c955",
    }
    short = [text for text in known if len(text) < 56]
    assert [f"{int(each):016x}" for each in leading_bits(pl.Series(short))] == [known[text] for text in short]
    assert [f"{int(each):016x}" for each in leading_bits(pl.Series([*known]))] == [*known.values()]


def test_golden_assignments_never_change() -> None:
    units = ["1", "2", "3", "ada", "Ω", "x" * 70, "user-17", "42", "999999999999"]
    made = assign(units, plan(arms={"a": 0.2, "b": 0.3, "c": 0.5}))
    by_hand = []
    for unit in units:
        at = int(hashlib.md5(f"home page:{unit}".encode()).hexdigest()[:13], 16) / 16**13
        by_hand.append("a" if at < 0.2 else "b" if at < 0.5 else "c")
    assert made.table["variant"].to_list() == by_hand == ["b", "c", "c", "c", "c", "c", "b", "c", "a"]


def test_numbers_and_their_text_are_the_same_unit() -> None:
    numbers = position(pl.Series([7, 12_345]), salt="s")
    assert (numbers == position(pl.Series(["7", "12345"]), salt="s")).all()


def test_sql_gives_the_same_arms() -> None:
    made = plan(
        arms={"it's": 0.1, "b": 0.25, "c": 0.65},
        layer="home 'page'",
        slice=[0.2, 0.9],
        holdout=0.05,
        layer_holdout=0.1,
        salt='salt "1" ü',
    )
    numbers = pl.Series("user_id", np.arange(20_000))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE units AS SELECT range AS user_id FROM range(20000)")
        found = connection.execute(f"SELECT variant FROM ({sql_of(made)}) ORDER BY user_id").fetchall()
    assert [row[0] for row in found] == assign(numbers, made).table["variant"].to_list()
    assert {row[0] for row in found} == {"it's", "b", "c", None}


@settings(max_examples=25)
@given(
    st.lists(st.text(max_size=60).filter(lambda each: "\x00" not in each), min_size=1, max_size=20),
    st.text(max_size=20),
)
def test_any_text_is_an_id_and_sql_agrees(ids: list[str], salt: str) -> None:
    made = plan(salt=salt.replace("\x00", "") or "s", slice=[0.1, 0.8])
    units = pl.Series("user_id", ids)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE units (place INTEGER, user_id VARCHAR)")
        connection.executemany("INSERT INTO units VALUES (?, ?)", list(enumerate(ids)))
        found = connection.execute(f"SELECT variant FROM ({sql_of(made)}) ORDER BY place").fetchall()
    assert [row[0] for row in found] == assign(units, made).table["variant"].to_list()


def test_shares_holdouts_and_slices_have_their_sizes() -> None:
    made = assign(IDS, plan(arms={"old": 0.9, "new": 0.1}, slice=[0.25, 0.75], holdout=0.1, layer_holdout=0.2))
    rows = {row["variant"]: row for row in made.to_dicts()}
    assert rows["new"]["share"] == pytest.approx(0.1, abs=0.01) and rows["new"]["planned"] == 0.1
    assert rows[HOLDOUT]["units"] / len(IDS) == pytest.approx(0.1, abs=0.006)
    assert rows[LAYER_HOLDOUT]["units"] / len(IDS) == pytest.approx(0.9 * 0.2, abs=0.008)
    assert rows[OUTSIDE]["units"] / len(IDS) == pytest.approx(0.9 * 0.8 * 0.5, abs=0.01)
    assert sum(row["units"] for row in rows.values()) == len(IDS)


def test_everybody_in_the_holdout_is_out_of_every_experiment() -> None:
    one, other = plan("one", holdout=0.1, layer="a"), plan("other", holdout=0.1, layer="b")
    out = [assign(IDS, each).table["reason"] == HOLDOUT for each in (one, other)]
    assert (out[0] == out[1]).all() and out[0].any()


def test_experiments_of_one_layer_exclude_each_other_and_layers_are_independent() -> None:
    one, other = plan("one", slice=[0.0, 0.5]), plan("other", slice=[0.5, 1.0])
    inside = [assign(IDS, each).table["variant"].is_not_null() for each in (one, other)]
    assert not (inside[0] & inside[1]).any() and (inside[0] | inside[1]).all()
    assert check_layers([one, other])[0].relation == "exclusive"
    third = plan("third", layer="another")
    assert check_layers([one, third])[0].relation == "independent"
    checks = {each.of: each for each in check_assignment(IDS, one, others=[third, other])}
    assert checks["third"].fine and checks["third"].df == 1
    assert np.isnan(checks["other"].p), "nobody is in both"
    with pytest.raises(UsageError, match=r"both take the part from 0\.25 to 0\.5"):
        check_layers([one, plan("fourth", slice=[0.25, 0.6])])
    with pytest.raises(UsageError, match="have the same salt 'one'"):
        check_layers([one, plan("fifth", salt="one", layer="b")])


def test_the_checks_pass_a_sound_assignment_at_their_rate_and_find_a_broken_one() -> None:
    # p-values of a sound assignment are uniform: over 200 salts about 5 % are below 0.05.
    p = [each.p for number in range(200) for each in check_assignment(IDS[:4000], plan(f"e{number}"))]
    below = np.mean(np.array(p) < 0.05)
    assert below == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / len(p)) ** 0.5)
    # The age of a user decides her arm: the attribute is not independent, and the check says so.
    made = assign(IDS, plan())
    leaky = pl.DataFrame({"age": made.table["variant"].replace_strict({"old": "60", "new": "20"})})
    sound = pl.DataFrame({"parity": pl.Series(np.arange(len(IDS)) % 2)})
    found = check_assignment(IDS, plan(), attributes=leaky.hstack(sound))
    verdicts = {each.of or each.code: each.fine for each in found}
    assert not verdicts["age"] and verdicts["parity"]
    assert verdicts["shares"] and verdicts["uniform"]
    assert not check_assignment(IDS, plan(), others=[plan("other", salt="home page")])[-1].fine


def test_bad_ids() -> None:
    with pytest.raises(DataError, match=r"row 2: an id is missing\. Leave such rows out"):
        assign(pl.Series("user_id", ["a", None]), plan())
    with pytest.raises(DataError, match="ids of kind Float64"):
        assign([1.0, 2.0], plan())
    with pytest.raises(DataError, match="an id is repeated"):
        check_assignment(pl.Series(["a", "a"]), plan())
    with pytest.raises(DataError, match="attributes has 1 rows for 2 units"):
        check_assignment(pl.Series(["a", "b"]), plan(), attributes=pl.DataFrame({"x": [1]}))
