# pyright: basic, reportMissingImports=false
"""Losses over the next item: full and sampled softmax, binary cross-entropy and gBCE.

Petrov, Macdonald (2023), gSASRec: reducing overconfidence in sequential recommendation trained with negative sampling;
RecSys. Klenitskiy, Vasilev (2023), Turning dross into gold loss: is BERT4Rec really better than SASRec?; RecSys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

__all__ = ["Loss", "calibration_power", "full_softmax", "sampled_softmax"]

_CHUNK = 1 << 24
"""Logits that are held at once: 64 MB in float32."""
_CACHED = 1 << 19
"""Logits that are held at once on a CPU by the full softmax: 2 MB, which a core's cache keeps between its passes."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss over the next item.

    Attributes:
        kind: ``cross_entropy`` over all items; over the positive and drawn negatives, ``sampled_softmax``, ``bce``
            (binary) or ``gbce`` (binary, with the positive probability to the power of :func:`calibration_power`).
        negatives: Items drawn uniformly beside each positive.
        shared_by: Which events have the same negatives: those of a ``batch`` or of a ``sequence``; or each
            ``position`` has its own.
        calibration: The t of gBCE, from 0, which is ``bce``, to 1.
    """

    kind: Literal["cross_entropy", "sampled_softmax", "bce", "gbce"]
    negatives: int = 1
    shared_by: Literal["batch", "sequence", "position"] = "batch"
    calibration: float = 0.75

    def __call__(
        self, hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss of some events.

        Args:
            hidden: State after each event, shape (tokens, d).
            items: Vectors of all items, shape (items, d).
            targets: The next item of each event, shape (tokens,).
            rows: The sequence of each event, shape (tokens,).
        """
        # Mixed precision ends here: logits of bfloat16 have three digits.
        with torch.autocast(hidden.device.type, enabled=False):
            if self.kind == "cross_entropy":
                return full_softmax(hidden, items, targets)
            return self._sampled(hidden, items, targets, rows)

    def _sampled(
        self, hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss over the next item and drawn ones."""
        if self.kind == "sampled_softmax" and self.shared_by == "batch":
            drawn = torch.randint(len(items), (self.negatives,), device=hidden.device)
            return sampled_softmax(hidden, items[targets], items[drawn], drawn == targets[:, None])
        positive = (hidden * items[targets]).sum(1)
        negative = self._negatives(hidden, items, targets, rows)
        if self.kind == "sampled_softmax":
            return (torch.logsumexp(torch.cat([positive[:, None], negative], 1), 1) - positive).mean()
        power = 1.0 if self.kind == "bce" else calibration_power(self.negatives, len(items), self.calibration)
        # -log σ(x) = softplus(-x) and -log(1 - σ(x)) = softplus(x); a masked negative has softplus(-∞) = 0.
        return (power * F.softplus(-positive) + F.softplus(negative).sum(1)).mean() / (1 + self.negatives)

    def _negatives(
        self, hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Logits of drawn items, -∞ where one is the positive itself; shape (tokens, negatives)."""
        n, device = self.negatives, hidden.device
        if self.shared_by == "batch":
            drawn = torch.randint(len(items), (n,), device=device)
            return (hidden @ items[drawn].T).masked_fill(drawn == targets[:, None], -torch.inf)
        if self.shared_by == "sequence":
            drawn = torch.randint(len(items), (int(rows.max()) + 1, n), device=device)
            logits = _shared_logits(hidden, items[drawn], rows)
            return logits.masked_fill(drawn[rows] == targets[:, None], -torch.inf)
        drawn = torch.randint(len(items), (len(targets), n), device=device)
        size = max(1, _CHUNK // (n * hidden.shape[1]))
        parts = [
            # The vectors of drawn items would fill memory: they are gathered again in the backward pass.
            checkpoint(_own_logits, hidden[at], items, drawn[at], use_reentrant=False)
            for at in (slice(start, start + size) for start in range(0, len(targets), size))
        ]
        return torch.cat(parts).masked_fill(drawn == targets[:, None], -torch.inf)


def _shared_logits(hidden: torch.Tensor, negatives: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Products of the states of each sequence with its own negatives, shape (sequences, n, d): one product each."""
    counts = torch.bincount(rows, minlength=len(negatives))
    order = torch.argsort(rows, stable=True)
    places = torch.empty_like(rows)
    places[order] = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows[order]]
    padded = hidden.new_zeros(len(negatives), int(counts.max()), hidden.shape[1]).index_put((rows, places), hidden)
    return torch.bmm(padded, negatives.transpose(1, 2))[rows, places]


def _own_logits(hidden: torch.Tensor, items: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    return torch.einsum("td,tnd->tn", hidden, items[drawn])


def calibration_power(negatives: int, items: int, t: float) -> float:
    """The β of gBCE: α (t (1 - 1/α) + 1/α), where α is the share of the other items that are drawn."""
    alpha = min(negatives / (items - 1), 1.0)
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def full_softmax(
    hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, *, chunk: int | None = None
) -> torch.Tensor:
    """Mean cross-entropy over all items; the logits of a few events at a time are held, and none for the backward pass.

    Args:
        hidden: Shape (tokens, d).
        items: Shape (items, d).
        targets: Shape (tokens,).
        chunk: Events at a time; by default as many as make 16 million logits, on a CPU half a million, but 64 events
            where 16 million allow it.
    """
    return _FullSoftmax.apply(hidden, items, targets, chunk or _at_once(hidden, len(items)))


def sampled_softmax(
    hidden: torch.Tensor, positive: torch.Tensor, drawn: torch.Tensor, same: torch.Tensor, *, chunk: int | None = None
) -> torch.Tensor:
    """Mean cross-entropy of the next item among itself and drawn ones that all events share, in the memory of a few.

    Args:
        hidden: Shape (tokens, d).
        positive: Vector of the next item of each event, shape (tokens, d).
        drawn: Vectors of the drawn items, shape (negatives, d).
        same: Where the drawn item is the next one, and does not count; bool, shape (tokens, negatives).
        chunk: Events at a time; by default as in :func:`full_softmax`.
    """
    return _SampledSoftmax.apply(hidden, positive, drawn, same, chunk or _at_once(hidden, len(drawn)))


def _at_once(hidden: torch.Tensor, columns: int) -> int:
    """Events whose logits are held at once."""
    most = _CHUNK // columns
    if hidden.device.type == "cpu":
        most = min(most, max(64, _CACHED // columns))
    return max(1, most)


class _Known(torch.autograd.Function):
    """A function whose gradients the forward pass has saved, one for each argument but the last two."""

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        found = ((grads[0] * each).to(kind) for each, kind in zip(ctx.saved_tensors, ctx.kinds, strict=True))
        return *found, None, None


class _FullSoftmax(_Known):
    """Computes both gradients in the forward pass, where the logits are at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, chunk: int) -> torch.Tensor:
        states, table = hidden.detach().float(), items.detach().float()
        of_states, of_table = torch.empty_like(states), torch.zeros_like(table)
        total = states.new_zeros(())
        for start in range(0, len(states), chunk):
            part, goals = states[start : start + chunk], targets[start : start + chunk]
            logits = part @ table.T  # (chunk, items)
            shares = torch.log_softmax(logits, 1)
            total = total - shares.gather(1, goals[:, None]).sum()
            shares = shares.exp_()
            shares[torch.arange(len(goals), device=goals.device), goals] -= 1
            of_states[start : start + chunk] = shares @ table
            of_table.addmm_(shares.T, part)
        ctx.save_for_backward(of_states / len(states), of_table / len(states))
        ctx.kinds = hidden.dtype, items.dtype
        return total / len(states)


class _SampledSoftmax(_Known):
    """Computes the gradients in the forward pass, where the logits are at hand."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, positive: torch.Tensor, drawn: torch.Tensor, same: torch.Tensor, chunk: int
    ) -> torch.Tensor:
        states, own, table = hidden.detach().float(), positive.detach().float(), drawn.detach().float()
        of_states, of_own, of_table = torch.empty_like(states), torch.empty_like(own), torch.zeros_like(table)
        total = states.new_zeros(())
        for start in range(0, len(states), chunk):
            at = slice(start, start + chunk)
            part, goal = states[at], own[at]
            logits = (part @ table.T).masked_fill_(same[at], -torch.inf)  # (chunk, negatives)
            true = (part * goal).sum(1, keepdim=True)
            top = torch.maximum(logits.amax(1, keepdim=True), true)
            shares, true = logits.sub_(top).exp_(), true - top
            sums = shares.sum(1, keepdim=True) + true.exp()
            total = total + (sums.log() - true).sum()
            shares.div_(sums)
            missing = true.exp() / sums - 1
            of_states[at] = (shares @ table).addcmul_(missing, goal)
            of_own[at] = missing * part
            of_table.addmm_(shares.T, part)
        ctx.save_for_backward(*(each / len(states) for each in (of_states, of_own, of_table)))
        ctx.kinds = hidden.dtype, positive.dtype, drawn.dtype
        return total / len(states)
