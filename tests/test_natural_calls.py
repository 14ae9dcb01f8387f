"""What a user of Polars and scikit-learn tries first: it works, and the slip beside it says what to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.errors import ArgumentTypeError, DataError, UnknownNameError, UsageError, WorkspaceError

METRICS = ["ndcg@5", "coverage@5"]


@pytest.fixture(scope="module")
def data() -> rl.Dataset:
    return rl.synthetic_movielens(n_users=60, n_items=40, n_ratings=1200)


@pytest.fixture(scope="module")
def split(data: rl.Dataset):
    return rl.split.random(data, test_share=0.2, validation_share=0.1)


@pytest.fixture(scope="module")
def ease(split) -> rl.models.Recommender:
    return rl.models.EASE().fit(split.train)


@pytest.fixture(scope="module")
def recs(ease, split) -> rl.Recommendations:
    return ease.recommend(split.test_users, k=5)


@pytest.fixture(scope="module")
def result(recs, split) -> rl.Evaluation:
    return rl.evaluate(recs, split.test, train=split.train, metrics=METRICS, by="gender")


@pytest.fixture(scope="module")
def popular(split) -> rl.Evaluation:
    lists = rl.models.Popular().fit(split.train).recommend(split.test_users, k=5)
    return rl.evaluate(lists, split.test, train=split.train, metrics=METRICS)


def test_results_are_frames(result, popular, recs) -> None:
    comparison = rl.compare([result, popular], baseline="popular")
    for each in (result, comparison, recs, result["ndcg@5"], result["ndcg@5"].overall):
        frame = each.to_frame()
        assert frame.height == len(each.to_dicts()) > 0
        assert each.to_pandas().shape == frame.shape == each.to_arrow().shape
        assert len(str(each).split("\n")) <= 20 and each._repr_html_().startswith("<table>")
    assert result.to_frame().filter(metric="ndcg@5", by="overall")["value"].item() == result["ndcg@5"].overall.value
    assert recs.to_frame().equals(recs.table)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'ndcg@5'\?"):
        _ = result["ncdg@5"]


def frames(rows: dict) -> dict:
    """The same rows in every library."""
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    made = {"polars": pl.DataFrame(rows), "lazy": pl.LazyFrame(rows), "mapping": rows}
    return made | {"pandas": pandas.DataFrame(rows), "arrow": arrow.table(rows)}


def test_any_frame_is_a_data_set() -> None:
    rows = {"user_id": [1, 1, 2, 3], "item_id": ["a", "b", "b", "a"], "rating": [1.0, 2.0, 3.0, 4.0]}
    wanted = rl.Dataset(pl.DataFrame(rows))
    for frame in frames(rows).values():
        made = rl.Dataset(frame)
        assert made.interactions.equals(wanted.interactions) and made.fingerprint == wanted.fingerprint
        fitted = rl.models.EASE().fit(frame)
        assert fitted.recommend([1], k=2, exclude_seen=False).table["item_id"].sort().to_list() == ["a", "b"]
    assert rl.Dataset({"userId": [1], "movieId": [7]}).interactions.columns == ["user_id", "item_id"]
    with pytest.raises(DataError, match=r"there is no column for 'item_id'.*Name it: columns="):
        rl.Dataset(pl.DataFrame({"user_id": [1], "colour": ["red"]}))
    with pytest.raises(ArgumentTypeError, match=r"interactions is a str, expected a frame .* reclens\.load\(path\)"):
        rl.Dataset("ratings.csv")
    with pytest.raises(TypeError, match=r"train is a list, expected a data set or a frame"):
        rl.models.EASE().fit([1, 2])


def test_a_split_is_train_and_test(split) -> None:
    train, test = split
    assert train is split.train and test is split.test
    by_user = rl.split.by_user(split.train, test_share=0.2)
    assert by_user.fold_in is not None and len(list(by_user)) == len(list(split)) == 2
    with pytest.raises(ArgumentTypeError, match=r"train is a Split, .* Pass its training part: split\.train\."):
        rl.models.EASE().fit(split)


def test_users_are_ids_and_one_id_is_one_user(ease, recs) -> None:
    one = ease.recommend(5, k=3).table
    assert one.equals(ease.recommend([5], k=3).table) and one["user_id"].unique().to_list() == [5]
    assert ease.recommend(np.int64(5), k=3).table.equals(one)
    assert ease.recommend(5).table.height == 10  # not five items
    assert ease.recommend(recs.table, k=3).table.equals(ease.recommend(recs.table["user_id"], k=3).table)
    words = rl.models.Popular().fit({"user": ["ann", "bob", "n"], "item": [1, 2, 2]})
    assert words.recommend("ann", k=1).table["user_id"].to_list() == ["ann"]
    for wrong in (5.0, [5.0], True, {"user_id": [5]}):
        with pytest.raises(ArgumentTypeError, match=r"users is a (float|bool|dict), .*recommend\(\[5, 7\], k=10\)"):
            ease.recommend(wrong)
    with pytest.raises(
        UsageError, match="the user '5' is not known, and 5 is: ids are Int64, and those asked for String"
    ):
        ease.recommend("5")
    with pytest.raises(UsageError, match="users mixes int and str, expected ids of one kind"):
        ease.recommend([5, "x"])
    with pytest.raises(TypeError, match=r"k is a str, expected a whole number\. Write k=10"):
        ease.recommend([5], k="10")
    with pytest.raises(ArgumentTypeError, match=r"Pass split\.test_users"):
        ease.recommend(rl.split.random(rl.synthetic_movielens(n_users=30, n_items=30, n_ratings=700)))


def test_one_model_is_tuned_by_its_name(split) -> None:
    assert [each.model for each in rl.tune(split, "ease", trials=1)] == ["ease"]
    with pytest.raises(ArgumentTypeError, match=r"split is a str, .* The split comes first: rl\.tune\(split, 'ease'\)"):
        rl.tune("ease", split)


def test_a_model_is_saved_into_a_new_folder(ease, result, tmp_path: Path) -> None:
    ease.save(tmp_path / "new" / "dir")
    assert rl.load_model(tmp_path / "new" / "dir").recommend([5]).table.equals(ease.recommend([5]).table)
    result.save(str(tmp_path / "evaluation"))
    assert rl.Evaluation.load(tmp_path / "evaluation").to_dicts() == result.to_dicts()
    (tmp_path / "file").touch()
    for each in (ease, result):
        with pytest.raises(TypeError, match="not int"):
            each.save(3)
        with pytest.raises(WorkspaceError, match=r"file is a file\. Name a folder\."):
            each.save(tmp_path / "file")


def test_one_result_is_reported(result) -> None:
    assert "ease" in rl.report.build_report(result).html
    with pytest.raises(ArgumentTypeError, match=r"results is a Dataset, expected evaluations by name\. Pass \{'ease'"):
        rl.report.build_report(rl.synthetic_movielens(n_users=30, n_items=30, n_ratings=700))
    with pytest.raises(UsageError, match="two evaluations have the name of one system"):
        rl.compare([result, result], baseline="ease")


def test_an_attribute_of_users_is_a_segmentation(result, split, recs) -> None:
    named = split.train.with_segments(gender="gender")
    apart = rl.evaluate(recs, split.test, train=named, metrics=METRICS, by=["gender"])
    assert result.to_dicts() == apart.to_dicts() and len(result["ndcg@5"].by["gender"]) == 2
    both = rl.evaluate(recs, split.test, train=split.train, metrics=METRICS, by=["gender × occupation"])
    assert "gender × occupation" in both["ndcg@5"].by
    with pytest.raises(UnknownNameError, match=r"'gendre'\. Did you mean 'gender'\? train\.with_segments"):
        rl.evaluate(recs, split.test, train=split.train, metrics=METRICS, by="gendre")
    with pytest.raises(
        UsageError, match=r"'gender' is of the users of the training data, which is not given\. Pass train="
    ):
        rl.evaluate(recs, split.test, metrics=METRICS, by="gender")
    with pytest.raises(ArgumentTypeError, match=r"A rule gets a name first: train\.with_segments"):
        rl.evaluate(recs, split.test, train=split.train, metrics=METRICS, by=rl.segments.bins("age", [25]))


def test_a_matrix_is_one_of_scipy(data) -> None:
    scipy = pytest.importorskip("scipy.sparse")
    codes = data.user_vocabulary.encode(data.interactions["user_id"])
    items = data.item_vocabulary.encode(data.interactions["item_id"])
    wanted = scipy.coo_array((data.interactions["rating"].to_numpy(), (codes, items))).toarray()
    made = data.matrix("rating").to_scipy()
    assert scipy.issparse(made) and made.format == "csr" and np.array_equal(made.toarray(), wanted)
    assert str(data.matrix()) == "UserItemMatrix(60 × 40: 1,200 cells)"  # no dump of three arrays
    assert np.array_equal(data.matrix().transposed.to_scipy().toarray(), (wanted > 0).T)
    with pytest.raises(UsageError, match="the interactions have no column 'stars'"):
        data.matrix("stars")


WIDTHS = [pl.Int8, pl.Int16, pl.Int32, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int64]


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
def test_ids_of_any_width_are_joined(kind) -> None:
    log = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 8]})
    users = pl.DataFrame({"user_id": pl.Series([1, 2], dtype=kind), "group": ["a", "b"]})
    items = pl.DataFrame({"item_id": pl.Series([7, 8], dtype=kind), "genres": [["x"], ["y"]]})
    for made in (
        rl.Dataset(log, users=users, items=items),
        rl.Dataset(log.cast({"user_id": kind, "item_id": kind}), users=users, items=items),
    ):
        assert {made.interactions.schema["user_id"], made.users.schema["user_id"]} == {pl.Int64}
        assert made.with_segments(group="group").segments.rows() == [(1, "a"), (2, "b")]
        assert made.interactions.join(made.items, on="item_id").height == 3
        assert rl.models.Content(features=["genres"], min_items=1).fit(made).items_.ids.to_list() == [7, 8]


def test_integers_and_text_are_joined_as_text() -> None:
    log = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 8]})
    made = rl.Dataset(log, users=pl.DataFrame({"user_id": ["1", "2"], "group": ["a", "b"]}))
    assert made.with_segments(group="group").segments.rows() == [("1", "a"), ("2", "b")]
    assert made.interactions.schema["item_id"] == pl.Int64  # only what differs changes
    assert made.card["rules"] == [
        {
            "code": "integer_ids_as_text",
            "count": 3,
            "facts": {"column": "user_id", "tables": ["interactions"]},
        }
    ]
    with pytest.raises(DataError, match="the id is missing"):
        rl.Dataset(log, users=pl.DataFrame({"user_id": [1.0, None], "group": ["a", "b"]}))


def test_metrics_are_objects(recs, split, result) -> None:
    from reclens.metrics.conventions import CONVENTIONS
    from reclens.testing.metrics import make_lists

    asked = rl.evaluate(recs, split.test, train=split.train, metrics=[rl.metrics.ndcg @ 5, rl.metrics.coverage.at(5)])
    assert asked.metrics == ("ndcg@5", "coverage@5")
    assert asked[rl.metrics.ndcg @ 5].overall.value == result["ndcg@5"].overall.value
    assert rl.evaluate(recs, split.test, metrics=rl.metrics.r_precision).metrics == ("r_precision",)
    # Called as a function: the relevant item at the second of two places, 1 / log2(3).
    values = rl.metrics.ndcg(make_lists([[0, 1]], [[1]]), CONVENTIONS["trec"])
    assert values == pytest.approx([1 / np.log2(3)])
    assert isinstance(rl.metrics.ndcg, rl.metrics.Metric) and "ideal" in (rl.metrics.ndcg.__doc__ or "").lower()
    assert {"ndcg", "metric"} <= set(dir(rl.metrics)) and rl.metrics.novelty.name == "novelty"

    def first_place(lists, convention):
        return lists.hits[:, 0].astype(np.float64)

    wrong = {
        r"a function, expected a name .* @rl\.metric\(title=…\) above def first_place": [first_place],
        "'ndcg' needs a cut-off. Write ndcg@10": [rl.metrics.ndcg],
        r"a metric is an int, .* rl\.metrics\.names\(\) lists them": [10],
    }
    for said, metrics in wrong.items():
        with pytest.raises(UsageError, match=said):
            rl.evaluate(recs, split.test, metrics=metrics)
    with pytest.raises(AttributeError, match=r"there is no metric 'ncdg'\. Did you mean 'ndcg'\?"):
        _ = rl.metrics.ncdg
    with pytest.raises(TypeError, match=r"the cut-off is a str, expected a whole number\. Write ndcg @ 10"):
        _ = rl.metrics.ndcg @ "10"
    with pytest.raises(UsageError, match="'r_precision' takes no cut-off"):
        _ = rl.metrics.r_precision @ 10


PLAN = """
name = "tea"
arms = {old = 0.5, new = 0.5}
days = 7
daily_units = 500

