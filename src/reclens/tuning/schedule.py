"""Schedule of a search: random configurations, rungs of users, promotion, time left.

It is independent of how models are fitted; it depends on the seed and the names alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.split.build import random_order
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.models import Recommender, get
from reclens.models._core.search_space import Space
from reclens.schema import USER, stable_hash
from reclens.tuning.results import Trial

__all__ = [
    "FEWEST_USERS",
    "USE_RANDOM",
    "Candidate",
    "UserSubsample",
    "candidate",
    "cut_part",
    "in_words",
    "promote",
    "rank",
    "rung_sizes",
    "seconds_left",
]

USE_RANDOM: Final = Advice("use_random", (Setting("method", "random"),), "Or use {method}.")
FEWEST_USERS: Final = 50
"""With fewer validation users than this a rung cannot tell configurations apart."""
_GIVE_UP: Final = 200
"""After so many draws in a row that bring nothing new, there is nothing new."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model and its search space.

    Attributes:
        base: The model, not fitted; its fields are the default configuration.
        space: Search ranges; empty if nothing is searched.
    """

    base: Recommender
    space: Mapping[str, Space]

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.base.name

    @property
    def default(self) -> dict[str, Any]:
        """Default values of the searched parameters."""
        return {name: self.base.in_use(name) for name in self.space}

    @property
    def fixed(self) -> dict[str, Any]:
        """Parameters that are not searched and differ from the defaults of the class."""
        others = [field.name for field in fields(self.base) if field.name not in self.space]
        plain = type(self.base)()
        # Compared as text, because a value may be an array or hold some.
        return {name: value for name in others if repr(value := getattr(self.base, name)) != repr(getattr(plain, name))}

    @property
    def left_alone(self) -> list[str]:
        """Hyper-parameters (other than a seed) of a model without search ranges."""
        return [field.name for field in fields(self.base) if field.name != "seed"] if not self.space else []

    def build(self, parameters: Mapping[str, Any]) -> Recommender:
        """Build a new model of that configuration."""
        return replace(self.base, **parameters)

    def draw(self, n: int, seed: int) -> list[dict[str, Any]]:
        """Draw up to n different valid configurations, the default first; fewer if there are no more.

        The random stream depends on the seed and the name of the model only, so it is independent of the other models,
        and a smaller n gives a prefix.
        """
        found = [self.default]
        known = {repr(found[0])}
        rng = np.random.default_rng([seed, int(stable_hash(pl.Series([self.name]))[0])])
        misses = 0
        while self.space and len(found) < n and misses < _GIVE_UP:
            drawn = {name: space.draw(rng) for name, space in self.space.items()}
            misses += 1
            if repr(drawn) not in known and self._accepts(drawn):
                known.add(repr(drawn))
                found.append(drawn)
                misses = 0
        return found

    def _accepts(self, parameters: Mapping[str, Any]) -> bool:
        try:
            self.build(parameters)._check()
        except UsageError:
            return False
        return True


def candidate(
    model: str | type[Recommender] | Recommender, spaces: Mapping[str, Mapping[str, Space | None]], train: Dataset
) -> Candidate:
    """A model with its search ranges, or the given ranges instead.

    Defaults that depend on the data are those of the whole training part, also on a share of the users.

    Args:
        model: A name, a class, or a model whose fields are the defaults to start from.
        spaces: Model -> parameter -> range, or None to leave the parameter at its default.
        train: The training part.

    Raises:
        UnknownNameError: If there is no such model or parameter.
        UsageError: If the model cannot be built without arguments.
    """
    if isinstance(model, Recommender):
        base = replace(model)
    else:
        kind = get(model) if isinstance(model, str) else model
        try:
            base = kind()
        except TypeError as error:
            raise UsageError(
                f"{kind.__name__} cannot be built without arguments ({error}). Give a model that is built, such as "
                f"{kind.__name__}(…)."
            ) from None
    space: dict[str, Space] = dict(type(base).space)
    known = [field.name for field in fields(base)]
    for name, given in spaces.get(base.name, {}).items():
        if name not in known:
            raise UnknownNameError(f"hyper-parameter of {base.name}", name, known)
        space.pop(name, None)
        if given is not None:
            space[name] = given
    base.resolve(train)
    return Candidate(base, space)


@dataclass(frozen=True, eq=False)
class UserSubsample:
    """Training and validation rows of a share of the users.

    Attributes:
        share: Requested share of the users.
        train: Their training rows.
        truth: Their validation rows.
    """

    share: float
    train: Dataset
    truth: pl.DataFrame

    @property
    def users(self) -> pl.Series:
        """Those with a validation row."""
        return self.truth[USER].unique().sort()


def cut_part(train: Dataset, validation: pl.DataFrame, share: float, seed: int) -> UserSubsample:
    """Users whose hash of (seed, id) is below a share; a larger share contains a smaller one.

    Raises:
        UsageError: If too few of them have a validation row.
    """
    if share >= 1:
        return UserSubsample(1.0, train, validation)
    below = np.uint64(share * 2.0**64)
    chosen = random_order(seed, train.user_vocabulary.ids).to_numpy() < below
    rows = chosen[train.user_vocabulary.encode(train.events[USER])]
    held = random_order(seed, validation[USER]).to_numpy() < below
    part = UserSubsample(
        share,
        replace(train.with_events(train.events.filter(pl.Series(rows))), segments=None),
        validation.filter(pl.Series(held)),
    )
    if len(part.users) < FEWEST_USERS or not rows.any():
        raise UsageError(
            f"a share of {share:.3g} of the users has {len(part.users):,} with a validation row, expected "
            f"{FEWEST_USERS} or more to tell configurations apart. Give larger shares",
            advice=USE_RANDOM,
        )
    return part


def rung_sizes(trials: int, shares: Sequence[float]) -> list[int]:
    """Configurations per rung, if all rungs have the same budget and together ``trials`` full fits.

    >>> rung_sizes(20, [1 / 9, 1 / 3, 1])
    [60, 20, 6]
    """
    return [int(trials / len(shares) / share + 1e-9) for share in shares]


def promote(trials: Sequence[Trial], n: int, *, sign: int) -> list[int]:
    """Numbers of the best n configurations, best first, ties by number.

    Configurations are ranked by the highest rung they reached; failed ones are dropped. The default is always included,
    at the end if it ranks lower, because the others are compared with it.
    """
    latest = {trial.number: trial for trial in sorted(trials, key=lambda trial: trial.rung)}
    order = sorted(latest.values(), key=lambda trial: (-trial.rung, *rank(trial, sign)))
    best = [trial.number for trial in order if trial.value is not None]
    return best[:n] if 0 in best[:n] else [*best[: max(n - 1, 0)], 0]


def rank(trial: Trial, sign: int) -> tuple[bool, float, int]:
    """Sort key of the trials of a rung: failed ones last."""
    return (trial.value is None, -sign * (trial.value or 0.0), trial.number)


def seconds_left(done: Sequence[Trial], planned: Mapping[str, float], limit: float | None) -> float | None:
    """Estimated time left, at the speed of each model so far; None until each model has a trial.

    Args:
        done: The trials so far.
        planned: Model -> cost of its whole search, in full fits.
        limit: The limit of seconds of each model, or None.
    """
    paid = {name: sum(trial.share for trial in done if trial.model == name) for name in planned}
    took = {name: sum(trial.seconds for trial in done if trial.model == name) for name in planned}
    if not all(paid.values()):
        return None
    left = 0.0
    for name, cost in planned.items():
        mine = took[name] / paid[name] * max(cost - paid[name], 0.0)
        left += mine if limit is None else min(mine, max(limit - took[name], 0.0))
    return left


def in_words(seconds: float) -> str:
    """Format a duration.

    >>> in_words(42), in_words(170), in_words(7300)
    ('42 s', '3 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
