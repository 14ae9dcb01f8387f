"""SASRec: the next item by causal self-attention over what a user did (Kang and McAuley 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.errors import UnknownNameError
from reclens.models._core.sequence_model import AttentionModel, attention, linear, norm
from reclens.schema import ITEM

__all__ = ["SASRec"]


@dataclass(kw_only=True)
class SASRec(AttentionModel):
    """Predict the next item from the last ``max_length`` items of a user, by causal self-attention.

    Every event is a training example: the network sees the events before it, and the loss is over the item that came
    next. With ``cross_entropy`` over all items the quality is far above that of the paper's binary loss with one
    negative (Klenitskiy and Vasilev 2023), which is ``loss="bce", negatives=1, shared_by="position"``; gSASRec (Petrov
    and Macdonald 2023) is ``loss="gbce", negatives=256, calibration=0.75``. Logits are held for a few events at a time,
    so that their memory does not grow with the catalogue.

    References:
        Kang, McAuley (2018), Self-attentive sequential recommendation; ICDM.
        Klenitskiy, Vasilev (2023), Turning dross into gold loss: is BERT4Rec really better than SASRec?; RecSys.
        Petrov, Macdonald (2023), gSASRec: reducing overconfidence in sequential recommendation trained with negative
        sampling; RecSys.
    """

    name: ClassVar[str] = "sasrec"

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
        from reclens.models._deep import reading

        own = self.sequences_.items[self.sequences_.indptr[code] : self.sequences_.indptr[code + 1]][-self.max_length :]
        found = reading.attention(network, own)
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

        return Network(**self._sizes(items))

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d = "factors"
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d), "places.weight": ("max_length", d)}
        for at in (f"blocks.{block}" for block in range(self.blocks)):
            shapes |= attention(f"{at}.attention") | norm(f"{at}.before") | norm(f"{at}.between")
            shapes |= linear(f"{at}.inner", d, d) | linear(f"{at}.outer", d, d)
        return shapes | norm("last")
