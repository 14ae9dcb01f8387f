"""Plant small faults in the metrics and statistics, one at a time, and count how many the tests find.

The faults are those of mutmut: another number, comparison, operator, argument, and so on. Mutmut itself leaves
decorated functions out, which are the metrics and the compiled loops here, so that its operators are used and not its
runner. A sample of fixed seed, stratified by file, is run; the loops of a changed file run as Python. First each test
is run once to see which lines it executes; each mutant then meets the tests that execute one of its lines, the quickest
first, up to the first that fails. What was run is kept in ``benchmarks/results/mutants.jsonl``: an interrupted run goes
on there.

    python scripts/mutants.py --minutes 90 --workers 2
    python scripts/mutants.py --again survived

Survivors that compute the same as the original are named in ``benchmarks/results/mutants_equivalent.toml``, each with
its reason, and leave the score. Run it by ``make mutants``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import time
import tomllib
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mutants_plant import ROOMS, SOURCE, Mutant, functions_by_file, plant_at_import, plant_living, sample
from mutants_tests import Harness, Record, in_child

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ROWS, EQUIVALENT = RESULTS / "mutants.jsonl", RESULTS / "mutants_equivalent.toml"
CACHE = ROOT / "build" / "mutants"
TESTS = (
    *(f"tests/{room}" for room in ("stats", "metrics", "reference", "evaluation", "experiment", "audit", "lab")),
    *(f"src/reclens/{room}" for room in ("stats", "metrics", "evaluation", "experiment")),
)
IGNORED = ("tests/experiment/aggregate/test_gather.py", "tests/experiment/aggregate/test_gather_events.py")
"""They compute with Polars when they are imported."""
TEST_LIMIT, FILE_LIMIT, MUTANT_LIMIT, HANGS = 10.0, 90.0, 30.0, 20
"""Processor seconds of one test, of all tests of a file while lines are recorded, and of all tests of one mutant. What
takes so many times longer by the clock, hangs."""

FOUND = ("killed", "timeout")

# Hashes wrap around: compiled they do so silently, as they should.
OPTIONS = ["-q", "-s", "-p", "no:cacheprovider", "--no-header", "--tb=no", *(f"--ignore={each}" for each in IGNORED)]
OPTIONS += ["-W", "ignore:overflow encountered:RuntimeWarning"]

Records = dict[str, Record]
Test = Callable[[Mutant, list[str], list[float], bool], Any]


def collect(loop: Callable[[Harness, list[Any]], None], tests: Iterable[str]) -> None:
    """Collect tests and hand them to a function."""
    import pytest

    pytest.main([*OPTIONS, f"--rootdir={ROOT}", *tests], plugins=[Harness(loop)])


def record(harness: Harness, items: list[Any]) -> Records:
    """What each test executes; known for the test files that did not change, recorded for the others.

    In a source file that changed since, lines are not known: its tests count for each of them.
    """
    sources = {
        path.relative_to(SOURCE).as_posix(): _hash(path) for room in ROOMS for path in (SOURCE / room).rglob("*.py")
    }
    by_file: dict[Path, list[Any]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    CACHE.mkdir(parents=True, exist_ok=True)
    found: Records = {}
    for path, own in by_file.items():
        name = path.relative_to(ROOT).as_posix()
        kept = CACHE / f"{name.replace('/', '-')}.json"
        known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
        if known.get("test") != _hash(path):
            rows = in_child(lambda own=own: harness.record(own, TEST_LIMIT, FILE_LIMIT), HANGS * FILE_LIMIT)
            rows = rows if isinstance(rows, dict) else {}
            passed = [row["seconds"] for row in rows.values() if not row["failed"]]
            print(f"{name}: {len(passed)} of {len(own)} tests are used, {sum(passed):.0f} s", flush=True)
            known = {"test": _hash(path), "sources": sources, "rows": rows}
            kept.write_text(json.dumps(known), encoding="utf-8")
        changed = {file for file, mark in sources.items() if known["sources"].get(file) != mark}
        for test, row in known["rows"].items():
            if not row["failed"]:
                found[test] = row | {
                    "lines": {file: [] if file in changed else lines for file, lines in row["lines"].items()}
                }
    return found


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def tests_of(mutant: Mutant, records: Records) -> list[str]:
    """The tests that execute a mutant, the quickest first, as many as there is time for."""
    first, last = mutant.lines
    inside = {name: row["lines"][mutant.file] for name, row in records.items() if mutant.file in row["lines"]}
    seen = {name for name, lines in inside.items() if any(first <= each <= last for each in lines)}
    # What runs at import, or in a compiled loop, is not seen: all tests that come into the file may meet it.
    unseen = mutant.at_import or (mutant.is_compiled and not seen)
    found = [name for name, lines in inside.items() if unseen or not lines or name in seen]
    chosen, total = [], 0.0
    for name in sorted(found, key=lambda name: records[name]["seconds"]):
        total += records[name]["seconds"]
        if total > MUTANT_LIMIT and chosen:
            break
        chosen.append(name)
    return chosen


def run(mutants: Sequence[Mutant], records: Records, test: Test, end: float) -> None:
    """Run mutants by a function of a mutant, tests, their limits and whether to plant it; keep a row of each."""
    sound: dict[tuple[str, bool], bool] = {}
    for mutant in mutants:
        began, by, outcome, names = time.monotonic(), None, "not run", []

        def tried(names: list[str], planted: bool, mutant: Mutant = mutant) -> Any:
            # Loops in Python may take a test hundreds of times as long: it is then left out, which takes as long.
            limits = [3.0 if mutant.is_compiled else 5 * records[name]["seconds"] + 10 for name in names]
            return in_child(lambda: test(mutant, names, limits, planted), HANGS * MUTANT_LIMIT) if names else None

        while time.monotonic() < end:
            names = [name for name in tests_of(mutant, records) if sound.get((name, mutant.is_compiled), True)]
            answer = tried(names, True)
            by, outcome = answer if isinstance(answer, tuple) else (None, answer or "survived")
            key = (str(by), mutant.is_compiled)
            if by is not None and key not in sound:  # does it pass without the fault, here and now?
                sound[key] = tried([by], False) is None
            if by is None or sound[key]:
                break
            print(f"left out, it fails without a fault: {by}", flush=True)
        if time.monotonic() > end:
            return
        row = {"key": mutant.key, "file": mutant.file, "line": mutant.lines[0], "was": mutant.was, "now": mutant.now}
        row |= {"outcome": outcome, "by": by, "tests": len(names), "seconds": round(time.monotonic() - began, 1)}
        with ROWS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{outcome:8} {mutant.key}:{mutant.lines[0]} {mutant.was!r:.60} -> {mutant.now!r:.60}", flush=True)


def run_living(mutants: Sequence[Mutant], end: float, workers: int) -> None:
    """Collect the tests once, record what they execute, and run the mutants that are planted in living functions."""

    def loop(harness: Harness, items: list[Any]) -> None:
        from reclens import kernels

        kernels.warm_up(rooms=ROOMS)  # once, for all children
        if any("polars-0" in each.read_text() for each in Path("/proc/self/task").glob("*/comm")):
            raise RuntimeError("Polars has threads, which a fork does not: a test module computes when it is imported")
        records, named = record(harness, items), {item.nodeid: item for item in items}
        (CACHE / "records.json").write_text(json.dumps(records), encoding="utf-8")
        functions = functions_by_file()

        def test(mutant: Mutant, names: list[str], limits: list[float], planted: bool) -> Any:
            if mutant.is_compiled:  # the loops of this process are Python from here on
                for each in kernels._KERNELS:
                    each._compiled = each.function
            if planted and not plant_living(mutant, functions):
                return "not planted"
            return harness.run([named[name] for name in names], limits)

        in_children([lambda at=at: run(mutants[at::workers], records, test, end) for at in range(workers)])

    in_children([lambda: collect(loop, TESTS)])


def run_at_import(mutants: Sequence[Mutant], end: float, workers: int) -> None:
    """Run the mutants of what is executed at import: each collects its tests anew."""
    records: Records = json.loads((CACHE / "records.json").read_text(encoding="utf-8"))

    def test(mutant: Mutant, names: list[str], limits: list[float], planted: bool) -> Any:
        import numba

        numba.config.DISABLE_JIT = mutant.is_compiled
        if planted:
            plant_at_import(mutant)
        answers: list[Any] = []

        def loop(harness: Harness, items: list[Any]) -> None:
            named = {item.nodeid: item for item in items}
            missing = [name for name in names if name not in named]
            answers.append((missing[0], "killed") if missing else harness.run([named[name] for name in names], limits))

        collect(loop, dict.fromkeys(name.split("::")[0] for name in names))
        return answers[0] if answers else (names[0], "killed")  # not even collected

    in_children([lambda at=at: run(mutants[at::workers], records, test, end) for at in range(workers)])


def in_children(parts: Sequence[Callable[[], Any]]) -> None:
    """Run functions in forked children at the same time.

    Raises:
        RuntimeError: If one does not come to its end.
    """
    children = []
    for part in parts:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                part()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(pid)
    states = [os.waitpid(pid, 0)[1] for pid in children]
    if any(states):
        raise RuntimeError("a child process failed; its message stands above")


def report(rows: Sequence[dict[str, Any]], wanted: int) -> str:
    """The score, with Wilson's interval, by room, and the survivors by file."""
    from reclens.stats.proportions import proportion

    equivalent: dict[str, Any] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.is_file() else {}
    counted = [row for row in rows if row["key"] not in equivalent]
    about = (
        "Small faults planted one at a time in the metrics and statistics by `make mutants`; the share that the tests "
        f"find. Run so far: {len(rows):,} of a stratified sample of {wanted:,}, of which {len(rows) - len(counted)} "
        "compute the same as the original and are left out "
        "([`mutants_equivalent.toml`](mutants_equivalent.toml) has the reasons). Intervals of 95 % (Wilson)."
    )
    lines = [
        "# Mutants",
        "",
        about,
        "",
        "| part | mutants | found | share | interval |",
        "|--|--:|--:|--:|--:|",
    ]
    parts = {"all": counted} | {room: [row for row in counted if row["file"].startswith(room)] for room in ROOMS}
    for name, part in parts.items():
        if part:
            found = sum(row["outcome"] in FOUND for row in part)
            share = proportion(found, len(part))
            assert share.low is not None and share.high is not None
            interval = f"{share.low:.1%} to {share.high:.1%}"
            lines.append(f"| {name} | {len(part)} | {found} | {share.value:.1%} | {interval} |")
    before = proportion(sum(row["first"] in FOUND for row in counted), len(counted))
    earlier = (
        f"Before tests were written for the survivors, {before.value:.1%} were found ({before.low:.1%} to "
        f"{before.high:.1%}). Of mutants outside the sample the share may be as low as that."
    )
    lines += ["", earlier]
    lost = [row for row in counted if row["outcome"] not in FOUND]
    if lost:
        lines += ["", "Survivors:", ""]
        for row in sorted(lost, key=lambda row: (row["file"], row["line"])):
            was, now = (" ".join(row[each].split()) for each in ("was", "now"))
            lines.append(f"- `{row['file']}` line {row['line']}: `{was:.100}` to `{now:.100}`")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is left of the sample within the time, and write the score."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=90.0, help="Begin no mutant after this time.")
    options.add_argument("--workers", type=int, default=2, help="Mutants at a time.")
    options.add_argument("--again", action="append", default=[], metavar="OUTCOME", help="Run these anew: survived.")
    chosen = options.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    os.environ |= {"OMP_NUM_THREADS": "1", "CI": "1"}  # CI: the same examples in each run
    mutants = {each.key: each for each in sample()}
    rows = _rows(mutants)
    ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")
    left = [m for m in mutants.values() if m.key not in rows or rows[m.key]["outcome"] in chosen.again]
    # Loaded once, here: children share them. RecLens itself must not be, for faults in what runs at its import.
    for name in ("numba", "numpy", "polars", "scipy.stats"):
        importlib.import_module(name)
    if left:
        left.sort(key=lambda each: each.is_compiled)  # the slow ones come last
        run_living([each for each in left if not each.at_import], end, chosen.workers)
        run_at_import([each for each in left if each.at_import], end, chosen.workers)
    text = report(list(_rows(mutants).values()), len(mutants))
    (RESULTS / "mutants.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _rows(mutants: Mapping[str, Mutant]) -> dict[str, dict[str, Any]]:
    """What was run of the sample, with the outcome of its first run; rows of older code are left out."""
    rows: dict[str, dict[str, Any]] = {}
    for row in map(json.loads, ROWS.read_text(encoding="utf-8").splitlines() if ROWS.is_file() else []):
        if (mutant := mutants.get(row["key"])) is not None:
            first = rows.get(row["key"], row).get("first", row["outcome"])
            rows[row["key"]] = row | {"line": mutant.lines[0], "first": first}
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
