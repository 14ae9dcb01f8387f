"""DeepFM: a factorisation machine and hidden layers over the same fields (Guo et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reclens.models._core.click_model import DeepClickModel

if TYPE_CHECKING:
    from reclens.models._deep.fm import Fields

__all__ = ["DeepFM"]


@dataclass(kw_only=True)
class DeepFM(DeepClickModel):
    """A logit of a factorisation machine and of hidden layers, both over the same vectors of the fields.

    The machine has the products of pairs, the layers what goes beyond them, and no crosses are made by hand.

    References:
        Guo et al. (2017), DeepFM: a factorization-machine based neural network for CTR prediction; IJCAI.
    """

    name: ClassVar[str] = "deep_fm"

    def _network(self, fields: Fields) -> Any:
        from reclens.models._deep.deep_fm import DeepFM as Network

        return Network(fields, factors=self.factors, hidden=tuple(self.hidden), dropout=self.dropout)
