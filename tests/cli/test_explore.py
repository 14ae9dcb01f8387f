"""``reclens explore``: from texts, a model and a file to answers, in one workspace."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from reclens.workspace import Workspace


def rows_of(found) -> list[dict[str, object]]:
    return json.loads(found.stdout)["rows"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run):
    """A workspace with a space of forty plots, and its store."""
    home = tmp_path_factory.mktemp("explore")
    kinds = ("a shark hunts swimmers at the beach", "a robot army attacks the moon base", "two lovers meet in paris")
    pl.DataFrame(
        {
            "show_id": [f"s{n}" for n in range(42)],
            "plot": [f"{kinds[n % 3]} part {n % 7}" if n < 40 else "" for n in range(42)],
            "kind": [("shark", "robot", "love")[n % 3] for n in range(42)],
            "year": [1990 + n for n in range(42)],
        }
    ).write_csv(home / "plots.csv")
    made = run(
        *("explore", "embed", "plots", "--texts", "plots.csv", "--text", "plot", "--id-column", "show_id"),
        *("--dimension", "3", "--format", "json"),
        cwd=home,
    )
    row = rows_of(made)[0]
    assert (row["space"], row["model"], row["vectors"], row["left out"]) == ("plots", "tfidf_svd", 40, 2)
    indexed = run("explore", "index", "plots", "--format", "json", cwd=home)
    assert rows_of(indexed)[0] == {"store": "local:workspace/stores/plots", "vectors": 40, "search": "exact"}
    return home


def test_search_by_text_and_by_example(folder, run) -> None:
    def found(*words: str) -> list[dict[str, object]]:
        return rows_of(run("explore", "search", "plots", *words, "--format", "json", cwd=folder))

    by_text = found("--text", "sharks and swimmers", "-k", "5")
    assert len(by_text) == 5 and {each["kind"] for each in by_text} == {"shark"}
    by_example = found("--like", "s1", "--like", "s4", "-k", "30")
    assert {each["kind"] for each in by_example[:11]} == {"robot"} and not {"s1", "s4"} & {x["id"] for x in by_example}
    narrow = found("--like", "s1", "--where", "kind=love", "--where", 'year={"gte": 2000, "lt": 2010}')
    shown = run("explore", "search", "plots", "--like", "s0", "--where", "year=1993", cwd=folder).stdout
    assert "1993" in shown and "1,993" not in shown  # a year, and no count
    assert narrow and all(x["kind"] == "love" and 2000 <= x["year"] < 2010 for x in narrow)


def test_what_cannot_be_searched_is_said(folder, run) -> None:
    for words, said in (
        (("--text", "xyzzy"), "no word of 'xyzzy' is known"),
        ((), "expected one of --text and --like"),
        (("--like", "s99x"), "unknown id 's99x'"),
        (("--like", "s1", "--where", "kinf=love"), "Did you mean 'kind'"),
    ):
        assert said in run("explore", "search", "plots", *words, cwd=folder, status=2).stderr


def test_a_space_moves_between_stores(folder, run) -> None:
    moved = run("explore", "move", "plots", "--to", "local:copy", "--format", "json", cwd=folder)
    assert rows_of(moved)[0]["written"] == 40
    again = run("explore", "move", "local:copy", "--to", "local:copy2", "--format", "json", cwd=folder)
    assert rows_of(again)[0]["compared"] == 40


def test_a_model_and_a_file_of_vectors_become_spaces(folder, run) -> None:
    run("data", "split", "--name", "films", "--quiet", cwd=folder)
    run("fit", "pure_svd", "-p", "factors=4", "--split", "films", "--name", "svd", "--quiet", cwd=folder)
    made = rows_of(run("explore", "embed", "svd", "--model", "svd", "--format", "json", cwd=folder))
    assert [each["space"] for each in made] == ["svd", "svd-users"]
    assert Workspace(folder / "workspace").load("space", "svd-users").entity == "user"
    np.save(folder / "v.npy", np.eye(5))
    run("explore", "embed", "eye", "--vectors", "v.npy", "--entity", "query", cwd=folder)
    assert Workspace(folder / "workspace").load("space", "eye").ids.to_list() == [0, 1, 2, 3, 4]
    films = Workspace(folder / "workspace").load("space", "svd").attributes
    assert {"title", "genres", "year"} <= set(films.columns)  # of the data that the model learned from
    broken = np.eye(5)
    broken[2] = 0
    np.save(folder / "broken.npy", broken)
    run("explore", "embed", "kept", "--vectors", "broken.npy", "--invalid", "leave_out", cwd=folder)
    assert Workspace(folder / "workspace").load("space", "kept").left_out.rows() == [(2, "zero_vector")]
    table = {"item_id": [1, 2], "short": [[1.0], [2.0]], "long": [[1.0, 2.0], [2.0, 1.0]]}
    pl.DataFrame(table).write_parquet(folder / "two.parquet")
    run("explore", "embed", "long", "--vectors", "two.parquet", "--vector-column", "long", cwd=folder)
    assert Workspace(folder / "workspace").load("space", "long").dimension == 2
    for words, said in (
        (("--vectors", "two.parquet"), "Name the column of the vectors by --vector-column."),
        (("--vectors", "broken.npy"), "the vector of 2 is 0"),
        (("--vectors", "v.npy", "--model", "svd"), "expected one of --texts, --model and --vectors"),
        (("--vectors", "v.npy", "--text", "plot"), "--text"),
        (("--vectors", "v.npy", "--dimension", "4"), "--dimension"),
        (("--model", "svd", "--entity", "user"), "--entity"),
    ):
        assert said in run("explore", "embed", "other", *words, cwd=folder, status=2).stderr
    assert "exists" in run("explore", "embed", "eye", "--vectors", "v.npy", cwd=folder, status=2).stderr
    run("explore", "index", "eye", cwd=folder)
    assert "made of a file, not of texts" in run("explore", "search", "eye", "--text", "x", cwd=folder, status=2).stderr
