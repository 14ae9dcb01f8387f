"""Saving and loading of fitted models: a folder with arrays, ids and a JSON header, and a subfolder per member model.

A manifest with the hash of every file is written last. Everything is checked when it is loaded: files against the
manifest, arrays against the forms that the model declares, hyper-parameters like those of a description, and the files
against each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import polars as pl

from reclens.cards import TrainCard
from reclens.data.dataset import UserItemMatrix
from reclens.data.manifest import VerifiedFolder, mapping, reading, start_writing, write_manifest
from reclens.errors import DataError
from reclens.models._core.defaults import Rule
from reclens.models._core.degenerate import FitProblem, read_problems
from reclens.models._core.form import Form, check_arrays, codes, pointers
from reclens.models._core.parameters import Described, is_label, make
from reclens.schema import ITEM, USER, Vocabulary, versions

__all__ = ["Saveable", "load_model", "read_matrix", "read_model", "save_model", "write_histories", "write_model"]

FORMAT = 2
"""Version of the format: 2 has a manifest, and a form for every array."""


class Saveable(Described, Protocol):
    """The part of a fitted recommender that is saved and restored."""

    users_: Vocabulary
    items_: Vocabulary
    seen_: UserItemMatrix
    train_: TrainCard
    titles_: pl.Series | None
    resolved_: dict[str, Any]
    problems_: tuple[FitProblem, ...]
    automatic: ClassVar[Mapping[str, Rule]]

    def _state(self) -> dict[str, np.ndarray]: ...

    def _form(self) -> Mapping[str, Form]: ...

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None: ...

    def _parts(self) -> Mapping[str, Saveable]: ...

    def _restore_parts(self, parts: Any) -> None: ...


_FIX = "Fit the model again and save it."

Model = TypeVar("Model", bound=Saveable)


def save_model(model: Saveable, folder: Path) -> None:
    """Write a fitted model into an existing folder, with the manifest last."""
    start_writing(folder)
    write_model(model, folder)
    write_manifest(folder)


def write_model(model: Saveable, folder: Path) -> None:
    """Write a fitted model into an existing folder without a manifest, which the caller writes."""
    arrays = check_arrays(model._state(), model._form(), _sizes(model))
    np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
    write_histories(model.users_, model.items_, model.seen_, folder)
    if model.titles_ is not None:
        pl.DataFrame({"title": model.titles_}).write_parquet(folder / "titles.parquet")
    parts = model._parts()
    header = {
        "format": FORMAT,
        "model": model.name,
        "parameters": asdict(model),
        "train": model.train_,
        "resolved": model.resolved_,
        "problems": [asdict(each) for each in model.problems_],
        "parts": {label: part.name for label, part in parts.items()},
        "versions": versions(),
        "titles": model.titles_ is not None,
    }
    (folder / "header.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")
    for label, part in parts.items():
        (folder / label).mkdir(exist_ok=True)
        write_model(part, folder / label)


def write_histories(users: Vocabulary, items: Vocabulary, seen: UserItemMatrix, folder: Path) -> None:
    """Write ids and histories of a model or a pipeline; :func:`read_matrix` reads the histories."""
    pl.DataFrame({USER: users.ids}).write_parquet(folder / "users.parquet")
    pl.DataFrame({ITEM: items.ids}).write_parquet(folder / "items.parquet")
    np.savez(folder / "seen.npz", indptr=seen.indptr, indices=seen.indices)


def load_model(cls: type[Model], folder: Path) -> Model:
    """Load a model; nothing in the folder is executed.

    Raises:
        DataError: If the folder does not hold a whole model of this kind.
    """
    with reading(folder, f"'{cls.name}' model", fix=_FIX):
        return read_model(cls, VerifiedFolder.open(folder))


def read_model(cls: type[Model], kept: VerifiedFolder) -> Model:
    """Load a model from an opened folder."""
    from reclens.models import get

    header = kept.json("header.json")
    if header["model"] != cls.name or header["format"] != FORMAT:
        raise DataError(f"it holds a '{header['model']}' of format {header['format']}, expected format {FORMAT}")
    model = _made(cls, mapping(header["parameters"], "the hyper-parameters"))
    model.users_, model.items_ = kept.ids("users.parquet", USER), kept.ids("items.parquet", ITEM)
    model.seen_ = read_matrix(kept, model.users_, model.items_)
    if header.get("titles") is True:
        model.titles_ = kept.texts("titles.parquet", "title", len(model.items_))
    about: Any = {"synthetic": False} | mapping(header["train"], "what is said of the training data")
    if not all(isinstance(about.get(name), str) for name in ("name", "hash")):
        raise DataError("what is said of the training data has no name or hash")
    model.train_ = about
    model.resolved_ = _resolved(model, mapping(header["resolved"], "what the hyper-parameters became"))
    model.problems_ = read_problems(header["problems"])
    parts: dict[str, Any] = {}
    for label, name in mapping(header["parts"], "the list of models that it is made of").items():
        if not is_label(label):
            raise DataError(f"'{label}' is no label of a model")
        parts[label] = read_model(get(name), kept.part(label))
        # The parts get the number of users.
        if not parts[label].users_.ids.equals(model.users_.ids):
            raise DataError(f"its model '{label}' was fitted on other users")
        if parts[label].items_.is_integer != model.items_.is_integer:
            raise DataError(f"its model '{label}' was fitted on items of another type")
    model._restore_parts(parts)
    model._restore(check_arrays(kept.arrays("arrays.npz"), model._form(), _sizes(model)))
    return model


def read_matrix(kept: VerifiedFolder, users: Vocabulary, items: Vocabulary) -> UserItemMatrix:
    """Read the histories of a folder.

    Raises:
        DataError: If a user has no item, or the items of a user do not ascend.
    """
    sizes = {"users": len(users), "items": len(items)}
    forms = {"indptr": pointers("users", cells="cells"), "indices": codes("cells", of="items")}
    try:
        found = check_arrays(kept.arrays("seen.npz"), forms, sizes)
    except DataError as error:
        raise DataError(f"in 'seen.npz' {error}") from error
    indptr, indices = found["indptr"], found["indices"]
    rises = np.diff(indices) > 0
    rises[indptr[1:-1] - 1] = True  # steps from the last item of a user to the first of the next one
    if len(indptr) < 2 or (indptr[1:] == indptr[:-1]).any() or not rises.all():
        raise DataError("in 'seen.npz' there is no user, a user has no item, or the items of a user do not ascend")
    return UserItemMatrix(indptr, indices, np.ones(len(indices), np.float32), len(items))


def _made(cls: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Make a model from hyper-parameters, which are checked like those of a description."""
    missing = [field.name for field in fields(cls) if field.name not in parameters]
    if missing:
        raise DataError(f"the hyper-parameters lack {', '.join(missing)}")
    return make(cls, parameters)


def _resolved(model: Saveable, found: Mapping[str, Any]) -> dict[str, float]:
    """Hyper-parameters that were set by rules in the fit, checked like given ones."""
    open_ = {name for name in model.automatic if getattr(model, name) is None}
    if set(found) != open_ or None in found.values():
        raise DataError(
            f"there are values by rule for {', '.join(found) or 'nothing'}, expected them for "
            f"{', '.join(open_) or 'nothing'}"
        )
    made = make(type(model), {**asdict(model), **found})
    return {name: getattr(made, name) for name in open_}


def _sizes(model: Saveable) -> dict[str, int]:
    """Sizes that forms refer to by name."""
    own = {field.name: getattr(model, field.name) for field in fields(model)}
    whole = {name: value for name, value in own.items() if isinstance(value, int) and not isinstance(value, bool)}
    return {**whole, "users": len(model.users_), "items": len(model.items_), "cells": len(model.seen_.indices)}
