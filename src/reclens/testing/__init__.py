"""The public contract kit: run it on a metric, a model or a vector store of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.testing.metrics import check_metric, make_lists
    from reclens.testing.models import check_model, model_data
    from reclens.testing.stores import check_store

__all__ = ["check_metric", "check_model", "check_store", "make_lists", "model_data"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "check_metric": "metrics",
        "check_model": "models",
        "check_store": "stores",
        "make_lists": "metrics",
        "model_data": "models",
    },
)
