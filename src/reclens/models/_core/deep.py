"""What deep recommenders share outside of their networks: training with checkpoints, curves, and the weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import Progress, need, quiet
from reclens.errors import Advice, ArgumentValueError, RecLensError, Setting, UsageError
from reclens.files import locked, made_folder, write_bytes
from reclens.models._core.factors import MOST_PASSES, check_whole
from reclens.models._core.form import Form, numbers
from reclens.models._core.recommender import Recommender

if TYPE_CHECKING:
    from reclens.models._deep.train import Epoch, Plan, TrainingError

__all__ = ["DeepModel", "check_share"]

CHECKPOINT = "checkpoint.npz"
_CURVES = ("loss", "metric", "seconds")


class _Learned:
    """What a fit leaves; no hyper-parameters."""

    weights_: dict[str, np.ndarray]
    """Parameters of the network."""
    curves_: pl.DataFrame
    """One row for each epoch: ``epoch, loss, seconds``, and the validation metric where there is one."""
    best_epoch_: int
    """The epoch whose weights the model has."""
    _folder: Path | None = None
    """The folder of the checkpoint while a fit runs."""


@dataclass(kw_only=True)
class DeepModel(_Learned, Recommender):
    """A recommender whose network PyTorch trains; fields that all of them have.

    Attributes:
        epochs: Most passes over the training data.
        patience: Epochs without a better validation metric after which training stops; 0: all epochs are run, and
            nothing is held out.
        batch_size: Users, or rows, of a step.
        learning_rate: Of Adam.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        seed: Seed of all draws. Equal seeds give equal models on a CPU with the same number of threads.
    """

    extra: ClassVar[str | None] = "deep"
    metric: ClassVar[str] = "ndcg@10"
    """The validation metric."""

    epochs: int = 100
    patience: int = 10
    batch_size: int = 128
    learning_rate: float = 0.001
    device: str = "auto"
    seed: int = 0

    def fit(
        self,
        train: Dataset | Any,
        *,
        weights: Any = None,
        threads: int | None = None,
        progress: Progress = quiet,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from the training data, as :meth:`Recommender.fit`.

        Args:
            train: The training part.
            weights: Must be None: deep models take no weights.
            threads: Threads of PyTorch on a CPU. Sums are added in another order with another number of threads, so
                that the last digits can differ.
            progress: Callback for the progress: epochs, with the loss, the validation metric and the time left.
            checkpoint: A folder for what the next epoch depends on, written after each epoch. A fit that finds one
                there goes on from it, and gives the same model as a fit that was not interrupted; with a larger
                ``epochs`` it trains on.

        Raises:
            MissingExtraError: If PyTorch is not installed.
            UsageError: See :meth:`Recommender.fit`; and if CUDA is asked for and not there, if training diverges or
                runs out of memory, or if the checkpoint is of another configuration or other data.
        """
        need("torch", extra="deep")
        self._folder = None if checkpoint is None else made_folder(checkpoint)
        try:
            if self._folder is None:
                return super().fit(train, weights=weights, threads=threads, progress=progress)
            with locked(self._folder / "lock"):  # two fits with one checkpoint would overwrite it in turns
                return super().fit(train, weights=weights, threads=threads, progress=progress)
        finally:
            self._folder = None

    def _check(self) -> None:
        check_whole("epochs", self.epochs, 1, MOST_PASSES)
        check_whole("patience", self.patience, 0, MOST_PASSES)
        check_whole("batch_size", self.batch_size, 1)
        check_whole("seed", self.seed, 0)
        if not self.learning_rate > 0 or not np.isfinite(self.learning_rate):
            raise ArgumentValueError("learning_rate", f"is {self.learning_rate}, expected a number above 0", of="model")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ArgumentValueError("device", f"is {self.device!r}, expected auto, cpu or cuda", of="model")

    def _plan(self, inputs: Sequence[np.ndarray]) -> Plan:
        """How the network is trained; a checkpoint belongs to these hyper-parameters and these inputs.

        More epochs go on where fewer ended, so that their number is no part of it; nor is the device.
        """
        from reclens.models._deep.train import Plan

        own = asdict(self) | {"model": self.name, "data": self.train_["hash"], "device": "", "epochs": 0}
        run = json.dumps(own, default=str)
        digest = hashlib.blake2b(run.encode(), digest_size=16)
        # The hash of the data is one of its interactions in any order; attributes and the order of equal times count.
        for each in inputs:
            digest.update(f"{each.dtype.str}{each.shape}".encode())
            digest.update(np.ascontiguousarray(each).data)
        return Plan(
            epochs=self.epochs,
            patience=self.patience,
            learning_rate=self.learning_rate,
            seed=self.seed,
            run=digest.hexdigest(),
        )

    def _train(
        self,
        network: Any,
        batches: Any,
        loss: Any,
        validate: Any,
        progress: Progress,
        *,
        inputs: Sequence[np.ndarray],
    ) -> None:
        """Train a network; leaves its weights and curves, and the checkpoint that was asked for.

        Args:
            network: The network.
            batches: As for :func:`reclens.models._deep.train.train`, as are ``loss`` and ``validate``.
            loss: See there.
            validate: See there.
            progress: Callback for the progress.
            inputs: What the batches are made of: a checkpoint that was made of other arrays is refused.
        """
        from reclens.models._deep.train import TrainingError, train

        path = None if self._folder is None else self._folder / CHECKPOINT

        def report(epoch: Epoch, number: int, left: float) -> None:
            metric = "" if epoch.metric is None else f", {self.metric} {epoch.metric:.4f}"
            progress(f"fit {self.name} · loss {epoch.loss:.4f}{metric}, {left:,.0f} s left", number, self.epochs)

        try:
            done = train(
                network,
                batches,
                loss,
                plan=self._plan(inputs),
                validate=validate,
                report=report,
                kept=path.read_bytes() if path is not None and path.exists() else None,
                keep=None if path is None else lambda content: write_bytes(path, content),
            )
        except TrainingError as error:
            raise self._explained(error) from error
        loss, metric, seconds = ([getattr(each, name) for each in done.epochs] for name in _CURVES)
        self.curves_ = _curves(loss, None if None in metric else metric, seconds, self.metric)
        self.best_epoch_ = done.best
        self.weights_ = {name: each.detach().cpu().numpy().copy() for name, each in network.state_dict().items()}

    def _explained(self, error: TrainingError) -> RecLensError:
        """What a problem of the training is, and what can be done."""
        knobs = tuple(Setting(name, of="model") for name in ("batch_size", *self._memory_knobs()))
        slower = (Setting("learning_rate", of="model"),)
        cpu = (Setting("device", "cpu", "model"),)
        place = "" if self._folder is None else str(self._folder / CHECKPOINT)
        match error.code:
            case "no_cuda":
                said, advice = "CUDA is asked for, and PyTorch finds no such device", ("use_cpu", cpu, "Set {device}.")
            case "out_of_memory":
                named = " or ".join(f"{{{each.name}}}" for each in knobs)
                said, advice = f"{self.name} ran out of memory", ("train_smaller", knobs, f"Lower {named}.")
            case "not_finite":
                said = f"the loss or a gradient of {self.name} is not finite in epoch {error.epoch}"
                advice = ("learn_slower", slower, "Lower {learning_rate}.")
            case "no_gradient":
                said = f"all gradients of {self.name} are 0 in its first epoch: the data has nothing to tell apart"
                advice = ("more_data", (), "Look at the data: it needs users with different items.")
            case "other_run":
                said = f"{place} is of other hyper-parameters or other data, or of more epochs"
                advice = ("other_checkpoint", (), "Name another folder, or delete it.")
            case "not_readable":
                said = f"{place} is no checkpoint of a fit"
                advice = ("other_checkpoint", (), "Name another folder, or delete it.")
        return UsageError(said, advice=Advice(*advice))

    def _memory_knobs(self) -> tuple[str, ...]:
        """Hyper-parameters beside the batch size that decide how much memory a step takes."""
        return ()

    def _shapes(self) -> Mapping[str, tuple[int | str, ...]]:
        """Parameter of the network -> its shape, in numbers and names of sizes."""
        raise NotImplementedError

    def _state(self) -> dict[str, np.ndarray]:
        curves = self.curves_
        metric = curves[self.metric].to_numpy() if self.metric in curves.columns else np.full(curves.height, -1.0)
        return {
            **{f"network.{name}": each for name, each in self.weights_.items()},
            "curve_loss": curves["loss"].to_numpy(),
            "curve_metric": metric,
            "curve_seconds": curves["seconds"].to_numpy(),
            "best_epoch": np.array(self.best_epoch_),
        }

    def _form(self) -> Mapping[str, Form]:
        own = {f"network.{name}": numbers(*map(str, shape)) for name, shape in self._shapes().items()}
        return {
            **own,
            **{f"curve_{name}": numbers("epochs_run", dtype="float64") for name in _CURVES},
            "best_epoch": numbers(dtype="int64", low=1, high="epochs_run"),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights_ = {name: arrays[f"network.{name}"] for name in self._shapes()}
        loss, metric, seconds = (arrays[f"curve_{name}"] for name in _CURVES)
        self.curves_ = _curves(loss, metric if (metric >= 0).all() else None, seconds, self.metric)
        self.best_epoch_ = int(arrays["best_epoch"])


def _curves(loss: Any, metric: Any, seconds: Any, name: str) -> pl.DataFrame:
    """The curves of a training; ``metric`` is None where nothing was validated."""
    columns = {"loss": loss} | ({} if metric is None else {name: metric}) | {"seconds": seconds}
    return pl.DataFrame(columns).with_row_index("epoch", offset=1).cast({"epoch": pl.Int64})


def check_share(name: str, value: float, *, below: float = 1.0) -> None:
    """Raise unless a hyper-parameter is a share from 0 to below a limit."""
    if not 0 <= value < below:
        raise ArgumentValueError(name, f"is {value}, expected 0 or more and less than {below:g}", of="model")
