"""How a fitted model is kept: arrays, ids and a JSON header in a folder, and a folder for each model it is made of."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from reclens.data.dataset import UserItemMatrix
from reclens.data.frames import read_parquet
from reclens.errors import WorkspaceError
from reclens.schema import ITEM, USER, Vocabulary, read_arrays, versions

if TYPE_CHECKING:
    from reclens.models._base import Recommender

__all__ = ["load_model", "save_model"]

FORMAT = 1
"""Version of the saved form."""

Model = TypeVar("Model", bound="Recommender")


def save_model(model: Recommender, folder: Path) -> None:
    """Write a fitted model into an existing folder."""
    np.savez(folder / "arrays.npz", allow_pickle=False, **model._state())
    pl.DataFrame({USER: model.users_.ids}).write_parquet(folder / "users.parquet")
    pl.DataFrame({ITEM: model.items_.ids}).write_parquet(folder / "items.parquet")
    np.savez(folder / "seen.npz", indptr=model.seen_.indptr, indices=model.seen_.indices)
    parts = model._parts()
    header = {"format": FORMAT, "model": model.name, "parameters": asdict(model), "train": model.train_,
              "parts": {label: part.name for label, part in parts.items()}, "versions": versions()}  # fmt: skip
    (folder / "header.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")
    for label, part in parts.items():
        (folder / label).mkdir()
        save_model(part, folder / label)


def load_model(cls: type[Model], folder: Path) -> Model:
    """Read a model back; nothing in the folder is executed.

    Raises:
        WorkspaceError: If the folder does not hold a whole model of this kind.
    """
    from reclens.models import get

    try:
        header = json.loads((folder / "header.json").read_text(encoding="utf-8"))
        if header["model"] != cls.name or header["format"] != FORMAT:
            raise ValueError(f"it holds a '{header['model']}' of format {header['format']}")
        model = cls(**header["parameters"])
        model.users_ = Vocabulary(read_parquet(folder / "users.parquet")[USER])
        model.items_ = Vocabulary(read_parquet(folder / "items.parquet")[ITEM])
        seen = read_arrays(folder / "seen.npz")
        ones = np.ones(len(seen["indices"]), np.float32)
        model.seen_ = UserItemMatrix(seen["indptr"], seen["indices"], ones, len(model.items_))
        model.train_ = header["train"]
        # A label names a folder inside this one, and nothing else.
        parts = {Path(label).name: name for label, name in header.get("parts", {}).items()}
        model._restore_parts({label: load_model(get(name), folder / label) for label, name in parts.items()})
        model._restore(read_arrays(folder / "arrays.npz"))
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError(
            f"{folder}: not a whole '{cls.name}' model ({error}). Fit the model again and save it."
        ) from error
    return model
