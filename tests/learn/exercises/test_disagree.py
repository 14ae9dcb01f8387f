"""Exercise 1.1: brute force against the library's models, the right answer, and wrong ones."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.learn.exercise import Draw
from reclens.learn.exercises import disagree
from reclens.learn.exercises.disagree import MakeThemDisagree
from reclens.models import ItemKNN, UserKNN

EXERCISE = MakeThemDisagree()


@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    for name, write in EXERCISE.wrong.items():
        assert judged(EXERCISE, draw, write), name


def test_brute_force_puts_first_what_the_library_puts_first() -> None:
    rng = np.random.default_rng(3)
    decided = 0
    for _ in range(60):
        matrix = (rng.random((8, 8)) < 0.45).astype(np.int8)
        if disagree._empty(matrix):
            continue
        user, item = np.nonzero(matrix)
        data = Dataset(pl.DataFrame({"user_id": user, "item_id": item}))
        for model, found in zip(
            (UserKNN(neighbors=2, shrinkage=0), ItemKNN(neighbors=2, shrinkage=0)),
            disagree._both(matrix, 0),
            strict=True,
        ):
            if found.item is None:
                continue
            decided += 1
            assert model.fit(data).recommend([0], k=1).to_frame()["item_id"].to_list() == [found.item]
    assert decided >= 40


def test_by_hand_user_knn_follows_rows_and_item_knn_columns() -> None:
    # u1 has i1. u2 is like u1 and has i2. u3 and u4, with long rows, have i1 and i3 together.
    matrix = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0], [1, 0, 1, 0, 1]], dtype=np.int8)
    # Cosines of u1: u2 1/√2, u3 and u4 1/√3: the second place is tied.
    assert disagree._both(matrix, 0)[0].tied
    matrix[3, 3] = 1  # u4 is longer now: 1/2
    users, items = disagree._both(matrix, 0)
    # i2 scores .707, i3 and i4 .577. Columns with i1 (4 users): i3 2/√8, i4 2/√8, i2 1/2, i5 1/2: a tie for the first.
    assert users.item == 1 and items.tied


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no_header"),
        ("user,i1,i2\nu1,1,1\n", "wrong_size"),
        ("user,i1,i2,i3\nu1,1,0,1\nu2,1,1,0\nu2,0,1,1\n", "repeated_name"),
        ("user,i1,i2,i3\nu1,1,0,1\nu2,1,1,2\nu3,0,1,1\n", "not_binary"),
        ("user,i1,i2,i3\nu1,1,0,1\nu2,1,0,1\nu3,1,0,1\n", "empty_row_or_column"),
    ],
)
def test_a_matrix_that_is_none_is_refused(text: str, code: str) -> None:
    draw = Draw(5, EXERCISE.code)
    remarks = list(EXERCISE.judge({"matrix.csv": text, "answer.toml": "user = 'u1'"}, draw))
    assert [each.code for each in remarks] == [code]


def test_the_prescribed_items_differ_from_learner_to_learner() -> None:
    asked = {disagree._prescribed(Draw(seed, EXERCISE.code)) for seed in range(200)}
    assert len(asked) > 40 and all(a != b for a, b in asked)
