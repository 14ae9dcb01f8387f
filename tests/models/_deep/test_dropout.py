"""Dropout: the share that is dropped, which values, their gradients, and when nothing is dropped."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_the_share_of_values_and_their_mean(share: float) -> None:
    import torch

    from reclens.models._deep.dropout import Dropout

    torch.manual_seed(4)
    n = 400_003  # no multiple of four: a word of random bits serves four values
    found = Dropout(share)(torch.ones(n))
    dropped = found == 0
    # Five standard deviations of a binomial share.
    assert dropped.double().mean().item() == pytest.approx(share, abs=5 * (share * (1 - share) / n) ** 0.5)
    np.testing.assert_allclose(found[~dropped].numpy(), 1 / (1 - share), rtol=1e-4)
    places = dropped[: n // 4 * 4].view(-1, 4).double()
    assert places.mean(0).numpy() == pytest.approx(share, abs=5 * (share * (1 - share) / (n // 4)) ** 0.5)
    together = np.corrcoef(places.numpy().T)
    assert np.abs(together - np.eye(4)).max() < 5 / (n // 4) ** 0.5, "values of a word are independent"


def test_gradients_are_those_of_the_values_that_are_kept() -> None:
    import torch

    from reclens.models._deep.dropout import Dropout

    values = torch.randn(3, 50, 7, requires_grad=True)
    layer = Dropout(0.3)
    found = layer(values)
    (grad,) = torch.autograd.grad(found.sum(), values)
    torch.testing.assert_close(found, grad * values)
    assert 0 < (grad == 0).double().mean() < 1
    assert layer(values.detach().transpose(1, 2)).shape == (3, 7, 50)


def test_equal_seeds_drop_the_same_and_nothing_is_dropped_outside_of_training() -> None:
    import torch

    from reclens.models._deep.dropout import Dropout

    values, layer = torch.ones(1000), Dropout(0.5)
    runs = []
    for _ in range(2):
        torch.manual_seed(9)
        runs.append((layer(values), layer(values)))
    assert torch.equal(runs[0][0], runs[1][0]) and torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(*runs[0])
    assert layer.eval()(values) is values and Dropout(0.0)(values) is values
