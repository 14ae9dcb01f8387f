"""The recommenders. Listing the names imports no model.

``reclens.models.EASE`` is the class, ``get("ease")`` finds it by name, ``names()`` lists the names, and
``build("ease", {"l2": 500})`` creates one from the description in a TOML file.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reclens.errors import UnknownNameError, suggest

if TYPE_CHECKING:
    from reclens.models._core.build import build, build_all
    from reclens.models._core.degenerate import FitProblem, FitWarning
    from reclens.models._core.explanation import Explanation
    from reclens.models._core.from_recbole import Translated, from_recbole
    from reclens.models._core.recommender import Recommender
    from reclens.models._core.search_space import Choice, Float, Whole
    from reclens.models.als import ALS as ALS
    from reclens.models.augmented_hybrid import AugmentedHybrid as AugmentedHybrid
    from reclens.models.bert4rec import BERT4Rec as BERT4Rec
    from reclens.models.bpr import BPR as BPR
    from reclens.models.cascade_hybrid import CascadeHybrid as CascadeHybrid
    from reclens.models.content import Content as Content
    from reclens.models.deep_fm import DeepFM as DeepFM
    from reclens.models.ease import EASE as EASE
    from reclens.models.esasrec import ESASRec as ESASRec
    from reclens.models.fm import FM as FM
    from reclens.models.fusion_hybrid import FusionHybrid as FusionHybrid
    from reclens.models.gru4rec import GRU4Rec as GRU4Rec
    from reclens.models.hstu import HSTU as HSTU
    from reclens.models.item_knn import ItemKNN as ItemKNN
    from reclens.models.knowledge import Knowledge as Knowledge
    from reclens.models.popular import Popular as Popular
    from reclens.models.pure_svd import PureSVD as PureSVD
    from reclens.models.random import Random as Random
    from reclens.models.recent_popular import RecentPopular as RecentPopular
    from reclens.models.rp3beta import RP3beta as RP3beta
    from reclens.models.sasrec import SASRec as SASRec
    from reclens.models.slim import SLIM as SLIM
    from reclens.models.switching_hybrid import SwitchingHybrid as SwitchingHybrid
    from reclens.models.two_tower import TwoTower as TwoTower
    from reclens.models.user_knn import UserKNN as UserKNN
    from reclens.models.weighted_hybrid import WeightedHybrid as WeightedHybrid
    from reclens.models.wide_deep import WideDeep as WideDeep

__all__ = [
    "Choice",
    "Explanation",
    "FitProblem",
    "FitWarning",
    "Float",
    "Recommender",
    "Translated",
    "Whole",
    "build",
    "build_all",
    "classes",
    "describe",
    "from_recbole",
    "get",
    "names",
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
    return (ast.get_docstring(ast.parse(_source(name))) or "").split("\n", 1)[0]


def classes() -> list[str]:
    """The names of the classes of all recommenders, read from their files without importing them."""
    found: list[str] = []
    for name in names():
        text = _source(name)
        matches = re.findall(r"^class (\w+)", text, re.M)
        found += [each for each in matches if each.lower() == name.replace("_", "")][:1]
    return sorted(found)


def _source(name: str) -> str:
    spec = importlib.util.find_spec(f"reclens.models.{name}")
    assert spec and spec.origin
    return Path(spec.origin).read_text(encoding="utf-8")


_SHARED: Final = {
    **dict.fromkeys(("build", "build_all"), "build"),
    **dict.fromkeys(("Choice", "Float", "Whole"), "search_space"),
    **dict.fromkeys(("FitProblem", "FitWarning"), "degenerate"),
    **dict.fromkeys(("Translated", "from_recbole"), "from_recbole"),
    "Explanation": "explanation",
    "Recommender": "recommender",
}
"""What all models share -> where it lives."""


def __getattr__(name: str) -> Any:
    if name in _SHARED:
        return getattr(importlib.import_module(f"reclens.models._core.{_SHARED[name]}"), name)
    if not name.startswith("_"):
        for known in names():
            # "recent_popular" is RecentPopular, "ease" is EASE: the same letters.
            if known.replace("_", "") == name.lower() and (found := get(known)).__name__ == name:
                return found
    hint = "" if name.startswith("_") else suggest(name, [*classes(), *__all__])
    raise AttributeError(f"module 'reclens.models' has no attribute '{name}'.{hint}")


def __dir__() -> list[str]:
    return sorted({*__all__, *classes()})
