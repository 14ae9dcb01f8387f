"""Base class of deep recommenders that learn from the order of what users did."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress, need
from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.memory import require_memory
from reclens.models._core.block import Block, top_of_scores
from reclens.models._core.deep import DeepModel, check_share
from reclens.models._core.factors import FactorModel, check_whole
from reclens.models._core.form import Form, codes, numbers
from reclens.models._core.search_space import Choice, Float, Space, Whole
from reclens.models._core.sequences import Sequences

if TYPE_CHECKING:
    from reclens.models._deep.batches import Histories

__all__ = ["LOSSES", "SHARED_BY", "AttentionModel", "SequenceModel", "attention", "histories_of", "linear", "norm"]

LOSSES = ("cross_entropy", "sampled_softmax", "bce", "gbce")
SHARED_BY = ("batch", "sequence", "position")

_DEPTH = 10
"""Length of the validation lists."""
_ALIKE = 1e-3
"""Spread of scores over users, as a share of that over items, below which a network answers everybody alike."""
_SAMPLE = 200
"""Users on whom that is measured."""


class _Learned:
    """What a fit leaves; no hyper-parameters."""

    sequences_: Sequences
    """The training data in the order of time."""
    user_factors_: np.ndarray
    """State after the last event of each training user, float32, shape (users, d)."""


@dataclass(kw_only=True)
class SequenceModel(_Learned, DeepModel, FactorModel):
    """A network that reads the items of a user in the order of time, and predicts the next one.

    The score of an item is the dot product of its vector and the state of the network after the last event.

    Attributes:
        factors: Length d of the vectors.
        dropout: Share of values that is dropped in training.
        max_length: Events of a user that the network reads: the last ones.
        loss: ``cross_entropy`` over all items; or, with drawn negatives, ``sampled_softmax``, ``bce`` or ``gbce``.
        negatives: Negatives beside each positive; not for ``cross_entropy``.
        shared_by: Which events have the same negatives: those of a ``batch`` or of a ``sequence``, or each ``position``
            its own.
        calibration: The t of gBCE: 0 is ``bce``, and at 1 probabilities are calibrated.
        validation_users: Most users whose last training event is held out for early stopping; 0 takes all users.
    """

    factors: int = 64
    dropout: float = 0.2
    max_length: int = 200
    loss: str = "cross_entropy"
    negatives: int = 256
    shared_by: str = "batch"
    calibration: float = 0.75
    validation_users: int = 2_000

    @property
    def supports_fold_in(self) -> bool:
        """Yes: the network reads the history, by its timestamps or, where it has none, in the order of its rows."""
        return True

    def _check(self) -> None:
        super()._check()
        for name in ("factors", "max_length", "negatives"):
            check_whole(name, getattr(self, name), 1)
        check_whole("validation_users", self.validation_users, 0)
        check_share("dropout", self.dropout)
        if not 0 <= self.calibration <= 1:
            raise ArgumentValueError("calibration", f"is {self.calibration}, expected 0 to 1", of="model")
        if self.loss not in LOSSES:
            raise UnknownNameError("loss", self.loss, LOSSES)
        if self.shared_by not in SHARED_BY:
            raise UnknownNameError("value of shared_by", self.shared_by, SHARED_BY)

    @abstractmethod
    def _network(self, items: int) -> Any:
        """The network, untrained, for so many items."""

    def _batches(self, learned: Sequences, rng: np.random.Generator) -> Iterable[Any]:
        """The batches of an epoch."""
        from reclens.models._deep.batches import batches_of

        return batches_of(self._histories(learned), rng, batch_size=self.batch_size, max_length=self.max_length)

    def _loss_of(self, network: Any, batch: Any) -> Any:
        """The mean loss of a batch."""
        from reclens.models._deep.reading import next_item_loss

        return next_item_loss(network, batch, self._criterion)

    @property
    def _criterion(self) -> Any:
        from reclens.models._deep.losses import Loss

        kind: Any = self.loss
        shared: Any = self.shared_by
        return Loss(kind=kind, negatives=self.negatives, shared_by=shared, calibration=self.calibration)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        from reclens.models._deep.train import TrainingError, device_of, isolated

        self._require(train)
        self.sequences_ = Sequences.of_training(train, self.users_, self.items_)
        learned, held, goals = self._held_out()
        try:
            device = device_of(self.device)
        except TrainingError as error:
            raise self._explained(error) from error
        with isolated(self.seed, engine.threads):
            network = self._network(len(self.items_)).to(device)
            block = Block.of_training(
                np.arange(len(held)),
                learned.matrix(held, len(self.items_)),
                np.zeros(len(held), np.uint64),
                k=min(_DEPTH, len(self.items_)),
                exclude_seen=True,
            )
            self._train(
                network,
                lambda rng: self._batches(learned, rng),
                lambda batch: self._loss_of(network, batch),
                (lambda: self._ndcg(network, learned, held, block, goals)) if len(held) else None,
                progress,
                inputs=self._inputs(),
            )
            self.item_factors_ = self._item_table(network)
            self.user_factors_ = self._read(network, self.sequences_, np.arange(len(self.users_)))
        self._check_spread()

    def _inputs(self) -> list[np.ndarray]:
        """What the network learns from."""
        times = self.sequences_.times
        return [self.sequences_.indptr, self.sequences_.items, *([] if times is None else [times])]

    def _require(self, train: Dataset) -> None:
        """Refuse data that no order can be learned from, and what does not fit into memory."""
        if not train.has_timestamps:
            raise UsageError(
                f"{self.name} learns from the order of events, and the training data has no timestamps. Add a column "
                "timestamp, or use a model that needs none, such as ease."
            )
        if len(self.items_) < 2:
            raise UsageError(f"the catalogue of '{train.name}' has one item: there is nothing to predict.")
        if not (np.diff(self.seen_.indptr) > 1).any():
            raise UsageError(f"no user of '{train.name}' has two events or more: there is no next item to learn from.")
        tokens, items = self.batch_size * self.max_length, len(self.items_)
        drawn = 0 if self.loss == "cross_entropy" else self.negatives
        pairs = self._kept_of_a_pair * min(self.max_length, int(np.diff(self.seen_.indptr).max()))
        knobs = tuple(Setting(name, of="model") for name in ("batch_size", *self._memory_knobs()))
        # Weights, their gradients, two moments of Adam and the best weights; what a block keeps of a token.
        require_memory(
            4
            * (
                (5 * self.factors + self._kept_of_an_item) * items
                + tokens * (40 * self.factors + 2 * drawn + pairs)
                + 2 * (1 << 24)
            ),
            f"a step of {self.name} with {self.batch_size:,} users of {self.max_length:,} events",
            advice=Advice("train_smaller", knobs, "Lower " + " or ".join(f"{{{each.name}}}" for each in knobs) + "."),
        )

    @property
    def _kept_of_a_pair(self) -> int:
        """Values that a step keeps of each pair of events of a sequence: fused attention keeps none."""
        return 0

    @property
    def _kept_of_an_item(self) -> int:
        """Values that a step keeps of each item of the catalogue beside its vector: only a tower of items has some."""
        return 0

    def _memory_knobs(self) -> tuple[str, ...]:
        return ("max_length",) if self.loss == "cross_entropy" else ("max_length", "negatives")

    def _held_out(self) -> tuple[Sequences, np.ndarray, np.ndarray]:
        """What is learned from; users whose last event is held out, and the item of that event."""
        able = np.flatnonzero(np.diff(self.sequences_.indptr) > 2)
        if not self.patience or not len(able):
            return self.sequences_, np.empty(0, np.int64), np.empty(0, np.int32)
        if 0 < self.validation_users < len(able):
            able = np.sort(np.random.default_rng(self.seed).choice(able, self.validation_users, replace=False))
        learned, goals = self.sequences_.without_last(able)
        return learned, able, goals

    def _ndcg(self, network: Any, learned: Sequences, users: np.ndarray, block: Block, goals: np.ndarray) -> float:
        """NDCG@10 of the held-out events among all items, those of the history left out."""
        vectors, table = self._read(network, learned, users), self._item_table(network)
        size, found = self._block_size_of(len(table)), 0.0
        for start in range(0, len(users), size):
            at = slice(start, start + size)
            lists, _ = top_of_scores(vectors[at] @ table.T, block.take(at), -np.inf)
            places = np.nonzero(lists == goals[at, None])[1]
            found += float((1 / np.log2(places + 2)).sum())
        return found / len(users)

    def _block_size_of(self, items: int) -> int:
        return int(np.clip(24_000_000 // items, 64, 2_048))

    def _item_table(self, network: Any) -> np.ndarray:
        return network.items.weight.detach().float().cpu().numpy().copy()

    def _histories(
        self, sequences: Sequences, rows: np.ndarray | None = None, trained: np.ndarray | None = None
    ) -> Histories:
        """Sequences as the network reads them.

        Args:
            sequences: Those of the training data, or of a request.
            rows: Rows of the users of a request …
            trained: … and their codes in the training data, -1 for an unknown user.
        """
        return histories_of(sequences)

    def _read(
        self, network: Any, sequences: Sequences, rows: np.ndarray, trained: np.ndarray | None = None
    ) -> np.ndarray:
        """The states of users after their last event; those without an event have 0."""
        from reclens.models._deep.reading import read

        return read(
            network,
            self._histories(sequences, rows, trained),
            rows,
            max_length=self.max_length,
            factors=self.factors,
            until=self._until(sequences, rows),
        )

    def _until(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray | None:
        """Seconds at which the next event of some users happens, for networks that are told."""
        return None

    def _check_spread(self) -> None:
        """Refuse a network that answers everybody alike: its lists would be those of a model that is not personal."""
        _, first = np.unique(self.sequences_.indptr[:-1], return_index=True)
        some = first[:: -(-len(first) // _SAMPLE)]
        scores = self.user_factors_[some].astype(np.float64) @ self.item_factors_.T.astype(np.float64)
        by_user = np.linalg.norm(scores - scores.mean(axis=0))
        by_item = np.linalg.norm(scores - scores.mean(axis=1, keepdims=True))
        if len(some) > 1 and by_user <= _ALIKE * by_item:
            knobs = tuple(Setting(name, of="model") for name in ("learning_rate", "dropout"))
            raise UsageError(
                f"{self.name} has collapsed: its scores vary {by_user / max(by_item, 1e-300):.1e} times as much over "
                f"users as over items, so that everybody gets the same list",
                advice=Advice("collapsed", knobs, "Lower {learning_rate} or {dropout}, or use fewer blocks."),
            )

    def _training_sequences(self) -> Sequences:
        return self.sequences_

    def _restored(self) -> Any:
        """The network with the learned weights, on the CPU, for histories of requests."""
        need("torch", extra="deep")
        from reclens.models._deep.reading import rebuilt

        return self._kept("network", self.weights_, lambda kept: rebuilt(lambda: self._network(len(self.items_)), kept))

    def _vectors(self, block: Block) -> np.ndarray:
        if not block.from_history:
            return self.user_factors_[block.users]
        assert block.sequences is not None
        return self._read(self._restored(), block.sequences, block.users, block.trained)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        network = self._restored()
        from reclens.models._deep.reading import attributions

        sequences = block.sequences or self.sequences_
        own, parts = attributions(
            network,
            self._histories(sequences, block.users[:1], block.trained[:1]),
            int(block.users[0]),
            item,
            max_length=self.max_length,
            until=self._until(sequences, block.users[:1]),
        )
        whole = float(self._scores(block)[0, item])
        ids: list[Any] = self.items_.decode(own).to_list()
        return "item", [*ids, "any history"], np.append(parts, whole - parts.sum())

    def _state(self) -> dict[str, np.ndarray]:
        times = self.sequences_.times
        assert times is not None
        own = {"users": self.user_factors_, "items": self.item_factors_, "order": self.sequences_.items, "times": times}
        return own | super()._state()

    def _form(self) -> Mapping[str, Form]:
        return {
            "users": numbers("users", "factors"),
            "items": numbers("items", "factors"),
            "order": codes("cells", of="items"),
            "times": numbers("cells", dtype="float64"),
            **super()._form(),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.user_factors_, self.item_factors_ = arrays["users"], arrays["items"]
        self.sequences_ = Sequences(indptr=self.seen_.indptr, items=arrays["order"], times=arrays["times"])


@dataclass(kw_only=True)
class AttentionModel(SequenceModel):
    """A model of sequences whose network consists of blocks of attention.

    Attributes:
        blocks: Blocks of the network.
        heads: Heads of attention; a divisor of ``factors``.
    """

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

    def _sizes(self, items: int) -> dict[str, Any]:
        """The arguments of the network."""
        own = {name: getattr(self, name) for name in ("factors", "blocks", "heads", "max_length", "dropout")}
        return {"items": items, **own}


def linear(name: str, width: int | str, height: int | str, *, bias: bool = True) -> dict[str, tuple[int | str, ...]]:
    """Shapes of the parameters of a linear layer, from ``width`` to ``height`` values."""
    return {f"{name}.weight": (height, width)} | ({f"{name}.bias": (height,)} if bias else {})


def norm(name: str) -> dict[str, tuple[int | str, ...]]:
    """Shapes of the parameters of a layer norm."""
    return {f"{name}.weight": ("factors",), f"{name}.bias": ("factors",)}


def attention(name: str) -> dict[str, tuple[int | str, ...]]:
    """Shapes of the parameters of attention."""
    parts = ("query", "key", "value", "out")
    return {key: each for part in parts for key, each in linear(f"{name}.{part}", "factors", "factors").items()}


def histories_of(sequences: Sequences) -> Histories:
    """Sequences as networks read them."""
    from reclens.models._deep.batches import Histories

    return Histories(indptr=sequences.indptr, items=sequences.items, times=sequences.times)
