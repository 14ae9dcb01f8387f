"""The drills: right answers and mistakes on 20 learners, and numbers against other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.learn.drill import Drill
from reclens.learn.drills.architectures import CorrectTheSampling, CrossTheFeatures, ReadTheAttention
from reclens.learn.drills.experiments import ArmsAndPValues, GuardrailsThatHold, NoveltyInAHoldout, OfflineAgainstOnline
from reclens.learn.drills.fairness import CalibrationByHand, ExposureByHand, TellTheBiases
from reclens.learn.drills.foundations import MetricsByHand
from reclens.learn.drills.katas import SqlKata, expected_rows
from reclens.learn.drills.production import ReadTheRun, VectorRecall
from reclens.learn.exercise import Draw, all_drills

DRILLS = [each for each in all_drills() if not isinstance(each, SqlKata)]


@pytest.mark.parametrize("drill", DRILLS, ids=[each.code for each in DRILLS])
def test_the_right_answer_passes_and_no_mistake_does(drill: Drill, judged, tmp_path: Path) -> None:
    assert len(drill.wrong) >= 3
    for seed in range(20):
        draw = Draw(seed << 64, drill.code)
        assert judged(drill, draw, drill.solve) == []
        for name, write in drill.wrong.items():
            assert {each.code for each in judged(drill, draw, write)} == {"drill_wrong_answer"}, name
    drill.write_data(draw, tmp_path)
    template = {"answer.toml": drill.templates(draw)["answer.toml"]}
    assert list(drill.judge(template, draw))
    assert {each.code for each in drill.judge({"answer.toml": ""}, draw)} == {"drill_no_answer"}


def papers(drill: Drill):
    return [drill.paper(Draw(seed << 64, drill.code)) for seed in range(5)]


def test_answers_of_another_kind_are_named() -> None:
    drill, draw = GuardrailsThatHold(), Draw(1, "2.b")
    for text in ("holds = 3", "holds = 'latency'"):
        assert [each.code for each in drill.judge({"answer.toml": text}, draw)] == ["drill_no_answer"]
    drill, draw = MetricsByHand(), Draw(1, "1.b")
    for value in ("true", "nan", "'0.5'", "[0.5]"):
        remarks = list(drill.judge({"answer.toml": f"precision_5 = {value}"}, draw))
        assert (remarks[0].code, remarks[0].facts["key"]) == ("drill_no_answer", "precision_5")


def test_metrics_are_those_of_the_evaluation() -> None:
    from reclens.evaluation import evaluate

    for paper in papers(MetricsByHand()):
        relevant = [rank for rank, hit in paper.data.iter_rows() if hit]
        absent = range(100, 100 + int(str(paper.facts["relevant"])) - len(relevant))
        lists = pl.DataFrame({"user_id": 1, "item_id": range(1, 11), "rank": range(1, 11)})
        truth = pl.DataFrame({"user_id": 1, "item_id": [*relevant, *absent]})
        names = ("precision@5", "recall@5", "ndcg@5", "map@10", "mrr@10")
        found = evaluate(lists, truth, metrics=list(names))
        assert list(paper.right.values()) == pytest.approx([found[name].overall.value for name in names])


def test_p_values_and_orders_are_those_of_scipy() -> None:
    for paper in papers(ArmsAndPValues()):
        for test in ("a", "b"):
            users, bought = (paper.data.filter(test=test)[name].to_list() for name in ("users", "bought"))
            assert paper.right[f"{test}_arms_p"] == pytest.approx(stats.chisquare(users).pvalue)
            table = np.array([bought, np.subtract(users, bought)])
            assert paper.right[f"{test}_p"] == pytest.approx(stats.chi2_contingency(table, correction=False)[1])
        assert "invalid" in paper.right.values()
    for paper in papers(OfflineAgainstOnline()):
        offline, online = paper.data["ndcg"], paper.data["lift"]
        assert paper.right["kendall"] == pytest.approx(stats.kendalltau(offline, online)[0])
        best = paper.data.filter(model=paper.right["best_offline"])
        assert best["ndcg"].item() == offline.max()
        assert paper.right["its_rank_online"] == (online > best["lift"].item()).sum() + 1


def test_guardrails_and_holdouts_by_hand() -> None:
    for paper in papers(GuardrailsThatHold()):
        worst = [
            (change + 1.96 * error < margin) if better == "lower" else (change - 1.96 * error > -margin)
            for _, better, change, error, margin in paper.data.iter_rows()
        ]
        assert paper.right["holds"] == paper.data.filter(pl.Series(worst))["metric"].to_list()
    for paper in papers(NoveltyInAHoldout()):
        lifts = paper.data["lift"].to_list()
        assert paper.right["lasting"] == pytest.approx(sum(lifts[4:]) / 4)
        assert paper.right["novelty"] == pytest.approx(sum(lifts[:2]) / 2 - sum(lifts[4:]) / 4)
        assert paper.right["lasts"] == ("yes" if float(str(paper.right["low"])) > 0 else "no")


def test_small_models_are_those_of_scipy() -> None:
    from scipy.special import expit, softmax

    for paper in papers(CrossTheFeatures()):
        here = paper.data.filter(present=1)
        vectors = here.select("v1", "v2").to_numpy()
        crossings = ((vectors.sum(axis=0) ** 2).sum() - (vectors**2).sum()) / 2  # Rendle (2010)
        assert paper.right["crossings"] == pytest.approx(crossings)
        assert paper.right["chance"] == pytest.approx(expit(here["weight"].sum() + crossings))
    for paper in papers(CorrectTheSampling()):
        logits = paper.data["score"] - paper.data["sampling_probability"].log()
        assert paper.right["probability"] == pytest.approx(softmax(logits.to_numpy())[0])
    for paper in papers(ReadTheAttention()):
        query = np.array([float(each) for each in str(paper.facts["query"]).split(", ")])
        past = paper.data.head(3)
        weights = softmax(past.select("key_1", "key_2", "key_3", "key_4").to_numpy() @ query / 2)
        assert (paper.right["weight_1"], paper.right["output"]) == pytest.approx(
            (weights[0], weights @ past["value"].to_numpy())
        )


def test_exposure_calibration_and_neighbours() -> None:
    for paper in papers(ExposureByHand()):
        attention = 1 / np.log2(paper.data["rank"].to_numpy() + 1)
        small = (paper.data["group"] == "small").to_numpy()
        merit = paper.data.filter(group="small")["relevance"].sum() / paper.data["relevance"].sum()
        assert paper.right["exposure_share"] == pytest.approx(attention[small].sum() / attention.sum())
        assert paper.right["merit_share"] == pytest.approx(merit)
    for paper in papers(CalibrationByHand()):
        p, q = (paper.data[name].to_numpy() / paper.data[name].sum() for name in ("in_history", "in_list"))
        assert paper.right["divergence"] == pytest.approx(stats.entropy(p, 0.9 * q + 0.1 * p))
    for paper in papers(VectorRecall()):
        from scipy.spatial.distance import cdist

        query = np.array([[float(each) for each in str(paper.facts["query"]).split(", ")]])
        away = cdist(query, paper.data.select("x", "y", "z").to_numpy(), "cosine")[0]
        assert sorted(paper.data["item"][np.argsort(away)[:3].tolist()].to_list()) == paper.right["nearest"]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries run here: a process for each of them would take minutes."""
    from reclens.workspace import query, sandbox

    def ask(files, text: str, *, limit: int | None, seconds: float | None) -> query.Answer:
        return query.Answer(*sandbox.answer(files, text, limit=limit))

    monkeypatch.setattr(query, "ask", ask)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("seed", range(20))
