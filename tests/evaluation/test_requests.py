"""Candidates by request against SciPy, MIND's own formulas and hand computation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import mannwhitneyu

from reclens.cli import main
from reclens.data.dataset import Dataset
from reclens.data.read.mind import read_mind
from reclens.errors import DataError, UsageError
from reclens.evaluation import compare, evaluate, evaluate_requests
from reclens.report import build_report
from reclens.workspace import Workspace


def mind_mrr(labels: np.ndarray, scores: np.ndarray) -> float:
    """``mrr_score`` of MIND's evaluate.py (MIT licence)."""
    ordered = labels[np.argsort(scores, kind="stable")[::-1]]
    return float(np.sum(ordered / (np.arange(len(ordered)) + 1)) / np.sum(ordered))


def mind_ndcg(labels: np.ndarray, scores: np.ndarray, k: int) -> float:
    """``ndcg_score`` of MIND's evaluate.py."""

    def dcg(by: np.ndarray) -> float:
        gains = 2 ** labels[np.argsort(by, kind="stable")[::-1]][:k] - 1
        return float(np.sum(gains / np.log2(np.arange(len(gains)) + 2)))

    return dcg(scores) / dcg(labels)


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mann and Whitney's statistic by pairs of a click and a miss is the area under the ROC curve."""
    clicked, missed = scores[labels == 1], scores[labels == 0]
    return float(mannwhitneyu(clicked, missed).statistic / (len(clicked) * len(missed)))


@pytest.fixture(scope="module")
def shown() -> pl.DataFrame:
    """Requests of 2 to 40 candidates of users who come 1 to 6 times; some without a click, some all clicked."""
    rng = np.random.default_rng(5)
    rows = []
    for request in range(150):
        n = int(rng.integers(2, 41))
        clicked = rng.random(n) < rng.choice([0.0, 0.1, 0.5, 1.0], p=[0.1, 0.6, 0.25, 0.05])
        scores = rng.permutation(n) + 0.5 * clicked
        rows += [
            (request, f"u{request % 60 // (1 + request % 3)}", f"n{item}", int(click), float(score))
            for item, click, score in zip(rng.permutation(90)[:n], clicked, scores, strict=True)
        ]
    names = ["request_id", "user_id", "item_id", "clicked", "score"]
    return pl.DataFrame(rows, schema=names, orient="row").sample(fraction=1, shuffle=True, seed=1)


def by_user(shown: pl.DataFrame, value) -> tuple[float, float]:
    """The mean over users of their means over requests, and the plain mean over requests."""
    users: dict[str, list[float]] = {}
    for (_, user), part in shown.group_by("request_id", "user_id"):
        labels, scores = part["clicked"].to_numpy(), part["score"].to_numpy()
        if labels.any():
            users.setdefault(str(user), []).append(value(labels, scores))
    means = [np.nanmean(own) for own in users.values() if not np.isnan(own).all()]
    return float(np.mean(means)), float(np.nanmean([each for own in users.values() for each in own]))


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    return np.nan if labels.all() else roc_auc(labels, scores)


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        ("candidate_auc", auc),
        ("mind_mrr", mind_mrr),
        ("ndcg@5", lambda labels, scores: mind_ndcg(labels, scores, 5)),
        ("ndcg@10", lambda labels, scores: mind_ndcg(labels, scores, 10)),
        ("hit_rate@3", lambda labels, scores: float(labels[np.argsort(-scores)][:3].any())),
    ],
)
def test_against_other_implementations(shown: pl.DataFrame, metric: str, reference) -> None:
    found = evaluate_requests(shown, metrics=[metric], replicates=50)
    users, requests = by_user(shown, reference)
    assert found[metric].overall.value == pytest.approx(users, abs=1e-12)
    assert found.card["means_over_requests"][metric] == pytest.approx(requests, abs=1e-12)


def test_who_comes_often_does_not_count_for_more() -> None:
    # Ann has three requests with AUC 1, 1 and 0, Bob one with 1/2: (2/3 + 1/2) / 2, and 5/8 over requests.
    rows = [
        (1, "ann", "a", 1, 2.0),
        (1, "ann", "b", 0, 1.0),
        (2, "ann", "a", 1, 2.0),
        (2, "ann", "b", 0, 1.0),
        (3, "ann", "a", 1, 1.0),
        (3, "ann", "b", 0, 2.0),
        (4, "bob", "a", 0, 3.0),
        (4, "bob", "b", 1, 2.0),
        (4, "bob", "c", 0, 1.0),
    ]
    table = pl.DataFrame(rows, schema=["request_id", "user_id", "item_id", "clicked", "score"], orient="row")
    found = evaluate_requests(table, metrics=["candidate_auc", "mind_mrr", "mrr@2"], replicates=0)
    assert found["candidate_auc"].overall.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.card["means_over_requests"]["candidate_auc"] == pytest.approx(5 / 8)
    assert found["mind_mrr"].overall.value == pytest.approx(((1 + 1 + 1 / 2) / 3 + 1 / 2) / 2)
    assert (found["candidate_auc"].overall.n, found.per_user["n_relevant"].to_list()) == (2, [3, 1])


