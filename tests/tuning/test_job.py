"""From a search to a job: cautions in a few lines, the outcome as a file that gives the same, searches inside a job."""

from __future__ import annotations

import json
import tomllib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import reclens as rl
from reclens.cli.app import app
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import UsageError
from reclens.evaluation import evaluate
from reclens.job.settings import validate_settings
from reclens.models import build_all
from reclens.models._core.search_space import Float
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.evaluation.tuning import cautions_in_words
from reclens.settings import write_toml
from reclens.tuning import tune
from reclens.tuning.hybrid_weights import TunedWeights, tune_weights
from reclens.tuning.results import Caution, Tuning
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with columns of other names."""
    path = tmp_path_factory.mktemp("events") / "events.csv"
    data = synthetic_movielens(n_users=120, n_items=80, n_ratings=3_000, rng=4).interactions
    data.select(pl.col("user_id").alias("customer"), pl.col("item_id").alias("sku")).write_csv(path)
    return path


def invoke(*arguments: str, status: int = 0):
    found = CliRunner().invoke(app, list(arguments))
    assert found.exit_code == status, (found.output, found.exception)
    return found


# ------------------------------------------------------------------------------------------------------------ cautions


_SEEN = {
    "first": "a",
    "second": "b",
    "value": 0.0,
    "low": -0.1,
    "high": 0.1,
    "parameters": ["dial"],
    "parameter": "dial",
}
_SEEN |= {"side": "low", "wider": {"low": 0.0, "high": 1.0, "log": False, "whole": False}, "metric": "ndcg@10"}
_SEEN |= {"half": 0.1, "best": 0.2, "configurations": 4, "trials": 4, "others": 3, "by_rungs": False}


def told(*kinds: str) -> Tuning:
    cautions = tuple(Caution(kind, f"m{at}", _SEEN) for at, kind in enumerate(kinds))  # type: ignore[arg-type]
    return Tuning(metric="ndcg@10", method="random", best=(), trials=(), cautions=cautions, notes=(), card={})


def test_cautions_are_grouped_and_the_gravest_come_first() -> None:
    tuning = told("default", "edge", "edge", "close", "popular", "edge", "rising")
    assert [(group.kind, len(group.cautions), group.models) for group in tuning.groups] == [
        ("popular", 1, ["m4"]),
        ("close", 1, ["m3"]),
        ("edge", 3, ["m1", "m2", "m5"]),
        ("rising", 1, ["m6"]),
        ("default", 1, ["m0"]),
    ]


def test_three_kinds_are_on_screen_and_the_rest_is_counted() -> None:
    lines = cautions_in_words(told("default", "edge", "edge", "close", "popular", "edge", "rising", "default"))
    assert lines[0].startswith("m4 at its best is not better than popular: +0.0000 [-0.1000, +0.1000].")
    assert lines[1].startswith("a and b cannot be told apart on the validation part")
    assert lines[2].startswith("m1 looks underfitted: its best dial (0) lies in the outer tenth")
    assert lines[2].endswith("The same kind (edge) is said of m2, m5 too.")
    assert lines[3:] == [
        "3 more cautions are on the card: 1 rising, 2 default.",
    ]
    assert len(cautions_in_words(told("edge", "close", "popular"))) == 3
    assert (
        cautions_in_words(told("edge", "close", "popular", "default"))[-1]
        == "1 more caution is on the card: 1 default."
    )
    assert cautions_in_words(told()) == []


def test_a_search_that_an_older_version_saved_loads_without_its_sentences(tmp_path: Path) -> None:
    header = {"metric": "ndcg@10", "method": "random", "best": [], "card": {}, "notes": ["Each model had 5 full fits."]}
    header |= {"cautions": [{"kind": "rising", "model": "ease", "sentence": "ease looks underfitted."}]}
    (tmp_path / "tuning.json").write_text(json.dumps(header))
    pl.DataFrame(schema={"parameters": pl.String}).write_parquet(tmp_path / "trials.parquet")
    found = Tuning.load(tmp_path)
    assert found.cautions == (Caution("rising", "ease"),) and found.notes == ()
    assert cautions_in_words(found) == ["ease: rising; an older version kept no more of it."]


def test_the_dashboard_shows_a_card_of_each_kind() -> None:
    search = told("default", "edge", "edge", "close", "popular", "rising")
    found = findings({}, tunings={"search": search})
    assert [each.code for each in found] == ["popular", "close", "edge", "rising", "default"]
    assert [row["model"] for row in found[2].evidence] == ["m1", "m2"]
    cards = [finding_text(each) for each in found]
    assert cards[0].startswith("m4 at its best") and cards[2].endswith("is said of m2 too.")


def loud(world: ModuleType) -> type:
    """A model that warns where its dial is above 0.5, which the default is."""

    @dataclass(kw_only=True)
    class Loud(world.Dial):
        name: ClassVar[str] = "loud"

        def _fit(self, train, engine, progress) -> None:
            if self.dial > 0.5:
                warnings.warn(f"dial {self.dial} hums.", RuntimeWarning, stacklevel=2)
                warnings.warn("and again", UserWarning, stacklevel=2)
            super()._fit(train, engine, progress)

    return Loud


def test_warnings_of_the_fits_are_counted_and_not_shown(dial_world: ModuleType, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, made = loud(dial_world), dial_world.make_split()
        tuning, again = (tune(made, [model, "popular"], trials=6, folder=tmp_path / "search") for _ in range(2))
    hums = [trial for trial in tuning.trials if trial.model == "loud" and trial.parameters["dial"] > 0.5]
    assert 1 <= len(hums) < 6 and all(trial.warned == "RuntimeWarning, UserWarning" for trial in hums)
    assert sum(trial.warned is not None for trial in tuning.trials) == len(hums)
    caution = next(each for each in tuning.cautions if each.kind == "warned")
    assert caution.facts == {
        "count": len(hums),
        "of": 6,
        "kinds": ["RuntimeWarning", "UserWarning"],
        "parameters": {"dial": 0.8},
        "warning": "dial 0.8 hums.",
    }
    assert again.trials == tuning.trials and again.cautions == tuning.cautions
    Workspace(tmp_path / "w").save(tuning, "loud")
    card = json.loads(Workspace(tmp_path / "w").card("tuning", "loud"))
    rows = {row["kind"]: row for row in card["tuning"]["cautions"]}
    assert rows["warned"]["facts"] == [caution.facts] and rows["warned"]["models"] == ["loud"]
    assert sum(row["count"] for row in rows.values()) == len(tuning.cautions)


# --------------------------------------------------------------------------------------------------------- to a file


@pytest.mark.parametrize("name", rl.models.names())
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_configuration_survives_the_file(name: str, seed: int) -> None:
    kind, rng = rl.models.get(name), np.random.default_rng(seed)
    wanted = replace(kind(), **{key: space.draw(rng) for key, space in kind.space.items()})
    parameters = {key: value for key in kind.space if (value := getattr(wanted, key)) is not None}
    read = tomllib.loads(write_toml({"models": {name: parameters}}))
    assert build_all(read["models"])[name] == wanted


def test_a_file_of_a_search_gives_the_same_models_and_numbers(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = [
        "tune",
        "-m",
        "popular",
        "-m",
        "ease",
        "-m",
        "item_knn",
        "--trials",
        "3",
        "--seed",
        "5",
        "--name",
        "first",
        "--data",
        str(events),
        "-c",
        "user_id=customer",
        "-c",
        "item_id=sku",
        "--out",
        "best.toml",
    ]
    invoke(*call)
    tuning, made = (Workspace("workspace").load(kind, "first") for kind in ("tuning", "split"))
    job = validate_settings(tomllib.loads(Path("best.toml").read_text()), source="best.toml")
    built = build_all(job.models)
    for (
        best
    ) in tuning:  # the same model: fitted on the training part, it has the value of the search on the validation part
        model = rl.models.get(best.model)(**best.parameters)
        assert built[best.model] == model
        lists = built[best.model].fit(made.train).recommend(made.validation_users)
        value = evaluate(lists, made.validation, train=made.train, metrics=["ndcg@10"])["ndcg@10"].overall.value
        assert value == best.value.value
    for config, place in (("best.toml", "elsewhere"), ("kept.toml", "workspace")):
        if config == "kept.toml":
            invoke(*call[:11], "--name", "second", "--split", "first", "--out", "kept.toml")
            assert tomllib.loads(Path("kept.toml").read_text())["split"] == {"kept": "first"}
        invoke("run", config, "--workspace", place)
        for best in tuning:
            kept = Workspace(place).load("evaluation", f"tuned-{best.model}")
            lists = built[best.model].fit(made.train).recommend(made.test_users)
            wanted = evaluate(lists, made.test, train=made.train, metrics=["ndcg@10"])
            assert Workspace(place).load("run", f"tuned-{best.model}").table.equals(lists.table)
            assert kept["ndcg@10"].overall.value == pytest.approx(wanted["ndcg@10"].overall.value, rel=1e-12)
            assert (
                kept.card["truth"] == wanted.card["truth"]
                and kept.card["train"]["hash"] == wanted.card["train"]["hash"]
            )


def test_a_split_that_no_job_can_make_has_to_be_named(dial_world: ModuleType) -> None:
    tuning = tune(dial_world.make_split(), [dial_world.Dial], trials=1)
    with pytest.raises(UsageError, match="a job cannot split as this search did"):
        tuning.to_toml()
    assert tomllib.loads(tuning.to_toml(split={"kept": "dial"}))["models"] == {"dial": {"dial": 0.8}}


# ------------------------------------------------------------------------------------------------------- inside a job

JOB = """name = "search"
seed = 5
[data]
path = "{path}"
columns = {{ user_id = "customer", item_id = "sku" }}
[split]
method = "random"
test_share = 0.2
validation_share = 0.1
[segments]
[models.popular]
[models.narrow]
model = "ease"
l2 = 30.0
[models.blend]
model = "weighted_hybrid"
models = {{ ease = {{ l2 = 50.0 }}, popular = {{}} }}
[tune]
models = ["narrow", "popular"]
trials = 3
ranges = {{ "ease.l2" = "10:1000" }}
[tune_weights.blend]
step = 0.5
[evaluate]
metrics = ["ndcg@10"]
k = 10
"""


def test_a_job_searches_keeps_what_it_found_and_uses_it(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(JOB.format(path=events))
    said = invoke("run", "job.toml").stderr
    assert "tune ease: ndcg@10" in said and "tune_weights blend: " in said and "search-tuned.toml" in said
    place = Workspace("workspace")
    made, tuning, weights = (
        place.load("split", "search"),
        place.load("tuning", "search"),
        place.load("weights", "search-blend"),
    )
    # What the job did is what the functions do.
    wanted = tune(made, [rl.models.EASE(l2=30.0), "popular"], trials=3, rng=5, spaces={"ease": {"l2": Float(10, 1000)}})
    assert [(each.model, each.parameters, each.value) for each in tuning] == [
        (each.model, each.parameters, each.value) for each in wanted
    ]
    other = tune_weights({"ease": {"l2": 50.0}, "popular": {}}, made.train, made.validation, step=0.5, rng=5)
    assert place.load("model", "search-blend").weights == other.weights
    assert weights.weights == other.weights and weights.curve == other.curve and weights.gain == other.gain
    # And what it measured on the test part is of those models.
    for name, model in {"narrow": rl.models.EASE(**tuning["ease"].parameters), "blend": other.model}.items():
        lists = model.fit(made.train).recommend(made.test_users)
        value = evaluate(lists, made.test, train=made.train, metrics=["ndcg@10"])["ndcg@10"].overall.value
        assert place.load("run", f"search-{name}").table.equals(lists.table)
        kept = place.load("evaluation", f"search-{name}")["ndcg@10"].overall.value
        assert kept == pytest.approx(value, rel=1e-12)
    # The job with what was found gives the same without a search; the same job again makes no trial.
    invoke("run", "workspace/reports/search-tuned.toml", "--workspace", "again")
    for name in ("narrow", "blend", "popular"):
        one, two = (Workspace(each).load("evaluation", f"search-{name}") for each in ("workspace", "again"))
        assert one["ndcg@10"].overall == two["ndcg@10"].overall
    journal = Path("workspace/tuning/.search/trials.jsonl")
    before = journal.stat().st_mtime_ns
    invoke("run", "job.toml")
    assert journal.stat().st_mtime_ns == before
    Path("job.toml").write_text(JOB.format(path=events).replace("trials = 3", "trials = 2"))
    invoke("run", "job.toml")
    assert len(journal.read_text().splitlines()) == 3  # the default, one more, and popular


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("validation_share = 0.1", "", "[split] holds none out. Add validation_share = 0.1"),
        ("validation_share = 0.1", "validation_n = 2", 'validation_n belongs to method = "last_n"'),
        ('method = "random"', 'method = "last_n"', "validation_share belongs to method"),
        ('"narrow", "popular"', '"narow"', "Did you mean 'narrow'"),
        ("tune_weights.blend", "tune_weights.blnd", "Did you mean 'blend'"),
        ("tune_weights.blend", "tune_weights.narrow", "is no weighted hybrid"),
        ('"10:1000"', '"a:b"', "expected a range such as"),
        ("trials = 3", "trails = 3", "Did you mean 'trials'"),
        ('method = "random"', 'kept = "x"\nmethod = "random"', "holds data and parts: leave"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = JOB.format(path="nowhere.csv")
    assert old in text
    Path("job.toml").write_text(text.replace(old, new))
    assert says in invoke("run", "job.toml", status=2).stderr


def test_one_model_under_two_names_is_tuned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = JOB.format(path="nowhere.csv").replace('models = ["narrow", "popular"]', "")
    Path("job.toml").write_text(text.replace("[models.popular]", "[models.ease]\n[models.popular]"))
    found = invoke("run", "job.toml", status=2)
    assert "several models of the job are of kind ease" in found.stderr


def test_weights_survive_the_workspace(tmp_path: Path) -> None:
    made = rl.split.random(synthetic_movielens(n_users=80, n_items=50, n_ratings=1_500, rng=2), validation_share=0.2)
    found = tune_weights({"ease": {}, "popular": {}}, made.train, made.validation, step=0.5)
    Workspace(tmp_path).save(found, "blend")
    again = Workspace(tmp_path).load("weights", "blend")
    assert isinstance(again, TunedWeights) and again.to_dicts() == found.to_dicts()
    assert (again.weights, again.value, again.gain, again.single) == (
        found.weights,
        found.value,
        found.gain,
        found.single,
    )
    assert again.model.recommend(k=5).table.equals(found.model.recommend(k=5).table)
    (tmp_path / "weights" / "blend" / "weights.json").unlink()
    with pytest.raises(Exception, match="weights"):
        Workspace(tmp_path).load("weights", "blend")
