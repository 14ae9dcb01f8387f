"""Plant small faults in the metrics and statistics, one at a time, and count how many the tests find.

The faults are those of mutmut: another number, comparison, operator, argument, and so on. Mutmut itself leaves
decorated functions out, which are the metrics and the compiled loops here, so that its operators are used and not its
runner. A sample of fixed seed, stratified by file, is run with compilation off; each mutant meets the test files that
import its module. What was run is kept in ``benchmarks/results/mutants.jsonl``: an interrupted run goes on there.

    python scripts/mutants.py --minutes 90 --workers 2

Survivors that compute the same as the original are named in ``benchmarks/results/mutants_equivalent.toml``, each with
its reason, and leave the score. Run it by ``make mutants``.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "reclens"
RESULTS = ROOT / "benchmarks" / "results"
ROOMS = ("stats", "metrics")
TESTS = ("tests/stats", "tests/metrics", "tests/reference", "tests/evaluation")
SEED, SAMPLE = 20261129, 400
LIMIT = 180.0
"""Seconds that the tests of one mutant may take; a test file that alone takes half of it is left out."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        key: File, line and a hash of what is changed to what: the same for the same code.
        file: The file, below ``src/reclens``.
        line: The line, from 1.
        was: The code that is changed.
        now: What it is changed to.
        start: Where it begins in the file, in characters.
    """

    key: str
    file: str
    line: int
    was: str
    now: str
    start: int

    @property
    def code(self) -> str:
        """The whole file with the fault."""
        text = (SOURCE / self.file).read_text(encoding="utf-8")
        assert text.startswith(self.was, self.start)
        return text[: self.start] + self.now + text[self.start + len(self.was) :]


def mutants_of(path: Path) -> list[Mutant]:
    """Every fault of a file: in functions and constants, but not in annotations, decorators, docstrings, errors."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.mutators import mutation_operators

    text = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    place = wrapper.resolve(PositionProvider)
    module, file = wrapper.module, path.relative_to(SOURCE).as_posix()
    starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == "\n")]
    left_out = (cst.Annotation, cst.Decorator, cst.Raise, cst.ImportFrom, cst.Import, cst.Assert, cst.FormattedString)
    found: list[Mutant] = []

    def visit(node: cst.CSTNode) -> None:
        if isinstance(node, left_out):
            return
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString):
            return  # a docstring
        if isinstance(node, cst.Assign | cst.AnnAssign) and "__all__" in module.code_for_node(node):
            return
        if not isinstance(node, cst.SimpleString):  # texts are codes and names, which fail at once
            for kind, operator in mutation_operators:
                if isinstance(node, kind):
                    for other in operator(node):
                        plant(node, other)
        for child in node.children:
            visit(child)

    def plant(node: cst.CSTNode, other: cst.CSTNode) -> None:
        was, now = module.code_for_node(node).strip(), module.code_for_node(other).strip()
        if was == now or node not in place:
            return
        begin = place[node].start
        start = starts[begin.line - 1] + begin.column
        if not text.startswith(was, start):  # parentheses around it are not of the node's position
            start = text.rfind(was, 0, start + len(was))
            if start < 0:
                return
        mark = hashlib.sha256(f"{was}\0{now}".encode()).hexdigest()[:10]
        found.append(Mutant(f"{file}:{begin.line}:{mark}", file, begin.line, was, now, start))

    visit(module)
    return found


def sample() -> list[Mutant]:
    """400 mutants, as many of each file as its share of all, in a random order: any beginning is a sample too."""
    rng = random.Random(SEED)  # noqa: S311 - a sample, no secret
    found = {
        path: mutants_of(path)
        for room in ROOMS
        for path in sorted((SOURCE / room).rglob("*.py"))
        if path.name != "__init__.py"
    }
    total = sum(map(len, found.values()))
    chosen = [
        each
        for mutants in found.values()
        for each in rng.sample(mutants, min(len(mutants), round(SAMPLE * len(mutants) / total)))
    ]
    rng.shuffle(chosen)
    return chosen


def tests_of() -> dict[str, list[str]]:
    """File of the source -> the test files that import it, or else those of its package, or of its room."""
    imported: dict[str, set[str]] = {}
    for folder in TESTS:
        for test in sorted((ROOT / folder).rglob("test_*.py")):
            for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
                for name in names:
                    imported.setdefault(name, set()).add(str(test.relative_to(ROOT)))
    found = {}
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            parts = ["reclens", *path.relative_to(SOURCE).with_suffix("").parts]
            while len(parts) > 2 and ".".join(parts) not in imported:
                parts = parts[:-1]
            own = imported.get(".".join(parts), set())
            if len(parts) == 2:
                own = {test for test in own if test.startswith(f"tests/{room}/")}
            found[path.relative_to(SOURCE).as_posix()] = sorted(own)
    return found


