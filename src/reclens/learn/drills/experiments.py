"""Drills of phase 2: p-values and sizes of arms, guardrails, holdouts, and offline against online."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["ArmsAndPValues", "GuardrailsThatHold", "NoveltyInAHoldout", "OfflineAgainstOnline"]

_Z = 1.959963984540054


def _two_sided(z: float) -> float:
    """p-value of a standard normal deviate."""
    return math.erfc(abs(z) / math.sqrt(2))


class ArmsAndPValues(Drill):
    """Two tests, one of which lost users: the check of the arms comes before the p-value."""

    code = "2.a"
    name = "arms_and_p_values"
    mistakes = ("arms not looked at", "one-sided", "difference of arms not tested as one sample")

    def make(self, rng: np.random.Generator) -> Paper:
        """One test whose arms are as planned, and one where treatment lost a part."""
        broken = int(rng.integers(2))
        rows: list[tuple[str, str, int, int]] = []
        right: dict[str, float | str | list[str]] = {}
        wrong: dict[str, dict[str, float | str | list[str]]] = {name: {} for name in self.mistakes}
        for at, name in enumerate(("a", "b")):
            users = [int(rng.normal(20_000, 60)), int(rng.normal(18_900 if at == broken else 20_000, 60))]
            share = rng.uniform(0.06, 0.12)
            bought = [
                int(rng.binomial(n, share * lift)) for n, lift in zip(users, (1.0, rng.uniform(1.04, 1.1)), strict=True)
            ]
            rows += [(name, arm, n, k) for arm, n, k in zip(("old", "new"), users, bought, strict=True)]
            arms = (users[1] - users[0]) / math.sqrt(sum(users))
            pooled = sum(bought) / sum(users)
            z = (bought[1] / users[1] - bought[0] / users[0]) / math.sqrt(
                pooled * (1 - pooled) * sum(1 / n for n in users)
            )
            p = _two_sided(z)
            verdict = ("better" if z > 0 else "worse") if p < 0.05 else "no_difference"
            right |= {f"{name}_arms_p": _two_sided(arms), f"{name}_p": p}
            right[f"{name}_decision"] = "invalid" if _two_sided(arms) < 0.001 else verdict
            wrong["arms not looked at"][f"{name}_decision"] = verdict
            wrong["one-sided"][f"{name}_p"] = p / 2
            wrong["difference of arms not tested as one sample"][f"{name}_arms_p"] = _two_sided(arms / math.sqrt(2))
        data = pl.DataFrame(rows, schema=["test", "arm", "users", "bought"], orient="row")
        return Paper(data=data, right=right, mistakes=wrong)


class GuardrailsThatHold(Drill):
    """Which of six guardrails hold: those whose interval excludes a loss beyond the margin."""

    code = "2.b"
    name = "guardrails_that_hold"
    mistakes = ("estimate alone", "no harm found", "direction not looked at")

    def make(self, rng: np.random.Generator) -> Paper:
        """Changes in %, with standard errors and margins."""
        names = rng.permutation(["diversity", "novelty", "latency", "complaints", "sessions", "coverage"]).tolist()
        rows: list[tuple[str, str, float, float, float]] = []
        holds: dict[str, list[str]] = {name: [] for name in ("right", *self.mistakes)}
        for name in names:
            lower = name in ("latency", "complaints")
            change, error, margin = (
                round(float(each), 2) for each in (rng.normal(0, 1.5), rng.uniform(0.3, 1), rng.uniform(0.8, 2.5))
            )
            rows.append((name, "lower" if lower else "higher", change, error, margin))
            good = -change if lower else change
            seen = {
                "right": good - _Z * error > -margin,
                "estimate alone": good > -margin,
                "no harm found": good + _Z * error > 0,
                "direction not looked at": change - _Z * error > -margin,
            }
            for key, each in seen.items():
                if each:
                    holds[key].append(name)
        columns = ["metric", "better", "change", "standard_error", "margin"]
        return Paper(
            data=pl.DataFrame(rows, schema=columns, orient="row"),
            right={"holds": holds["right"]},
            mistakes={name: {"holds": holds[name]} for name in self.mistakes},
        )


class NoveltyInAHoldout(Drill):
    """What of a lift was novelty, and what lasts."""

    code = "2.c"
    name = "novelty_in_a_holdout"
    mistakes = ("mean of all weeks", "first weeks alone", "error of a week")

    def make(self, rng: np.random.Generator) -> Paper:
        """Lifts of eight weeks against a holdout, in %, with one standard error for each."""
        lasting = float(rng.choice([0.0, rng.uniform(0.5, 0.9)]))
        error = round(float(rng.uniform(0.3, 0.5)), 2)
        weeks = np.arange(8)
        lifts = np.round(lasting + rng.uniform(3, 6) * np.exp(-weeks / 1.2) + rng.normal(0, 0.6 * error, 8), 2)
        late, early = float(lifts[4:].mean()), float(lifts[:2].mean())
        lasts = "yes" if late - _Z * error / 2 > 0 else "no"
        return Paper(
            data=pl.DataFrame({"week": weeks + 1, "lift": lifts, "standard_error": np.full(8, error)}),
            right={"lasting": late, "novelty": early - late, "low": late - _Z * error / 2, "lasts": lasts},
            mistakes={
                "mean of all weeks": {"lasting": float(lifts.mean())},
                "first weeks alone": {"lasting": early, "novelty": 0.0},
                "error of a week": {"low": late - _Z * error},
            },
        )


class OfflineAgainstOnline(Drill):
    """How far the order of models offline is that online."""

    code = "2.d"
    name = "offline_against_online"
    mistakes = ("spearman for kendall", "pearson", "best of online")

    def make(self, rng: np.random.Generator) -> Paper:
        """Eight models with an NDCG and a lift, all different."""
        offline = rng.permutation(np.round(np.linspace(0.2, 0.34, 8) + rng.uniform(-0.008, 0.008, 8), 4))
        online = np.round(20 * (offline - 0.25) + rng.normal(0, 1.2, 8), 2)
        names = [f"model_{letter}" for letter in "abcdefgh"]
        ranks = [each.argsort().argsort() for each in (offline, online)]
        pairs = [np.sign((offline[i] - offline[j]) * (online[i] - online[j])) for i, j in combinations(range(8), 2)]
        best = names[int(offline.argmax())]
        return Paper(
            data=pl.DataFrame({"model": names, "ndcg": offline, "lift": online}),
            right={
                "kendall": float(np.mean(pairs)),
                "best_offline": best,
                "its_rank_online": float(8 - ranks[1][offline.argmax()]),
            },
            mistakes={
                "spearman for kendall": {"kendall": float(np.corrcoef(ranks[0], ranks[1])[0, 1])},
                "pearson": {"kendall": float(np.corrcoef(offline, online)[0, 1])},
                "best of online": {"best_offline": names[int(online.argmax())], "its_rank_online": 1.0},
            },
        )
