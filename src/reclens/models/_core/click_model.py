"""Base class of deep models of clicks: the probability that a user takes an item, from the fields of both."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress, need
from reclens.errors import ArgumentValueError, DataError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.click_fields import Encoded, Field, described, joined, learn_fields, read_field
from reclens.models._core.deep import DeepModel, check_share
from reclens.models._core.factors import check_whole
from reclens.models._core.form import Form, bytes_, codes, numbers
from reclens.models._core.search_space import Float, Space, Whole
from reclens.schema import ITEM, RATING, USER
from reclens.stats.roc import Area, clustered_auc

if TYPE_CHECKING:
    from reclens.models._deep.fm import Fields

__all__ = ["ClickModel", "ClickQuality", "DeepClickModel"]

_HELD_OUT = 0.1
"""Share of the rows that early stopping is judged on."""


class ClickQuality(NamedTuple):
    """How well probabilities fit what happened.

    Attributes:
        auc: The area under the ROC curve; rows of one user are dependent.
        log_loss: Mean of -ln of the probability of what happened, with an interval over users.
        n: Rows.
    """

    auc: Area
    log_loss: Area
    n: int


class _Learned:
    """What a fit leaves; no hyper-parameters."""

    of_users_: Encoded
    """Features of the training users, and last those of an unknown one."""
    of_items_: Encoded
    """Features of the items."""
    fields_: tuple[list[Field], list[Field]]
    """Fields of the attributes of users and of items."""


@dataclass(kw_only=True)
class ClickModel(_Learned, DeepModel):
    """A network over the fields of a user and an item: their ids, and the attributes of both tables.

    Texts, integers of few values and truth values are categories; lists hold several values, each with its share;
    numbers are standardised. A missing value, and one that the training data does not have, is a feature of its own.
    Columns of more than 1,000 distinct texts, such as titles, are left out.

    Attributes:
        positive_from: The rating from which a row is a positive; all other rows are negatives. 0: every interaction
            is a positive, and negatives are drawn.
        negatives: Items drawn for each positive where there are no ratings to tell, anew in each epoch.
        factors: Length d of the vectors of features.
    """

    metric: ClassVar[str] = "auc"

    batch_size: int = 1024
    patience: int = 3
    positive_from: float = 0.0
    negatives: int = 4
    factors: int = 16

    def _check(self) -> None:
        super()._check()
        check_whole("factors", self.factors, 1)
        check_whole("negatives", self.negatives, 1)
        if not self.positive_from >= 0 or not np.isfinite(self.positive_from):
            raise ArgumentValueError("positive_from", f"is {self.positive_from}, expected 0 or more", of="model")

    @abstractmethod
    def _network(self, fields: Fields) -> Any:
        """The network, untrained."""

    def _layers(self) -> Mapping[str, tuple[int | str, ...]]:
        """Shapes of its parameters beside those of the features."""
        return {}

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        from reclens.models._deep.fm import batches, click_loss, logits
        from reclens.models._deep.train import TrainingError, device_of, isolated

        if len(self.items_) < 2:
            raise UsageError(f"the catalogue of '{train.name}' has one item: there is nothing to tell apart.")
        self.fields_ = learn_fields(train.users, USER), learn_fields(train.items, ITEM)
        everybody = pl.concat([self.users_.ids, pl.Series([None], dtype=self.users_.ids.dtype)])
        self.of_users_ = self._users(everybody, train.users)
        self.of_items_ = self._items(train.items)
        fields = self._encoded()
        users, items, labels = self._rows(train)
        rng = np.random.default_rng(self.seed)
        held = rng.random(len(labels)) < (_HELD_OUT if self.patience else 0.0)
        own = users[~held], items[~held], labels[~held]
        checked = self._with_negatives(users[held], items[held], labels[held], rng)
        try:
            device = device_of(self.device)
        except TrainingError as error:
            raise self._explained(error) from error
        with isolated(self.seed, engine.threads):
            network = self._network(fields).to(device)
            both = 0 < checked[2].sum() < len(checked[2])

            def validate() -> float:
                return clustered_auc(checked[2], logits(network, fields, *checked[:2]), checked[0]).value

            self._train(
                network,
                lambda rng: batches(fields, *self._with_negatives(*own, rng), rng, self.batch_size),
                lambda rows: click_loss(network, rows),
                validate if both else None,
                progress,
                inputs=[users, items, labels, *fields.users, *fields.items],
            )

    def _rows(self, train: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """User, item and label of each interaction."""
        table = train.interactions
        users, items = self.users_.encode(table[USER]), self.items_.encode(table[ITEM])
        if not self.positive_from:
            return users, items, np.ones(len(users), np.float32)
        if not train.has_ratings:
            raise UsageError(f"{self.name} with positive_from needs ratings, and '{train.name}' has none.")
        labels = (table[RATING].cast(pl.Float64).to_numpy() >= self.positive_from).astype(np.float32)
        if not 0 < labels.sum() < len(labels):
            raise UsageError(
                f"{self.name}: {int(labels.sum()):,} of {len(labels):,} ratings are {self.positive_from:g} or more, "
                "expected some that are and some that are not."
            )
        return users, items, labels

    def _with_negatives(
        self, users: np.ndarray, items: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows, and drawn items that their users do not have, where there are no ratings to tell."""
        if self.positive_from:
            return users, items, labels
        more = np.repeat(users, self.negatives)
        drawn = rng.integers(len(self.items_), size=len(more)).astype(items.dtype)
        seen, n = self.seen_, len(self.items_)
        cells = np.repeat(np.arange(seen.n_rows), np.diff(seen.indptr)) * n + seen.indices  # ascending
        asked = more.astype(np.int64) * n + drawn
        places = np.minimum(np.searchsorted(cells, asked), len(cells) - 1)
        new = cells[places] != asked
        found = np.concatenate([users, more[new]]), np.concatenate([items, drawn[new]])
        return *found, np.concatenate([labels, np.zeros(int(new.sum()), np.float32)])

    def _users(self, ids: pl.Series, table: pl.DataFrame | None) -> Encoded:
        return joined(ids, self.users_, table, self.fields_[0], key=USER, offset=0)

    def _items(self, table: pl.DataFrame | None) -> Encoded:
        offset = 1 + len(self.users_) + sum(each.size for each in self.fields_[0])
        return joined(self.items_.ids, self.items_, table, self.fields_[1], key=ITEM, offset=offset)

    def _encoded(self, users: Encoded | None = None, items: Encoded | None = None) -> Fields:
        """What the network reads."""
        from reclens.models._deep.fm import Fields

        sides = users or self.of_users_, items or self.of_items_
        widths = [1, *(each.width for each in self.fields_[0]), 1, *(each.width for each in self.fields_[1])]
        return Fields(
            users=(sides[0].codes, sides[0].values),
            items=(sides[1].codes, sides[1].values),
            field_of=np.repeat(np.arange(len(widths)), widths),
            n=self._n_features,
        )

    @property
    def _n_features(self) -> int:
        return 2 + len(self.users_) + len(self.items_) + sum(each.size for side in self.fields_ for each in side)

    def _restored(self) -> Any:
        need("torch", extra="deep")
        from reclens.models._deep.reading import rebuilt

        return self._kept("network", self.weights_, lambda kept: rebuilt(lambda: self._network(self._encoded()), kept))

    def _block_size(self) -> int:
        return int(np.clip(2_000_000 // max(len(self.items_), 1), 1, 64))

    def _scores(self, block: Block) -> np.ndarray:
        network = self._restored()
        from reclens.models._deep.fm import logits

        fields, items = self._encoded(), np.arange(len(self.items_))
        # A user at a time: sums of another number of rows are added in another order.
        return np.stack([logits(network, fields, np.full(len(items), user), items) for user in block.users])

    def probability(
        self, pairs: pl.DataFrame, *, users: pl.DataFrame | None = None, items: pl.DataFrame | None = None
    ) -> pl.DataFrame:
        """The probability that each user takes each item.

        Where negatives were drawn, probabilities are those of a sample with so many negatives.

        Args:
            pairs: ``user_id, item_id``; users need not be known.
            users: Attributes of users, in place of those of the training data. Columns that are missing, and
                categories that the training data does not have, are features of their own.
            items: Attributes of items, in place of those of the training data.

        Returns:
            The pairs, in their order, with ``probability``; null where the item is not known.

        Raises:
            NotFittedError: If the model was not fitted.
            DataError: If a column is missing, or a number is none.
        """
        self._need_fit()
        absent = [name for name in (USER, ITEM) if name not in pairs.columns]
        if absent:
            raise DataError(f"the pairs lack {', '.join(absent)}", source="pairs", fix="Rename its columns.")
        network = self._restored()
        from reclens.models._deep.fm import logits

        rows = self.users_.encode(pairs[USER]) if pairs[USER].dtype.is_integer() == self.users_.is_integer else None
        places = np.full(len(pairs), -1) if rows is None else rows
        of_users = None
        if users is not None:
            of_users, places = self._users(pairs[USER], users), np.arange(len(pairs))
        columns = self.items_.encode(pairs[ITEM])
        fields = self._encoded(of_users, None if items is None else self._items(items))
        known = columns >= 0
        found = np.full(len(pairs), np.nan, np.float32)
        found[known] = 1 / (1 + np.exp(-logits(network, fields, places[known], columns[known])))
        return pairs.with_columns(pl.Series("probability", found, nan_to_null=True))

    def quality(self, test: Dataset, *, level: float = 0.95) -> ClickQuality:
        """AUC and log loss of held-out ratings, with intervals over users.

        Args:
            test: Interactions with ratings.
            level: Level of the intervals.

        Raises:
            UsageError: If ``positive_from`` is 0, so that no rating is a negative, or there are no rows of both kinds.
        """
        from scipy.stats import t

        self._need_fit()
        if not self.positive_from or not test.has_ratings:
            raise UsageError(f"the quality of {self.name} needs ratings, and positive_from, which tells them apart.")
        table = self.probability(test.interactions).drop_nulls("probability")
        labels = (table[RATING].cast(pl.Float64) >= self.positive_from).to_numpy().astype(np.float64)
        share = table["probability"].to_numpy().astype(np.float64).clip(1e-7, 1 - 1e-7)
        owners = np.unique(table[USER].to_numpy(), return_inverse=True)[1]
        auc = clustered_auc(labels, share, owners, level=level)
        losses = -np.where(labels > 0, np.log(share), np.log1p(-share))
        mean, k = float(losses.mean()), auc.n
        # A ratio of sums over users: rows of one user are dependent.
        parts = np.bincount(owners, losses - mean, k) / len(losses)
        reach = np.inf  # one user says nothing of how users differ
        if k > 1:
            reach = float(t.ppf((1 + level) / 2, k - 1)) * float((parts**2).sum() * k / (k - 1)) ** 0.5
        return ClickQuality(auc, Area(mean, max(mean - reach, 0.0), mean + reach, k), len(losses))

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        network = self._restored()
        from reclens.models._deep.fm import attributions

        parts = attributions(network, self._encoded(), int(block.users[0]), item)
        of_field = np.bincount(self._encoded().field_of, parts)
        named = [["user", *(each.column for each in self.fields_[0])], ["item", *(f.column for f in self.fields_[1])]]
        names: list[Any] = [name for side in named for name in side]
        whole = float(self._scores(block)[0, item])
        return "feature", [*names, "any row"], np.append(of_field, whole - of_field.sum())

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        shapes: dict[str, tuple[int | str, ...]] = {
            "embedded.bias": (),
            "embedded.vectors.weight": ("features", "factors"),
            "embedded.weights.weight": ("features", 1),
        }
        return shapes | dict(self._layers())

    def _state(self) -> dict[str, np.ndarray]:
        about = json.dumps([described(side) for side in self.fields_]).encode()
        sides = {"user": self.of_users_, "item": self.of_items_}
        cells = {f"{name}_{part}": getattr(side, part) for name, side in sides.items() for part in ("codes", "values")}
        return {"fields": np.frombuffer(about, np.uint8), **cells, **super()._state()}

    def _form(self) -> Mapping[str, Form]:
        return {
            "fields": bytes_("fields_size"),
            "user_codes": codes("users+1", "user_columns", of="features"),
            "user_values": numbers("users+1", "user_columns"),
            "item_codes": codes("items", "item_columns", of="features"),
            "item_values": numbers("items", "item_columns"),
            **super()._form(),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        sides = json.loads(arrays["fields"].tobytes())
        of_users, of_items = ([read_field(each) for each in side] for side in sides)
        self.fields_ = of_users, of_items
        self.of_users_ = Encoded(codes=arrays["user_codes"], values=arrays["user_values"], unseen=0)
        self.of_items_ = Encoded(codes=arrays["item_codes"], values=arrays["item_values"], unseen=0)
        own = {
            "features": (len(self.weights_["embedded.vectors.weight"]), self._n_features),
            "columns of users": (self.of_users_.codes.shape[1], 1 + sum(each.width for each in of_users)),
            "columns of items": (self.of_items_.codes.shape[1], 1 + sum(each.width for each in of_items)),
        }
        if "deep.0.weight" in self.weights_:
            n_fields = 2 + len(of_users) + len(of_items)
            own["inputs"] = (self.weights_["deep.0.weight"].shape[1], self.factors * n_fields)
        for what, (found, expected) in own.items():
            if found != expected:
                raise DataError(f"its arrays have {found:,} {what}, and its fields {expected:,}")


@dataclass(kw_only=True)
class DeepClickModel(ClickModel):
    """A model of clicks with hidden layers.

    Attributes:
        hidden: Widths of the hidden layers.
        dropout: Share of values that is dropped in training.
    """

    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(8, 64),
        "learning_rate": Float(1e-4, 1e-2),
        "dropout": Float(0.05, 0.5, log=False),
    }

    learning_rate: float = 0.005
    hidden: tuple[int, ...] = (256, 256, 256)
    dropout: float = 0.1

    def _check(self) -> None:
        super()._check()
        if not self.hidden:
            raise ArgumentValueError("hidden", "is empty, expected the widths of hidden layers", of="model")
        for each in self.hidden:
            check_whole("hidden", each, 1)
        check_share("dropout", self.dropout)

    def _layers(self) -> Mapping[str, tuple[int | str, ...]]:
        shapes: dict[str, tuple[int | str, ...]] = {}
        width: int | str = "inputs"
        for at, size in enumerate((*self.hidden, 1)):
            shapes |= {f"deep.{3 * at}.weight": (size, width), f"deep.{3 * at}.bias": (size,)}
            width = size
        return shapes