def test_a_query_passes_if_it_is_right_on_hidden_logs_too(seed: int, judged) -> None:
    drill, draw = SqlKata(), Draw(seed << 64, "1.c")
    assert judged(drill, draw, drill.solve) == []
    name = list(drill.wrong)[seed % len(drill.wrong)]
    assert {each.code for each in judged(drill, draw, drill.wrong[name])} == {"kata_rows_differ"}, name
    rows = expected_rows(drill.paper(draw).data, str(drill.paper(draw).facts["kind"]))
    if seed == 0:
        cells = [(user, items, f"'{last}'" if last else "NULL") for user, items, last in rows]
        literals = " UNION ALL ".join(f"SELECT '{a}' AS user_id, {n} AS items, {i} AS last_item" for a, n, i in cells)
        found = list(drill.judge({"answer.toml": f'query = """{literals}"""'}, draw))
        assert [(each.code, each.facts["hidden"]) for each in found] == [("kata_rows_differ", True)]


def test_rows_of_a_query_by_hand() -> None:
    log = pl.DataFrame(
        [
            ("u1", "i2", "view", 5),
            ("u1", "i2", "view", 5),  # a repeat
            ("u1", "i1", "view", 5),  # in the same minute
            ("u1", "i9", "click", 9),
            ("u2", "i3", "click", 1),
        ],
        schema=["user_id", "item_id", "kind", "minute"],
        orient="row",
    )
    assert expected_rows(log, "view") == [("u1", 2, "i1"), ("u2", 0, None)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "drill_no_answer"),
        ("SELECT 1; SELECT 2", "query_failed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "query_failed"),
        ("SELECT user_id FROM events", "wrong_columns"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_what_is_no_query_of_the_kata_is_named(query: str, code: str) -> None:
    found = list(SqlKata().judge({"answer.toml": f'query = "{query}"'}, Draw(1, "1.c")))
    assert [each.code for each in found] == [code]


def test_biases_are_what_the_numbers_show() -> None:
    for paper in papers(TellTheBiases()):
        z = paper.data.with_columns(z=(pl.col("value") - pl.col("reference")) / pl.col("standard_error"))
        for case, kind in paper.right.items():
            mine = z.filter(case=case)
            largest = {by: float(mine.filter(by=by)["z"].abs().max()) for by in ("items", "position", "users", "week")}
            weeks = mine.filter(by="week")["z"].to_list()
            if largest["week"] > 4:
                seen = "feedback_loop" if weeks[3] - weeks[0] > 6 else "popularity"
            elif largest["position"] > 4:
                seen = "position"
            else:
                seen = "demographic" if largest["users"] > 4 else "none"
            assert seen == kind, (case, kind)
            assert (largest["items"] > 4) is (kind in {"popularity", "feedback_loop"})


def test_a_run_is_read_by_running_it() -> None:
    for paper in papers(ReadTheRun()):
        state: dict[str, str] = {}
        attempts = 0
        for task, upstream, fails in paper.data.iter_rows():
            ahead = [state[each] for each in upstream.split()]
            if any(each != "succeeded" for each in ahead):
                state[task] = "upstream_failed"
                continue
            for attempt in range(1 + int(str(paper.facts["retries"]))):
                attempts += 1
                state[task] = "failed" if fails == "always" or (fails == "once" and attempt == 0) else "succeeded"
                if state[task] == "succeeded":
                    break
        by_state = {kind: [task for task, each in state.items() if each == kind] for kind in state.values()}
        assert paper.right["succeeded"] == by_state["succeeded"]
        assert paper.right["upstream_failed"] == by_state["upstream_failed"]
        assert paper.right["run_again"] == [*by_state["failed"], *by_state["upstream_failed"]]
        assert paper.right["attempts"] == attempts
