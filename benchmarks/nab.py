"""The scorer of the Numenta Anomaly Benchmark (NAB v1.1), and what its shipped results score by it.

    python benchmarks/nab.py NAB.zip

The archive holds data, labelled windows, profiles and the results of other detectors. A detection within a window
counts once, more the earlier it comes; one outside costs, less so shortly after a window; so does a missed window.
The threshold of a detector is the one that scores best over all series, by NAB's rule. Scores are scaled so that no
detection at all is 0 and a perfect detector is 100.

Lavin and Ahmad (2015), Evaluating real-time anomaly detection algorithms, arXiv:1510.03336.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

COOL_DOWN = 7
PROBATION = 0.15
"""Share of a series that a detector may learn from before it is scored, of at most 5,000 points."""


@dataclass(frozen=True)
class Series:
    """A series of NAB: times as text, values, and the windows in which something was wrong."""

    name: str
    times: list[str]
    values: np.ndarray
    windows: list[tuple[int, int]]


@dataclass(frozen=True)
class Weights:
    """What a profile gives for a window that is found, and takes for a false alarm and a window that is missed."""

    found: float
    false_alarm: float
    missed: float


def read_nab(path: Path) -> tuple[list[Series], dict[str, Weights]]:
    """The series with their windows, and the profiles."""
    with zipfile.ZipFile(path) as archive:
        labels = json.loads(archive.read("NAB/labels/combined_windows.json"))
        profiles = json.loads(archive.read("NAB/config/profiles.json"))
        series = []
        for name, windows in labels.items():
            frame = pl.read_csv(io.BytesIO(archive.read(f"NAB/data/{name}")), infer_schema=False)
            place = {time: at for at, time in enumerate(frame["timestamp"])}
            ends = [(place[begin[:19]], place[end[:19]]) for begin, end in windows]
            series.append(Series(name, frame["timestamp"].to_list(), frame["value"].cast(pl.Float64).to_numpy(), ends))
    costs = {name: profile["CostMatrix"] for name, profile in profiles.items()}
    return series, {name: Weights(cost["tpWeight"], cost["fpWeight"], cost["fnWeight"]) for name, cost in costs.items()}


def probation(n: int) -> int:
    """Points at the beginning of a series of ``n`` that are not scored."""
    return int(min(np.floor(PROBATION * n), PROBATION * 5000))


def sigmoid(position: np.ndarray) -> np.ndarray:
    """Worth of a detection at a position: near 1 at the beginning of a window (-1), 0 at its end, -1 far behind it."""
    return np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * position)) - 1)


def worth(series: Series) -> tuple[np.ndarray, np.ndarray]:
    """Worth of a detection at each point before weights, and the number of its window; -1 outside of any."""
    n = len(series.values)
    at, window = np.arange(n), np.full(n, -1)
    value = np.full(n, -1.0)
    for number, (begin, end) in enumerate(series.windows):
        width = end - begin + 1
        after = at > end
        with np.errstate(over="ignore"):
            # Behind a window the penalty grows until the next one begins.
            value[after] = sigmoid((at[after] - end) / max(width - 1, 1))
            inside = slice(begin, end + 1)
            value[inside] = sigmoid(-(end - at[inside] + 1) / width) / sigmoid(np.array(-1.0))
        window[inside] = number
    return value, window


def best_score(series: list[Series], scores: Mapping[str, np.ndarray], weights: Weights) -> tuple[float, float]:
    """The threshold that scores best over all series, and its scaled score.

    Args:
        series: The series.
        scores: Name of a series -> anomaly score of each of its points; higher is stranger.
        weights: The profile.
    """
    parts, begin = [], 0
    for each in series:
        value, window = worth(each)
        scored = np.arange(len(value)) >= probation(len(value))
        number = np.where(window >= 0, window + begin, -1)
        parts.append(np.stack([scores[each.name], value, number])[:, scored])
        begin += len(each.windows)
    score, value, window = np.concatenate(parts, axis=1)
    order = np.argsort(-score, kind="stable")
    score, value, window = score[order], value[order], window[order].astype(int)
    # From the strangest point on: false alarms add up, and a window counts by its best detection so far.
    gain = np.where(window < 0, weights.false_alarm * value, 0.0)
    best = np.full(begin, -np.inf)
    for at in np.flatnonzero(window >= 0):
        number, new = window[at], weights.found * value[at]
        if best[number] == -np.inf:
            gain[at], best[number] = new + weights.missed, new
        elif new > best[number]:
            gain[at], best[number] = new - best[number], new
    reachable = len(np.unique(window[window >= 0]))
    total = np.concatenate([[0.0], np.cumsum(gain)]) - weights.missed * reachable
    last = np.append(np.flatnonzero(np.diff(score) != 0), len(score) - 1) + 1  # equal scores are detected together
    candidates = np.concatenate([[0], last])
    chosen = candidates[np.argmax(total[candidates])]
    raw = float(total[chosen]) - weights.missed * (begin - reachable)
    return (float(score[chosen - 1]) if chosen else np.inf), scaled(raw, begin, weights)


def scaled(raw: float, windows: int, weights: Weights) -> float:
    """A sum of scores on NAB's scale: 0 is no detection at all, 100 finds every window at its first point."""
    null, perfect = -weights.missed * windows, weights.found * windows
    return 100 * (raw - null) / (perfect - null)


