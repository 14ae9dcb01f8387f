"""``reclens explore demo`` and ``explore map``: a catalogue, what is shown of it, and its map in files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import reclens as rl
from reclens.explore import PointMap
from reclens.job.explore_demo import read_catalogue, run_demo, synthetic_catalogue
from reclens.job.explore_map import arranged_like
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory, run) -> Path:
    """The demonstration on 300 synthetic films, given as files of a catalogue and of ratings."""
    folder = tmp_path_factory.mktemp("explore-demo")
    catalogue, data = synthetic_catalogue(seed=1, users=150, items=300)
    table = catalogue.table.with_columns(pl.col("genres").list.join(", "), year=pl.col("year") + 0.5)
    table.rename({"item_id": "movieId"}).write_csv(folder / "films.csv")
    data.interactions.select("user_id", "item_id", "timestamp").write_csv(folder / "events.csv")
    done = run(
        *("explore", "demo", "--data", "films.csv", "--ratings", "events.csv", "--map", "pca", "--format", "json"),
        cwd=folder,
    )
    (folder / "said.txt").write_text(done.stderr)
    (folder / "numbers.json").write_text(done.stdout)
    return folder


def test_everything_is_kept_and_the_files_are_written(home: Path) -> None:
    place, said = Workspace(home / "workspace"), (home / "said.txt").read_text()
    kinds = {each.kind for each in place.list() if each.name == "explore-demo"}
    assert kinds == {"space", "split", "run", "exploration"}
    found, numbers = place.load("exploration", "explore-demo"), json.loads((home / "numbers.json").read_text())["rows"]
    assert {row["measure"]: row["value"] for row in numbers} == {
        each.measure: pytest.approx(each.estimate.value, nan_ok=True) for each in found.measures
    }
    assert found.coverage.users == 150 and found.missing == ("before", "category")
    split = place.load("split", "explore-demo")
    assert split.test.height == 150 * 5 and "150 users, 750 interactions held out; 0 are with other items" in said
    for name in ("explore-demo-map.html", "explore-demo.html", "explore-demo.md"):
        assert (home / "workspace" / "reports" / name).is_file() and name in said
    first = place.load("space", "explore-demo").attributes["title"]
    assert re.search(r"search for 'A[^']+': (.+)", said).group(1).split("; ")[0] in set(first)  # type: ignore[union-attr]


def test_the_columns_of_a_catalogue_are_told_by_their_content(home: Path, tmp_path: Path) -> None:
    films = read_catalogue(home / "films.csv")
    assert (films.id_column, films.texts, films.labels, films.synthetic) == (
        "movieId",
        ("title", "plot"),
        ("genres",),
        False,
    )
    assert films.table["genres"].dtype == pl.List(pl.String) and films.table["movieId"].dtype == pl.Int64
    long = "a text of more than forty characters, that is about something"
    for table, said in (
        ({"id": [1, 2], "title": ["a", "b"]}, "no column holds texts of 40 characters"),
        ({"kind": ["a", "a"], "plot": [long, long]}, "there are no ids"),
    ):
        pl.DataFrame(table).write_csv(tmp_path / "odd.csv")
        with pytest.raises(rl.errors.DataError, match=said):
            read_catalogue(tmp_path / "odd.csv")


def test_the_synthetic_catalogue_is_labelled_wherever_it_is_shown(tmp_path: Path) -> None:
    catalogue, data = synthetic_catalogue(seed=2, users=60, items=120)
    place = Workspace(tmp_path)
    done = run_demo(place, catalogue, data)
    assert done.synthetic and len(done.answers) == 3 and done.answers[0] in set(done.space.attributes["title"])
    assert all(each.synthetic for each in place.list()), [each for each in place.list() if not each.synthetic]
    assert all("Synthetic" in path.read_text(encoding="utf-8") for path in done.written)
    # Without ratings nothing is known of what is shown; the index is probed by titles.
    bare = run_demo(place, catalogue)
    assert (
        bare.found.coverage is None
        and bare.found.probe is not None
        and dict(bare.found.probe.queries).keys() == {"titles"}
    )


def test_what_cannot_be_demonstrated_is_said(home: Path, run) -> None:
    for words, said in (
        (("--ratings", "events.csv"), "--ratings is given without --data"),
        (("--data", "films.csv", "--map", "tsne"), "unknown --map 'tsne'"),
        (("--data", "films.csv", "--read", "header=false"), "--read header cannot be used: no --ratings are read"),
        (("--data", "events.csv"), "no column holds texts"),
    ):
        assert said in run("explore", "demo", *words, cwd=home, status=2).stderr


def test_maps_pictures_and_tables_of_a_kept_exploration(home: Path, run) -> None:
    place = Workspace(home / "workspace")
    run("fit", "pure_svd", "-p", "factors=4", "--split", "explore-demo", "--name", "svd", "--quiet", cwd=home)
    run("explore", "embed", "svd", "--model", "svd", "--quiet", cwd=home)
    made = run(
        *("explore", "map", "explore-demo", "--exploration", "explore-demo", "--beside", "explore-demo"),
        *("--other", "svd", "--page", "m.html", "--picture", "m.png", "--atlas", "m.parquet", "--format", "json"),
        cwd=home,
    )
    rows = {row["what"]: row["file"] for row in json.loads(made.stdout)["rows"]}
    assert rows == {"map": "m.html", "picture": "m.png", "items": "m.parquet", "labels": "m-labels.parquet"}
    found, space = place.load("exploration", "explore-demo"), place.load("space", "explore-demo")
    with Image.open(home / "m.png") as picture:
        assert picture.size[0] * 3 == picture.size[1] * 4 and picture.getextrema()[3][1] == 255
    items = pl.read_parquet(home / "m.parquet")
    assert items["id"].equals(space.ids) and items["x"].to_numpy() == pytest.approx(found.map.points[:, 0])
    near = items["neighbors"].struct.unnest()
    cosines = space.unit @ space.unit[near["ids"][7].to_numpy()].T
    assert near["distances"][7].to_numpy() == pytest.approx(1 - cosines[7], abs=1e-5)
    assert 7 not in near["ids"][7].to_list() and near["ids"].list.len().unique().to_list() == [10]
    labels = pl.read_parquet(home / "m-labels.parquet")
    assert set(labels["text"]) == {*found.regions.names, *found.regions.coarse_names}
    assert "embedding-atlas m.parquet --x x --y y --neighbors neighbors --labels m-labels.parquet" in made.stderr
    alone = run("explore", "map", "svd", "--format", "json", cwd=home)
    assert json.loads(alone.stdout)["rows"] == [{"what": "map", "file": "workspace/reports/svd-map.html"}]


def test_more_points_than_a_page_can_hold_are_a_picture(
    home: Path, run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = Workspace(home / "workspace")
    for most, kinds in ((len(place.load("space", "explore-demo")), {"map"}), (100, {"picture"})):
        monkeypatch.setattr("reclens.job.explore_map.LARGEST_MAP", most)
        made = run("explore", "map", "explore-demo", "--page", str(tmp_path / "m.html"), "--format", "json", cwd=home)
        rows = {row["what"]: home / row["file"] for row in json.loads(made.stdout)["rows"]}
        assert rows.keys() == kinds and all(each.exists() for each in rows.values())
    assert "300 points are more than a page can hold: a picture is written" in made.stderr
    assert rows["picture"] == home / "workspace/reports/explore-demo-map.png"
    with Image.open(rows["picture"]) as picture:
        assert picture.getextrema()[3] == (0, 255), "there are points, and places without any"


def test_a_map_of_another_space_is_refused(home: Path, run) -> None:
    place = Workspace(home / "workspace")
    place.save(place.load("space", "explore-demo").take(range(200)), "fewer", overwrite=True)
    for words, said in (
        (("fewer", "--exploration", "explore-demo"), "Explore it again"),
        (("explore-demo", "--beside", "nosuch"), "nosuch"),
        (("explore-demo", "--map", "tsne"), "unknown --map"),
    ):
        assert said in run("explore", "map", *words, cwd=home, status=2).stderr


def test_a_second_map_is_turned_onto_the_first(space_of_points) -> None:
    """A map that is the first one, turned, mirrored and without its last points, comes out as the first one."""
    space, first = space_of_points
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1])
    other = PointMap(
        ids=space.ids[:18], points=(first.points[:18] @ turn + 5).astype(np.float32), method="pca", revision="x"
    )
    made, lacking = arranged_like(first, space, other)
    assert lacking == 2 and made.ids.equals(space.ids)
    centred = first.points - first.points[:18].mean(axis=0)
    assert made.points[:18] == pytest.approx(centred[:18], abs=1e-4)
    with pytest.raises(rl.errors.DataError, match="0 items are in both"):
        arranged_like(
            first, space, PointMap(ids=pl.Series(["a", "b"]), points=first.points[:2], method="pca", revision="x")
        )


@pytest.fixture
def space_of_points():
    draw = np.random.default_rng(0)
    space = rl.explore.read_vectors(draw.standard_normal((20, 5)), normalize=True)
    return space, PointMap(
        ids=space.ids, points=draw.standard_normal((20, 2)).astype(np.float32), method="pca", revision="y"
    )
