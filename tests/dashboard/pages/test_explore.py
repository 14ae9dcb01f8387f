"""The page Explore: the findings first, a map of what is shown, and what was asked about a user or another system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.dashboard import spaces
from reclens.explore import ExploreSettings, embed_model, pca_map, planted_space, run
from reclens.models import PureSVD
from reclens.report.explore.map_page import titles_by_id
from reclens.report.explore.sentences import finding_sentence, overall_sentence
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def space(workspace: Workspace) -> str:
    """A space of the catalogue that the workspace keeps."""
    train = workspace.load("split", "small").train
    workspace.save(embed_model(PureSVD(factors=8).fit(train), items=train.items).items, "films", overwrite=True)
    return "films"


def words(app: Any) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.info, *app.warning]
    return "\n".join(str(each.value) for each in shown).replace("\\", "")


@pytest.mark.parametrize("part", ["Map", "Findings", "Regions", "Why never shown", "Numbers"])
def test_each_part_is_drawn(part: str, open_page: Any, space: str) -> None:
    app = open_page("explore", space=space, lists="small-ease", part=part)
    assert "need" in words(app)
    drawn = {"Regions": 2, "Why never shown": 1}.get(part, 0)
    assert len(app.get("vega_lite_chart")) == drawn
    assert len(app.get("download_button")) >= 2


def test_without_a_space_one_is_learned_from_the_split(open_page: Any, space: str) -> None:
    app = open_page("explore", space=spaces.LEARNED, lists="small-popular", part="Numbers")
    assert "popular" in words(app)


def test_without_lists_the_map_stands_and_the_rest_says_what_it_needs(open_page: Any, space: str) -> None:
    app = open_page("explore", space=space, lists="Without lists", part="Regions")
    assert "This part needs lists" in words(app)


def test_what_a_user_has_and_is_shown(workspace: Workspace, space: str) -> None:
    split, lists = workspace.load("split", "small"), workspace.load("run", "small-ease").table
    films = workspace.load("space", space)
    user = split.test_users[0]
    explored = run(films, k=5, remedies=False)
    state, nearby = spaces.at_user(workspace, films, explored, "small", "small-ease", str(user))
    known = dict(zip(films.ids.to_list(), state.to_list(), strict=True))
    history = set(split.train.interactions.filter(pl.col("user_id") == user)["item_id"]) & set(known)
    listed = set(lists.filter(pl.col("user_id") == user)["item_id"]) & set(known)
    wanted = set(split.test.filter(pl.col("user_id") == user)["item_id"]) & set(known)
    assert {item for item, what in known.items() if what == "in the history"} == history
    assert {item for item, what in known.items() if what == "in the list"} == listed - history
    assert {item for item, what in known.items() if what.startswith("wanted later")} == wanted - listed - history
    inside = set(films.ids.filter(pl.Series(np.isin(explored.regions.fine, nearby))))
    assert {item for item, what in known.items() if what == "of an unexplored region nearby"} == inside - wanted
    assert not inside & (history | listed)


def test_the_page_names_the_regions_that_a_user_has_not_seen(open_page: Any, workspace: Workspace, space: str) -> None:
    app = open_page(
        "explore", space=space, lists="small-ease", user=str(workspace.load("split", "small").test_users[0])
    )
    assert "history or the list" in words(app)


def test_what_a_segment_is_shown(open_page: Any, workspace: Workspace, space: str) -> None:
    split, lists = workspace.load("split", "small"), workspace.load("run", "small-ease").table
    films = workspace.load("space", space)
    segments = spaces.segments_of(workspace, "small")
    assert {"activity: light", "activity: heavy"} <= segments.keys()
    light = split.train.segments.filter(pl.col("activity").cast(pl.String) == "light")["user_id"].to_list()
    counts = dict(lists.filter(pl.col("user_id").is_in(light))["item_id"].value_counts().rows())
    shown = spaces.shown_to(workspace, films, "small", "small-ease", segments["activity: light"])
    assert 0 < shown.sum() < len(lists) and shown.to_list() == [counts.get(each, 0) for each in films.ids]
    app = open_page("explore", space=space, lists="small-ease", segment="activity: light")
    assert next(each for each in app.selectbox if each.key == "segment").value == "activity: light"


def test_principal_components_are_drawn_while_umap_is_computed(
    open_page: Any, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    placed, outline = spaces.placed, spaces.outline
    monkeypatch.setattr(spaces, "placed", lambda films, method: order.append(method) or placed(films, method))
    monkeypatch.setattr(spaces, "outline", lambda films: order.append("outline") or outline(films))
    app = open_page("explore", space=space, lists="small-ease", map="UMAP")
    assert order[:2] == ["outline", "UMAP"] and "while UMAP is computed" not in words(app)
    app.run()
    assert order.count("outline") == 1, "once it is computed it is there"


def test_nobody_of_an_unknown_id(open_page: Any, space: str) -> None:
    app = open_page("explore", space=space, lists="small-ease", user="nobody")
    assert "user nobody has no history and no list" in words(app)
    hostile = open_page("explore", space=space, lists="small-ease", user="http://evil.example/x")
    (said,) = (each.value for each in hostile.warning)
    assert "evil" in said and "://" not in said.replace("\\", ""), "what is typed stays text"


def test_home_says_what_the_newest_exploration_found(open_page: Any, tmp_path: Path) -> None:
    world = planted_space("duplicates", strength=0.05, n_items=300, n_users=100, clusters=4)
    found = run(world.items, world.lists, world.truth, users=world.users, store=world.store, remedies=False)
    place = Workspace(tmp_path)
    place.save(found, "mine")
    app = open_page("home", folder=tmp_path)
    shown = words(app)
    assert overall_sentence(found) in shown
    grave = [finding_sentence(found, each) for each in found.findings if each.severity != "note"]
    assert grave and all(each in shown for each in grave[:3])
    titled = replace(world.items, attributes=pl.DataFrame({"title": [f"Film {each}" for each in world.items.ids]}))
    place.save(titled, found.card["space"])
    example = next(each for each in found.findings if each.severity != "note" and each.examples).examples[0]
    assert f"Film {example}" in words(open_page("home", folder=tmp_path)), "items are called by their titles"
    place.save(found, "newer")
    (tmp_path / "exploration" / "newer" / "exploration.npz").write_bytes(b"cut off")
    assert "Left out" in words(open_page("home", folder=tmp_path))


def test_what_a_command_found_stands_on_the_page_too(
    request: pytest.FixtureRequest, open_page: Any, workspace: Workspace, space: str
) -> None:
    items, split = workspace.load("space", space), workspace.load("split", "small")
    lists = workspace.load("run", "small-ease")
    found = run(items, lists, split.test, train=split.train, point_map=pca_map(items), settings=ExploreSettings(k=3))
    workspace.save(found, "of-ease", overwrite=True)
    request.addfinalizer(lambda: workspace.remove("exploration", "of-ease"))
    said = words(open_page("explore", space=space, lists="small-ease", part="Findings"))
    assert all(finding_sentence(found, each, titles_by_id(items)).split(" For ")[0] in said for each in found.findings)
    (chosen,) = (each for each in open_page("explore", space=space, lists="small-ease").selectbox if each.key == "map")
    assert chosen.value == spaces.KEPT
    # Of other lists nothing is kept: the page explores them itself.
    other = open_page("explore", space=space, lists="small-popular")
    assert spaces.KEPT not in next(each for each in other.selectbox if each.key == "map").options


def test_two_spaces_stand_side_by_side(
    request: pytest.FixtureRequest, open_page: Any, workspace: Workspace, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A space whose vectors are turned, in another order, has the map of the first one."""
    items = workspace.load("space", space)
    draw = np.random.default_rng(0)
    turn = np.linalg.qr(draw.normal(size=(items.dimension, items.dimension)))[0].astype(np.float32)
    turned = replace(items, vectors=items.vectors @ turn).take(draw.permutation(len(items)))
    few = {"turned": turned, "two-items": items.take(np.arange(2)), "half": items.take(np.arange(0, len(items), 2))}
    for name, each in few.items():
        workspace.save(each, name, overwrite=True)
        request.addfinalizer(lambda name=name: workspace.remove("space", name))
    drawn: list[Any] = []
    monkeypatch.setattr(spaces, "_packed", lambda *given: drawn.append(given) or spaces.pack_exploration(*given[:2]))

    def shown(**query: str) -> tuple[Any, str]:
        app = open_page("explore", space=space, lists="small-ease", map="PCA", **query)
        return drawn[-1], words(app)

    (found, _, _, _, second, _), _ = shown(second="turned")
    assert second["turned"].ids.to_list() == items.ids.to_list()
    middle = found.map.points.mean(axis=0)
    assert np.allclose(second["turned"].points, found.map.points - middle, atol=1e-3)
    (*_, none, _), said = shown(second="two-items")
    assert none == {} and "2 items are in both spaces, expected 3 or more" in said
    (*_, second, _), said = shown(second="half")
    assert len(second["half"]) == len(items) and f"{len(items) // 2} items are not in half" in said
    (*_, none, _), _ = shown()
    assert none == {}
