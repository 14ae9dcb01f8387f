# pyright: basic, reportMissingImports=false
"""The training loop of all deep recommenders: needs PyTorch (2.11 to 2.15) and NumPy, and takes arrays.

Every epoch begins with random streams of its own, made from the seed and the number of the epoch. A run that is killed
and goes on from its last checkpoint therefore ends with the same weights, bit by bit on a CPU, as one that is not.
"""

from __future__ import annotations

import copy
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

__all__ = ["Epoch", "Plan", "Trained", "TrainingError", "device_of", "isolated", "train"]

Problem = Literal["no_cuda", "out_of_memory", "not_finite", "no_gradient", "other_run", "not_readable"]


class TrainingError(RuntimeError):
    """Training cannot begin or go on.

    Args:
        code: ``no_cuda``: a CUDA device was asked for, and there is none. ``out_of_memory``. ``not_finite``: the loss
            or a gradient is infinite or NaN. ``no_gradient``: all gradients of the first epoch are 0. ``other_run``:
            the checkpoint is of another configuration, of other data or of more epochs. ``not_readable``: it is no
            checkpoint.
        epoch: The epoch, from 1 on; 0 before the first one.
    """

    def __init__(self, code: Problem, epoch: int = 0) -> None:
        super().__init__(f"{code} in epoch {epoch}")
        self.code: Problem = code
        self.epoch = epoch


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a network is trained.

    Attributes:
        epochs: Most passes over the data.
        patience: Epochs without a better validation metric after which training stops; 0: all epochs are run, and
            nothing is validated.
        learning_rate: Of Adam.
        clip: Longest gradient.
        seed: Seed of all draws.
        run: What a checkpoint has to be of: a text of the configuration and the data.
    """

    epochs: int
    patience: int
    learning_rate: float
    clip: float = 5.0
    seed: int = 0
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of a run.

    Attributes:
        loss: Mean loss of its batches.
        metric: Validation metric after it; None where nothing is validated.
        seconds: Time that it took, with the validation.
    """

    loss: float
    metric: float | None
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A run that has ended; the network has the weights of its best epoch.

    Attributes:
        epochs: All epochs in their order.
        best: The best one, from 1 on; the last one where nothing is validated.
    """

    epochs: tuple[Epoch, ...]
    best: int


def device_of(name: str) -> torch.device:
    """The device of a name: ``auto`` is CUDA where there is one.

    Raises:
        TrainingError: ``no_cuda``.
    """
    there = torch.cuda.is_available()
    if name.startswith("cuda") and not there:
        raise TrainingError("no_cuda")
    return torch.device(("cuda" if there else "cpu") if name == "auto" else name)


@contextmanager
def isolated(seed: int, threads: int | None) -> Iterator[None]:
    """Seeds and a number of threads of one's own: both are global in PyTorch, and are put back."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def train(
    network: nn.Module,
    batches: Callable[[np.random.Generator], Iterable[Any]],
    loss: Callable[[Any], torch.Tensor],
    *,
    plan: Plan,
    validate: Callable[[], float] | None = None,
    report: Callable[[Epoch, int, float], None] | None = None,
    kept: bytes | None = None,
    keep: Callable[[bytes], None] | None = None,
) -> Trained:
    """Train a network in place, on the device that it is on.

    Args:
        network: The network.
        batches: Gives the batches of an epoch, in an order that the generator draws; each has ``to(device)``.
        loss: The mean loss of a batch.
        plan: How to train.
        validate: The validation metric of the network as it is, larger is better; called in evaluation mode.
        report: Called after each epoch with it, its number and the seconds that are left at most.
        kept: The checkpoint of a killed run, to go on from.
        keep: Writes a checkpoint after each epoch.

    Raises:
        TrainingError: See there.
    """
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), plan.learning_rate, (0.9, 0.98))
    epochs: list[Epoch] = []
    best, best_state = 0, copy.deepcopy(network.state_dict())
    if kept is not None:
        epochs, best, best_state = _restore(kept, network, optimizer, plan)
    while len(epochs) < plan.epochs and not _is_over(epochs, best, plan):
        number, begun = len(epochs) + 1, time.perf_counter()
        torch.manual_seed(_seed(plan.seed, number))
        network.train()
        mean = _pass(network, optimizer, batches(np.random.default_rng((plan.seed, number))), loss, plan, number)
        network.eval()
        metric = None
        if validate is not None and plan.patience:
            with torch.no_grad():
                metric = validate()
        epochs.append(Epoch(loss=mean, metric=metric, seconds=time.perf_counter() - begun))
        if metric is None or not best or metric > (epochs[best - 1].metric or 0.0):
            best, best_state = number, copy.deepcopy(network.state_dict())
        if keep is not None:
            keep(_checkpoint(network, optimizer, epochs, best, best_state, plan))
        if report is not None:
            report(epochs[-1], number, (plan.epochs - number) * sum(each.seconds for each in epochs) / number)
    network.load_state_dict(best_state)
    network.eval()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return Trained(epochs=tuple(epochs), best=best)


