"""Which injected incidents the monitor finds, how soon, in which slice, and how often it is wrong on clean days.

    python benchmarks/monitor_chaos.py --seeds 1000:1050 --minutes 60

``reclens.job.monitor_chaos`` says how, and ``reclens monitor chaos`` runs it for fewer seeds. Settings are chosen on
seeds 0 to 49 and published on seeds from 1,000 up. Each finished seed is one line of the results, so that a killed run
loses one seed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from harness import describe, machine

from reclens.job.monitor_chaos import METRICS, run_chaos
from reclens.monitor.chaos import KINDS, STRENGTHS

RESULTS = Path(__file__).resolve().parent / "results"


def interval(found: int, of: int) -> str:
    """A share in per cent, with its 95 % Wilson interval."""
    if not of:
        return "–"
    p, z = found / of, 1.96
    middle, half = p + z * z / 2 / of, z * np.sqrt(p * (1 - p) / of + z * z / 4 / of**2)
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{100 * p:.0f} ({100 * low:.0f}–{100 * high:.0f})"


def rate(found: int, years: float) -> str:
    """A rate a year, with its 95 % interval by the root of the count."""
    spread = 1.96 * np.sqrt(found + 1)
    return f"{found / years:.2f} ({max(0.0, found - spread) / years:.2f}–{(found + spread) / years:.2f})"


def report(lines: list[dict[str, Any]]) -> str:
    """The tables of the results."""
    years = sum(line["metric_days"] for line in lines) / 365.25
    faults = [each for line in lines for each in line["faults"]]
    text = [
        "# Injected incidents",
        "",
        (
            f"{len(lines)} seeds, {years:.0f} metric-years of clean days, {len(faults)} incidents of 14 kinds. "
            "A metric is an indicator with all its slices. Intervals are of 95 %. "
            "`benchmarks/monitor_chaos.py` says how."
        ),
        "",
        "| | monitor | 14-day z-score |",
        "|---|--:|--:|",
        (
            f"| false alerts per metric-year | {rate(sum(each['false_alerts'] for each in lines), years)} | "
            f"{rate(sum(each['false_z'] for each in lines), years)} |"
        ),
        (
            f"| false incidents a year, all metrics | "
            f"{rate(sum(each['false_incidents'] for each in lines), years / METRICS)} | |"
        ),
    ]
    for strength in STRENGTHS:
        own = [each for each in faults if each["strength"] == strength]
        hits = sum(each["delay"] is not None for each in own)
        text.append(
            f"| recall, {strength}, % | {interval(hits, len(own))} | "
            f"{interval(sum(each['z_delay'] is not None for each in own), len(own))} |"
        )
        extra = sum(each["incidents"] for each in own)
        text.append(f"| precision, {strength}, % | {interval(hits, max(extra, hits))} | |")
        text.append(f"| median delay, {strength}, days | {_median(own, 'delay')} | {_median(own, 'z_delay')} |")
        slices = [each for each in own if each["right"] is not None]
        text.append(
            f"| right root slice, {strength}, % | {interval(sum(each['right'] for each in slices), len(slices))} | |"
        )
    peer = evidently()
    text += [
        "",
        (
            "Evidently's drift preset is on one seed a kind and strength: days of the first three on which it sees "
            "more columns drift than on the same clean day (`monitor_chaos_peer.md`). A slow drift has hardly begun "
            "by then."
        ),
        "",
        "| kind | strength | recall, % | delay, days | right slice, % | z-score: recall, % | Evidently: days of 3 |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for kind in KINDS:
        for strength in STRENGTHS:
            own = [each for each in faults if (each["kind"], each["strength"]) == (kind, strength)]
            slices = [each for each in own if each["right"] is not None]
            text.append(
                f"| {kind} | {strength} | {interval(sum(each['delay'] is not None for each in own), len(own))} | "
                f"{_median(own, 'delay')} | {interval(sum(each['right'] for each in slices), len(slices))} | "
                f"{interval(sum(each['z_delay'] is not None for each in own), len(own))} | "
                f"{peer.get((kind, strength), '–')} |"
            )
    cpu = sum(line["cpu_s"] for line in lines)
    text += ["", *targets(faults, sum(each["false_alerts"] for each in lines) / years)]
    text += ["", f"{cpu:.0f} CPU seconds. {describe(machine())}."]
    return "\n".join(text) + "\n"


def evidently() -> dict[tuple[str, str], int]:
    """Days on which Evidently sees a fault, by kind and strength, as ``monitor_chaos_peer.py`` counted them."""
    place = RESULTS / "monitor_chaos_peer.json"
    if not place.exists():
        return {}
    counts = json.loads(place.read_text())["answer"]
    return {
        (kind, strength): sum(counts[f"{kind}-{strength}-{at}"] > counts[f"clean-{at}"] for at in range(3))
        for kind in KINDS
        for strength in STRENGTHS
    }


def targets(faults: list[dict[str, Any]], false_alerts: float) -> list[str]:
    """What was asked for before anything was measured, and what was found."""

    def recall(strength: str) -> float:
        own = [each["delay"] is not None for each in faults if each["strength"] == strength]
        return 100 * float(np.mean(own))

    delay = float(np.median([each["delay"] for each in faults if each["delay"] is not None]))
    root = 100 * float(np.mean([each["right"] for each in faults if each["right"] is not None]))
    rows = [
        ("false alerts per metric-year", "≤ 1", f"{false_alerts:.2f}", false_alerts <= 1),
        ("recall, strong, %", "≥ 90", f"{recall('strong'):.1f}", recall("strong") >= 90),
        ("recall, medium, %", "≥ 70", f"{recall('medium'):.1f}", recall("medium") >= 70),
        ("median delay of all, days", "≤ 1", f"{delay:.0f}", delay <= 1),
        ("right root slice, all strengths, %", "≥ 80", f"{root:.1f}", root >= 80),
    ]
    told = [f"| {name} | {wanted} | {found} | {'met' if met else 'missed'} |" for name, wanted, found, met in rows]
    slow = [each["delay"] for each in faults if each["kind"] == "slow_drift" and each["delay"] is not None]
    return [
        "| target | wanted | found | |",
        "|---|--:|--:|---|",
        *told,
        "",
        (
            f"A slow drift, which grows for two weeks, is found after {np.median(slow):.0f} days in the median of all "
            "strengths. Weak incidents have no target."
        ),
    ]


def _median(rows: list[dict[str, Any]], name: str) -> str:
    known = [each[name] for each in rows if each[name] is not None]
    return f"{np.median(known):.0f}" if known else "–"


def main() -> None:
    """Run the seeds that are missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1000:1050")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no seed after so many minutes")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "monitor_chaos.jsonl")
    given = parser.parse_args()
    start, stop = (int(part) for part in given.seeds.split(":"))
    lines = run_chaos(given.out, range(start, stop), minutes=given.minutes, processes=given.processes)
    text = report(sorted(lines, key=lambda line: line["seed"]))
    given.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