[[metrics]]
name = "clicks"
value = "clicks"
effect = 0.05
baseline = {mean = 2.0, sd = 1.0}
"""


def test_experiments(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    plan = rl.experiment.plan(tmp_path / "plan.toml")
    assert isinstance(plan, rl.experiment.Plan) and plan.control == "old"
    sizing = rl.experiment.size(plan)
    # (1.96 + 0.84)² s² (1 + (1 + lift)²) / d² units an arm, for a relative effect: the delta method.
    assert sizing.needed == pytest.approx(2 * 2.8016**2 * (1 + 1.05**2) / 0.1**2, rel=0.002)
    assert rl.experiment.size(str(tmp_path / "plan.toml")).needed == sizing.needed
    units = [f"u{n}" for n in range(4000)]
    arms = rl.experiment.assign(units, plan).table
    clicks = np.random.default_rng(0).poisson(2, len(units)) + 0.0
    log = arms.select("user_id", "variant").with_columns(clicks=pl.Series(clicks))
    readout = rl.experiment.read(plan, log)
    means = log.group_by("variant").agg(pl.col("clicks").mean()).sort("variant")["clicks"]
    (effect,) = readout.effects
    assert effect.absolute.value == pytest.approx(means[0] - means[1])
    assert readout.to_frame().equals(rl.experiment.read(plan, log.to_pandas()).to_frame())
    with pytest.raises(ArgumentTypeError, match="source is an int, expected a path, a DuckDB connection or a frame"):
        rl.experiment.read(plan, 3)
    for result in (sizing, readout, plan):
        assert result.to_frame().height and len(str(result).split("\n")) <= 20
    for wrong in (lambda: rl.experiment.read(log, plan), lambda: rl.experiment.assign(plan, units)):
        with pytest.raises(ArgumentTypeError, match=r"the plan is .* The plan comes first in size\(plan\) and read\("):
            wrong()
    with pytest.raises(UsageError, match=r"has no key 'armz'\. Did you mean 'arms'\?"):
        rl.experiment.plan({"name": "tea", "armz": {}, "metrics": [{"name": "clicks", "value": "clicks"}]})
    with pytest.raises(AttributeError, match=r"no attribute 'reed'\. Did you mean 'read'\?"):
        _ = rl.experiment.reed


def test_a_world_is_simulated() -> None:
    arms = {"popular": {"model": "popular"}, "random": {"model": "random"}}
    found = rl.lab.simulate(rl.lab.SimulationSettings(size="tiny", days=2, arms=arms, replicates=0))
    assert found.to_frame().height and len(str(found).split("\n")) <= 20
    with pytest.raises(ArgumentTypeError, match=r"settings is a dict, expected settings or a TOML file"):
        rl.lab.simulate({"size": "tiny"})


def test_any_source_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,4.0,100\n1,20,3.0,200\n2,10,5.0,300\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n10,A (1990),Drama\n20,B (1991),Comedy|Drama\n")
    assert rl.load(folder).fingerprint == rl.read_movielens(folder).fingerprint
    assert rl.load(folder, name="mine").name == "mine"
    table = tmp_path / "log.csv"
    table.write_text("customer;product\n1;a\n2;b\n")
    names = {"user_id": "customer", "item_id": "product"}
    assert rl.load(table, columns=names).fingerprint == rl.read(table, columns=names).fingerprint
    assert (
        rl.load(pl.read_csv(table, separator=";"), columns=names).fingerprint
        == rl.read(table, columns=names).fingerprint
    )
    users = tmp_path / "users.csv"
    users.write_text("user_id,tags\n1,x|y\n2,z\n")
    loaded = rl.load(table, columns=names, users=users, lists={"tags": "|"})
    assert loaded.users["tags"].to_list() == [["x", "y"], ["z"]]
    with pytest.raises(UsageError, match=r"brings attributes of its own: leave users= out"):
        rl.load(folder, users=users)
    with pytest.raises(DataError, match=r"Name it: columns=\{'user_id': 'customer'\}"):
        rl.load(table)
    with pytest.raises(ArgumentTypeError, match=r"source is a NoneType, .* Write load\('ml-1m\.zip'\)"):
        rl.load()


JOB = """
name = "tiny"
[data]
path = "log.csv"
[split]
method = "random"
[models.popular]
[models.item_knn]
[evaluate]
metrics = ["ndcg@5", "coverage@5"]
by = []
replicates = 50
"""


def test_a_job_runs_as_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data) -> None:
    from typer.testing import CliRunner

    from reclens.cli.app import app

    monkeypatch.chdir(tmp_path)
    data.interactions.select("user_id", "item_id").write_csv("log.csv")
    Path("job.toml").write_text(JOB)
    done = CliRunner().invoke(app, ["run", "job.toml", "--workspace", "cli", "--format", "json", "--quiet"])
    assert done.exit_code == 0, done.output
    found = rl.run_job("job.toml", workspace="api")
    there = {each: rl.Workspace("cli").load("evaluation", f"tiny-{each}") for each in ("popular", "item_knn")}
    assert {name: each.to_dicts() for name, each in found.results.items()} == {
        name: each.to_dicts() for name, each in there.items()
    }
    assert found.comparison is not None and found.report.is_file() and found.to_frame().height == 4
    with pytest.raises(UsageError, match=r"has no key 'modles'\. Did you mean 'models'\?"):
        rl.run_job({"modles": {}})
    with pytest.raises(ArgumentTypeError, match=r"job is a list, expected a TOML file, its content, or settings"):
        rl.run_job(["job.toml"])


def test_a_slip_in_a_name_is_named() -> None:
    for room, slip, meant in (
        (rl, "evalaute", "evaluate"),
        (rl.world, "simulte", "simulate"),
        (rl.stats, "questoin", "Question"),
    ):
        with pytest.raises(AttributeError, match=f"no attribute '{slip}'. Did you mean '{meant}'?"):
            getattr(room, slip)