def test_two_clicks_tell_the_two_mrr_apart_and_ties_count_half() -> None:
    table = pl.DataFrame(
        {
            "request_id": [1] * 4,
            "user_id": ["u"] * 4,
            "item_id": list("abcd"),
            "clicked": [0, 1, 0, 1],
            "score": [0.5, 0.9, 0.5, 0.5],
        }
    )
    found = evaluate_requests(table, metrics=["candidate_auc", "mind_mrr", "mrr@4"], replicates=0)
    # b first; d ties with a and c, and stands behind them by the order of the rows.
    assert found["candidate_auc"].overall.value == 0.75
    assert found["mind_mrr"].overall.value == pytest.approx((1 + 1 / 4) / 2) and found["mrr@4"].overall.value == 1
    assert {rule["code"]: rule["count"] for rule in found.card["rules"]} == {"candidates_with_equal_scores": 3}


def test_what_is_left_out_is_counted(shown: pl.DataFrame) -> None:
    sums = shown.group_by("request_id").agg(pl.col("clicked").sum().alias("k"), pl.len().alias("n"))
    card = evaluate_requests(shown, replicates=0).card
    assert card["requests"] == 150
    assert card["requests_without_click"] == sums.filter(pl.col("k") == 0).height > 5
    assert card["requests_all_clicked"] == sums.filter(pl.col("k") == pl.col("n")).height > 3
    twice = pl.concat([shown, shown.head(7).with_columns(score=pl.lit(-99.0))])
    again = evaluate_requests(twice, replicates=0)
    assert again["ndcg@5"] == evaluate_requests(shown, replicates=0)["ndcg@5"]
    assert again.card["rules"][0]["count"] == 7 and again.card["truth"] == card["truth"]


def test_chunks_change_nothing(shown: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_requests(shown, replicates=20).per_user
    monkeypatch.setattr("reclens.evaluation.requests._CELLS", 100)
    assert evaluate_requests(shown, replicates=20).per_user.equals(whole, null_equal=True)


def test_it_compares_reports_and_is_kept_like_any_other(shown: pl.DataFrame, tmp_path: Path) -> None:
    users = shown["user_id"].unique().sort()
    train = Dataset(
        pl.DataFrame({"user_id": users, "item_id": "x"}),
        segments=pl.DataFrame(
            {"user_id": users, "half": ["left", "right"] * (len(users) // 2) + ["left"] * (len(users) % 2)}
        ),
    )
    options = {"train": train, "by": ["half"], "replicates": 100}
    good = evaluate_requests(shown.with_columns(score=pl.col("score") + 30 * pl.col("clicked")), name="good", **options)
    poor = evaluate_requests(shown.with_columns(score=-pl.col("score")), name="poor", **options)
    found = compare({"good": good, "poor": poor}, baseline="poor")
    assert found.find("good", "candidate_auc").difference > 0.4 and found.find("good", "candidate_auc").significant
    html = build_report({"good": good, "poor": poor}, comparison=found).html
    assert "over the requests of each user, then over users" in html and "AUC of the candidates" in html
    place = Workspace(tmp_path)
    place.save(good, "good")
    assert place.load("evaluation", "good")["mind_mrr"] == good["mind_mrr"]
    assert set(good["ndcg@5"].by["half"]) == {"left", "right"}


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"clicked": [0, 2, 0]}, DataError, "column 'clicked', row 2: the value is 2, expected 0 or 1"),
        ({"clicked": [0, 0, 0]}, DataError, "no request has a click"),
        ({"user_id": ["u", "v", "u"]}, DataError, "1 requests have more than one user"),
        ({"score": None}, DataError, "there is no column 'score'"),
        ({"item_id": ["a", None, "b"]}, DataError, "expected an id"),
    ],
)
def test_what_cannot_be_measured(change: dict, error: type[Exception], says: str) -> None:
    table = {
        "request_id": [1] * 3,
        "user_id": ["u"] * 3,
        "item_id": list("abc"),
        "clicked": [0, 1, 0],
        "score": [3, 2, 1],
    } | change
    with pytest.raises(error, match=says):
        evaluate_requests(pl.DataFrame({name: column for name, column in table.items() if column is not None}))


