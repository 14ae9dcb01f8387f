"""The deep models of ``reclens demo --deep``, with settings for data of the size of MovieLens 100K on two cores.

Those that need more training than a demo has to beat popular on its data are not among them: GRU4Rec, BERT4Rec,
eSASRec and HSTU.
"""

from __future__ import annotations

from typing import Any, Final

from reclens.engine import need

__all__ = ["deep_models"]

_SEQUENCES: Final[dict[str, Any]] = {
    "factors": 32,
    "max_length": 50,
    "patience": 0,
    "learning_rate": 0.003,
    "batch_size": 16,
    "dropout": 0.4,
}
_CLICKS: Final[dict[str, Any]] = {"epochs": 3, "patience": 0}
_LAYERS: Final[dict[str, Any]] = {**_CLICKS, "hidden": [64, 32]}

_MODELS: Final[dict[str, dict[str, Any]]] = {
    "sasrec": {**_SEQUENCES, "epochs": 8},
    "two_tower": {**_SEQUENCES, "epochs": 8, "hidden": 64},
    "fm": {**_CLICKS, "epochs": 4, "learning_rate": 0.01},
    "wide_deep": _LAYERS,
    "deep_fm": _LAYERS,
}


def deep_models() -> dict[str, dict[str, Any]]:
    """Name -> hyper-parameters, few epochs each.

    Raises:
        MissingExtraError: If PyTorch is not installed.
    """
    need("torch", extra="deep")
    return {name: dict(options) for name, options in _MODELS.items()}
