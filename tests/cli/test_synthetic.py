"""Whatever a command shows or writes of synthetic data says so, in every format; what is real does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reclens.data.synthetic import synthetic_movielens

SHOP = 'name = "shop"\nretrieve.popular = { k = 20 }\nrank = { model = "ease" }\n'
LINE = "synthetic data: nobody in it exists"


@pytest.fixture(scope="module")
def filled(run, demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of the demo with a pipeline, and the same data as somebody's file, with a model of it."""
    folder = tmp_path_factory.mktemp("synthetic")
    shutil.copytree(demo[0], folder, dirs_exist_ok=True)
    (folder / "shop.toml").write_text(SHOP)
    said = run("pipeline", "fit", "shop.toml", "--split", "demo", cwd=folder).stderr
    assert LINE in said
    assert LINE in run("fit", "popular", "--split", "demo", cwd=folder).stderr
    synthetic_movielens(n_users=40, n_items=30, n_ratings=600).interactions.write_csv(folder / "theirs.csv")
    own = run("fit", "popular", "--data", "theirs.csv", "--name", "theirs", cwd=folder)
    assert LINE not in own.stderr
    run("fit", "item_knn", "--data", "theirs.csv", "--name", "knn", cwd=folder)
    return folder


SHOWN = [
    ("recommend", "popular", "-u", "42"),
    ("similar", "50", "-m", "demo-item_knn", "-k", "3"),
    ("pipeline", "recommend", "shop", "-u", "42"),
    ("pipeline", "trace", "shop", "42", "--split", "demo"),
    ("pipeline", "evaluate", "shop", "--split", "demo", "--requests", "0"),
    ("knowledge", "ask", "-p", "year high"),
    ("workspace", "sql", "SELECT count(*) FROM split_demo_test"),
]
OWN = [
    ("recommend", "theirs", "-u", "3"),
    ("similar", "3", "-m", "knn", "-k", "3"),
    ("data", "sql", "item_popularity", "--data", "theirs.csv"),
    ("workspace", "sql", "SELECT 1 AS one"),
]


@pytest.mark.parametrize(("words", "said"), [(each, True) for each in SHOWN] + [(each, False) for each in OWN], ids=str)
def test_a_table_says_that_its_data_are_synthetic(run, filled: Path, words: tuple[str, ...], said: bool) -> None:
    shown = run(*words, cwd=filled)
    assert shown.stdout.splitlines()[0].endswith("(synthetic data)") is said
    assert json.loads(run(*words, "-f", "json", cwd=filled).stdout)["title"].endswith("(synthetic data)") is said
    rows = run(*words, "-f", "csv", cwd=filled)
    assert (LINE in rows.stderr) is said and "synthetic" not in rows.stdout.splitlines()[0]
    assert ("*Synthetic data.*" in run(*words, "-f", "md", cwd=filled).stdout) is said


def test_arms_of_simulated_users_say_so(run, tmp_path: Path) -> None:
    run("experiment", "simulate", "--size", "tiny", "--days", "1", "--truth", "0", "--logs", "logs", "-q", cwd=tmp_path)
    (tmp_path / "plan.toml").write_text(
        'name = "c"\ncontrol = "old"\n[arms]\nold = 0.5\nnew = 0.5\n'
        '[[metrics]]\nname = "c"\nvalue = "c"\neffect = 0.05\n'
    )
    users = tmp_path / "logs" / "users.parquet"
    (tmp_path / "theirs.parquet").write_bytes(users.read_bytes())
    for units, said in ((users, True), (tmp_path / "theirs.parquet", False)):
        words = ("experiment", "assign", "plan.toml", units)
        assert (LINE in run(*words, cwd=tmp_path).stderr) is said
        table = run(*words, "--out", "arms.csv", cwd=tmp_path).stdout
        assert table.splitlines()[0] == ("Arms (synthetic data)" if said else "Arms")


def test_the_list_of_a_workspace_tells_which_artefacts_are_synthetic(run, filled: Path) -> None:
    rows = json.loads(run("workspace", "list", "model", "-f", "json", cwd=filled).stdout)["rows"]
    told = {row["name"]: row["synthetic"] for row in rows}
    assert told["theirs"] == told["knn"] == "no" and told["popular"] == told["demo-ease"] == "yes"
