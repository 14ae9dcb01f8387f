"""Whether lists and truth fit the task of a split: new items, or repeats too."""

from __future__ import annotations

import warnings
from dataclasses import replace

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.evaluation import Evaluation, TaskWarning, evaluate
from reclens.report import build_report, oddities
from reclens.report.evaluation.problem_words import task_problems
from reclens.schema import Recommendations

HELD = ["a", "b", "new"]
"""What user 1 goes on to choose, below; of these training holds a and b."""


def train_of(task: str | None) -> Dataset:
    table = pl.DataFrame({"user_id": [1, 1, 1, 2], "item_id": ["a", "b", "c", "new"]})
    return Dataset(table, card={} if task is None else {"split": {"task": task, "method": "by_time"}})


def run(task: str | None, listed: list[str], *, truth: list[str], declared: bool | None = None) -> Evaluation:
    table = pl.DataFrame({"user_id": 1, "item_id": listed, "rank": range(1, len(listed) + 1)})
    card = {} if declared is None else {"exclude_seen": declared}
    held_out = pl.DataFrame({"user_id": 1, "item_id": truth})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = evaluate(
            Recommendations(table, "lists", card), held_out, train=train_of(task), metrics=["recall@3"], replicates=20
        )
    assert [str(each.message) for each in said if each.category is TaskWarning] == task_problems(result.card)
    return result


@pytest.mark.parametrize(
    ("task", "listed", "truth", "declared", "codes", "recall"),
    [
        ("new_items", ["new", "x"], ["new"], True, [], 1.0),
        ("new_items", ["a", "new"], ["new"], False, ["seen_items_listed"], 1.0),
        ("new_items", ["new"], HELD, True, ["truth_in_training"], 1 / 3),
        ("with_repeats", ["a", "b", "new"], HELD, False, [], 1.0),
        ("with_repeats", ["a", "b", "new"], HELD, None, [], 1.0),
        ("with_repeats", ["new"], HELD, True, ["seen_items_filtered"], 1 / 3),
        ("with_repeats", ["new"], HELD, None, ["seen_items_filtered"], 1 / 3),  # observed: no list has a seen item
        ("with_repeats", ["new"], HELD, False, [], 1 / 3),  # allowed, but it happens to list none
        ("with_repeats", ["new"], ["new"], True, [], 1.0),  # nothing to miss
        (None, ["new"], ["new"], None, [], 1.0),
        (None, ["a", "new"], ["new"], None, [], 1.0),  # no split says what counts
        (None, ["new"], HELD, None, ["truth_in_training"], 1 / 3),
    ],
)
def test_what_does_not_fit_has_a_code(task, listed, truth, declared, codes, recall) -> None:
    result = run(task, listed, truth=truth, declared=declared)
    assert result.card["task_problems"] == codes
    assert result.card["task"] == task
    assert result.card["truth_pairs_in_training"] == len({"a", "b"} & set(truth))
    assert result["recall@3"].overall.value == pytest.approx(recall)
    said = task_problems(result.card)
    assert oddities(result.card)[: len(said)] == said and len(said) == len(codes)
    for code, sentence in zip(codes, said, strict=True):
        numbers = {"seen_items_listed": "1 of 2 recommendations"}.get(code, "2 of 3 pairs of the truth (66.7%)")
        assert numbers in sentence


def test_from_more_than_one_in_a_hundred_on() -> None:
    for held, codes in ((1, []), (2, ["truth_in_training"])):
        truth = ["a", "b"][:held] + [f"new{n}" for n in range(100 - held)]
        assert run(None, ["new1"], truth=truth).card["task_problems"] == codes


def test_a_split_without_a_task_was_of_new_items_and_without_training_data_nothing_is_known() -> None:
    old = replace(train_of(None), card={"split": {"method": "last_n"}})
    lists = pl.DataFrame({"user_id": 1, "item_id": ["new"], "rank": 1})
    truth = pl.DataFrame({"user_id": 1, "item_id": ["a"]})
    with pytest.warns(TaskWarning):
        assert evaluate(lists, truth, train=old, metrics=["mrr@3"], replicates=20).card["task"] == "new_items"
    card = evaluate(lists, truth, catalogue=["a", "new"], metrics=["mrr@3"], replicates=20).card
    assert (card["task"], card["truth_pairs_in_training"], card["task_problems"]) == (None, None, [])


def test_the_report_states_the_task_and_what_does_not_fit() -> None:
    html = build_report({"lists": run("with_repeats", ["new"], truth=HELD, declared=True)}).html
    assert "what the user took again counts too; 2 pairs of the truth stand in the training data" in html
    assert "The task is with_repeats, but the lists leave seen items out" in html