def test_metrics_of_lists_and_of_requests_are_told_apart(shown: pl.DataFrame) -> None:
    with pytest.raises(UsageError, match="needs more than what was clicked"):
        evaluate_requests(shown, metrics=["auc@10"])
    with pytest.raises(UsageError, match=r"Measure it by rl\.evaluate_requests"):
        evaluate(
            pl.DataFrame({"user_id": [1], "item_id": [2], "rank": [1]}),
            pl.DataFrame({"user_id": [1], "item_id": [2]}),
            metrics=["candidate_auc"],
        )


BEHAVIORS = (
    "1\tU13\t11/15/2019 9:55:12 AM\tN3 N4\tN1-0 N2-1 N9-0\n2\tU13\t11/15/2019 8:00:00 PM\t\tN2-1 N5-0\n"
    "3\tU7\t11/14/2019 7:01:48 AM\tN1\tN7-0 N8-0 N2-1 N1-1\n"
)
SUBMISSION = "1 [3,1,2]\n3 [1,4,2,3]\n2 [2,1]\n"


def test_the_files_of_mind_by_hand() -> None:
    rows = read_mind(BEHAVIORS.encode(), SUBMISSION.encode())
    assert rows.select("request_id", "user_id", "item_id", "clicked", "rank").rows()[:3] == [
        (1, "U13", "N1", 0, 3),
        (1, "U13", "N2", 1, 1),
        (1, "U13", "N9", 0, 2),
    ]
    assert str(rows["timestamp"][3]) == "2019-11-15 20:00:00+00:00"
    found = evaluate_requests(rows, replicates=0)
    # Impression 1: N2 first. 2: N2 second of two. 3: clicks at ranks 2 and 3 of four, misses at 1 and 4.
    assert found["candidate_auc"].overall.value == pytest.approx(((1 + 0) / 2 + 1 / 2) / 2)
    assert found["mind_mrr"].overall.value == pytest.approx(((1 + 1 / 2) / 2 + (1 / 2 + 1 / 3) / 2) / 2)
    gains = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert found["ndcg@5"].overall.value == pytest.approx(((1 + 1 / np.log2(3)) / 2 + gains) / 2)
    assert "rank" not in read_mind(BEHAVIORS.encode()).columns


@pytest.mark.parametrize(
    ("behaviors", "submission", "says"),
    [
        (BEHAVIORS.replace("N9-0", "N9"), SUBMISSION, "the candidate 'N9' has no label"),
        ("1\tU13\tN1-0\n", SUBMISSION, "there are 3 columns, expected 5"),
        (BEHAVIORS, SUBMISSION.replace("[2,1]", "[2,1,3]"), "impression 2 has 2 candidates and 3 ranks"),
        (BEHAVIORS, SUBMISSION.replace("[2,1]", "[1,1]"), "2 ranks, 1 of them different"),
        (BEHAVIORS, "1 [3,1,2]\n", "impression 2 has 2 candidates and no line"),
    ],
)
def test_files_of_mind_that_do_not_fit(behaviors: str, submission: str, says: str) -> None:
    with pytest.raises(DataError, match=says.replace("[", r"\[")):
        read_mind(behaviors.encode(), submission.encode())


def test_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("behaviors.tsv").write_text(BEHAVIORS)
    Path("prediction.txt").write_text(SUBMISSION)
    rows = read_mind("behaviors.tsv", "prediction.txt").with_columns(points=-pl.col("rank")).drop("rank")
    rows.rename({"request_id": "impression", "clicked": "label"}).write_csv("shown.csv")

    def call(*arguments: str, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["reclens", "evaluate-requests", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert (end.value.code or 0) == status, said
        return said.out, said.err

    mind, said = call("behaviors.tsv", "--predictions", "prediction.txt", "-f", "json", "--html", "page.html")
    assert "3 requests of 2 users" in said and "plain mean over requests: candidate_auc 0.5000" in said
    assert "AUC of the candidates" in Path("page.html").read_text()
    columns = [
        f"--column={ours}={theirs}"
        for ours, theirs in (("request_id", "impression"), ("clicked", "label"), ("score", "points"))
    ]
    table, _ = call("shown.csv", *columns, "-f", "json")
    assert [row["value"] for row in json.loads(table)["rows"]] == [row["value"] for row in json.loads(mind)["rows"]]
    assert "cannot be used" in call("behaviors.tsv", "--predictions", "prediction.txt", *columns, status=2)[1]
    assert "there is no column 'request_id'" in call("shown.csv", status=2)[1]
