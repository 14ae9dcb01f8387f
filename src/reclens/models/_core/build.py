"""Recommenders from a description, which is the same in Python, TOML and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reclens.errors import UsageError
from reclens.models._core.parameters import is_label, make

if TYPE_CHECKING:
    from reclens.models._core.recommender import Recommender

__all__ = ["build", "build_all"]


def build(label: str, parameters: Mapping[str, Any] | None = None) -> Recommender:
    """A recommender from its description; it is not fitted yet.

    Args:
        label: What to call it: the name of the model, unless the parameters name it.
        parameters: Hyper-parameters, and ``model`` where the label is not the name of the model.

    Raises:
        UnknownNameError: If there is no such model or hyper-parameter.
        UsageError: If a hyper-parameter is of the wrong kind or out of range.

    Example:
        >>> build("knn50", {"model": "item_knn", "neighbors": 50}).neighbors
        50
        >>> build("ease", {"l2": 500}).l2
        500.0
    """
    from reclens.models import get

    given = _as_mapping(parameters or {}, f"the parameters of '{label}'")
    name = given.pop("model", label)
    if not isinstance(name, str):
        raise UsageError(f"'{label}': model is {name!r}, expected the name of a recommender.")
    return make(get(name), given)


def build_all(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Recommender]:
    """Recommenders by label; see :func:`build`.

    Raises:
        UnknownNameError: If there is no such model or hyper-parameter.
        UsageError: If a label is no plain name, or a hyper-parameter is of the wrong kind or out of range.
    """
    models = _as_mapping(models, "the models")
    for label in models:
        if not is_label(str(label)):
            raise UsageError(
                f"the label {label!r} of a model is no plain name: use letters, digits, '-' and '_', and no name of a "
                "device such as 'con'."
            )
    return {label: build(label, parameters) for label, parameters in models.items()}


def _as_mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} are {value!r}, expected a mapping such as {{'ease': {{'l2': 500}}}}.")
    return dict(value)
