"""What off-policy evaluation needs of a log, and of the policy that did not write it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError, DataError, UnknownNameError, UsageError
from reclens.schema import CLICKED, ITEM, POSITION, PROPENSITY, REQUEST, USER

if TYPE_CHECKING:
    from reclens.world.policy import Policy

__all__ = ["Decisions", "Target", "read_decisions"]

_ROWS: Final = 65_536
"""Decisions a step: their candidates are laid out beside each other."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Decisions:
    """Logged decisions: actions, their probabilities, and their rewards.

    Attributes:
        actions: Code of the shown item, from 0; shape (n,).
        rewards: Reward of each decision, such as clicks; shape (n,).
        propensities: Probability with which the logging policy did that; shape (n,), above 0.
        n_actions: How many actions there are.
        places: Place of each, from 0.
        units: Code of the user of each: rows of one unit are resampled together.
        requests: Code of the list of each.
        items: Ids of the actions, or None where actions are codes to begin with.
    """

    actions: np.ndarray
    rewards: np.ndarray
    propensities: np.ndarray
    n_actions: int
    places: np.ndarray
    units: np.ndarray
    requests: np.ndarray
    items: pl.Series | None = None

    @classmethod
    def of(
        cls,
        actions: Any,
        rewards: Any,
        propensities: Any,
        *,
        places: Any = None,
        users: Any = None,
        requests: Any = None,
        n_actions: int | None = None,
        items: pl.Series | None = None,
    ) -> Decisions:
        """From arrays of one length.

        Args:
            actions: Codes, from 0.
            rewards: Finite numbers.
            propensities: Above 0, at most 1.
            places: From 0; all at one place without.
            users: Whose decision it was, any codes; every list is a unit of its own without.
            requests: Which list it was of; every decision is a list of its own without.
            n_actions: How many actions there are; as many as were seen without.
            items: Ids of the actions.

        Raises:
            DataError: If a value is out of range.
            UsageError: If lengths differ, or there is nothing.
        """
        action, reward = np.asarray(actions, np.int64), np.asarray(rewards, np.float64)
        chance, own = np.asarray(propensities, np.float64), np.arange(len(action))
        columns = {
            "rewards": reward,
            "propensities": chance,
            "places": np.zeros(len(action), np.int64) if places is None else np.asarray(places, np.int64),
            "requests": own if requests is None else np.asarray(requests),
        }
        columns["users"] = columns["requests"] if users is None else np.asarray(users)
        for name, column in columns.items():
            if column.shape != action.shape:
                raise UsageError(f"{name} has shape {column.shape} and actions {action.shape}: expected one each.")
        if not len(action):
            raise UsageError("the log is empty: expected one decision or more.")
        n = int(action.max()) + 1 if n_actions is None else n_actions
        _refuse((action < 0) | (action >= n), "actions", action, f"a code from 0 to {n - 1}")
        _refuse(~np.isfinite(reward), "rewards", reward, "a finite number")
        _refuse(~((chance > 0) & (chance <= 1)), "propensities", chance, "a probability above 0, at most 1")
        _refuse(columns["places"] < 0, "places", columns["places"], "0 or more")
        units, lists = (np.unique(columns[name], return_inverse=True)[1] for name in ("users", "requests"))
        return cls(
            actions=action,
            rewards=reward,
            propensities=chance,
            n_actions=n,
            places=columns["places"],
            units=units,
            requests=lists,
            items=items,
        )

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def n_units(self) -> int:
        """How many users."""
        return int(self.units.max()) + 1

    @property
    def n_places(self) -> int:
        """How many places a list has."""
        return int(self.places.max()) + 1


def read_decisions(table: Any, *, items: pl.Series | None = None, reward: str = CLICKED) -> Decisions:
    """The decisions in a table of impressions.

    Args:
        table: The table of the schema, with ``propensity``; anything that Polars can read by Arrow.
        items: All items that could have been shown, in the order of their codes; by default those of the table, sorted.
        reward: Column with the reward.

    Raises:
        UnknownNameError: If a column is not there.
        DataError: If a value is missing or out of range, or an item is not among ``items``.
    """
    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)
    for name in (USER, ITEM, PROPENSITY, reward):
        if name not in frame.columns:
            raise UnknownNameError("column of impressions", name, frame.columns)
        if frame[name].null_count():
            raise DataError(
                "a value is missing",
                source="impressions",
                column=name,
                row=int(frame[name].is_null().arg_true()[0]) + 1,
                fix="Leave such rows out: nothing can be learned from them.",
            )
    known = frame[ITEM].unique().sort() if items is None else items.unique(maintain_order=True)
    codes = frame.select(pl.col(ITEM).replace_strict(known, pl.int_range(len(known), eager=True), default=None))
    code = codes.to_series()
    if code.null_count():
        row = int(code.is_null().arg_true()[0])
        raise DataError(
            f"the item {frame[ITEM][row]!r} is not among the {len(known):,} items",
            source="impressions",
            column=ITEM,
            row=row + 1,
            fix="Give all items that could have been shown.",
        )
    request = frame[REQUEST].to_physical().rank("dense").to_numpy() if REQUEST in frame.columns else None
    place = frame[POSITION].to_numpy().astype(np.int64) - 1 if POSITION in frame.columns else None
    return Decisions.of(
        code.to_numpy(),
        frame[reward].to_numpy(),
        frame[PROPENSITY].to_numpy(),
        places=place,
        users=frame[USER].rank("dense").to_numpy(),
        requests=request,
        n_actions=len(known),
        items=known,
    )


