"""The logs of a run: Parquet files by day, in a folder that is written atomically."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl

from reclens.drafts import draft_folder
from reclens.errors import WorkspaceError
from reclens.schema import (
    CLICKED,
    CONDITIONAL,
    CONVERTED,
    ITEM,
    MODEL,
    POSITION,
    PROPENSITY,
    REQUEST,
    RETRIEVER,
    SCORE,
    SURFACE,
    TIMESTAMP,
    TIMESTAMP_TYPE,
    USER,
    VERSION,
    versions,
)
from reclens.schema import VARIANT as ARM
from reclens.world.cards import RunCard
from reclens.world.population import World
from reclens.world.served import served_columns

if TYPE_CHECKING:
    from reclens.world.arm import Arm

__all__ = ["Day", "DayLog"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Day:
    """One day of all users, as the kernel writes it: see ``reclens.world._kernels.live``."""

    day: int
    rows: np.ndarray
    chances: np.ndarray
    totals: np.ndarray
    organic: np.ndarray


class DayLog:
    """Writes days; the folder appears once all of them are written.

    ``impressions/DAY.parquet``: the table of the schema (a score is 1 ÷ rank among the candidates, a version counts the
    trainings), with ``conditional_propensity``, the probability of the item
    given the places above, and with ``examined`` and ``expected``, the true probabilities that the place was looked at
    and that it was clicked. ``user_days/DAY.parquet``: the totals of each user who
    visited. ``interactions/DAY.parquet``: what was consumed, recommended or found. ``users.parquet``,
    ``items.parquet``, ``history.parquet``, ``card.json``.

    Args:
        folder: Output folder; None writes nothing.
        world: The world.
        arms: The arms.
        card: How the run was made.

    Raises:
        WorkspaceError: If the folder exists or cannot be written.
    """

    def __init__(self, folder: str | Path | None, world: World, arms: Sequence[Arm], card: RunCard) -> None:
        self.folder = Path(folder) if folder is not None else None
        self.world, self.card = world, card
        self.arms, self.models = _names([arm.name for arm in arms]), _names([arm.strategy.name for arm in arms])
        self.policies = [arm.policy for arm in arms]
        retrained = range(0, card["days"], card["retrain"] or card["days"])
        self.versions = _names([f"v{number}" for number, _ in enumerate(retrained, 1)])
        self.origins = _names(["recommended", "found"])
        self.start = datetime(
            world.settings.start.year, world.settings.start.month, world.settings.start.day, tzinfo=UTC
        )
        self.user_ids, self.item_ids = world.users[USER], world.items[ITEM]
        self._draft: Path | None = None
        self._written = ExitStack()

    def __enter__(self) -> Self:
        if self.folder is None:
            return self
        if self.folder.exists():
            raise WorkspaceError(f"{self.folder} exists. Choose another folder, or remove it first.")
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            draft = self._written.enter_context(draft_folder(self.folder.parent, name=self.folder.name))
            draft.chmod(0o755)
            for part in ("impressions", "user_days", "interactions"):
                (draft / part).mkdir()
            self.world.users.write_parquet(draft / "users.parquet")
            self.world.items.write_parquet(draft / "items.parquet")
            users, items, days = self.world.history
            pl.DataFrame(
                {
                    USER: self.user_ids.gather(users),
                    ITEM: self.item_ids.gather(items),
                    TIMESTAMP: self._times(days, np.zeros(len(days), np.int64)),
                }
            ).write_parquet(draft / "history.parquet")
        except BaseException as error:
            self._written.close()
            if isinstance(error, OSError) and not isinstance(error, WorkspaceError):
                raise self._unwritable(error) from error
            raise
        self._draft = draft
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._draft is None or self.folder is None:
            return
        try:
            if kind is None:
                text = json.dumps({**self.card, "versions": versions()}, indent=1, default=str)
                (self._draft / "card.json").write_text(text + "\n", encoding="utf-8")
                self._draft.rename(self.folder)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            self._written.close()

    def write(self, day: Day, arm_of: np.ndarray) -> None:
        """Write one day."""
        if self._draft is None:
            return
        date = self.start + timedelta(days=day.day)
        name = f"{date:%Y-%m-%d}.parquet"
        try:
            self.impressions(day, arm_of).write_parquet(self._draft / "impressions" / name, compression="lz4")
            self.user_days(day, arm_of).write_parquet(self._draft / "user_days" / name, compression="lz4")
            self.interactions(day).write_parquet(self._draft / "interactions" / name, compression="lz4")
        except OSError as error:
            raise self._unwritable(error) from error

    def impressions(self, day: Day, arm_of: np.ndarray) -> pl.DataFrame:
        """The table of the schema, and the true probabilities."""
        users, items, place, clicked, second, rank, pool = day.rows
        arm = arm_of[users]
        marginal, conditional = self._propensities(arm, place & 255, rank, pool, day.chances[0])
        request = (np.int64(day.day) * len(self.user_ids) + users) * self.world.settings.most_lists + (place >> 8)
        times = self._times(np.full(1, day.day), second)
        served = served_columns(self.world, day.day, times, users, items, request, clicked, seed=self.card["seed"])
        version = day.day // (self.card["retrain"] or self.card["days"])
        return pl.DataFrame(
            {
                TIMESTAMP: times,
                USER: self.user_ids.gather(users),
                ITEM: self.item_ids.gather(items),
                POSITION: (place & 255).astype(np.uint8) + np.uint8(1),
                CLICKED: clicked.astype(np.int8),
                CONVERTED: served.pop(CONVERTED),
                SCORE: (1 / (rank + 1)).astype(np.float32),
                PROPENSITY: marginal,
                CONDITIONAL: conditional,
                MODEL: self.models.gather(arm),
                VERSION: self.versions.new_from_index(version, len(users)),
                ARM: self.arms.gather(arm),
                SURFACE: served.pop(SURFACE),
                REQUEST: request,
                RETRIEVER: self.models.gather(arm),
                **served,
                "examined": day.chances[1],
                "expected": day.chances[2],
            }
        )

    def _propensities(
        self, arm: np.ndarray, place: np.ndarray, rank: np.ndarray, pool: np.ndarray, drawn: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The probability of each item at its place: whatever stands elsewhere, and given the places above."""
        marginal, conditional = np.ones((2, len(arm)), np.float32)
        for at, policy in enumerate(self.policies):
            mine = np.flatnonzero(arm == at)
            if policy.kind == "greedy" or not len(mine):
                continue
            own = place[mine], rank[mine], pool[mine]
            marginal[mine] = policy.marginal(*own)
            conditional[mine] = drawn[mine] if policy.kind == "softmax" else policy.conditional(*own)
        return marginal, conditional

    def user_days(self, day: Day, arm_of: np.ndarray) -> pl.DataFrame:
        """The totals of each user who visited."""
        there = np.flatnonzero(day.totals[:, 0] > 0)
        counts = day.totals[there]
        return pl.DataFrame(
            {
                "date": pl.Series([self.start.date() + timedelta(days=day.day)]).new_from_index(0, len(there)),
                USER: self.user_ids.gather(there),
                ARM: self.arms.gather(arm_of[there]),
                "lists": counts[:, 1].astype(np.int32),
                "impressions": counts[:, 2].astype(np.int32),
                "clicks": counts[:, 3].astype(np.int32),
                "expected_clicks": counts[:, 4],
            }
        )

    def interactions(self, day: Day) -> pl.DataFrame:
        """What was consumed: what was recommended and clicked, and what was found."""
        clicked = day.rows[3] == 1
        found = np.flatnonzero(day.organic >= 0)
        n, m = int(clicked.sum()), len(found)
        users = np.concatenate([day.rows[0, clicked], found])
        items = np.concatenate([day.rows[1, clicked], day.organic[found]])
        second = np.concatenate([day.rows[4, clicked], np.full(m, 86_399)])
        return pl.DataFrame(
            {
                USER: self.user_ids.gather(users),
                ITEM: self.item_ids.gather(items),
                TIMESTAMP: self._times(np.full(1, day.day), second),
                "origin": self.origins.gather(np.repeat([0, 1], [n, m])),
            }
        )

    def _times(self, days: np.ndarray, seconds: np.ndarray) -> pl.Series:
        micro = int(self.start.timestamp()) * 1_000_000 + (days.astype(np.int64) * 86_400 + seconds) * 1_000_000
        return pl.Series(micro.astype(np.int64)).cast(TIMESTAMP_TYPE)

    def _unwritable(self, error: OSError) -> WorkspaceError:
        return WorkspaceError(f"{self.folder} cannot be written: {error.strerror or error}. Choose another place.")


def _names(names: list[str]) -> pl.Series:
    distinct = list(dict.fromkeys(names))
    return pl.Series(names, dtype=pl.Enum(distinct))
