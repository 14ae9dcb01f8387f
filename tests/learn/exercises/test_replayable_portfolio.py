"""Exercise 5.3: the sealed users, the right answer, and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import replayable_portfolio
from reclens.learn.exercises.replayable_portfolio import ReplayablePortfolio
from reclens.learn.measured import Measured, Number
from reclens.learn.portfolio import project_named

EXERCISE = ReplayablePortfolio()
CODES = {
    "numbers of other users": "wrong_improvement",
    "not sealed": "change_not_sealed",
    "invented number": "not_reproduced",
    "two projects": "too_few_projects",
    "projects of another": "project_of_another",
    "no limits": "improvement_text_missing",
    "claims that it is fair": "improvement_claim",
    "conclusion against the interval": "wrong_conclusion",
    "number from nowhere": "improvement_number",
    "no change claimed as one": "wrong_conclusion",
}


@pytest.fixture
def small_projects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Projects of one number, drawn from the seed, and queries in this process: the real ones have their own tests."""
    from reclens.workspace import query, sandbox

    def ask(files, text: str, *, limit: int | None, seconds: float | None) -> query.Answer:
        return query.Answer(*sandbox.answer(files, text, limit=limit))

    def measure(self: object, seed: int) -> Measured:
        value = float(np.random.default_rng([seed, len(type(self).__name__)]).normal())
        table = pl.DataFrame({"value": [value], "low": [value - 1], "high": [value + 1]})
        number = Number(key="one", label="a number", query="SELECT value, low, high FROM t", null=0.0, higher=True)
        return Measured(tables={"t": table}, numbers=[number], primary="one", data={"name": "made up"})

    monkeypatch.setattr(query, "ask", ask)
    for name in replayable_portfolio._NAMES:
        monkeypatch.setattr(type(project_named(name)), "measure", measure)
    _forget()
    yield
    _forget()


def _forget() -> None:
    from reclens.learn import project

    project._measured.cache_clear()
    project._values.cache_clear()


@pytest.mark.usefixtures("small_projects")
@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_a_wrong_answer_does_not(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    # One of them a seed: all of them, on 100 seeds, are in benchmarks/results/rates/learn.md.
    name = list(EXERCISE.wrong)[seed % len(EXERCISE.wrong)]
    assert CODES[name] in {each.code for each in judged(EXERCISE, draw, EXERCISE.wrong[name])}, name


def test_the_solution_passes_with_the_projects_that_are_shipped(judged) -> None:
    assert set(CODES) == set(EXERCISE.wrong)
    draw = Draw(5, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    found = judged(EXERCISE, draw, EXERCISE.wrong["invented number"])
    assert [(each.code, each.facts["reproduced"], each.facts["of"]) for each in found] == [("not_reproduced", 12, 13)]


def test_the_improvement_is_that_of_the_evaluation() -> None:
    import reclens as rl

    draw = Draw(3, EXERCISE.code)
    train, validation, _ = replayable_portfolio._parts(draw)
    given = replayable_portfolio._Improvement(after="ease", parameters={"l2": 100.0}, sealed=True)
    test = replayable_portfolio._test_of(draw, given)
    known = pl.concat([train, validation])
    results = {}
    for name, model in (("before", rl.models.Popular()), ("after", rl.models.EASE(l2=100.0))):
        lists = model.fit(rl.Dataset(known)).recommend(test["user_id"].unique().sort(), k=10)
        results[name] = rl.evaluate(lists, test, metrics=["ndcg@10"], name=name)
    row = rl.compare(results, baseline="before").to_frame().row(0, named=True)
    mean, low, high = replayable_portfolio._improvement(draw, given)
    assert (mean, row["n"]) == (pytest.approx(row["difference"]), test["user_id"].n_unique())
    assert abs(low - row["low"]) < 0.1 * (high - low) and abs(high - row["high"]) < 0.1 * (high - low)


def test_the_test_is_written_once_the_change_is_sealed_and_is_another_for_another_change(tmp_path: Path) -> None:
    draw = Draw(4, EXERCISE.code)
    path = tmp_path / "improvement.toml"
    path.write_text(EXERCISE.templates(draw)["improvement.toml"])
    EXERCISE.write_data(draw, tmp_path)
    assert not (tmp_path / "test.parquet").exists()
    seal = (tmp_path / "sealed.txt").read_text()
    users = []
    for l2 in (100.0, 200.0):
        path.write_text(f'after = "ease"\nsealed = true\nparameters = {{ l2 = {l2} }}\n')
        EXERCISE.write_data(draw, tmp_path)
        users.append(set(pl.read_parquet(tmp_path / "test.parquet")["user_id"]))
    assert (tmp_path / "sealed.txt").read_text() == seal, "the test was there before the change"
    assert len(users[0]) == len(users[1]) == 250 and 80 < len(users[0] & users[1]) < 170
    known = pl.concat([pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("train", "validation")])
    assert known.join(pl.read_parquet(tmp_path / "test.parquet"), on=["user_id", "item_id"]).height == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nosuch = 1", "no_improvement"),
        ("estimate = 'x'", "no_improvement"),
        ('after = "nosuch"\nsealed = true', "architecture_not_allowed"),
        ('after = "ease"\nsealed = true', "no_result"),
        ('after = "als"\nsealed = true\nparameters = { factors = 100000 }', "parameter_not_allowed"),
    ],
)
@pytest.mark.usefixtures("small_projects")
def test_what_is_no_answer_is_named(text: str, code: str, tmp_path: Path) -> None:
    draw = Draw(1, EXERCISE.code)
    EXERCISE.solve(draw, tmp_path)
    answer = {file: (tmp_path / file).read_text() for file in EXERCISE.files}
    assert code in {each.code for each in EXERCISE.judge({**answer, "improvement.toml": text}, draw)}
    for evidence in (
        "",
        "[",
        "{}",
        json.dumps({"kind": "reclens portfolio", "format": 1, "projects": {}, "files": {}}),
    ):
        codes = {each.code for each in EXERCISE.judge({**answer, "portfolio/evidence.json": evidence}, draw)}
        assert codes == {"no_evidence_of_portfolio"}