def pytest(source: Path, tests: list[str], seconds: float) -> int | None:
    """The exit status of some test files against a source tree; None if they take longer."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    # Hashes wrap around: compiled they do so silently, as they should.
    options = ["-W", "ignore:overflow encountered:RuntimeWarning", "-o", f"pythonpath={source}"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *options, *tests]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def seconds_of(tests: set[str], source: Path) -> dict[str, float]:
    """Seconds of each test file without a fault; those that fail or are too slow without compilation are left out."""
    kept = RESULTS / "mutants_tests.json"
    known: dict[str, float] = json.loads(kept.read_text()) if kept.is_file() else {}
    for test in sorted(tests - set(known)):
        began = time.monotonic()
        status = pytest(source, [test], LIMIT / 2)
        known[test] = round(time.monotonic() - began, 1) if status == 0 else -1.0
        print(f"{test}: {'left out' if known[test] < 0 else f'{known[test]:.0f} s'}", flush=True)
        kept.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return {test: seconds for test, seconds in known.items() if seconds >= 0}


def expect_broken(source: Path) -> None:
    """Break a whole room, and see its tests fail: otherwise they would test another tree than the one with the fault.

    Raises:
        RuntimeError: If they pass.
    """
    target, test = source / "reclens" / "stats" / "concentration.py", "tests/stats/test_concentration.py"
    whole = target.read_text(encoding="utf-8")
    target.write_text("raise RuntimeError\n", encoding="utf-8")
    try:
        if pytest(source, [test], LIMIT) == 0:
            raise RuntimeError(f"{test} passes without {target}: the tests do not see the copy of the source")
    finally:
        target.write_text(whole, encoding="utf-8")
    if pytest(source, [test], LIMIT) != 0:
        raise RuntimeError(f"{test} fails without a fault")


def run(mutant: Mutant, source: Path, tests: list[str], seconds: dict[str, float]) -> dict[str, Any]:
    """Put the fault into a copy of the source, run its tests, take it out again."""
    target = source / "reclens" / mutant.file
    whole, began, outcome, by = target.read_text(encoding="utf-8"), time.monotonic(), "survived", None
    target.write_text(mutant.code, encoding="utf-8")
    try:
        for test in sorted((each for each in tests if each in seconds), key=seconds.__getitem__):
            status = pytest(source, [test], 5 * seconds[test] + 20)
            if status != 0:
                outcome, by = "timeout" if status is None else "killed", test
                break
    finally:
        target.write_text(whole, encoding="utf-8")
    row = {"key": mutant.key, "file": mutant.file, "line": mutant.line, "was": mutant.was, "now": mutant.now}
    return {**row, "outcome": outcome, "by": by, "seconds": round(time.monotonic() - began, 1)}


def report(rows: list[dict[str, Any]], wanted: int) -> str:
    """The score, with Wilson's interval, by room and by file, and the survivors."""
    from reclens.stats.proportions import proportion

    listed = RESULTS / "mutants_equivalent.toml"
    equivalent: dict[str, str] = tomllib.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    counted = [row for row in rows if row["key"] not in equivalent]
    about = (
        "Small faults planted one at a time in the metrics and statistics by `make mutants`; the share that the tests "
        f"find. Run so far: {len(rows):,} of a stratified sample of {wanted:,}, of which {len(rows) - len(counted)} "
        "compute the same as the original and are left out. Intervals of 95 % (Wilson)."
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
            found = sum(row["outcome"] != "survived" for row in part)
            share = proportion(found, len(part))
            assert share.low is not None and share.high is not None
            lines.append(
                f"| {name} | {len(part)} | {found} | {share.value:.1%} | {share.low:.1%} to {share.high:.1%} |"
            )
    lost = Counter(row["file"] for row in counted if row["outcome"] == "survived")
    if lost:
        lines += ["", "Survivors by file: " + ", ".join(f"{file} {n}" for file, n in lost.most_common()) + "."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is left of the sample within the time, and write the score."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=90.0, help="Begin no mutant after this time.")
    options.add_argument("--workers", type=int, default=2, help="Mutants at a time.")
    chosen = options.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    kept = RESULTS / "mutants.jsonl"
    mutants = sample()
    known = {each.key for each in mutants}
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    rows = [row for row in map(json.loads, lines) if row["key"] in known]  # those of older code are run anew
    done = {row["key"] for row in rows}
    tests = tests_of()
    with tempfile.TemporaryDirectory() as folder:
        trees: Queue[Path] = Queue()
        for at in range(chosen.workers):
            tree = Path(folder) / str(at)
            shutil.copytree(SOURCE, tree / "reclens", ignore=shutil.ignore_patterns("__pycache__"))
            trees.put(tree)
        first = trees.get()
        expect_broken(first)
        seconds = seconds_of({test for each in mutants for test in tests[each.file]}, first)
        trees.put(first)

        def one(mutant: Mutant) -> None:
            if time.monotonic() > end:
                return
            tree = trees.get()
            try:
                row = run(mutant, tree, tests[mutant.file], seconds)
            finally:
                trees.put(tree)
            rows.append(row)
            print(f"{len(rows):4} {row['outcome']:8} {row['key']} {row['was']!r:.60} -> {row['now']!r:.60}", flush=True)
            kept.write_text("".join(json.dumps(each) + "\n" for each in list(rows)), encoding="utf-8")

        with ThreadPoolExecutor(chosen.workers) as pool:
            list(pool.map(one, [each for each in mutants if each.key not in done]))
    (RESULTS / "mutants.md").write_text(report(rows, len(mutants)), encoding="utf-8")
    print((RESULTS / "mutants.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
