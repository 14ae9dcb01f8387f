"""Lists and truth whose ids do not match: an error with examples and the likely cause; few in common: a note."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.near_ids import explain_mismatch, without_zeros
from reclens.errors import DataError, UnmatchedIdsError
from reclens.evaluation import Evaluation, IdsWarning, evaluate
from reclens.report import build_report, oddities
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.evaluation.problem_words import id_problems

NUMBERS = list(range(1, 41))


def lists_of(users: list, items: list) -> pl.DataFrame:
    """One list a user with one item."""
    return pl.DataFrame({"user_id": users, "item_id": items, "rank": [1] * len(users)})


def truth_of(users: list, items: list) -> pl.DataFrame:
    return pl.DataFrame({"user_id": users, "item_id": items})


def measured(lists: pl.DataFrame, truth: pl.DataFrame, **more) -> Evaluation:
    return evaluate(lists, truth, metrics=["hit_rate@1"], replicates=0, **more)


@pytest.mark.parametrize(
    ("theirs", "ours", "cause", "says"),
    [
        ("{}", "{:03d}", "leading_zeros", "has lost its leading zeros; without them 40 of 40 match"),
        ("user_{}", "{}", "prefix", "Without the prefix 'user_' 40 of 40 match"),
        ("{}@shop", "{}", "suffix", "Without the suffix '@shop' 40 of 40 match"),
        ("AB{}x", "ab{}X", "case", "In lower case 40 of 40 match"),
        (" {}x", "{}x", "whitespace", "Without the blanks around them 40 of 40 match"),
        ("{}.0", "{}", "decimals", "written as decimals; without them 40 of 40 match"),
        ("A{}", "B{}", "prefix", "Without the prefix 'A' 40 of 40 match"),
    ],
)
@pytest.mark.parametrize("column", ["user_id", "item_id"])
@pytest.mark.parametrize("integers", [False, True])
def test_no_id_in_common_is_an_error_with_the_likely_cause(
    theirs: str, ours: str, cause: str, says: str, column: str, integers: bool
) -> None:
    left: list = [theirs.format(each) for each in NUMBERS]
    right: list = [ours.format(each) for each in NUMBERS]
    if integers:  # the plain side as a frame has it
        left, right = (NUMBERS if form == "{}" else ids for form, ids in ((theirs, left), (ours, right)))
    same = [f"x{each}" for each in NUMBERS]
    lists, truth = (
        (lists_of(left, same), truth_of(right, same))
        if column == "user_id"
        else (lists_of(same, left), truth_of(same, right))
    )
    with pytest.raises(UnmatchedIdsError) as caught:
        measured(lists, truth)
    error = caught.value
    assert (error.cause, error.column, error.mended, error.of) == (cause, column, 40, 40)
    assert error.sides == ("the lists", "the truth")
    assert error.examples == (tuple(sorted(left)[:3]), tuple(sorted(right)[:3]))
    assert says in str(error) and repr(min(left)) in str(error) and repr(min(right)) in str(error)


def test_integers_against_the_same_as_text() -> None:
    with pytest.raises(UnmatchedIdsError, match=r"as text 40 of 40 match. Read all tables with ids") as caught:
        measured(lists_of(NUMBERS, NUMBERS), truth_of([str(each) for each in NUMBERS], NUMBERS))
    assert caught.value.cause == "type"


def test_swapped_columns_codes_and_what_cannot_be_told() -> None:
    users, items = [f"u{each}" for each in NUMBERS], [f"i{each}" for each in NUMBERS]
    with pytest.raises(UnmatchedIdsError, match="seem to be swapped") as caught:
        measured(lists_of(items, users), truth_of(users, items))
    assert caught.value.cause == "swapped"
    with pytest.raises(UnmatchedIdsError, match="the codes of a library"):
        measured(lists_of(list(range(40)), items), truth_of([1000 + 97 * each for each in NUMBERS], items))
    words = [f"{chr(97 + each % 26)}{each * 7919 % 1000}q{each}" for each in NUMBERS]
    with pytest.raises(UnmatchedIdsError, match="from the same data") as caught:
        measured(lists_of(words, items), truth_of([each[::-1] for each in words], items))
    assert caught.value.cause == "unknown"


def test_streams_and_tables_of_training_data_are_looked_at_too() -> None:
    same = [f"x{each}" for each in NUMBERS]
    padded, plain = [f"{each:03d}" for each in NUMBERS], [str(each) for each in NUMBERS]
    for lists, truth in (
        (lists_of(plain, same), truth_of(padded, same)),
        (lists_of(same, plain), truth_of(same, padded)),
    ):
        with pytest.raises(UnmatchedIdsError) as caught:
            measured(lists.lazy(), truth)
        assert caught.value.cause == "leading_zeros"
    train = Dataset(truth_of(same, padded))
    with pytest.raises(UnmatchedIdsError) as caught:
        measured(lists_of(same, plain), truth_of(same, plain[::-1]), train=train)
    assert (caught.value.cause, caught.value.sides) == ("leading_zeros", ("the truth", "the training data"))
    with pytest.raises(UnmatchedIdsError) as caught:
        evaluate(lists_of(same, plain), train=train, metrics=["coverage@1"], replicates=0)
    assert (caught.value.cause, caught.value.sides) == ("leading_zeros", ("the lists", "the training data"))
    with pytest.raises(UnmatchedIdsError) as caught:
        evaluate(lists_of(same, plain), catalogue=padded, metrics=["coverage@1"], replicates=0)
    assert caught.value.sides == ("the lists", "the catalogue")


def test_what_misses_with_the_right_ids_is_measured() -> None:
    same = [f"x{each}" for each in NUMBERS]
    lists, truth = lists_of(same, ["a"] * 40), truth_of(same, ["b"] * 40)
    with pytest.raises(UnmatchedIdsError, match="pass train= or catalogue="):
        measured(lists, truth)
    # The advice, followed.
    assert measured(lists, truth, catalogue=["a", "b", "c"])["hit_rate@1"].overall.value == 0
    # Deeper in the lists, or in those of other users, the ids are seen to be the same.
    deeper = pl.concat([lists, lists.with_columns(item_id=pl.lit("b"), rank=pl.lit(2, pl.Int64))])
    assert measured(deeper, truth)["hit_rate@1"].overall.value == 0
    # New items of the truth that lists hold, although nobody had them before.
    train = Dataset(truth_of(same, ["c"] * 40))
    mixed = lists_of(same, ["b"] * 20 + ["c"] * 20)
    assert measured(mixed, truth, train=train)["hit_rate@1"].overall.value == 0.5


def test_few_ids_in_common_are_a_loud_note_on_the_card() -> None:
    same = [f"x{each}" for each in range(100)]
    padded = [f"{each:03d}" for each in range(100)]
    lost = [*padded[:3], *(str(each) for each in range(3, 100))]
    with pytest.warns(IdsWarning, match="the lists and the truth share only 3 of 100 users"):
        result = measured(lists_of(lost, same), truth_of(padded, same))
    assert result["hit_rate@1"].overall.value == pytest.approx(0.03)
    (problem,) = result.card["id_problems"]
    assert (problem["code"], problem["column"], problem["cause"]) == ("few_shared", "user_id", "leading_zeros")
    assert (problem["shared"], problem["of"], problem["mended"], problem["mended_of"]) == (3, 100, 97, 97)
    assert problem["examples"] == [["10", "11", "12"], ["003", "004", "005"]]
    (said,) = id_problems(result.card)
    assert "str.zfill(3)" in said and oddities(result.card)[0] == said
    assert finding_text(findings({"mine": result})[0]).startswith("the lists and the truth share only 3 of 100 users")
    assert "the lists and the truth share only 3 of 100 users" in build_report({"mine": result}).html


def test_ids_that_would_match_are_said_although_most_do() -> None:
    # Four digits: of 1,000 … 1,099 none has lost a zero, of 950 … 999 all.
    padded = [f"{each:04d}" for each in range(950, 1100)]
    with pytest.warns(IdsWarning, match="share 100 of 150 users"):
        result = measured(lists_of([each.lstrip("0") for each in padded], padded), truth_of(padded, padded))
    assert [(each["code"], each["mended"]) for each in result.card["id_problems"]] == [("near_ids", 50)]
    # Items: the lists of everybody hold items that the truth has with another prefix.
    with pytest.warns(IdsWarning, match="share 60 of 150 items") as caught:
        result = measured(
            lists_of(padded, [*padded[:60], *(f"sku-{each}" for each in padded[60:])]), truth_of(padded, padded)
        )
    assert len(caught) == 1
    (problem,) = result.card["id_problems"]
    assert (problem["code"], problem["cause"], problem["affix"], problem["shared"]) == (
        "near_ids",
        "prefix",
        "sku-",
        60,
    )


@pytest.mark.filterwarnings("error")
def test_nothing_is_said_where_nothing_is_odd(world) -> None:
    for name in ("good", "poor"):
        assert measured(world.lists[name], world.truth, train=world.train).card["id_problems"] == []
    # Lists of everybody, truth of a few; and a system that serves a few.
    users = [f"u{each}" for each in range(200)]
    everybody, few = lists_of(users, ["a", "b"] * 100), truth_of(users[:12], ["a"] * 12)
    assert measured(everybody, few).card["id_problems"] == []
    assert measured(everybody.head(12), truth_of(users, ["a"] * 200)).card["id_problems"] == []
    # Nine recommendations that nobody wanted are no pattern.
    assert (
        measured(lists_of(users[:10], ["a", *"bcdefghij"]), truth_of(users[:10], ["a"] * 10)).card["id_problems"] == []
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**6 - 1), min_size=1, max_size=30, unique=True), st.integers(7, 9))
def test_the_advice_about_lost_zeros_brings_every_id_back(numbers: list[int], width: int) -> None:
    padded, lost = pl.Series([f"{each:0{width}d}" for each in numbers]), pl.Series(numbers)
    near = explain_mismatch(lost, padded)
    assert (near.cause, near.mended, near.width) == ("leading_zeros", len(numbers), width)
    # What the message says for Python: fill the zeros up, or take them off on both sides.
    assert lost.cast(pl.String).str.zfill(width).equals(padded)
    assert without_zeros(padded).equals(without_zeros(lost.cast(pl.String)))


def test_names_with_digits_keep_their_zeros() -> None:
    assert without_zeros(pl.Series(["007", "0", "000", "A07", "07A", "-07", ""])).to_list() == [
        "7",
        "0",
        "0",
        "A07",
        "07A",
        "-07",
        "",
    ]


def test_an_error_of_ids_is_an_error_of_data() -> None:
    with pytest.raises(DataError):
        measured(lists_of(["a"], ["b"]), truth_of(["c"], ["b"]))
