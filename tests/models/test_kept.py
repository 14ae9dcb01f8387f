"""Whatever stands in a folder where a model was kept: it is read as it was, or refused with a DataError.

A crafted file carries the right hashes, so that each change is tried with a manifest written anew: types, shapes and
ranges have to hold by themselves. What is not refused has to be served without an error.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.manifest import MANIFEST, write_manifest
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError
from reclens.models import Recommender
from reclens.schema import ITEM, USER

PARTS = {"popular": {}, "ease": {}}
SPECS: dict[str, dict[str, Any]] = {
    "als": {"factors": 4, "iterations": 1},
    "bpr": {"factors": 4, "epochs": 1},
    "pure_svd": {"factors": 4, "iterations": 1},
    "item_knn": {"neighbors": 5},
    "user_knn": {"neighbors": 5},
    "rp3beta": {"neighbors": 5},
    "item_knn of ratings": {"model": "item_knn", "neighbors": 5, "feedback": "explicit"},
    "user_knn of ratings": {"model": "user_knn", "neighbors": 5, "feedback": "explicit"},
    "knowledge": {"require": ["genres includes Drama"], "prefer": {"genres includes Comedy": 1.0}},
    "augmented_hybrid": {"models": PARTS},
    "cascade_hybrid": {"models": PARTS},
    "fusion_hybrid": {"models": PARTS},
    "switching_hybrid": {"models": PARTS, "min_history": {"popular": 0, "ease": 4}},
    "weighted_hybrid": {"models": PARTS},
}
OF_DEEP_ONES = {"sasrec": {"blocks": 1}, "deep_fm": {"hidden": [4]}}
"""One that reads sequences and one that reads fields: the others keep the same arrays by the same code."""
ALL = {**{name: {} for name in models.names() if models.get(name).extra is None}, **SPECS, **OF_DEEP_ONES}


def data():
    return synthetic_movielens(n_users=14, n_items=11, n_ratings=90, rng=3)


@pytest.fixture(scope="module")
def kept(
    tmp_path_factory: pytest.TempPathFactory, small_options: Callable[[str], dict]
) -> Callable[[str], tuple[Recommender, Path]]:
    """A fitted model and the folder it is kept in, by label."""
    train, made = data(), {}

    def of(label: str) -> tuple[Recommender, Path]:
        if label not in made:
            options = small_options(label) if label in models.names() else {}
            model = models.build(label, options | ALL[label]).fit(train, threads=1)
            folder = tmp_path_factory.mktemp("kept")
            model.save(folder)
            made[label] = model, folder
        return made[label]

    return of


def serve(model: Recommender) -> None:
    """Everything that runs over what was read."""
    lists = model.recommend(k=4, threads=1).table
    assert lists[ITEM].is_in(model.items_.ids.implode()).all()
    pairs = lists.select(USER, ITEM).head(5)
    model.score(pairs, threads=1)
    for user, item in pairs.rows()[:2]:
        model.explain(user, item)
    if getattr(model, "feedback", "") == "explicit":
        model.predict(pairs, threads=1)


def changes(array: np.ndarray) -> Iterator[tuple[str, np.ndarray | None, bool]]:
    """What was done to an array, the array (None: it is gone), and whether that has to be noticed."""
    yield "gone", None, True
    other = {"float32": "f8", "float64": "f4", "int32": "i8", "int64": "i4", "uint8": "i2", "bool": "u1"}
    yield "of another type", array.astype(other.get(array.dtype.name, "S8")), True
    yield "objects", array.astype("S20"), True
    yield "with a dimension more", array[None], True
    if array.dtype.byteorder == "=" and array.dtype.itemsize > 1 and array.dtype.kind in "fi":
        yield "with its bytes turned", array.astype(array.dtype.newbyteorder()), True
    if array.ndim and array.size:
        yield "shorter", array[:-1], True
        yield "empty", array[:0], True
        # Parquet is read from its end: the same twice is the same.
        yield "longer", np.concatenate([array, array[-1:]]), array.dtype != np.uint8
        yield "twice", np.concatenate([array, array]), array.dtype != np.uint8
    if array.ndim == 2:
        yield "by columns", np.asfortranarray(array), False
        yield "narrower", np.ascontiguousarray(array[:, :-1]), True
    if array.dtype.kind in "fi" and array.size:
        ends = (np.nan, np.inf, -np.inf) if array.dtype.kind == "f" else (-1, np.iinfo(array.dtype).max, 10**6)
        for value in ends:
            for place in {0, array.size - 1}:
                changed = array.copy()
                changed.reshape(-1)[place] = value
                yield f"{value} at {place}", changed, True
        if array.ndim and len(np.unique(array)) > 1:
            yield "backwards", array[::-1].copy(), False
    if array.dtype.kind == "f" and array.size:
        changed = array.copy()
        changed.reshape(-1)[0] = -1.0
        yield "with -1", changed, False


def read(model: Recommender, folder: Path) -> str | None:
    """What the DataError says, or None where the model was read; it is served then."""
    try:
        found = type(model).load(folder)
    except DataError as error:
        said = str(error)
    else:
        serve(found)
        return None
    assert str(folder) in said and said.endswith("Fit the model again and save it.")
    return said


@pytest.mark.parametrize("label", [label for label in ALL if "hybrid" not in label])
def test_every_array_is_held_against_its_form(label: str, kept) -> None:
    model, folder = kept(label)
    assert read(model, folder) is None
    tried = 0
    for path in sorted(folder.glob("*.npz")):
        before = path.read_bytes()
        whole = dict(np.load(path))
        for name, array in whole.items():
            for what, changed, noticed in changes(array):
                np.savez(path, **{key: each for key, each in (whole | {name: changed}).items() if each is not None})
                write_manifest(folder)
                said = read(model, folder)
                # One end more of the names of features is one name more, to which no cell refers.
                noticed = noticed and (name, what) != ("name_ends", "longer")
                assert said is not None or not noticed, f"{label}: {path.name}: '{name}' {what} is not noticed"
                tried += 1
        np.savez(path, **whole, stranger=np.zeros(3))
        write_manifest(folder)
        assert "'stranger' is one too many" in str(read(model, folder))
        path.write_bytes(before)
    assert tried > 25
    write_manifest(folder)
    assert read(model, folder) is None


def test_a_part_that_was_fitted_on_other_users(kept, tmp_path: Path) -> None:
    """A hybrid tells its models the rows of users: a model of fewer users would be read behind its end."""
    model, source = kept("weighted_hybrid")
    folder = shutil.copytree(source, tmp_path / "model")
    models.EASE().fit(synthetic_movielens(n_users=9, n_items=11, n_ratings=60, rng=8)).save(folder / "ease")
    write_manifest(folder)
    assert "its model 'ease' was fitted on other users" in str(read(model, folder))


def test_the_first_code_outside_the_catalogue(kept, tmp_path: Path) -> None:
    """Codes run to one less than there are items: the next one would be read behind the end."""
    model, source = kept("popular")
    folder = shutil.copytree(source, tmp_path / "model")
    seen = dict(np.load(folder / "seen.npz"))
    seen["indices"][-1] = len(model.items_)
    np.savez(folder / "seen.npz", **seen)
    write_manifest(folder)
    assert "expected codes from 0 to below items = 11" in str(read(model, folder))


@pytest.mark.parametrize("label", ["content", "weighted_hybrid"])
def test_damaged_files(label: str, kept, tmp_path: Path) -> None:
    """Bytes changed, files cut off, gone or mixed up: refused by the hash, and without it refused or served."""
    model, source = kept(label)
    folder = shutil.copytree(source, tmp_path / "model")
    rng = np.random.default_rng(7)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        before = path.read_bytes()
        damaged = [before[: len(before) // 2], b"", before + b"x", *(flipped(before, rng) for _ in range(3))]
        for content in damaged:
            path.write_bytes(content)
            assert read(model, folder) is not None, path
            if path.name != MANIFEST:
                write_manifest(folder)
                read(model, folder)
            shutil.copy(source / MANIFEST, folder / MANIFEST)
        path.unlink()
        assert read(model, folder) is not None, path
        path.write_bytes(before)
    assert read(model, folder) is None


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    changed[rng.integers(len(changed))] ^= np.uint8(rng.integers(1, 256))
    return changed.tobytes()


@pytest.mark.parametrize("label", ["user_knn of ratings", "content", "switching_hybrid"])
def test_every_entry_of_a_header(label: str, kept) -> None:
    """Each value replaced by others, with the right hash: refused, or served."""
    model, folder = kept(label)
    path = folder / "header.json"
    header = json.loads(path.read_text())

    def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if at:
            yield at
        keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in (key for key in keys if (*at, key) != ("versions",)):
            yield from places(node[key], (*at, key))

    for place in places(header):
        for value in (None, [], {"x": 1}, -1, 1e30, "gone"):
            changed = json.loads(path.read_text()) if value == "gone" else json.loads(json.dumps(header))
            node = changed
            for key in place[:-1]:
                node = node[key]
            if value == "gone":
                del node[place[-1]]
            else:
                node[place[-1]] = value
            path.write_text(json.dumps(changed))
            write_manifest(folder)
            read(model, folder)
            path.write_text(json.dumps(header))
    write_manifest(folder)
    assert read(model, folder) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda header: header.update(format=1), "of format 1, expected format 2"),
        (lambda header: header.update(model="popular"), "it holds a 'popular'"),
        (lambda header: header["parameters"].update(l2="much"), "l2 is 'much'"),
        (lambda header: header["parameters"].update(l2=-1), "l2 is -1"),
        (lambda header: header["parameters"].update(l3=1), "unknown hyper-parameter of ease 'l3'"),
        (lambda header: header["parameters"].clear(), "the hyper-parameters lack l2"),
        (lambda header: header["train"].clear(), "no name or hash"),
        (lambda header: header.update(parts={"../ease": "ease"}), "is no label"),
        (lambda header: header.update(parts={"other": "ease"}), "the manifest does not name 'other/header.json'"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(change: Callable[[dict], None], says: str, kept, tmp_path: Path) -> None:
    _, source = kept("ease")
    folder = shutil.copytree(source, tmp_path / "model")
    header = json.loads((folder / "header.json").read_text())
    change(header)
    (folder / "header.json").write_text(json.dumps(header))
    write_manifest(folder)
    with pytest.raises(DataError) as caught:
        models.EASE.load(folder)
    assert says in str(caught.value)


def test_a_model_of_an_older_version_is_fitted_again(kept, tmp_path: Path) -> None:
    _, source = kept("ease")
    folder = shutil.copytree(source, tmp_path / "model")
    (folder / MANIFEST).unlink()
    with pytest.raises(DataError, match=r"by an older version of RecLens\)\. Fit the model again and save it\."):
        models.EASE.load(folder)


@pytest.mark.parametrize("label", ["ease", "weighted_hybrid"])
def test_files_of_another_model_do_not_go_with_it(label: str, kept, tmp_path: Path) -> None:
    model, source = kept(label)
    folder = shutil.copytree(source, tmp_path / "model")
    other = synthetic_movielens(n_users=13, n_items=11, n_ratings=90, rng=8)
    models.build(label, ALL[label]).fit(other, threads=1).save(tmp_path / "model" / "..")
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        name = path.relative_to(source)
        if name.name in ("users.parquet", "seen.npz"):
            shutil.copy(tmp_path / name, folder / name)
            write_manifest(folder)
            said = read(model, folder)
            assert said is not None and ("seen.npz" in said or "on other users" in said), said
            shutil.copy(path, folder / name)


def test_an_array_cannot_state_more_than_the_file_holds(kept, tmp_path: Path) -> None:
    """A header of a terabyte over a few bytes is refused before anything of that size is made."""
    _, source = kept("popular")
    folder = shutil.copytree(source, tmp_path / "model")
    whole = (folder / "arrays.npz").read_bytes()
    stated = f"'shape': ({len(models.Popular.load(source).items_)},), }}".encode()
    assert stated in whole
    import zipfile

    with zipfile.ZipFile(folder / "arrays.npz") as archive:
        counts = archive.read("counts.npy")
    huge = counts.replace(stated, f"'shape': ({10**12},),}}".encode().ljust(len(stated)))
    with zipfile.ZipFile(folder / "arrays.npz", "w") as archive:
        archive.writestr("counts.npy", huge)
    write_manifest(folder)
    with pytest.raises(DataError, match=r"counts\.npy states 4,000,000,000,\d{3} bytes and holds"):
        models.Popular.load(folder)
    with zipfile.ZipFile(folder / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("counts.npy", counts)
    write_manifest(folder)
    with pytest.raises(DataError, match=r"counts\.npy states"):
        models.Popular.load(folder)


def test_ids_are_sorted_and_each_stands_once(kept, tmp_path: Path) -> None:
    model, source = kept("popular")
    folder = shutil.copytree(source, tmp_path / "model")
    ids = model.items_.ids
    for wrong, says in (
        (ids.reverse(), "not sorted"),
        (ids[[0, 0, *range(2, len(ids))]], "not sorted"),
        (ids.cast(pl.Float64), "expected integers or strings"),
        (ids.extend_constant(None, 1), "ids are null"),
    ):
        wrong.alias(ITEM).to_frame().write_parquet(folder / "items.parquet")
        write_manifest(folder)
        with pytest.raises(DataError, match=says):
            models.Popular.load(folder)