@dataclass(frozen=True, eq=False)
class Target:
    """Probabilities of the actions under the target policy.

    Attributes:
        candidates: Actions it chooses from, -1 for none; shape (groups, width).
        chances: Probability of each of them at each place; shape (groups, places, width).
        group: The group of each decision; shape (n,).
    """

    candidates: np.ndarray
    chances: np.ndarray
    group: np.ndarray

    @classmethod
    def of_probabilities(cls, decisions: Decisions, probabilities: np.ndarray) -> Target:
        """From probabilities of every action.

        Args:
            decisions: The log.
            probabilities: Shape (actions,) where it is the same for everybody, (n, actions) with a row a decision, or
                (1 or n, actions, places).

        Raises:
            UsageError: If the shape does not fit.
            DataError: If they are no probabilities that add up to 1.
        """
        given = np.asarray(probabilities, np.float64)
        shape, n, actions = given.shape, len(decisions), decisions.n_actions
        table = given[None, :, None] if given.ndim == 1 else given[:, :, None] if given.ndim == 2 else given
        if table.ndim != 3 or table.shape[1] != actions or table.shape[0] not in (1, n):
            raise UsageError(
                f"probabilities have shape {shape}; expected ({actions},), ({n}, {actions}), or with places "
                f"(1 or {n}, {actions}, {decisions.n_places})."
            )
        if table.shape[2] not in (1, decisions.n_places):
            raise ArgumentValueError(
                "probabilities", f"are of {table.shape[2]} places; the log has {decisions.n_places}."
            )
        sums = table.sum(axis=1)
        if not (table >= 0).all() or not np.allclose(sums, 1, atol=1e-6):
            raise DataError(
                f"probabilities add up to {sums.flat[np.abs(sums - 1).argmax()]:.6g} somewhere",
                source="the target policy",
                fix="Expected numbers from 0 on that add up to 1 over actions.",
            )
        chances = np.broadcast_to(table.transpose(0, 2, 1), (len(table), decisions.n_places, actions))
        group = np.zeros(n, np.int64) if len(table) == 1 else np.arange(n)
        return cls(np.broadcast_to(np.arange(actions), (len(table), actions)), chances, group)

    @classmethod
    def of_lists(
        cls, decisions: Decisions, lists: np.ndarray, policy: Policy, *, rows: np.ndarray | None = None
    ) -> Target:
        """From what a model recommends, and how lists are made of that.

        Args:
            decisions: The log.
            lists: Codes of actions, best first, -1 fills up; shape (groups, width). More than ``policy.pool`` are cut.
            policy: Greedy, epsilon or softmax; see :class:`reclens.world.policy.Policy`.
            rows: The row of ``lists`` of each decision; the unit of the decision without.

        Raises:
            UsageError: If shapes or codes do not fit.
        """
        pool = np.asarray(lists)[:, : policy.pool]
        group = decisions.units if rows is None else np.asarray(rows, np.int64)
        if pool.ndim != 2 or group.shape != decisions.actions.shape or int(group.max()) >= len(pool):
            raise UsageError(f"lists have shape {np.shape(lists)} for {int(group.max()) + 1} users; expected one each.")
        if int(pool.max()) >= decisions.n_actions:
            raise UsageError(f"lists hold the code {int(pool.max())}; there are {decisions.n_actions} actions.")
        if decisions.n_places > policy.k:
            raise UsageError(f"the log has {decisions.n_places} places and the policy k={policy.k}; expected as many.")
        lengths = (pool >= 0).sum(axis=1)
        chances = np.zeros((len(pool), decisions.n_places, pool.shape[1]))
        for length in np.unique(lengths[lengths > 0]):
            made = policy.probabilities(int(length))[: decisions.n_places]
            chances[lengths == length, : len(made), :length] = made
        return cls(pool, chances, group)

    def logged(self, decisions: Decisions, categories: np.ndarray | None = None) -> np.ndarray:
        """The probability of what was done, or of anything of its category; shape (n,).

        Args:
            decisions: The log.
            categories: Category of each action; each is its own without.
        """
        found = np.empty(len(decisions))
        for part, candidates, chances in self.parts(decisions):
            same = candidates == decisions.actions[part, None]
            if categories is not None:
                own = categories[decisions.actions[part, None]]
                same = (candidates >= 0) & (categories[np.maximum(candidates, 0)] == own)
            found[part] = (chances * same).sum(axis=1)
        return found

    def expected(self, decisions: Decisions, values: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Σ over actions of probability × value; shape (n,).

        Args:
            decisions: The log.
            values: Of each action at each place, shape (groups of values, actions, places).
            group: Which of them belongs to each decision.
        """
        found = np.empty(len(decisions))
        for part, candidates, chances in self.parts(decisions):
            of = values[group[part, None], np.maximum(candidates, 0), decisions.places[part, None]]
            found[part] = (chances * np.where(candidates >= 0, of, 0)).sum(axis=1)
        return found

    def parts(self, decisions: Decisions, rows: int = _ROWS) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Some decisions after the others: their numbers, their candidates and the probabilities of these."""
        for start in range(0, len(decisions), rows):
            part = np.arange(start, min(start + rows, len(decisions)))
            group = self.group[part]
            yield part, self.candidates[group], self.chances[group, decisions.places[part]]


def _refuse(bad: np.ndarray, column: str, values: np.ndarray, expected: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"the value is {values[row]}, expected {expected}", source="the log", column=column, row=row + 1
        )
