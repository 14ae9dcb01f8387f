"""An embedding space: what it takes, what it refuses, and that it comes back from the disk as it was."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, IncomparableError
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.explore.vectors import unit_vectors
from reclens.report.data.artefact_words import artefact_summary
from reclens.workspace import Workspace

CARD = EmbeddingCard(model="by_hand", revision="1", dimension=3, source="file", normalized=False)


def space_of(ids, vectors, **more) -> EmbeddingSpace:
    return EmbeddingSpace(ids=pl.Series(ids), vectors=np.asarray(vectors), card=more.pop("card", CARD), **more)


@pytest.fixture
def space() -> EmbeddingSpace:
    words = pl.DataFrame({"title": ["🎬 Amélie", "שלום עולם", ""], "year": [2001, None, 1994]})
    left = pl.DataFrame({"id": ["d"], "reason": ["empty_text"]})
    vectors = [[3.0, 4.0, 0.0], [0.0, 0.0, 2.0], [1.0, -1.0, 0.0]]
    return space_of(["c", "a", "b"], vectors, attributes=words, left_out=left, name="films")


def test_rows_are_those_of_the_ids(space) -> None:
    assert space.rows(["b", "z", "c"]).tolist() == [2, -1, 0] and space.rows([]).tolist() == []
    taken = space.take(np.array([2, 0]))
    assert taken.ids.to_list() == ["b", "c"] and taken.vectors.tolist() == [[1.0, -1.0, 0.0], [3.0, 4.0, 0.0]]
    assert taken.attributes["year"].to_list() == [1994, 2001]
    with pytest.raises(DataError, match="none can match"):
        space.rows([1, 2])


def test_unit_vectors_are_divided_by_their_length(space) -> None:
    assert space.unit[0].tolist() == pytest.approx([0.6, 0.8, 0])
    assert space.vectors[0].tolist() == [3.0, 4.0, 0.0]
    tiny, huge = np.full((1, 4), 1e-30, np.float32), np.full((1, 4), 3e38, np.float32)  # squares beyond float32
    assert unit_vectors(tiny).tolist() == unit_vectors(huge).tolist() == [[0.5] * 4]


def test_a_space_comes_back_as_it_was(space, tmp_path) -> None:
    workspace = Workspace(tmp_path / "ws")
    workspace.save(space, "films")
    back = workspace.load("space", "films")
    assert back.ids.equals(space.ids) and np.array_equal(back.vectors, space.vectors)
    assert back.attributes.equals(space.attributes) and back.left_out.equals(space.left_out)
    assert (back.card, back.entity, back.name, back.revision) == (CARD, "item", "films", space.revision)
    assert artefact_summary(workspace.list("space")[0]) == "by_hand: 3 items, 3 dimensions, 1 without a vector"
    whole = space_of([2, 1], [[1, 0, 0], [0, 1, 0]])
    workspace.save(whole, "numbers")
    assert workspace.load("space", "numbers").ids.to_list() == [2, 1]


def test_a_changed_file_is_noticed(space, tmp_path) -> None:
    workspace = Workspace(tmp_path)
    home = workspace.save(space, "films")
    np.save(home / "vectors.npy", space.vectors * 2)
    with pytest.raises(DataError, match="not what was written"):
        workspace.load("space", "films")
    (home / "vectors.npy").write_bytes(b"no numbers")
    with pytest.raises(DataError, match="not a whole embedding space"):
        EmbeddingSpace.load(home)


@pytest.mark.parametrize(
    ("ids", "vectors", "said"),
    [
        (["a", "a"], [[1, 0, 0], [0, 1, 0]], r"column 'id', row 2: the id 'a' stands there more than once"),
        (["a", "b"], [[1, 0, 0], [0, np.nan, 0]], r"row 2: the vector of 'b' holds what is no finite number"),
        (["a", "b", "c"], [[0, 0, 0], [0, 0, 0], [1, 0, 0]], r"row 1: the vector of 'a' is 0, .* as does 1 more"),
        (["a", None], [[1, 0, 0], [0, 1, 0]], "1 ids are null"),
        (["a"], [[1, 0, 0], [0, 1, 0]], "there are 1 ids and 2 vectors"),
        (["a"], [[1, 0]], "the vectors have 2 dimensions, and the card says 3"),
        (["a"], [1, 0, 0], r"shape \(3,\), expected \(n, d\)"),
        (["a"], [[1e300, 0, 0]], "row 1: a number of the vectors is beyond float32"),
        ([1.5], [[1, 0, 0]], "ids are Float64, expected integers or strings"),
    ],
)
def test_what_is_no_space_is_refused(ids, vectors, said) -> None:
    with pytest.raises(DataError, match=said):
        space_of(ids, vectors)


def test_attributes_and_lengths_are_held_against_the_card() -> None:
    with pytest.raises(DataError, match="2 rows of attributes and 1 ids"):
        space_of(["a"], [[1, 0, 0]], attributes=pl.DataFrame({"x": [1, 2]}))
    with pytest.raises(DataError, match="an attribute is called 'id'"):
        space_of(["a"], [[1, 0, 0]], attributes=pl.DataFrame({"id": [1]}))
    with pytest.raises(DataError, match="vectors have length 1, and one has 2"):
        space_of(["a"], [[2, 0, 0]], card=EmbeddingCard(model="by_hand", revision="1", dimension=3, source="file"))


def test_what_has_no_direction_is_left_out_with_the_reason() -> None:
    vectors = np.array([[1, 0, 0], [0, 0, 0], [np.inf, 0, 0], [0, 0, 0], [0, 1, 0]])
    table = pl.DataFrame({"x": [1, 2, 3, 4, 5]})
    found = EmbeddingSpace.of_usable(
        pl.Series([10, 20, 30, 40, 50]), vectors, CARD, attributes=table, empty=np.array([1])
    )
    assert found.ids.to_list() == [10, 50] and found.attributes["x"].to_list() == [1, 5]
    assert found.left_out.rows() == [(20, "empty_text"), (30, "not_finite"), (40, "zero_vector")]
    with pytest.raises(DataError, match="none of 2 vectors has a direction"):
        EmbeddingSpace.of_usable(pl.Series([1, 2]), np.zeros((2, 3)), CARD)


def test_spaces_of_two_models_are_not_compared() -> None:
    CARD.check_same_model(EmbeddingCard(model="by_hand", revision="1", dimension=3, source="text"))
    with pytest.raises(IncomparableError, match="revision 1 and 2"):
        CARD.check_same_model(EmbeddingCard(model="by_hand", revision="2", dimension=3, source="file"))


def test_the_revision_tells_content_and_order(space) -> None:
    assert space.revision == space_of(["c", "a", "b"], space.vectors).revision  # attributes are not part of it
    assert space.revision != space.take(np.array([1, 0, 2])).revision
    assert len(json.dumps(space.revision)) == 18