def _is_over(epochs: list[Epoch], best: int, plan: Plan) -> bool:
    validated = bool(epochs) and epochs[-1].metric is not None
    return validated and len(epochs) - best >= plan.patience > 0


def _seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def _pass(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Any],
    loss: Callable[[Any], torch.Tensor],
    plan: Plan,
    number: int,
) -> float:
    """One pass over the data; the mean loss of its batches."""
    device = next(network.parameters()).device
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    total, longest, n = torch.zeros((), device=device), torch.zeros((), device=device), 0
    try:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            # bfloat16 has the range of float32: gradients need no scaling.
            with torch.autocast("cuda", torch.bfloat16) if fast else nullcontext():
                value = loss(batch.to(device))
            value.backward()
            length = nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
            optimizer.step()
            # Numbers stay on the device until the end of the epoch: reading one waits for it.
            total, longest, n = total + value.detach().float(), torch.maximum(longest, length), n + 1
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError("out_of_memory", number) from error
    if not torch.isfinite(total + longest):
        raise TrainingError("not_finite", number)
    if number == 1 and not longest > 0:
        raise TrainingError("no_gradient", number)
    return float(total) / max(n, 1)


def _checkpoint(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    epochs: list[Epoch],
    best: int,
    best_state: dict[str, torch.Tensor],
    plan: Plan,
) -> bytes:
    """Everything that the next epoch depends on, as arrays without pickle."""
    arrays = {f"now/{name}": each for name, each in network.state_dict().items()}
    arrays |= {f"best/{name}": each for name, each in best_state.items()}
    for at, state in optimizer.state_dict()["state"].items():
        arrays |= {f"adam/{at}/{name}": each for name, each in state.items()}
    about = {"run": plan.run, "best": best, "epochs": [asdict(each) for each in epochs]}
    file = io.BytesIO()
    np.savez(
        file,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        **{name: each.detach().cpu().numpy() for name, each in arrays.items()},
    )
    return file.getvalue()


def _restore(
    kept: bytes, network: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan
) -> tuple[list[Epoch], int, dict[str, torch.Tensor]]:
    """Put back what :func:`_checkpoint` wrote."""
    try:
        with np.load(io.BytesIO(kept), allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            arrays = {name: torch.from_numpy(file[name]) for name in file.files if name != "about"}
        run, best, epochs = about["run"], about["best"], [Epoch(**each) for each in about["epochs"]]
    except Exception as error:  # what is no checkpoint can fail in any way
        raise TrainingError("not_readable") from error
    if run != plan.run or len(epochs) > plan.epochs:
        raise TrainingError("other_run")
    parts = {
        part: {name.removeprefix(part): each for name, each in arrays.items() if name.startswith(part)}
        for part in ("now/", "best/", "adam/")
    }
    network.load_state_dict(parts["now/"])
    state = optimizer.state_dict()
    for name, each in parts["adam/"].items():
        at, _, what = name.partition("/")
        state["state"].setdefault(int(at), {})[what] = each
    optimizer.load_state_dict(state)
    device = next(network.parameters()).device
    return epochs, best, {name: each.to(device) for name, each in parts["best/"].items()}