def shipped(path: Path, detector: str, series: list[Series]) -> dict[str, np.ndarray]:
    """Anomaly scores of a detector, whose results by point the archive holds for windowedGaussian and null."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for each in series:
            folder, _, file = each.name.partition("/")
            data = archive.read(f"NAB/results/{detector}/{folder}/{detector}_{file}")
            found[each.name] = pl.read_csv(io.BytesIO(data), columns=["anomaly_score"]).to_series().to_numpy()
    return found


def published(path: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Detector -> profile -> the sum of its scores, and its published score on NAB's scale."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    with zipfile.ZipFile(path) as archive:
        for detector, profiles in json.loads(archive.read("NAB/results/final_results.json")).items():
            for profile, score in profiles.items():
                data = archive.read(f"NAB/results/{detector}/{detector}_{profile}_scores.csv").decode()
                total = next(line for line in data.splitlines() if line.startswith("Totals"))
                found.setdefault(detector, {})[profile] = (float(total.split(",")[4]), score)
    return found


def ours(series: Series) -> np.ndarray:
    """Anomaly scores of our detector, as the monitor uses it but for the week, which points of minutes do not have.

    A forecast from the last 56 points, a scale from the distances of as many, and the size of a distance that is larger
    than all that the scale was learned from. A point within the seven behind one that is as far is of the same alert.
    These are the settings of days; none was chosen by the score.
    """
    from reclens.stats.anomaly import score_days

    scores = score_days(series.values[:, None], period=1, memory=56, warm_up=21, unlearned=4.0)
    z = np.where(scores.record, np.abs(scores.z), 0.0)[:, 0]
    z = np.where(np.isnan(z), 0.0, np.minimum(z, 1e9))
    found = z.copy()
    for back in range(1, COOL_DOWN + 1):
        found[back:] = np.where(z[:-back] >= z[back:], 0.0, found[back:])
    return found


def main() -> None:
    """Score the results that the archive holds by point, and scale the sums of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    path = parser.parse_args().archive
    series, profiles = read_nab(path)
    windows = sum(len(each.windows) for each in series)
    print("| detector | profile | published | scaled from its sum | by our scorer |\n|---|---|--:|--:|--:|")
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip((each.name for each in series), pool.map(ours, series), strict=True))
    for profile, weights in profiles.items():
        print(f"| reclens | {profile} | – | – | {best_score(series, found, weights)[1]:.4f} |")
    for detector, known in published(path).items():
        given = shipped(path, detector, series) if detector in ("windowedGaussian", "null") else None
        for profile, (raw, score) in known.items():
            weights = profiles[profile]
            mine = f"{best_score(series, given, weights)[1]:.4f}" if given else "–"
            print(f"| {detector} | {profile} | {score:.4f} | {scaled(raw, windows, weights):.4f} | {mine} |")


if __name__ == "__main__":
    main()
