# pyright: basic, reportMissingImports=false
"""The network of the two-tower model: one tower over what a user did, one over what an item is.

Covington, Adams, Sargin (2016), Deep neural networks for YouTube recommendations; RecSys: the mean of the history, and
the age of the example. Yi et al. (2019), Sampling-bias-corrected neural modeling for large corpus item recommendations;
RecSys: negatives are the items of other users in the batch, corrected for how often they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.batches import Batch, Group
from reclens.models._deep.dropout import Dropout
from reclens.models._deep.losses import sampled_softmax

__all__ = ["Features", "People", "TwoTower", "in_batch_softmax", "two_tower_loss"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """Sparse attributes of the items, by rows.

    Attributes:
        indptr: Where the features of each item begin and end; int64, shape (items + 1,).
        codes: Feature codes; int32, shape (cells,).
        values: Their values; float32, shape (cells,).
        n: Number of features.
    """

    indptr: np.ndarray
    codes: np.ndarray
    values: np.ndarray
    n: int


@dataclass(frozen=True, eq=False, kw_only=True)
class People:
    """Attributes of the training users: each has as many columns as the widest.

    Attributes:
        codes: Feature codes; int32, shape (users, columns).
        values: Their values, 0 where there is none; float32, shape (users, columns).
        n: Number of features.
    """

    codes: np.ndarray
    values: np.ndarray
    n: int


class _Tower(nn.Module):
    """A hidden layer beside the identity."""

    def __init__(self, factors: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(factors, hidden), nn.Linear(hidden, factors)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.outer(self.dropout(F.relu(self.inner(x))))


class TwoTower(nn.Module):
    """Vectors of users and items whose dot product is the score.

    Args:
        items: Number of items.
        users: Number of training users.
        factors: Length d of the vectors.
        hidden: Width of the hidden layer of each tower.
        dropout: Share of values that is dropped in training.
        features: Attributes of the items. None: the vectors of the items are final, as in a network that only serves.
        people: Attributes of the users. None: so are the vectors of their attributes.
    """

    def __init__(
        self,
        *,
        items: int,
        users: int,
        factors: int,
        hidden: int,
        dropout: float,
        features: Features | None = None,
        people: People | None = None,
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(items, factors)
        self.user = _Tower(factors, hidden, dropout)
        self.age = nn.Linear(1, factors, bias=False)
        self.dropout = Dropout(dropout)
        self.item = self.person = None
        nn.init.normal_(self.items.weight, std=factors**-0.5)
        nn.init.zeros_(self.age.weight)
        if features is not None:
            self.item = _Tower(factors, hidden, dropout)
            self.bag = nn.EmbeddingBag(features.n, factors, mode="sum")
            nn.init.normal_(self.bag.weight, std=factors**-0.5)
            for name, each in (("codes", features.codes), ("starts", features.indptr[:-1])):
                self.register_buffer(name, torch.from_numpy(each.astype(np.int64)), persistent=False)
            self.register_buffer("values", torch.from_numpy(features.values), persistent=False)
        if people is None:
            self.profiles = nn.Embedding(users, factors)
        else:
            self.person = nn.Embedding(people.n, factors)
            nn.init.zeros_(self.person.weight)
            self.register_buffer("person_codes", torch.from_numpy(people.codes.astype(np.int64)), persistent=False)
            self.register_buffer("person_values", torch.from_numpy(people.values), persistent=False)

    def table(self) -> torch.Tensor:
        """Vectors of all items, shape (items, d): of their ids and their attributes."""
        if self.item is None:
            return self.items.weight
        return self.item(self.items.weight + self.bag(self.codes, self.starts, per_sample_weights=self.values))

    def profile(self, users: torch.Tensor) -> torch.Tensor:
        """Vectors of the attributes of users, 0 for an unknown one; shape (n, d)."""
        at = users.clamp(min=0)
        if self.person is None:
            found = self.profiles(at)
        else:
            found = (self.person(self.person_codes[at]) * self.person_values[at][:, :, None]).sum(1)
        return found * (users >= 0)[:, None]

    def forward(
        self, group: Group, embedded: torch.Tensor | None = None, table: torch.Tensor | None = None
    ) -> torch.Tensor:
        """State after each event: of the mean of the events so far, and of who the user is; shape (n, length, d).

        Args:
            group: The sequences.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
            table: What :meth:`table` gives, where it is at hand.
        """
        x = (self.table() if table is None else table)[group.items] if embedded is None else embedded
        counts = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        mean = self.dropout(x.cumsum(1) / counts)
        if group.users is not None:
            mean = mean + self.profile(group.users)[:, None]
        # At a request the age is 0: near that of some examples as a share of the time, of hardly one as a log of days.
        if self.training and group.ages is not None:
            mean = mean + self.age(group.ages[:, :, None])
        return self.user(mean)


def in_batch_softmax(
    states: torch.Tensor, table: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor, log_share: torch.Tensor
) -> torch.Tensor:
    """Softmax over the positive and items of other events, each logit less the logarithm of its share of all events.

    Args:
        states: Shape (tokens, d).
        table: Vectors of all items, shape (items, d).
        targets: The next items, shape (tokens,).
        drawn: Items of events of the batch, shape (n,); repeats stay.
        log_share: Logarithm of the share of each item in all events, shape (items,).
    """
    # The shares are one more value of each item, whose state is 1.
    asking = torch.cat([states, states.new_ones(len(states), 1)], 1)
    told = torch.cat([table, -log_share[:, None]], 1)
    with torch.autocast(states.device.type, enabled=False):  # logits of bfloat16 have three digits
        return sampled_softmax(asking, told[targets], told[drawn], drawn == targets[:, None])


def two_tower_loss(network: TwoTower, batch: Batch, log_share: torch.Tensor, negatives: int) -> torch.Tensor:
    """The loss of a batch: every event is told apart from the next items of other events."""
    table = network.table()
    states = torch.cat([network(group, table=table)[group.mask()] for group in batch.groups])
    drawn = batch.targets[torch.randint(len(batch.targets), (negatives,), device=batch.targets.device)]
    return in_batch_softmax(states.float(), table.float(), batch.targets, drawn, log_share.to(states.device))
