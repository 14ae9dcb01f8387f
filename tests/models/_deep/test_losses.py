"""The losses, against their formulas written out with NumPy and SciPy, and their gradients against autograd."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax


@pytest.fixture
def parts():
    import torch

    rng = np.random.default_rng(5)
    hidden, items = rng.normal(size=(7, 4)), rng.normal(size=(9, 4))
    targets, rows = np.array([0, 3, 8, 3, 1, 5, 0]), np.array([0, 0, 0, 1, 1, 2, 2])
    tensors = [torch.tensor(each, requires_grad=each.dtype == float) for each in (hidden, items)]
    return hidden, items, targets, tensors, torch.tensor(targets), torch.tensor(rows)


def test_full_softmax_in_chunks_is_the_cross_entropy(parts) -> None:
    import torch

    from reclens.models._deep.losses import full_softmax

    hidden, items, targets, tensors, goals, _ = parts
    wanted = -log_softmax(hidden @ items.T, axis=1)[np.arange(7), targets].mean()
    plain = torch.nn.functional.cross_entropy(tensors[0] @ tensors[1].T, goals)
    expected = torch.autograd.grad(plain, tensors)
    for chunk in (1, 3, 7, 100):
        found = full_softmax(*tensors, goals, chunk=chunk)
        assert found.item() == pytest.approx(wanted, rel=1e-5)
        for got, want in zip(torch.autograd.grad(3 * found, tensors), expected, strict=True):
            torch.testing.assert_close(got, 3 * want, rtol=1e-4, atol=1e-6)


def test_full_softmax_holds_no_more_logits_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from reclens.models._deep import losses

    seen = []
    real = torch.log_softmax
    monkeypatch.setattr(torch, "log_softmax", lambda x, dim: seen.append(x.numel()) or real(x, dim))
    monkeypatch.setattr(losses, "_CHUNK", 100)
    losses.full_softmax(torch.randn(50, 3), torch.randn(20, 3), torch.zeros(50, dtype=torch.long))
    assert max(seen) <= 100 and sum(seen) == 50 * 20


def test_sampled_softmax_in_chunks_is_the_cross_entropy_of_what_counts(parts) -> None:
    """Item 3 is drawn twice and is the next one twice: there, it is no negative."""
    import torch

    from reclens.models._deep.losses import sampled_softmax

    hidden, items, targets, tensors, goals, _ = parts
    drawn = np.array([3, 6, 3, 1])
    same = drawn == targets[:, None]
    logits = np.column_stack([(hidden * items[targets]).sum(1), np.where(same, -np.inf, hidden @ items[drawn].T)])
    wanted = -log_softmax(logits, axis=1)[:, 0].mean()
    states, table = tensors
    mask = torch.tensor(same)
    minus = (states @ table[torch.tensor(drawn)].T).masked_fill(mask, -torch.inf)
    plain = torch.cat([(states * table[goals]).sum(1, keepdim=True), minus], 1)
    expected = torch.autograd.grad(torch.nn.functional.cross_entropy(plain, torch.zeros_like(goals)), tensors)
    for chunk in (1, 3, 7, 100):
        found = sampled_softmax(states, table[goals], table[torch.tensor(drawn)], mask, chunk=chunk)
        assert found.item() == pytest.approx(wanted, rel=1e-5)
        for got, want in zip(torch.autograd.grad(3 * found, tensors), expected, strict=True):
            torch.testing.assert_close(got, 3 * want, rtol=1e-4, atol=1e-6)


def test_sampled_softmax_of_large_logits_is_finite() -> None:
    import torch

    from reclens.models._deep.losses import sampled_softmax

    states = torch.tensor([[300.0], [-300.0]], requires_grad=True)
    # By hand: the true item has 300 more or less than the drawn one.
    found = sampled_softmax(states, torch.ones(2, 1), torch.zeros(1, 1), torch.zeros(2, 1, dtype=torch.bool))
    assert found.item() == pytest.approx(150.0) and torch.autograd.grad(found, states)[0].tolist() == [[0.0], [-0.5]]


@pytest.mark.parametrize("shared_by", ["batch", "sequence", "position"])
@pytest.mark.parametrize("kind", ["bce", "gbce", "sampled_softmax"])
def test_losses_of_drawn_negatives(kind: str, shared_by: str, parts, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from reclens.models._deep.losses import Loss

    hidden, items, targets, tensors, goals, rows = parts
    n, drawn = 5, []
    real = torch.randint
    monkeypatch.setattr(torch, "randint", lambda *a, **b: drawn.append(real(*a, **b)) or drawn[-1])
    found = Loss(kind=kind, negatives=n, shared_by=shared_by, calibration=0.6)(*tensors, goals, rows)
    match shared_by:
        case "batch":
            negatives = drawn[0].expand(7, n)
        case "sequence":
            negatives = drawn[0][rows]
        case _:
            negatives = drawn[0]
    if shared_by == "sequence":
        assert (negatives[0] == negatives[2]).all() and (negatives[0] != negatives[3]).any()
    # Written out: a drawn item that is the positive itself is no negative.
    alpha = n / 8
    beta = {"gbce": alpha * (0.6 * (1 - 1 / alpha) + 1 / alpha)}.get(kind, 1.0)
    total = 0.0
    for row in range(7):
        plus = hidden[row] @ items[targets[row]]
        minus = np.array([hidden[row] @ items[j] for j in negatives[row] if j != targets[row]])
        if kind == "sampled_softmax":
            total += np.log(np.exp(plus) + np.exp(minus).sum()) - plus
        else:
            total += -(np.log(expit(plus) ** beta) + np.log(1 - expit(minus)).sum()) / (n + 1)
    assert found.item() == pytest.approx(total / 7, rel=1e-5)
    assert all(torch.isfinite(each).all() for each in torch.autograd.grad(found, tensors))


def test_the_power_of_gbce() -> None:
    """Petrov and Macdonald: t = 0 is plain BCE, t = 1 calibrates fully, β = α; their ML-1M setting by hand."""
    from reclens.models._deep.losses import calibration_power

    assert calibration_power(256, 3417, 0.0) == pytest.approx(1.0)
    assert calibration_power(256, 3417, 1.0) == pytest.approx(256 / 3416)
    assert calibration_power(256, 3417, 0.75) == pytest.approx(0.75 * 256 / 3416 + 0.25)


def test_the_softmax_of_a_batch_is_corrected_for_popularity(parts) -> None:
    """Written out: each logit is lowered by the logarithm of the share of its item, the positive too."""
    import torch

    from reclens.models._deep.two_tower import in_batch_softmax

    hidden, items, targets, tensors, goals, _ = parts
    share = np.array([0.4, 0.2, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
    drawn = np.array([0, 0, 3, 8])
    found = in_batch_softmax(*tensors, goals, torch.tensor(drawn), torch.tensor(np.log(share)))
    total = 0.0
    for row, goal in enumerate(targets):
        plus = hidden[row] @ items[goal] - np.log(share[goal])
        minus = [hidden[row] @ items[j] - np.log(share[j]) for j in drawn if j != goal]
        total += np.log(np.exp(plus) + np.exp(minus).sum()) - plus
    assert found.item() == pytest.approx(total / 7, rel=1e-6)


@pytest.mark.parametrize("kind", ["cross_entropy", "sampled_softmax", "two_tower"])
def test_losses_are_exact_in_mixed_precision(kind: str) -> None:
    """Where a network runs in bfloat16, its loss and both gradients are those of float32."""
    import torch

    from reclens.models._deep.losses import Loss
    from reclens.models._deep.two_tower import in_batch_softmax

    rng = np.random.default_rng(1)
    hidden, items = (torch.tensor(rng.normal(size=(n, 8)), dtype=torch.float32, requires_grad=True) for n in (20, 30))
    targets, rows = torch.arange(20), torch.zeros(20, dtype=torch.long)

    def result(*, mixed: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            if kind == "two_tower":
                found = in_batch_softmax(hidden, items, targets, targets, torch.zeros(30))
            else:
                found = Loss(kind=kind, negatives=9)(hidden, items, targets, rows)
        return [found, *torch.autograd.grad(found, [hidden, items])]

    for got, want in zip(result(mixed=True), result(mixed=False), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-7)
