"""What is typed is used, or refused with the reason: no name and no option is skipped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reclens.cli import main


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in this process that has to end with status 2; what it said on stderr, in one line."""
    monkeypatch.chdir(tmp_path)
    Path("lists.csv").write_text("user_id,item_id,rank\n1,8,1\n")
    Path("truth.csv").write_text("user_id,item_id\n1,8\n")

    def call(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["reclens", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 2 and said.out == "", said
        return " ".join(said.err.replace("│", " ").split())

    return call


@pytest.mark.parametrize("option", ["--users", "--items"])
def test_attributes_need_the_training_data_that_they_describe(refused, option: str) -> None:
    said = refused("evaluate", "lists.csv", "-t", "truth.csv", option, "nosuch.csv")
    assert option in said and "--train" in said
    # Where the advice is followed the file is read, and named because it is not there.
    Path("train.csv").write_text("user_id,item_id\n1,9\n")
    said = refused("evaluate", "lists.csv", "-t", "truth.csv", "--train", "train.csv", option, "nosuch.csv")
    assert "nosuch.csv" in said


def test_a_split_has_its_own_truth_and_training_data(refused) -> None:
    said = refused("evaluate", "lists.csv", "--split", "s", "-t", "truth.csv", "--train", "train.csv")
    assert "--split s" in said and "--truth, --train" in said


@pytest.mark.parametrize("looks", ["0", "-3"])
def test_a_plan_has_one_look_at_least(refused, looks: str) -> None:
    said = refused("experiment", "size", "--mean", "0.2", "--effect", "0.1", "--looks", looks)
    assert "--looks" in said and f"'{looks}'" in said


def test_an_unknown_baseline_of_a_job_is_refused_before_anything_is_read(refused) -> None:
    Path("job.toml").write_text(
        '[data]\npath = "nosuch.csv"\n[models.popular]\n[models.ease]\n[compare]\nbaseline = "poplar"\n'
    )
    said = refused("run", "job.toml")
    assert "'poplar'" in said and "popular" in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("experiment simulate sim.toml --days 3", "--days"),
        ("experiment simulate --example --size tiny", "--size"),
        ("experiment correlate --data lists.csv --size tiny", "--size"),
        ("experiment holdout --users 500 --mean 1 --sd 1 --control random", "--control"),
        ("experiment size --mean 0.2 --effect 0.1 --spending pocock", "--spending"),
        ("data split truth.csv --method random --ties order", "--ties"),
        ("fit popular --split s --data truth.csv", "--data"),
        ("workspace sql --limit 3 -w .", "--limit"),
        ("evaluate lists.csv -t truth.csv --train=", "--train is empty"),
    ],
)
def test_what_would_not_be_used_is_refused(refused, words: str, named: str) -> None:
    assert named in refused(*words.split())
