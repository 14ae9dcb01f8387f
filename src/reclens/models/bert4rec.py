"""BERT4Rec: masked items by bidirectional self-attention (Sun et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.models._core.deep import check_share
from reclens.models._core.search_space import Choice, Space
from reclens.models._core.sequence_model import AttentionModel, attention, histories_of, linear, norm
from reclens.models._core.sequences import Sequences

__all__ = ["BERT4Rec"]


@dataclass(kw_only=True)
class BERT4Rec(AttentionModel):
    """Predict masked items of a history from those before and after them; at a request, a mask behind the last event.

    It learns from a fifth of the events in each epoch, and so it needs many: Petrov and Macdonald (2022) found that
    most replications stop too early. An epoch of MovieLens 1M (6,040 users) has 47 steps of 128 users; the defaults
    allow for 500 epochs.

    Attributes:
        mask_share: Share of the events that is masked. One sequence in eleven has its last event masked alone, as in
            the paper's data.

    References:
        Sun et al. (2019), BERT4Rec: sequential recommendation with bidirectional encoder representations from
        transformer; CIKM.
        Petrov, Macdonald (2022), A systematic review and replicability study of BERT4Rec for sequential
        recommendation; RecSys.
    """

    name: ClassVar[str] = "bert4rec"
    space: ClassVar[Mapping[str, Space]] = {
        **AttentionModel.space,
        "factors": Choice((16, 32, 48, 64, 96, 128, 192, 256)),  # two heads need an even number
    }

    epochs: int = 500
    patience: int = 50
    heads: int = 2
    mask_share: float = 0.2

    def _check(self) -> None:
        super()._check()
        check_share("mask_share", self.mask_share)

    def _network(self, items: int) -> Any:
        from reclens.models._deep.bert4rec import BERT4Rec as Network

        return Network(**self._sizes(items))

    def _batches(self, learned: Sequences, rng: np.random.Generator) -> Iterable[Any]:
        from reclens.models._deep.batches import batches_of

        # One event more than a request reads, as the mask of a request stands behind the last one: without it the
        # place of the oldest event would not be learned.
        length = self.max_length + 1
        return batches_of(histories_of(learned), rng, batch_size=self.batch_size, max_length=length, shifted=False)

    def _loss_of(self, network: Any, batch: Any) -> Any:
        from reclens.models._deep.bert4rec import masked_item_loss

        return masked_item_loss(network, batch, self._criterion, share=self.mask_share)

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d, wide = "factors", 4 * self.factors
        shapes: dict[str, tuple[int | str, ...]] = {
            "items.weight": ("items", d),
            "places.weight": ("max_length+1", d),
            "mask": (d,),
        }
        for at in (f"blocks.{block}" for block in range(self.blocks)):
            shapes |= attention(f"{at}.attention") | norm(f"{at}.after") | norm(f"{at}.last")
            shapes |= linear(f"{at}.inner", d, wide) | linear(f"{at}.outer", wide, d)
        return shapes | norm("first") | linear("head", d, d) | norm("last")
