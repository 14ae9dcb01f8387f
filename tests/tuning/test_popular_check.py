"""A fit that is worse than popular on the validation part says so: in the model, on cards, aloud, in what is read."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import reclens as rl
from reclens.cli.app import app
from reclens.data.dataset import Dataset
from reclens.data.split import Split, random
from reclens.models import FitProblem, Popular, Random
from reclens.report import build_report
from reclens.report.evaluation.findings import finding_text, findings
from reclens.tuning import hold_against_popular
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def split() -> Split:
    """30 users with one item each of their own; the validation part is item 100, which 10 others have."""
    rows = [(user, user) for user in range(30)] + [(user, 100) for user in range(30, 40)]
    train = Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row"))
    held = pl.DataFrame([(user, 100) for user in range(30)], ["user_id", "item_id"], orient="row")
    return Split(train=train, test=held.clear(), card={}, validation=held)


def test_the_difference_is_that_of_ndcg_by_hand(split: Split) -> None:
    """Popular puts item 100 first: NDCG 1. A model that puts the items 0, 1, … first has 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", rl.models.FitWarning)
        backwards = Popular().fit(split.train)
    backwards.counts_ = -backwards.counts_
    backwards.name = "upside_down"  # type: ignore[misc]
    found = hold_against_popular(backwards, split)
    assert found == FitProblem(code="below_popular", value=-1.0, limit=0.0, n=30, of=30)
    assert backwards.problems_ == (found,)
    assert hold_against_popular(backwards, split) == found and backwards.problems_ == (found,), "said once"
    assert backwards.recommend(k=3).card["problems"][0]["code"] == "below_popular"


def test_what_cannot_be_held_against_popular_is_not(split: Split) -> None:
    popular, random_ = Popular().fit(split.train), Random().fit(split.train)
    assert hold_against_popular(popular, split) is None and popular.problems_ == ()
    assert hold_against_popular(random_, replace(split, validation=None)) is None
    assert split.validation is not None
    assert hold_against_popular(random_, replace(split, validation=split.validation.head(19))) is None
    assert hold_against_popular(random_, replace(split, validation=split.validation.head(20))) is not None


def test_no_more_than_a_thousand_users_are_looked_at(split: Split) -> None:
    rows = [(user, user % 40) for user in range(2_002)] + [(user, 100) for user in range(2_002, 4_000)]
    train = Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row"))
    held = pl.DataFrame([(user, 100) for user in range(2_002)], ["user_id", "item_id"], orient="row")
    found = hold_against_popular(Random().fit(train), replace(split, train=train, validation=held))
    assert found is not None and (found.n, found.of) == (668, 2_002)  # every third


@pytest.fixture(scope="module")
def data() -> Dataset:
    return rl.synthetic_movielens(n_users=120, n_items=80, n_ratings=3_000, rng=4)


def test_fit_says_it_and_keeps_it(data: Dataset, tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    place.save(random(data, test_share=0.1, validation_share=0.1), "with")
    place.save(random(data, test_share=0.1), "without")

    def said(model: str, split: str) -> str:
        arguments = ["fit", model, "--split", split, "--name", f"{model}-{split}", "-w", str(place.folder)]
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code == 0, found.output
        return found.stderr

    assert "random: worse than popular on the validation part: NDCG@10 -0." in said("random", "with")
    assert "worse than popular" not in said("random", "without")
    assert "worse than popular" not in said("ease", "with")
    kept = place.load("model", "random-with")
    assert [each.code for each in kept.problems_] == ["below_popular"] and kept.problems_[0].value < 0
    lists = kept.recommend(k=10)
    result = rl.evaluate(lists, place.load("split", "with").test, metrics=["ndcg@10"], replicates=20)
    assert any("worse than popular" in finding_text(each) for each in findings({"random": result})), "a page shows it"
    assert "worse than popular" in build_report({"random": result}).html


def test_a_job_says_it(data: Dataset, tmp_path: Path) -> None:
    events, job = tmp_path / "events.csv", tmp_path / "j.toml"
    data.interactions.write_csv(events)
    how = 'method = "random"\ntest_share = 0.1\nvalidation_share = 0.1\n'
    systems = "[models.popular]\n[models.random]\n[evaluate]\nreplicates = 20\n"
    job.write_text(f'name = "j"\n[data]\npath = "{events}"\n[split]\n{how}{systems}')
    found = CliRunner().invoke(app, ["run", str(job), "-w", str(tmp_path / "w")])
    assert found.exit_code == 0, found.output
    assert "random: worse than popular on the validation part" in found.output
    assert "popular: worse" not in found.output
    kept = Workspace(tmp_path / "w").load("model", "j-random")
    assert [each.code for each in kept.problems_] == ["below_popular"]
