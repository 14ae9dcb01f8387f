"""Models and their lists as a learner hands them in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reclens.learn.exercise import Remark
from reclens.learn.two_splits import LENGTH

__all__ = ["BASELINE", "LEAST_MODELS", "MODELS", "Lists", "read_lists", "unfit_model", "unfit_models"]

BASELINE: Final = "popular"
"""The model that others are compared with."""
LEAST_MODELS: Final = 4
_MOST: Final = 500
"""Largest whole number among the parameters of a model."""
MODELS: Final = frozenset(
    {"als", "bpr", "content", "ease", "item_knn", "popular", "pure_svd", "rp3beta", "slim", "user_knn"}
)
_DEEP: Final = frozenset({"bert4rec", "esasrec", "gru4rec", "hstu", "sasrec"})
"""May be used too, where PyTorch is; their training takes minutes, at each check."""


Lists = dict[int, list[int]]
"""User -> items, best first."""


def unfit_models(models: object) -> Iterator[Remark]:
    """Say what rules models out before they are fitted: too few, an unknown one, or a parameter that takes too long."""
    if not isinstance(models, dict) or not all(isinstance(each, dict) for each in models.values()):
        yield Remark("no_models")
        return
    if len(models) < LEAST_MODELS or BASELINE not in models:
        yield Remark("too_few_models", {"seen": list(models), "least": LEAST_MODELS, "baseline": BASELINE})
    for name, parameters in models.items():
        yield from unfit_model(name, parameters)


def unfit_model(name: str, parameters: Mapping[str, Any]) -> Iterator[Remark]:
    """Say what rules one model out before it is fitted."""
    if name not in MODELS | _DEEP:
        yield Remark("architecture_not_allowed", {"seen": name, "expected": sorted(MODELS | _DEEP)})
    for key, value in parameters.items():
        if not isinstance(value, int | float | str) or (isinstance(value, int) and abs(value) > _MOST):
            yield Remark("parameter_not_allowed", {"model": name, "key": key, "seen": str(value)[:80], "most": _MOST})


def _read(rows: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    """The rows; one that csv cannot read is a row without values."""
    try:
        yield from rows
    except csv.Error:
        yield {}


def read_lists(text: str, models: Mapping[str, Any]) -> dict[str, Lists] | Remark:
    """Lists of each model from the text of ``lists.csv``, or what is wrong with it."""
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames != ["model", "user_id", "rank", "item_id"]:
        return Remark("no_lists", {"seen": list(rows.fieldnames or [])})
    places: dict[str, dict[int, dict[int, int]]] = {name: {} for name in models}
    for line, row in enumerate(_read(rows), 2):
        try:
            user, rank, item = (int(row[key]) for key in ("user_id", "rank", "item_id"))
            shown = places[row["model"]].setdefault(user, {})
        except (KeyError, TypeError, ValueError):  # a cell is missing or no number, or the model is another
            return Remark("no_place", {"line": line, "seen": ",".join(str(each) for each in row.values())[:80]})
        if rank in shown or not 1 <= rank <= LENGTH:
            return Remark("no_place", {"line": line, "seen": f"rank {rank} of user {user}"})
        shown[rank] = item
    return {
        name: {user: [shown[rank] for rank in sorted(shown)] for user, shown in each.items()}
        for name, each in places.items()
    }
