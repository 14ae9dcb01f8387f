"""Two towers: users from their history, items from their id and attributes (Covington et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress, quiet
from reclens.errors import UnknownNameError
from reclens.models._content.features import FeatureOptions, check_stop_words, item_features
from reclens.models._core.factors import check_whole
from reclens.models._core.search_space import Float, Space, Whole
from reclens.models._core.sequence_model import SequenceModel, linear

__all__ = ["TwoTower"]


class _Towers:
    """While a fit runs; no hyper-parameters."""

    _features: Any = None
    """The attributes of the items."""


@dataclass(kw_only=True)
class TwoTower(_Towers, SequenceModel):
    """A retriever: the user is a function of the mean of their items, the item one of its id and attributes.

    The preset of Covington et al. (2016): every event is predicted from the mean of the events before it, with the age
    of the example as a feature that is 0 at a request, by a softmax. The softmax is over the next items of other events
    of the batch, and the logit of an item is lowered by the logarithm of its share of all events, so that popular items
    are not held down for being drawn often (Yi et al. 2019). All vectors are at hand after the fit: a request of a new
    user costs one pass of a small network, and the vectors of items go to :func:`reclens.explore.embed_model` and to
    stores of vectors.

    Attributes:
        loss: ``sampled_softmax``, the only one; ``shared_by`` and ``calibration`` are of no effect.
        negatives: Events of the batch whose next items are the negatives, drawn for each batch.
        hidden: Width of the hidden layer of each tower.
        attributes: Whether the item tower reads the attributes of the items table, as ``content`` does; words of texts
            too. Without a table it reads ids alone.

    References:
        Covington, Adams, Sargin (2016), Deep neural networks for YouTube recommendations; RecSys.
        Yi et al. (2019), Sampling-bias-corrected neural modeling for large corpus item recommendations; RecSys.
    """

    name: ClassVar[str] = "two_tower"
    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(16, 256),
        "learning_rate": Float(1e-4, 1e-2),
        "dropout": Float(0.05, 0.5, log=False),
        "hidden": Whole(32, 512),
    }

    loss: str = "sampled_softmax"
    negatives: int = 1024
    hidden: int = 128
    attributes: bool = True

    def _check(self) -> None:
        super()._check()
        check_whole("hidden", self.hidden, 1)
        if self.loss != "sampled_softmax":
            raise UnknownNameError("loss of two_tower", self.loss, ("sampled_softmax",))

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        from reclens.models._deep.two_tower import Features

        counts = np.bincount(self.seen_.indices, minlength=len(self.items_))
        self._log_share = np.log(counts / counts.sum()).astype(np.float32)
        # An item without attributes has none of the features; without a table there is one, which nothing has.
        features = Features(
            indptr=np.zeros(len(self.items_) + 1, np.int64), codes=np.empty(0, "i4"), values=np.empty(0, "f4"), n=1
        )
        if self.attributes and train.items is not None and train.items.width > 1:
            options = FeatureOptions(
                features={}, weights={}, bins=5, min_items=2, sublinear=True, stop_words=check_stop_words("english")
            )
            found = item_features(train.items, self.items_, options, quiet)
            own = found.vectors
            features = Features(indptr=own.indptr, codes=own.indices, values=own.values, n=own.n_columns)
            self.train_["features"] = {"kinds": found.kinds, "n": len(found.names), "absent": found.absent, "empty": 0}
        self._features = features
        try:
            super()._fit(train, engine, progress)
        finally:
            self._features = None
        # What serves is the tower of the users, over the final vectors of the items.
        own = {name: each for name, each in self.weights_.items() if name.startswith(("user.", "age."))}
        self.weights_ = {"items.weight": self.item_factors_, **own}

    def _inputs(self) -> list[np.ndarray]:
        return [*super()._inputs(), self._features.indptr, self._features.codes, self._features.values]

    def _network(self, items: int) -> Any:
        from reclens.models._deep.two_tower import TwoTower as Network

        return Network(
            items=items, factors=self.factors, hidden=self.hidden, dropout=self.dropout, features=self._features
        )

    def _loss_of(self, network: Any, batch: Any) -> Any:
        from reclens.models._deep.reading import tensor
        from reclens.models._deep.two_tower import two_tower_loss

        return two_tower_loss(network, batch, tensor(self._log_share), self.negatives)

    def _item_table(self, network: Any) -> np.ndarray:
        return network.table().detach().float().cpu().numpy().copy()

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d, wide = "factors", "hidden"
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d)}
        return shapes | linear("user.inner", d, wide) | linear("user.outer", wide, d) | {"age.weight": (d, 1)}
