"""Two towers: users from their history, items from their id and attributes (Covington et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress, quiet
from reclens.errors import UnknownNameError
from reclens.models._content.features import FeatureOptions, check_stop_words, item_features
from reclens.models._core.click_fields import joined, learn_fields
from reclens.models._core.factors import check_whole
from reclens.models._core.search_space import Float, Space, Whole
from reclens.models._core.sequence_model import SequenceModel, linear
from reclens.models._core.sequences import Sequences
from reclens.schema import USER

if TYPE_CHECKING:
    from reclens.models._deep.batches import Histories
    from reclens.models._deep.two_tower import Features, People

__all__ = ["TwoTower"]


class _Towers:
    """While a fit runs; no hyper-parameters."""

    _features: Features | None = None
    """The attributes of the items."""
    _people: People | None = None
    """The attributes of the users."""


@dataclass(kw_only=True)
class TwoTower(_Towers, SequenceModel):
    """A retriever: the user is a function of the mean of their items and of attributes, the item of id and attributes.

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
        attributes: Whether the item tower reads the attributes of the items table, as ``content`` does, words of texts
            too; and the user tower those of the users table, as ``deep_fm`` does. Without a table it reads none; nor
            has a user any who comes after the fit.

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

    @property
    def exact_fold_in(self) -> bool:
        """Unless it reads attributes of users, which a new one does not have."""
        return "user_attributes" not in self.train_

    def _check(self) -> None:
        super()._check()
        check_whole("hidden", self.hidden, 1)
        if self.loss != "sampled_softmax":
            raise UnknownNameError("loss of two_tower", self.loss, ("sampled_softmax",))

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        counts = np.bincount(self.seen_.indices, minlength=len(self.items_))
        self._log_share = np.log(counts / counts.sum()).astype(np.float32)
        self._features, people = self._read_items(train), self._read_users(train)
        self._people = people
        try:
            super()._fit(train, engine, progress)
        finally:
            self._features = self._people = None
        # What serves is the tower of the users, over the final vectors of the items and of the attributes of users.
        own = {name: each for name, each in self.weights_.items() if name.startswith(("user.", "age."))}
        profiles = np.einsum("ncd,nc->nd", self.weights_["person.weight"][people.codes], people.values)
        self.weights_ = {"items.weight": self.item_factors_, "profiles.weight": profiles.astype(np.float32), **own}

    def _read_items(self, train: Dataset) -> Features:
        """The attributes of the items."""
        from reclens.models._deep.two_tower import Features

        if not self.attributes or train.items is None or train.items.width < 2:
            # No item has any; a table of features has one or more.
            none = np.zeros(len(self.items_) + 1, np.int64)
            return Features(indptr=none, codes=np.empty(0, "i4"), values=np.empty(0, "f4"), n=1)
        options = FeatureOptions(
            features={}, weights={}, bins=5, min_items=2, sublinear=True, stop_words=check_stop_words("english")
        )
        found = item_features(train.items, self.items_, options, quiet)
        own = found.vectors
        self.train_["features"] = {"kinds": found.kinds, "n": len(found.names), "absent": found.absent, "empty": 0}
        return Features(indptr=own.indptr, codes=own.indices, values=own.values, n=own.n_columns)

    def _read_users(self, train: Dataset) -> People:
        """The attributes of the users, without their ids."""
        from reclens.models._deep.two_tower import People

        fields = learn_fields(train.users, USER) if self.attributes else []
        found = joined(self.users_.ids, self.users_, train.users, fields, key=USER, offset=-1 - len(self.users_))
        if fields:
            self.train_["user_attributes"] = [each.column for each in fields]
        codes, values = found.codes[:, 1:], found.values[:, 1:]  # the first column is the id
        return People(codes=codes, values=values, n=max(sum(each.size for each in fields), 1))

    @property
    def _kept_of_an_item(self) -> int:
        # All items pass their tower in every step: its input, its hidden layer before and behind the dropout, its
        # output, and the gradients of these.
        return 6 * self.factors + 6 * self.hidden

    def _memory_knobs(self) -> tuple[str, ...]:
        return (*super()._memory_knobs(), "hidden")

    def _inputs(self) -> list[np.ndarray]:
        assert self._features is not None
        assert self._people is not None
        items, people = self._features, self._people
        return [*super()._inputs(), items.indptr, items.codes, items.values, people.codes, people.values]

    def _histories(
        self, sequences: Sequences, rows: np.ndarray | None = None, trained: np.ndarray | None = None
    ) -> Histories:
        owners = np.arange(len(sequences.indptr) - 1)
        if rows is not None and trained is not None:
            owners[:] = -1
            owners[rows] = trained
        return replace(super()._histories(sequences), users=owners)

    def _network(self, items: int) -> Any:
        from reclens.models._deep.two_tower import TwoTower as Network

        return Network(
            items=items,
            users=len(self.users_),
            factors=self.factors,
            hidden=self.hidden,
            dropout=self.dropout,
            features=self._features,
            people=self._people,
        )

    def _loss_of(self, network: Any, batch: Any) -> Any:
        from reclens.models._deep.reading import tensor
        from reclens.models._deep.two_tower import two_tower_loss

        return two_tower_loss(network, batch, tensor(self._log_share), self.negatives)

    def _item_table(self, network: Any) -> np.ndarray:
        return network.table().detach().float().cpu().numpy().copy()

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d, wide = "factors", "hidden"
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d), "profiles.weight": ("users", d)}
        return shapes | linear("user.inner", d, wide) | linear("user.outer", wide, d) | {"age.weight": (d, 1)}
