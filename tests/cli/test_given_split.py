"""Ready-made splits and ids that lost their zeros, from the command line: in this process, as there are many."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

import reclens as rl
from reclens.cli import main
from reclens.workspace import Workspace

BASE = "1\t10\t5\t874965758\n1\t11\t4\t874965759\n2\t11\t3\t876893171\n2\t10\t4\t876893172\n3\t10\t4\t876893173\n"
TEST = "1\t12\t4\t874965760\n3\t11\t5\t876893100\n"
JOB = """
name = "given"
[data]
path = "u1.base"
[split]
test = "u1.test"
{more}
[models.popular]
[models.item_knn]
[evaluate]
metrics = ["HR@2", "unique_items@2"]
replicates = 20
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs ``reclens ARGUMENTS`` in a folder with the parts of a split; gives its standard output and error."""
    monkeypatch.chdir(tmp_path)
    Path("u1.base").write_text(BASE)
    Path("u1.test").write_text(TEST)

    def run(*arguments: str, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["reclens", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert (end.value.code or 0) == status, said
        return said.out, said.err

    return run


def test_a_ready_made_split_is_kept_fitted_and_measured(call) -> None:
    _, said = call("data", "split", "u1.base", "--test", "u1.test", "--name", "u1")
    assert "train 5, test 2" in said and "1 items of the test part (1 rows) are not in the training part" in said
    assert "1 of 2 rows of the test part are earlier than a training row of the same user" in said
    kept = Workspace("workspace").load("split", "u1")
    assert kept.card["method"] == "given" and kept.train.interactions["rating"].to_list() == [5, 4, 3, 4, 4]
    _ = call("fit", "popular", "--split", "u1", "--name", "of-split", "-q")
    _ = call("fit", "popular", "--data", "u1.base", "--name", "of-file", "-q")
    place = Workspace("workspace")
    assert place.load("model", "of-split").train_["hash"] == place.load("model", "of-file").train_["hash"]


def test_a_job_runs_on_a_ready_made_split(call) -> None:
    Path("job.toml").write_text(JOB.format(more=""))
    out, said = call("run", "job.toml", "-f", "json")
    assert "2 held out; given: the parts were cut elsewhere" in said and "HR@2 is hit_rate@2 here" in said
    rows = {(row["system"], row["metric"]): row["value"] for row in json.loads(out)["rows"] if row["by"] == "overall"}
    # Of two users one can be hit: user 3, whose other item popular lists.
    assert rows["popular", "hit_rate@2"] == 0.5 and rows["popular", "unique_items@2"] == 1
    assert Workspace("workspace").load("split", "given").card["sources"]["test"] == "u1.test"
    # What the job left beside its report runs again.
    assert 'test = "u1.test"' in Path("workspace/reports/given.toml").read_text()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("n = 3", "leave n out"),
        ('method = "by_time"', "leave method out"),
        ("min_rating = 4", "rows are not to be filtered"),
    ],
)
def test_what_a_ready_made_split_cannot_take_is_refused(call, more: str, says: str) -> None:
    text = JOB.format(more="" if "min" in more else more).replace(
        'path = "u1.base"', f'path = "u1.base"\n{more}' if "min" in more else 'path = "u1.base"'
    )
    Path("job.toml").write_text(text)
    assert says in call("run", "job.toml", status=2)[1]


def test_options_that_would_cut_again_are_refused(call) -> None:
    for more, says in (
        (["--n", "3"], "--n would not be used as a split that was made elsewhere is not cut again"),
        (["--method", "random", "--test-share", "0.3"], "--method"),
        (["--k-core", "2"], "rows are not to be filtered"),
        (["-c", "tset:user_id=0"], "tset"),
    ):
        assert says in call("data", "split", "u1.base", "--test", "u1.test", *more, status=2)[1]
    assert "--test" in call("data", "split", "u1.base", "--validation", "u1.test", status=2)[1]


def test_parts_in_csv_with_columns_of_their_own(call) -> None:
    Path("learn.csv").write_text("customer,item\n1,a\n2,b\n1,b\n")
    Path("held.csv").write_text("buyer;item\n2;a\n")
    _ = call(
        "data",
        "split",
        "learn.csv",
        "--test",
        "held.csv",
        "-c",
        "data:user_id=customer",
        "-c",
        "test:user_id=buyer",
        "--name",
        "own",
    )
    assert Workspace("workspace").load("split", "own").test.rows() == [(2, "a")]


LISTS = "user_id,item_id,rank\n7,a,1\n12,b,1\n"
TRUTH = "user_id,item_id\n007,a\n012,c\n"


@pytest.mark.parametrize("kept", [False, True])
def test_the_advice_about_lost_zeros_is_right_when_it_is_followed(call, kept: bool) -> None:
    Path("lists.csv").write_text(LISTS)
    Path("truth.csv").write_text(TRUTH)
    Path("train.csv").write_text("user_id,item_id\n007,c\n012,a\n012,b\n")
    truth = ["--truth", "truth.csv"]
    if kept:
        _ = call("data", "split", "train.csv", "--test", "truth.csv", "--name", "s", "-q")
        truth = ["--split", "s"]
    command = ["evaluate", "lists.csv", *truth, "-m", "hit_rate@1", "-f", "json"]
    said = call(*command, status=2)[1]
    assert "lost its leading zeros; without them 2 of 2 match" in said and "7, 12 in the lists" in said
    (advice,) = re.findall(r"with (--ids \w+)", said)
    rows = json.loads(call(*command, *shlex.split(advice))[0])["rows"]
    (row,) = [each for each in rows if each["by"] == "overall"]
    assert (row["n"], row["value"]) == (2, 0.5)


def test_integers_against_text_by_the_advice(call) -> None:
    Path("lists.csv").write_text(LISTS + "NEW-1,a,1\n")
    Path("truth.csv").write_text("user_id,item_id\n7,a\n12,c\n")
    command = ["evaluate", "lists.csv", "--truth", "truth.csv", "-m", "hit_rate@1", "-f", "json"]
    (advice,) = re.findall(r"with (--ids \w+)", call(*command, status=2)[1])
    (row,) = json.loads(call(*command, *shlex.split(advice))[0])["rows"]
    assert (row["n"], row["value"]) == (2, 0.5)


def test_ids_that_would_become_one_are_refused(call) -> None:
    Path("lists.csv").write_text(LISTS + "07,b,1\n")
    Path("truth.csv").write_text(TRUTH)
    said = call("evaluate", "lists.csv", "--truth", "truth.csv", "--ids", "unpadded", status=2)[1]
    assert "two ids would be one: '07' and '7'" in said
    assert "Known: text, unpadded" in call("evaluate", "lists.csv", "--truth", "truth.csv", "--ids", "zzz", status=2)[1]


def test_submissions_and_lines_of_items_from_the_shell(call) -> None:
    Path("submission.csv").write_text("customer_id,prediction\n0,7 8\n1,8 9\n")
    Path("test.txt").write_text("0 8\n1 7 8\n2 9\n")
    Path("plain.csv").write_text("user,item\n0,7 8\n1,8 9\n")
    said = call("evaluate", "plain.csv", "--truth", "test.txt", "--read", "truth:form=adjacency", status=2)[1]
    (advice,) = re.findall(r"Pass (--read \S+)", said)
    assert advice == "--read lists:form=cell"
    out, said = call(
        "evaluate",
        "submission.csv",
        "--truth",
        "test.txt",
        *shlex.split(advice),
        "--read",
        "truth:form=adjacency",
        "-c",
        "lists:user_id=customer_id",
        "-c",
        "lists:item_id=prediction",
        "-m",
        "mapk@2",
        "-f",
        "json",
    )
    (row,) = json.loads(out)["rows"]
    # 1/2 of one, 1 of min(2, 2) = 2, no list.
    assert (row["n"], row["value"]) == (3, pytest.approx((1 / 2 + 1 / 2 + 0) / 3))
    assert "rows of several items unfolded: 2" in said


def test_lists_against_a_split_land_beside_the_systems_that_are_there(call) -> None:
    """Metrics, segments and seed are those of the evaluation that is there: nothing has to be said."""
    workspace, data = Workspace("workspace"), rl.synthetic_movielens(n_users=40, n_items=30, n_ratings=700)
    split = rl.split.last_n(data, n=3)
    workspace.save(split, "s")
    popular = rl.models.Popular().fit(split.train).recommend(split.test_users, k=10)
    metrics = ["recall@5", "coverage@5"]
    ours = rl.evaluate(popular, split, metrics=metrics, by=["activity"], rng=7, replicates=60)
    workspace.save(ours, "ours")
    popular.table.select("user_id", "item_id", "rank").write_csv("theirs.csv")
    said = call("evaluate", "theirs.csv", "--split", "s", "--keep", "theirs")[1]
    assert "reclens compare ours theirs" in said
    theirs = workspace.load("evaluation", "theirs")
    assert theirs.metrics == ("recall@5", "coverage@5") and theirs.segments.columns == ["user_id", "activity"]
    assert theirs["recall@5"].overall == ours["recall@5"].overall  # interval and all: seed and replicates too
    assert rl.compare({"ours": ours, "theirs": theirs}, baseline="ours").find("theirs", "recall@5").difference == 0
    assert workspace.load("run", "theirs").table.height == popular.table.height
