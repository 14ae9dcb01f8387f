"""SASRec: the next item by causal self-attention over what a user did (Kang and McAuley 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError, UnknownNameError
from reclens.models._core.factors import check_whole
from reclens.models._core.search_space import Choice, Float, Space, Whole
from reclens.models._core.sequence_model import SequenceModel
from reclens.schema import ITEM

__all__ = ["SASRec"]


@dataclass(kw_only=True)
class SASRec(SequenceModel):
    """Predict the next item from the last ``max_length`` items of a user, by causal self-attention.

    Every event is a training example: the network sees the events before it, and the loss is over the item that came
    next. With ``cross_entropy`` over all items the quality is far above that of the paper's binary loss with one
    negative (Klenitskiy and Vasilev 2023), which is ``loss="bce", negatives=1, shared_by="position"``; gSASRec (Petrov
    and Macdonald 2023) is ``loss="gbce", negatives=256, calibration=0.75``. Logits are held for a few events at a time,
    so that the memory does not grow with the catalogue.

    Attributes:
        blocks: Blocks of attention and feed-forward layer.
        heads: Heads of attention; a divisor of ``factors``.

    References:
        Kang, McAuley (2018), Self-attentive sequential recommendation; ICDM.
        Klenitskiy, Vasilev (2023), Turning dross into gold loss: is BERT4Rec really better than SASRec?; RecSys.
        Petrov, Macdonald (2023), gSASRec: reducing overconfidence in sequential recommendation trained with negative
        sampling; RecSys.
    """

    name: ClassVar[str] = "sasrec"
    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(16, 256),
        "learning_rate": Float(1e-4, 5e-3),
        "dropout": Float(0.05, 0.5, log=False),
        "blocks": Choice((1, 2, 3)),
    }

    blocks: int = 2
    heads: int = 1

    def _check(self) -> None:
        super()._check()
        check_whole("blocks", self.blocks, 1, 64)
        check_whole("heads", self.heads, 1)
        if self.factors % self.heads:
            raise ArgumentValueError(
                "heads", f"is {self.heads}, expected a divisor of factors = {self.factors}", of="model"
            )

    def attention(self, user: Any) -> pl.DataFrame:
        """How much the events of a user weigh when the network reads what comes next.

        Weights of attention are what the network mixes, and not what the score would be without an event: that is what
        :meth:`explain` estimates.

        Args:
            user: A user of the training data.

        Returns:
            ``block, item_id, place, weight``: place 1 is the last event, and the weights of a block add up to 1.

        Raises:
            NotFittedError: If the model was not fitted.
            UnknownNameError: If the user is not in the training data.
            MissingExtraError: If PyTorch is not installed.
        """
        self._need_fit()
        code = self._code(user, self.users_)
        if code < 0:
            raise UnknownNameError("user in the training data", str(user), map(str, self.users_.ids.head(200)))
        network = self._restored()
        from reclens.models._deep.reading import attention

        own = self.sequences_.items[self.sequences_.indptr[code] : self.sequences_.indptr[code + 1]][-self.max_length :]
        found = attention(network, own)
        return pl.DataFrame(
            {
                "block": np.repeat(np.arange(1, self.blocks + 1), len(own)),
                ITEM: pl.concat([self.items_.decode(own)] * self.blocks),
                "place": np.tile(np.arange(len(own), 0, -1), self.blocks),
                "weight": found.ravel(),
            }
        )

    def _network(self, items: int) -> Any:
        from reclens.models._deep.sasrec import SASRec as Network

        return Network(
            items=items,
            factors=self.factors,
            blocks=self.blocks,
            heads=self.heads,
            max_length=self.max_length,
            dropout=self.dropout,
        )

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d = "factors"
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d), "places.weight": ("max_length", d)}
        for at in range(self.blocks):
            for layer in ("attention.query", "attention.key", "attention.value", "attention.out", "inner", "outer"):
                shapes |= {f"blocks.{at}.{layer}.weight": (d, d), f"blocks.{at}.{layer}.bias": (d,)}
            for norm in ("before", "between"):
                shapes |= {f"blocks.{at}.{norm}.{part}": (d,) for part in ("weight", "bias")}
        return shapes | {"last.weight": (d,), "last.bias": (d,)}
