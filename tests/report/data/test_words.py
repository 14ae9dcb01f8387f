"""Rules and notes as sentences: every code has one, and its numbers stand in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import polars as pl
import pytest

import reclens as rl
from reclens.data.rules import DROPPING, NoteCode, RuleCode, note, rule
from reclens.pipeline.counts import RuleCode as PipelineRule
from reclens.report.data import words
from reclens.report.pipeline import words as pipeline_words


def codes(kind: object) -> set[str]:
    """The values of a literal, or of a union of literals."""
    found = get_args(kind)
    return {each for one in found for each in codes(one)} if get_args(found[0]) else set(map(str, found))


def test_every_code_has_its_words() -> None:
    unions = {each for one in get_args(RuleCode) for each in (codes(one) if get_args(one) else {one})}
    assert set(words._RULES) == unions > DROPPING
    assert set(words._NOTES) == codes(NoteCode)
    assert set(pipeline_words._RULES) == codes(PipelineRule)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (rule("odd_time", 1, column="t"), "rows with a time that is not a number left out: 1 (column 't')"),
        (
            rule("repeated_pairs_merged", 2, how="sum"),
            (
                "repeated user-item pairs merged: 2 (the latest row is kept (of equal times the later row); weights "
                "are added up; the log keeps all rows, and splits are cut from it)"
            ),
        ),
        (
            rule("k_core", 3, least_of_users=2, least_of_items=4, users=1, items=2, rounds=3),
            (
                "k-core: at least 2 interactions a user and 4 an item: 3 (interactions left out, with 1 users and 2 "
                "items, in 3 rounds)"
            ),
        ),
        (
            rule("pairs_in_training", 1, part="test", task="with_repeats", share=0.5, of=2, users_without_other=1),
            "test pairs that training holds kept, for repeats count: 1 (50.0% of 2 pairs; 1 users have no other)",
        ),
        (
            rule("cold_user_rows", 9, part="validation", cold_users="drop", users=4),
            "validation rows of users without training data dropped: 9 (rows of 4 users)",
        ),
        (rule("users_without_known_item", 2, gets="none"), "users without a known item: 2 (no list)"),
        ({"code": "of_my_own", "count": 2, "facts": {"by": "me"}}, "of my own: 2 (by me)"),
        (
            rule("missing_id", 1, column="u") | {"facts": {"column": "u", "file": "exclude"}},
            "exclude: rows with a missing id left out: 1 (column 'u')",
        ),
    ],
)
def test_sentences_of_rules(made: dict, said: str) -> None:
    assert words.rule_line(made) == said


def test_sentences_of_notes_splits_and_pipelines() -> None:
    made = note("rows_before_training", part="test", rows=1200, of=5000)
    assert words.note_line(made).startswith("1,200 of 5,000 rows of the test part are earlier than a training row")
    log = {"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], "timestamp": [1, 2, 3, 1, 2, 3]}
    split = rl.split.last_n(rl.read(pl.DataFrame(log)), n=1, validation_n=1)
    said = "test: the last 1 of each user's events; validation: the 1 before; training: the rest"
    assert words.split_text(split.card) == said
    cut = rl.split.by_time(rl.read(pl.DataFrame(log)), at=datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC))
    said = "test: events at or after 1970-01-01 00:00:02 UTC, for all users alike; training: events before"
    assert words.split_text(cut.card) == said
    window = {"method": "rolling", "cut": "2024-03-01T01:00:00+01:00", "until": "2024-03-08T00:00:00+00:00"}
    assert words.split_text(window) == "test: from 2024-03-01 00:00 UTC to 2024-03-08 00:00 UTC; training: before"
    assert words.ties_text(split.card["ties"]["rule"]).startswith("hash: rows of one user and moment")
    cut = {"code": "keep_below_k", "count": 4, "facts": {"label": "ease", "keep": 3, "k": 5}}
    assert pipeline_words.rule_line(cut) == (
        "ease: lists that keep cut: 4 (keep = 3 is below k = 5: no list is longer than 3)"
    )
    row = {"filter": "k", "stage": "rerank", "label": "1 mmr", "count": 2000, "first": 10}
    assert pipeline_words.filter_line(row) == "1 mmr: 2,000 places behind the first 10."


def test_cards_of_older_versions_are_said_as_far_as_they_go() -> None:
    assert words.split_text({"method": "by_time"}) == "by time"
    assert words.note_line("3 users have no test items.") == "3 users have no test items."
