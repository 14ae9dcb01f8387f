"""eSASRec: the objective of SASRec with LiGR layers and a sampled softmax (Tikhonovich et al. 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from reclens.models._core.sequence_model import AttentionModel, attention, linear, norm

__all__ = ["ESASRec"]


@dataclass(kw_only=True)
class ESASRec(AttentionModel):
    """Predict the next item as :class:`SASRec` does, by layers that gate what they add.

    A LiGR layer normalises before attention and before a SwiGLU feed-forward layer of four times the width, and each of
    both is added to the residual stream through a sigmoid gate (Borisyuk et al. 2025). Deep stacks of it are stable
    where those of SASRec collapse.

    References:
        Tikhonovich, Petrov, Vasilev et al. (2025), eSASRec: enhancing transformer-based recommendations in a modular
        fashion; RecSys (arXiv 2508.06450).
        Borisyuk et al. (2025), From features to transformers: redefining ranking for scalable impact (arXiv
        2502.03417).
    """

    name: ClassVar[str] = "esasrec"

    loss: str = "sampled_softmax"
    shared_by: str = "sequence"
    dropout: float = 0.1

    def _network(self, items: int) -> Any:
        from reclens.models._deep.esasrec import ESASRec as Network

        return Network(**self._sizes(items))

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d, wide = "factors", 4 * self.factors
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d), "places.weight": ("max_length", d)}
        for at in (f"blocks.{block}" for block in range(self.blocks)):
            shapes |= attention(f"{at}.attention") | norm(f"{at}.before") | norm(f"{at}.between")
            shapes |= linear(f"{at}.opened", d, wide, bias=False) | linear(f"{at}.inner", d, wide, bias=False)
            shapes |= linear(f"{at}.outer", wide, d, bias=False)
            shapes |= linear(f"{at}.gate_attention", d, d) | linear(f"{at}.gate_inner", d, d)
        return shapes
