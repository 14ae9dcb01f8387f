"""Whatever stands in a folder where a pipeline was kept: it is read as it was, or refused with a DataError."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from reclens.data.manifest import MANIFEST, write_manifest
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError
from reclens.pipeline import Pipeline
from reclens.pipeline._trees import check_trees

RERANK = [
    {"kind": "mmr"},
    {"kind": "xquad"},
    {"kind": "calibrated"},
    {"kind": "boost", "where": "genres includes War"},
    {"kind": "available", "exclude": [3]},
    {"kind": "seen"},
]


@pytest.fixture(scope="module")
def data():
    return synthetic_movielens(n_users=40, n_items=20, n_ratings=400, rng=3)


@pytest.fixture(scope="module")
def kept(data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    made = Pipeline(retrieve={"item_knn": {"k": 8}}, rank={"model": "ease"}, rerank=RERANK)
    made.fit(data, threads=1).save(folder)
    return folder


def read(folder: Path) -> str | None:
    """What the DataError says, or None where the pipeline was read; it is run then."""
    try:
        found = Pipeline.load(folder)
    except DataError as error:
        said = str(error)
    else:
        found.recommend(found.users_.ids.head(3), k=4, threads=1)
        return None
    assert str(folder) in said and "not a whole pipeline" in said
    return said


def test_every_file_belongs_to_the_pipeline(kept: Path, tmp_path: Path) -> None:
    """Cut off, empty, gone, or a byte changed: refused by the hash; with the right hash refused or run."""
    folder = shutil.copytree(kept, tmp_path / "copy")
    rng = np.random.default_rng(2)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        before = path.read_bytes()
        changed = np.frombuffer(before, np.uint8).copy()
        changed[rng.integers(len(changed))] ^= np.uint8(rng.integers(1, 256))
        for content in (before[: len(before) // 2], changed.tobytes()):
            path.write_bytes(content)
            assert read(folder) is not None, path
            if path.name != MANIFEST:
                write_manifest(folder)
                read(folder)
                shutil.copy(kept / MANIFEST, folder / MANIFEST)
        path.unlink()
        assert read(folder) is not None, path
        path.write_bytes(before)
    assert read(folder) is None


@pytest.mark.parametrize(
    ("number", "name"), [(1, "vectors_"), (2, "tail_"), (3, "shares_"), (4, "wanted_"), (5, "dropped_"), (6, None)]
)
def test_what_re_rankers_learned_is_held_against_its_form(number: int, name: str | None, kept: Path, tmp_path) -> None:
    folder = shutil.copytree(kept, tmp_path / "copy")
    path = folder / f"rerank-{number}.npz"
    whole = dict(np.load(path))
    # A re-ranker takes no attribute from a file that it did not learn: this one would hide its own method.
    wrong = [{**whole, "rerank": np.zeros(3)}]
    if name is not None:
        array = whole[name]
        wrong += [{}, {name: array[:-1]}, {name: array[None]}, {name: array.astype(np.float64)}, {name: array[:0]}]
        if array.dtype.kind == "f":
            nan, high = array.copy(), array.copy()
            nan[0, 0], high[0, 0] = np.nan, -1
            wrong += [{name: nan}, {name: high}]
    for arrays in wrong:
        np.savez(path, **arrays)
        write_manifest(folder)
        assert "the array '" in str(read(folder))


def test_models_of_other_users_are_no_stage(kept: Path, data, tmp_path: Path) -> None:
    from reclens.models import ItemKNN

    folder = shutil.copytree(kept, tmp_path / "copy")
    other = synthetic_movielens(n_users=30, n_items=20, n_ratings=300, rng=9)
    ItemKNN().fit(other).save(folder / "retrieve" / "item_knn")
    write_manifest(folder)
    assert "its model 'item_knn' was fitted on other data" in str(read(folder))


TREES = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=3
objective=lambdarank
feature_names=f0 f1 f2 f3
feature_infos=[-2.9:2.6] [-2.9:2.4] [-3.8:2.8] none
tree_sizes=350

Tree=0
num_leaves=4
num_cat=0
split_feature=0 3 0
split_gain=63.9976 3.55271e-15 3.55271e-15
threshold=1.0000000180025095e-35 -0.042560103614863155 1.15
decision_type=2 2 2
left_child=1 -1 -2
right_child=2 -3 -4
leaf_value=-0.19 0.19 -0.19 0.19
leaf_weight=7 5 0.31 2.2
leaf_count=244 178 12 66
internal_value=1.26897e-09 -0.2 0.2
internal_weight=15.9994 7.99971 7.99971
internal_count=500 256 244
is_linear=0
shrinkage=0.1


end of trees

parameters:
[boosting: gbdt]
"""


def sized(text: str) -> str:
    """The same with the size of its only tree as it is."""
    tree = text[text.index("Tree=0") : text.index("end of tree")]
    return text.replace("tree_sizes=350", f"tree_sizes={len(tree)}")


def test_trees_are_kept_without_what_stands_behind_them() -> None:
    whole = sized(TREES)
    assert check_trees(whole, 4) == whole[: whole.index("end of trees\n")] + "end of trees\n"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("split_feature=0 3 0", "split_feature=0 4 0"),  # a feature that there is not
        ("split_feature=0 3 0", "split_feature=0 -1 0"),
        ("split_feature=0 3 0", "split_feature=0 3"),  # one too few
        ("left_child=1 -1 -2", "left_child=9 -1 -2"),  # a node that there is not
        ("left_child=1 -1 -2", "left_child=0 -1 -2"),  # round in circles
        # two nodes that are each other's child, and hang on nothing
        ("left_child=1 -1 -2\nright_child=2 -3 -4", "left_child=-1 2 1\nright_child=-2 -3 -4"),
        ("right_child=2 -3 -4", "right_child=2 -3 -5"),  # a leaf that there is not
        ("right_child=2 -3 -4", "right_child=2 -3 -3"),  # one leaf twice
        ("decision_type=2 2 2", "decision_type=2 3 2"),  # categories, whose lists are not there
        ("leaf_value=-0.19 0.19 -0.19 0.19", "leaf_value=-0.19 0.19"),
        ("leaf_value=-0.19 0.19 -0.19 0.19", "leaf_value=-0.19 0.19 -0.19 many"),
        ("num_leaves=4", "num_leaves=4000000000"),
        ("num_cat=0", "num_cat=1"),
        ("is_linear=0", "is_linear=1"),
        ("shrinkage=0.1\n", "shrinkage=0.1\nextra=1\n"),
        ("max_feature_idx=3", "max_feature_idx=2"),
        ("num_class=1", "num_class=2"),
        ("objective=lambdarank", "objective=lambdarank\nlinear_tree=1"),
        ("end of trees", "end of tree"),
    ],
)
def test_trees_that_are_none(right: str, wrong: str) -> None:
    assert right in TREES
    with pytest.raises(DataError, match=r"trees is not as LightGBM|tree 0 is no tree over 4 features"):
        check_trees(sized(TREES.replace(right, wrong)), 4)
