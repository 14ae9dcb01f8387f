"""Two systems user by user: only users with a value under both count, and the rest are counted."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from reclens.evaluation.results import Evaluation
from reclens.evaluation.winners import paired_values
from reclens.metrics.registry import in_unit_range
from reclens.schema import USER, stable_hash
from reclens.stats.bootstrap import estimate, replicate_means
from reclens.stats.estimate import Estimate
from reclens.stats.paired import paired_share_interval, randomization_p_values
from reclens.stats.resample import block_units
from reclens.stats.summary import Cell, Summary

__all__ = ["Pair", "Pairs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """One metric in one cell, over the users with a value under both systems.

    Attributes:
        n: Users with a value under both.
        alone: Users with a value under the system alone, and under the baseline alone.
        value: Mean of the system over the n users; NaN without any.
        baseline_value: Mean of the baseline over the same users.
        gap: Mean of the differences, with its interval.
        replicates: Bootstrap replicates of that mean, shape (B,).
        counts: Users for whom the system has the higher, the same and the lower value.
        p_value: Paired randomisation test; None where no user differs.
    """

    n: int
    alone: tuple[int, int]
    value: float
    baseline_value: float
    gap: Estimate
    replicates: np.ndarray
    counts: tuple[int, int, int]
    p_value: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """All metrics in all cells of two systems. Make one with :meth:`of`.

    Attributes:
        gaps: The differences of the users with both values, summed up with the weights of the evaluations.
        values: Σ of the values of the system over the same users, shape (cells, metrics).
        defined: Users with a value under the system, and under the baseline, shape (2, cells, metrics).
        counts: Users with a higher, the same and a lower value, shape (cells, metrics, 3).
        p_values: Paired randomisation tests, shape (cells, metrics).
    """

    gaps: Summary
    values: np.ndarray
    defined: np.ndarray
    counts: np.ndarray
    p_values: np.ndarray

    @classmethod
    def of(
        cls,
        ours: Evaluation,
        theirs: Evaluation,
        metrics: list[str],
        cells: list[Cell],
        *,
        flips: int,
        rng: int,
        threads: int | None,
    ) -> Pairs:
        """Pair two evaluations that were measured alike."""
        users, after, gaps = paired_values(ours, theirs, metrics)
        keys, targets = stable_hash(users), _targets(theirs, users, cells)
        groups = {}
        for column, by in enumerate(dict.fromkeys(cell[0] for cell in cells[1:]), 1):
            labels = [at for at, cell in enumerate(cells) if cell[0] == by]
            codes = targets[:, column]
            groups[by] = ([cells[at][1] for at in labels], np.where(codes < 0, -1, codes - labels[0]))
        summary = Summary.of(
            keys,
            dict(zip(metrics, gaps.T, strict=True)),
            groups=groups,
            replicates=theirs.summary.replicates,
            seed=theirs.summary.seed,
            threads=threads,
        )
        order, starts, blocks = block_units(targets)
        paired = ~np.isnan(gaps[order])
        filled = np.where(paired, gaps[order], 0.0)
        table = np.stack([filled > 0, (filled == 0) & paired, filled < 0, np.where(paired, after[order], 0.0)], axis=2)
        sums = np.zeros((len(cells), len(metrics), 4))
        for block, (start, stop) in zip(blocks, itertools.pairwise(starts), strict=True):
            sums[block[block >= 0]] += table[start:stop].sum(axis=0)
        p_values = randomization_p_values(
            keys[order], filled, starts, blocks, n_targets=len(cells), flips=flips, seed=rng, threads=threads
        )
        defined = np.stack([_defined(each.summary, cells, metrics) for each in (ours, theirs)])
        return cls(
            gaps=summary,
            values=sums[:, :, 3],
            defined=defined,
            counts=sums[:, :, :3].astype(np.int64),
            p_values=p_values,
        )

    def pair(self, metric: str, cell: Cell, *, level: float) -> Pair:
        """One metric in one cell."""
        i, j = self.gaps.index(cell, metric)
        n = int(self.gaps.n[i, j])
        wins, ties, losses = (int(count) for count in self.counts[i, j])
        alone = int(self.defined[0, i, j]) - n, int(self.defined[1, i, j]) - n
        if not n:
            nobody = Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value")
            return Pair(
                n=0,
                alone=alone,
                value=float("nan"),
                baseline_value=float("nan"),
                gap=nobody,
                replicates=np.zeros(0),
                counts=(0, 0, 0),
                p_value=None,
            )
        if in_unit_range(metric) and math.isclose(self.gaps.squares[i, j], wins + losses):  # all differences are 0, ±1
            low, high = paired_share_interval(wins, losses, n, level=level)
            note = None if wins + losses else "every_user_ties"
            gap = Estimate((wins - losses) / n, low=low, high=high, n=n, level=level, note=note)
        else:
            gap = estimate(self.gaps, cell, metric, level=level)
        value = float(self.values[i, j]) / n
        p_value = float(self.p_values[i, j]) if wins + losses else None
        before = value - float(self.gaps.total[i, j]) / n
        replicates = replicate_means(self.gaps, cell, metric)
        return Pair(
            n=n,
            alone=alone,
            value=value,
            baseline_value=before,
            gap=gap,
            replicates=replicates,
            counts=(wins, ties, losses),
            p_value=p_value,
        )


def _defined(summary: Summary, cells: list[Cell], metrics: list[str]) -> np.ndarray:
    """Users with a value, shape (cells, metrics); 0 in a cell that the summary does not have."""
    columns = [summary.columns.index(metric) for metric in metrics]
    rows = {cell: at for at, cell in enumerate(summary.cells)}
    none = np.zeros(len(metrics), np.int64)
    return np.stack([summary.n[rows[cell], columns] if cell in rows else none for cell in cells])


def _targets(result: Evaluation, users: pl.Series, cells: list[Cell]) -> np.ndarray:
    """For each user the index of their cell under each segmentation; the first column is all users."""
    columns = [np.zeros(len(users), np.int32)]
    where = {cell: at for at, cell in enumerate(cells)}
    table = users.to_frame().join(result.segments, on=USER, how="left", maintain_order="left")
    for by in dict.fromkeys(cell[0] for cell in cells[1:]):
        codes = [where.get((by, label), -1) for label in table[by].to_list()]
        columns.append(np.array(codes, np.int32))
    return np.stack(columns, axis=1)
