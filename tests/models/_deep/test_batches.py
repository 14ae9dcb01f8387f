"""Batches: every user once, targets one step behind, and padding that is no more than it has to be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=90),
    batch_size=st.sampled_from([1, 2, 7, 16, 33, 64]),  # 64 users are four groups
    max_length=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_every_step_of_a_user_is_learned_once(lengths, batch_size, max_length, seed) -> None:
    from reclens.models._deep.batches import Histories, batches_of

    # Event number e of user u is 100 u + e, so that an item says where it stands.
    items = np.concatenate([[100 * user + at for at in range(n)] for user, n in enumerate(lengths)] or [[]])
    whole = Histories(
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=items.astype(np.int32),
        times=7.0 * items,
    )
    found = []
    for batch in batches_of(whole, np.random.default_rng(seed), batch_size=batch_size, max_length=max_length):
        inputs = np.concatenate([group.items[group.mask()].numpy() for group in batch.groups])
        assert sum(len(group.lengths) for group in batch.groups) <= batch_size
        assert len(inputs) == len(batch.targets) == len(batch.rows)
        owners = batch.rows.numpy()
        assert all(len({item // 100 for item in inputs[owners == row]}) == 1 for row in np.unique(owners))
        for group in batch.groups:
            mask = group.mask()
            assert group.items.shape[1] == group.lengths.max()
            first = group.items[:, :1]
            assert (group.times[mask] == 7 * (group.items - first)[mask]).all()
            assert (group.next_times[mask] == 7 * (group.items - first + 1)[mask]).all()
        found += zip(inputs.tolist(), batch.targets.tolist(), strict=True)
    wanted = [
        (100 * user + at, 100 * user + at + 1)
        for user, n in enumerate(lengths)
        for at in range(max(n - 1 - max_length, 0), n - 1)
    ]
    assert sorted(found) == wanted


def test_the_age_of_an_example_is_a_share_of_the_time_of_all_events() -> None:
    """Events from second 100 to second 500: the next event at 300 is half of that time old."""
    from reclens.models._deep.batches import Histories, group_of

    whole = Histories(
        indptr=np.array([0, 3, 5]), items=np.arange(5, dtype=np.int32), times=np.array([100.0, 300, 400, 200, 500])
    )
    group = group_of(whole, np.array([2, 4]), np.array([2, 1]))
    assert group.ages is not None and group.ages.tolist() == [[0.5, 0.25], [0.0, 0.0]]


def test_groups_of_like_length_pad_little() -> None:
    """The lengths of MovieLens 1M spread as a log-normal: padded to the longest, half of a batch would be padding."""
    from reclens.models._deep.batches import Histories, batches_of

    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(4.5, 0.95, 1_000), 20, 300).astype(np.int64)
    whole = Histories(indptr=np.concatenate([[0], np.cumsum(lengths)]), items=np.zeros(lengths.sum(), np.int32))
    real = padded = 0
    for batch in batches_of(whole, rng, batch_size=128, max_length=200):
        real += len(batch.targets)
        padded += sum(group.items.numel() for group in batch.groups)
    assert real / padded > 0.88
    assert np.minimum(lengths - 1, 200).mean() / 200 < 0.65
