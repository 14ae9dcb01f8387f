"""GRU4Rec: the next item by a recurrent network (Hidasi et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from reclens.models._core.factors import check_whole
from reclens.models._core.search_space import Choice, Float, Space, Whole
from reclens.models._core.sequence_model import SequenceModel, linear

__all__ = ["GRU4Rec"]


@dataclass(kw_only=True)
class GRU4Rec(SequenceModel):
    """Read the items of a user one after another by gated recurrent units, and predict the next one.

    The recurrent baseline. The paper's losses over sampled items are far below full cross-entropy on catalogues of this
    size (Klenitskiy and Vasilev 2023; Petrov and Macdonald 2023), which is the default.

    Attributes:
        layers: Layers of gated recurrent units.

    References:
        Hidasi, Karatzoglou, Baltrunas, Tikk (2016), Session-based recommendations with recurrent neural networks; ICLR.
        Hidasi, Karatzoglou (2018), Recurrent neural networks with top-k gains for session-based recommendations; CIKM.
    """

    name: ClassVar[str] = "gru4rec"
    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(16, 256),
        "learning_rate": Float(1e-4, 1e-2),
        "dropout": Float(0.05, 0.5, log=False),
        "layers": Choice((1, 2)),
    }

    layers: int = 1

    def _check(self) -> None:
        super()._check()
        check_whole("layers", self.layers, 1, 16)

    def _network(self, items: int) -> Any:
        from reclens.models._deep.gru4rec import GRU4Rec as Network

        return Network(items=items, factors=self.factors, layers=self.layers, dropout=self.dropout)

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d, three = "factors", 3 * self.factors
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d)}
        for layer in range(self.layers):
            for side in ("ih", "hh"):
                shapes |= {f"units.weight_{side}_l{layer}": (three, d), f"units.bias_{side}_l{layer}": (three,)}
        return shapes | linear("last", d, d)
