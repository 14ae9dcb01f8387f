"""Models that RecBole has too, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from reclens.errors import UnknownNameError, UsageError

__all__ = ["Translated", "from_recbole"]


class Translated(NamedTuple):
    """A model of RecBole as one of RecLens.

    Attributes:
        model: Name of the recommender.
        parameters: Its hyper-parameters, for :func:`reclens.models.build`.
        left_out: Keys of the configuration that have no counterpart: they mean something else here, or belong to data
            and evaluation.
    """

    model: str
    parameters: dict[str, Any]
    left_out: tuple[str, ...]


_TRAINING: Final = {"epochs": "epochs", "stopping_step": "patience", "learning_rate": "learning_rate", "seed": "seed"}
_SEQUENCES: Final = {**_TRAINING, "MAX_ITEM_LIST_LENGTH": "max_length"}
_ATTENTION: Final = {
    **_SEQUENCES,
    "hidden_size": "factors",
    "n_layers": "blocks",
    "n_heads": "heads",
    "hidden_dropout_prob": "dropout",
}
_CLICKS: Final = {**_TRAINING, "embedding_size": "factors", "train_batch_size": "batch_size"}
_LAYERS: Final = {**_CLICKS, "mlp_hidden_size": "hidden", "dropout_prob": "dropout"}

# Adam on rows of pairs (BPR) has no learning rate of ours; a batch of RecBole's sequential models is one of prefixes.
_MODELS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "Pop": ("popular", {}),
    "Random": ("random", {"seed": "seed"}),
    "ItemKNN": ("item_knn", {"k": "neighbors", "shrink": "shrinkage"}),
    "EASE": ("ease", {"reg_weight": "l2"}),
    "SLIMElastic": ("slim", {}),
    "BPR": ("bpr", {"embedding_size": "factors", "epochs": "epochs", "seed": "seed"}),
    "SASRec": ("sasrec", _ATTENTION),
    "BERT4Rec": ("bert4rec", {**_ATTENTION, "mask_ratio": "mask_share"}),
    "GRU4Rec": (
        "gru4rec",
        {**_SEQUENCES, "embedding_size": "factors", "num_layers": "layers", "dropout_prob": "dropout"},
    ),
    "FM": ("fm", _CLICKS),
    "WideDeep": ("wide_deep", _LAYERS),
    "DeepFM": ("deep_fm", _LAYERS),
}


def from_recbole(config: Mapping[str, Any], *, n_users: int | None = None) -> Translated:
    """The model of a RecBole configuration, with the hyper-parameters that mean the same here.

    Args:
        config: The configuration, as its YAML file or ``Config`` holds it, with ``model``. YAML reads ``1e-3`` as text,
            unless RecBole does: such texts are numbers here too.
        n_users: Users of the training data, by which RecBole scales the penalties of ``SLIMElastic``.

    Raises:
        UnknownNameError: If RecLens has no such model.
        UsageError: If the model is not named, or is ``SLIMElastic`` and ``n_users`` is missing; or if the loss has no
            counterpart.

    Example:
        >>> from_recbole({"model": "EASE", "reg_weight": 250.0, "topk": [10]})
        Translated(model='ease', parameters={'l2': 250.0}, left_out=('topk',))
    """
    name = config.get("model")
    if not isinstance(name, str):
        raise UsageError("the configuration names no model, expected model: SASRec or another one of RecBole.")
    if name not in _MODELS:
        raise UnknownNameError("model that RecLens shares with RecBole", name, _MODELS)
    model, known = _MODELS[name]
    found: dict[str, Any] = {known[key]: _number(value) for key, value in config.items() if key in known}
    used = {"model", *known}
    if name == "SLIMElastic":
        if n_users is None:
            raise UsageError("SLIMElastic scales its penalties by the number of users: give n_users.")
        alpha, share = float(config.get("alpha", 0.2)), float(config.get("l1_ratio", 0.02))
        found = {"l1": n_users * alpha * share, "l2": n_users * alpha * (1 - share)}
        used |= {"alpha", "l1_ratio"}
    if name in ("SASRec", "GRU4Rec", "BERT4Rec"):
        if config.get("loss_type", "CE") != "CE":
            raise UsageError(f"loss_type {config['loss_type']} of {name} has no counterpart, expected CE.")
        found["loss"] = "cross_entropy"
        used.add("loss_type")
    threshold = config.get("threshold")
    if model in ("fm", "wide_deep", "deep_fm") and isinstance(threshold, Mapping) and "rating" in threshold:
        found["positive_from"] = float(threshold["rating"])
        used.add("threshold")
    return Translated(model, found, tuple(key for key in config if key not in used))


def _number(value: Any) -> Any:
    """The number of a text such as ``1e-3``, which YAML 1.1 takes for none; other values as they are."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
