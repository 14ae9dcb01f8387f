"""Loading of a saved model of any class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reclens.data.manifest import VerifiedFolder, reading
from reclens.errors import Advice, DataError
from reclens.models._core.saving import load_model

if TYPE_CHECKING:
    from reclens.models._core.recommender import Recommender

__all__ = ["load_any_model"]


_FIX = "Fit the model again and save it."


def load_any_model(folder: str | Path) -> Recommender:
    """Read a model that was saved, whichever of RecLens' recommenders it is; nothing in the folder is executed.

    A recommender of your own is read by its class, ``MyModel.load(folder)``, and a pipeline by ``Pipeline.load``.

    Args:
        folder: The folder.

    Returns:
        The fitted model.

    Raises:
        DataError: If the folder does not hold a whole model of RecLens.
    """
    from reclens.models import get, names

    place = Path(folder)
    if (place / "pipeline.json").is_file():
        problem, advice = "it holds a pipeline", Advice("load_pipeline", text="Read it by rl.Pipeline.load(folder).")
        raise DataError(problem, source=str(place), fix=advice)
    with reading(place, "model", fix=_FIX):
        name = VerifiedFolder.open(place).json("header.json")["model"]
    if name not in names():
        advice = Advice("load_own_class", text="Read it with the load of its own class.")
        raise DataError(f"it holds a '{name}', which is none of RecLens", source=str(place), fix=advice)
    return load_model(get(name), place)
