"""The recommenders: one file each. The folder is the registry; listing it imports nothing.

``reclens.models.EASE`` is the class, ``get("ease")`` finds it by name, ``names()`` lists the names, and
``build("ease", {"l2": 500})`` makes one from a description as it stands in a TOML file.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reclens.errors import UnknownNameError

if TYPE_CHECKING:
    from reclens.models._core.build import build, build_all
    from reclens.models._core.degenerate import FitProblem, FitWarning, problems_in_words
    from reclens.models._core.explanation import Explanation
    from reclens.models._core.recommender import Recommender
    from reclens.models._core.search_space import Choice, Float, Whole
    from reclens.models.als import ALS
    from reclens.models.augmented_hybrid import AugmentedHybrid
    from reclens.models.bpr import BPR
    from reclens.models.cascade_hybrid import CascadeHybrid
    from reclens.models.content import Content
    from reclens.models.ease import EASE
    from reclens.models.fusion_hybrid import FusionHybrid
    from reclens.models.item_knn import ItemKNN
    from reclens.models.knowledge import Knowledge
    from reclens.models.popular import Popular
    from reclens.models.pure_svd import PureSVD
    from reclens.models.random import Random
    from reclens.models.recent_popular import RecentPopular
    from reclens.models.rp3beta import RP3beta
    from reclens.models.slim import SLIM
    from reclens.models.switching_hybrid import SwitchingHybrid
    from reclens.models.user_knn import UserKNN
    from reclens.models.weighted_hybrid import WeightedHybrid

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "SLIM",
    "AugmentedHybrid",
    "CascadeHybrid",
    "Choice",
    "Content",
    "Explanation",
    "FitProblem",
    "FitWarning",
    "Float",
    "FusionHybrid",
    "ItemKNN",
    "Knowledge",
    "Popular",
    "PureSVD",
    "RP3beta",
    "Random",
    "RecentPopular",
    "Recommender",
    "SwitchingHybrid",
    "UserKNN",
    "WeightedHybrid",
    "Whole",
    "build",
    "build_all",
    "describe",
    "get",
    "names",
    "problems_in_words",
]


def names() -> list[str]:
    """The names of all recommenders, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def get(name: str) -> type[Recommender]:
    """The class of a recommender.

    Raises:
        UnknownNameError: If there is none of that name.

    Example:
        >>> get("ease").__name__
        'EASE'
    """
    if name not in names():
        raise UnknownNameError("model", name, names())
    module = importlib.import_module(f"reclens.models.{name}")
    found: Any = next(
        value
        for value in vars(module).values()
        if inspect.isclass(value) and getattr(value, "name", None) == name and value.__module__ == module.__name__
    )
    return found


def describe(name: str) -> str:
    """One line on a recommender, read from its file without importing it.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in names():
        raise UnknownNameError("model", name, names())
    spec = importlib.util.find_spec(f"reclens.models.{name}")
    assert spec and spec.origin
    text = Path(spec.origin).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n", 1)[0]


def __getattr__(name: str) -> Any:
    homes = {
        "Recommender": "recommender",
        "Explanation": "explanation",
        "build": "build",
        "build_all": "build",
        **dict.fromkeys(("FitProblem", "FitWarning", "problems_in_words"), "degenerate"),
        **dict.fromkeys(("Choice", "Float", "Whole"), "search_space"),
    }
    if name in homes:
        return getattr(importlib.import_module(f"reclens.models._core.{homes[name]}"), name)
    for known in names() if name in __all__ else ():
        # "recent_popular" is RecentPopular, "ease" is EASE: the same letters.
        if known.replace("_", "") == name.lower():
            return get(known)
    raise AttributeError(f"module 'reclens.models' has no attribute '{name}'")
