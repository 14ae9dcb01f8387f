"""HSTU: pointwise attention over items, positions and times (Zhai et al. 2024)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.errors import ArgumentValueError, DataError, UnknownNameError
from reclens.models._core.block import Block
from reclens.models._core.form import Form, numbers
from reclens.models._core.sequence_model import AttentionModel, linear, norm
from reclens.models._core.sequences import Sequences, seconds_of
from reclens.schema import TIMESTAMP, USER

__all__ = ["HSTU"]

TIME_BIASES = ("none", "event", "target")
_BUCKETS = 129


class _Moments:
    """When lists are made; no hyper-parameters."""

    moments_: np.ndarray | None = None
    """Seconds at which each training user asks; None for the time of the last training event."""
    _learned: Sequences | None = None
    """While a fit runs: the sequences without their held-out events …"""
    _goal_times: np.ndarray | None = None
    """… and the times of these events."""


@dataclass(kw_only=True)
class HSTU(_Moments, AttentionModel):
    """Predict the next item by attention without a softmax, with learned biases of position and of time.

    With ``time_bias="target"``, as in the code of the paper, the network is told the time of the event that it
    predicts. That is context of a request, not of the history: a comparison with models that are not told it has to say
    so, and the card of the lists does (``card["train"]["context"]``). Lists are made for the time of the last training
    event, or of the last event of a history that is later, unless :meth:`at` gives each user a time. MovieLens 1M is
    such a case: about 30 % of its times are interpolated within a session, so that the time of the next event says more
    there than it would in a log.

    Attributes:
        time_bias: ``none``: attention looks at positions alone. ``event``: and at the time between two events.
            ``target``: and at the time between an event and the one that is predicted.

    References:
        Zhai et al. (2024), Actions speak louder than words: trillion-parameter sequential transducers for generative
        recommendations; ICML (arXiv 2402.17152).
    """

    name: ClassVar[str] = "hstu"

    loss: str = "sampled_softmax"
    shared_by: str = "sequence"
    time_bias: str = "event"

    def _check(self) -> None:
        super()._check()
        if self.time_bias not in TIME_BIASES:
            raise UnknownNameError("value of time_bias", self.time_bias, TIME_BIASES)

    def at(self, times: pl.DataFrame) -> Self:
        """The fitted model, for lists of training users at given times.

        Args:
            times: ``user_id, timestamp``, one row a user, times or seconds since 1970. Users without a row have the
                time of the last training event.

        Returns:
            A model that shares what was learned; its lists and scores are those of these times.

        Raises:
            UsageError: If the model does not look at the time of the target.
            DataError: If a column is missing, a user has several rows, or a time is not one.
        """
        self._need_fit()
        if self.time_bias != "target":
            raise ArgumentValueError(
                "time_bias", f"is '{self.time_bias}': its lists do not depend on when they are made", of="model"
            )
        absent = [name for name in (USER, TIMESTAMP) if name not in times.columns]
        if absent:
            raise DataError(f"the times lack {', '.join(absent)}", source="times", fix="Rename its columns.")
        if (twice := times[USER].is_duplicated()).any():
            raise DataError(
                f"has several rows of user {times[USER].filter(twice)[0]}, expected one time a user",
                source="times",
                column=USER,
                fix="Keep one of them.",
            )
        codes, given = self.users_.encode(times[USER]), seconds_of(times[TIMESTAMP], "times")
        moments = np.full(len(self.users_), self._now)
        moments[codes[codes >= 0]] = given[codes >= 0]
        model = copy.copy(self)
        model.moments_ = moments
        model.user_factors_ = model._read(model._restored(), model.sequences_, np.arange(len(moments)))
        model.train_ = {**self.train_, "context": "target timestamp"}
        return model

    @property
    def _kept_of_a_pair(self) -> int:
        # Scores and weights of each head in each block, three more while a block is computed, and buckets of time.
        return self.heads * (2 * self.blocks + 3) + 8

    @property
    def _now(self) -> float:
        """The time of the last training event."""
        times = self.sequences_.times
        assert times is not None
        return float(times.max())

    def _until(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray | None:
        if self.time_bias != "target":
            return None
        if sequences is self.sequences_ and self.moments_ is not None:
            return self.moments_[rows]
        # In the validation, the time of the held-out event is known; elsewhere the request comes after all events.
        if sequences is self._learned:
            return self._goal_times
        return self._moments_of(sequences, rows)

    def _moments_of(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray:
        """The time of the last training event, or of the last event of a history that is later."""
        moments = np.full(len(rows), self._now)
        if sequences is self.sequences_:
            return moments
        assert sequences.times is not None
        told = np.flatnonzero(sequences.indptr[rows + 1] > sequences.indptr[rows])
        last = sequences.times[sequences.indptr[rows[told] + 1] - 1]
        moments[told] = np.maximum(moments[told], last)
        return moments

    def _held_out(self) -> tuple[Sequences, np.ndarray, np.ndarray]:
        learned, held, goals = super()._held_out()
        if len(held):
            times = self.sequences_.times
            assert times is not None
            self._learned, self._goal_times = learned, times[self.sequences_.indptr[held + 1] - 1]
        return learned, held, goals

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self.moments_ = None
        try:
            super()._fit(train, engine, progress)
        finally:
            self._learned = self._goal_times = None
        if self.time_bias == "target":
            self.train_ = {**self.train_, "context": "last training timestamp"}

    def _vectors(self, block: Block) -> np.ndarray:
        self._need_times(block)
        return super()._vectors(block)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        self._need_times(block)
        return super()._reasons(block, item)

    def _need_times(self, block: Block) -> None:
        """Refuse histories without times, where the network looks at them."""
        if block.from_history and self.time_bias != "none":
            assert block.sequences is not None
            if block.sequences.times is None:
                raise DataError(
                    f"this hstu looks at times, and the history lacks {TIMESTAMP}", source="history", fix="Add it."
                )

    def _state(self) -> dict[str, np.ndarray]:
        if self.time_bias != "target":
            return super()._state()
        moments = np.full(len(self.users_), self._now) if self.moments_ is None else self.moments_
        return super()._state() | {"moments": moments}

    def _form(self) -> Mapping[str, Form]:
        own = {"moments": numbers("users", dtype="float64")} if self.time_bias == "target" else {}
        return {**super()._form(), **own}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.moments_ = arrays.get("moments")

    def _network(self, items: int) -> Any:
        from reclens.models._deep.hstu import HSTU as Network  # noqa: N811 - no constant

        bias: Any = self.time_bias
        return Network(**self._sizes(items), time_bias=bias)

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        d = "factors"
        shapes: dict[str, tuple[int | str, ...]] = {"items.weight": ("items", d), "places.weight": ("max_length", d)}
        for at in (f"blocks.{block}" for block in range(self.blocks)):
            shapes |= linear(f"{at}.parts", d, 4 * self.factors, bias=False) | linear(f"{at}.out", d, d)
            shapes |= {f"{at}.by_place": ("max_length",)}
            shapes |= {} if self.time_bias == "none" else {f"{at}.by_time": (_BUCKETS,)}
        return shapes | norm("last")
