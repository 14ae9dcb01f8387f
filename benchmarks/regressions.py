"""What got slower: the benchmarks that fit into ten minutes, held against the committed results.

    make bench                                     # or: python benchmarks/regressions.py
    make bench ARGS="--data ml-1m.zip --minutes 5"

Each benchmark runs as a process of its own and writes to a folder apart, so that the committed results stay as they
are. What is compared are seconds of the processor. Beside a peer or a floor, which ran in turns with ours, the ratio of
theirs to ours counts, on every machine; without one the seconds themselves, and on the same processor alone. The peers'
environments are made before the time begins. The status is 1 where something got slower.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

Outcome = Literal["slower", "faster", "as before", "other processor", "not run"]

OURS = "reclens"
LARGE = 0.25
"""A change that is told: turns of one machine on two days differ by less in most rows, and by more in few."""


@dataclass(frozen=True)
class Piece:
    """A benchmark, with the arguments that make it short and its sections comparable to the committed ones.

    Attributes:
        name: ``bench_NAME.py``, which writes ``results/NAME.json``.
        arguments: Arguments; ``{data}`` is the MovieLens archive.
        peers: Names of the environments that it needs.
        seconds: How long it takes on two idle cores, about.
    """

    name: str
    arguments: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    seconds: int = 60


PIECES = (
    Piece("metrics", ("--ids", "integer", "--peers", "rectools"), ("rectools",), 90),
    Piece("experiment", ("--runs", "3"), ("tea_tasting",), 90),
    Piece("floors", ("--turns", "2"), (), 90),
    Piece("knn", ("--data", "{data}", "--runs", "3"), ("implicit", "similaripy"), 60),
    Piece("audit", ("--runs", "1", "--peers", "reclens", "fairlearn"), (), 70),
    Piece("als", ("--data", "{data}", "--runs", "1"), ("implicit",), 150),
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row of ours, now and as committed.

    Attributes:
        piece: The benchmark.
        task: What was done.
        beside: The peer or the floor, or ``""`` for seconds.
        before: Theirs ÷ ours as committed, or the seconds of ours.
        now: The same of this run; NaN where it did not run.
        outcome: What that means.
    """

    piece: str
    task: str
    beside: str
    before: float
    now: float
    outcome: Outcome


def rows_of(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Task -> contestant -> seconds of the processor, from any of the forms in ``results/``.

    Raises:
        ValueError: If the file has none of these forms.
    """
    if "seconds" in result:  # contestant -> wall, processor; the first is the floor
        (floor, times), *ours = result["seconds"].items()
        return {task: {floor: times[1], OURS: found[1]} for task, found in ours}
    if "results" not in result:
        raise ValueError(f"a result has neither 'results' nor 'seconds', but {', '.join(result)}")
    found: dict[str, dict[str, float]] = {}
    for task, rows in result["results"].items():
        found[task] = {OURS: rows["cpu"]} if "cpu" in rows else {name: row["cpu_s"] for name, row in rows.items()}
    return found


def compare(piece: str, before: dict[str, Any], now: dict[str, Any] | None) -> Iterator[Change]:
    """Every comparison of a result with the committed one, of tasks that both have; None is one that did not run."""
    old, new = rows_of(before), {} if now is None else rows_of(now)
    same = now is None or before["machine"]["processor"] == now["machine"]["processor"]
    for task, rows in old.items():
        if now is not None and task not in new:
            continue  # of another size, which this run leaves out
        peers = [name for name in rows if not name.startswith(OURS)]
        for beside in peers or [""]:
            if now is not None and beside and beside not in new[task]:
                continue
            was = rows[beside] / rows[OURS] if beside else rows[OURS]
            if now is None:
                yield Change(piece=piece, task=task, beside=beside, before=was, now=float("nan"), outcome="not run")
                continue
            told = new[task]
            value = told[beside] / told[OURS] if beside else told[OURS]
            gain = value / was if beside else was / value
            outcome: Outcome = "slower" if gain < 1 - LARGE else "faster" if gain > 1 / (1 - LARGE) else "as before"
            if not beside and not same:
                outcome = "other processor"
            yield Change(piece=piece, task=task, beside=beside, before=was, now=value, outcome=outcome)


def run(piece: Piece, folder: Path, *, data: Path | None, seconds: float) -> dict[str, Any] | None:
    """The result of a piece; None where it has no data or no time."""
    if seconds < piece.seconds or ("{data}" in piece.arguments and data is None):
        return None
    arguments = [str(data) if each == "{data}" else each for each in piece.arguments]
    command = [sys.executable, str(harness.FOLDER / f"bench_{piece.name}.py"), *arguments]
    environment = {**harness.our_environment(), harness.FOLDER_OF_RESULTS: str(folder)}
    try:
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    return json.loads((folder / f"{piece.name}.json").read_text(encoding="utf-8"))


def table(changes: Sequence[Change]) -> str:
    """The comparisons as Markdown, what got slower first."""
    lines = ["| | task | beside | before | now |", "|---|---|---|--:|--:|"]
    order: dict[str, int] = {"slower": 0, "faster": 1, "as before": 2, "other processor": 3, "not run": 4}
    for each in sorted(changes, key=lambda change: order[change.outcome]):
        unit = " ×" if each.beside else " s"
        now = "–" if each.outcome == "not run" else f"{each.now:.2f}{unit}"
        lines.append(f"| {each.outcome} | {each.task} | {each.beside or '–'} | {each.before:.2f}{unit} | {now} |")
    return "\n".join(lines)


def main() -> int:
    """Run what fits, print the table, and say by the status whether something got slower."""
    shared = Path(os.environ.get("RECLENS_SHARED_DATA", harness.ROOT.parent / "shared" / "data"))
    usual = shared / "movielens" / "ml-1m.zip"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it may take")
    parser.add_argument("--data", type=Path, default=usual if usual.exists() else None, help="MovieLens 1M, as a zip")
    parser.add_argument("--only", nargs="*", choices=[piece.name for piece in PIECES], help="these benchmarks alone")
    asked = parser.parse_args()
    chosen = [piece for piece in PIECES if not asked.only or piece.name in asked.only]
    for peer in dict.fromkeys(peer for piece in chosen for peer in piece.peers):
        harness.environment(peer)
    ends, changes = time.monotonic() + 60 * asked.minutes, []
    with tempfile.TemporaryDirectory() as name:
        for piece in chosen:
            print(f"{piece.name} …", file=sys.stderr)
            now = run(piece, Path(name), data=asked.data, seconds=ends - time.monotonic())
            before = json.loads((harness.FOLDER / "results" / f"{piece.name}.json").read_text(encoding="utf-8"))
            changes += compare(piece.name, before, now)
    print(table(changes))
    slower = [each for each in changes if each.outcome == "slower"]
    print(f"\n{len(slower)} of {sum(each.outcome != 'not run' for each in changes)} got slower by more than a quarter.")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
