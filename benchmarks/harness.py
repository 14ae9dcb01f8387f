"""Timing ours beside the peers: each in a process and an environment of its own, taking turns.

A worker is a script that prints a line of JSON for every line it reads, see ``serve``. Turns are alternated, so that a
machine that drifts slows everybody down; the medians and their ratios are what is reported.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
FOLDER_OF_RESULTS = "RECLENS_BENCH_RESULTS"
"""Environment variable: another folder than ``results/``, for a run that is compared with the committed results."""
RESULTS = Path(os.environ.get(FOLDER_OF_RESULTS) or FOLDER / "results")


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), model
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": platform.system(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def environment(peer: str) -> Path:
    """The interpreter of a peer's own virtual environment, made from ``requirements/PEER.txt`` on first use."""
    home = FOLDER / ".venvs" / peer
    python = home / "bin" / "python"
    stamp = home / ".installed"
    wanted = (FOLDER / "requirements" / f"{peer}.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {peer} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        command = [python, "-m", "pip", "install", "-q", "-r", FOLDER / "requirements" / f"{peer}.txt"]
        subprocess.run(command, check=True)
        stamp.write_text(wanted)
    return python


class Worker:
    """A process that runs one contestant."""

    def __init__(self, name: str, python: Path | str, script: Path, *arguments: str, threads: int = 2) -> None:
        self.name = name
        limit = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL", "NUMBA", "POLARS")}
        limit["POLARS_MAX_THREADS"] = str(threads)
        # An old kernel that was chosen for other purposes must not be what is measured.
        shared = {
            key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
        }
        self.process = subprocess.Popen(
            [str(python), str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**shared, **limit, "PYTHONPATH": str(ROOT / "src") if name.startswith("reclens") else ""},
        )
        self.turns: list[dict[str, Any]] = []

    def turn(self, task: str = "run") -> dict[str, Any]:
        """Have the worker do the task once; its answer is kept."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(task + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def floor_of_neighbours(work: list[float], row: dict[str, Any]) -> str:
    """The least that the counting and the scoring could take, beside what ours took; ``work`` in billions."""
    words, counting, scoring = work
    info = Path("/proc/cpuinfo")
    clocks = [line for line in info.read_text().splitlines() if "cpu MHz" in line] if info.exists() else []
    clock = float(clocks[0].split(":")[1]) / 1000 if clocks else 3.0
    floor = (words / 4 + counting + scoring) / clock
    return (
        f"ours compares {words:.2f} billion words of bits and does {counting:.2f} + {scoring:.2f} billion additions "
        f"for neighbours and scores: at four words or one addition a cycle of {clock:.1f} GHz, {floor:.2f} s of one "
        f"core; the whole job takes {row['cpu_s'] / floor:.1f} times that"
    )


def serve(tasks: dict[str, Callable[[], Any]]) -> None:
    """Run in a worker: for each task read, answer with seconds (wall and CPU), peak memory and what it returned."""
    for line in sys.stdin:
        started, busy = time.perf_counter(), time.process_time()
        answer = tasks[line.strip()]()
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
        peak = peak_gib()
        print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_gib": peak, "answer": answer}), flush=True)


def peak_gib() -> float:
    """The most memory that this process has held; ``ru_maxrss`` would count that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30  # in bytes on macOS


def race(workers: list[Worker], *, runs: int, task: str = "run") -> dict[str, dict[str, Any]]:
    """Warm everybody up, then take turns; medians by name."""
    for worker in workers:
        first = worker.turn(task)
        print(f"  {worker.name}: first turn {first['seconds']:.2f} s", file=sys.stderr)
        worker.turns = []
    for _ in range(runs):
        for worker in workers:
            worker.turns.append(worker.turn(task))
    return {worker.name: medians(worker.turns) for worker in workers}


def medians(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """What is reported of some turns: medians and ranges, and the answer of the last."""
    return {
        "median_s": statistics.median(turn["seconds"] for turn in turns),
        "min_s": min(turn["seconds"] for turn in turns),
        "max_s": max(turn["seconds"] for turn in turns),
        "cpu_s": statistics.median(turn["cpu"] for turn in turns),
        "peak_gib": max(turn["peak_gib"] for turn in turns),
        "answer": turns[-1]["answer"],
    }


def table(results: dict[str, dict[str, Any]], *, ours: str = "reclens") -> str:
    """A Markdown table: median, range, CPU time of all threads, peak memory, and the times as multiples of ours."""
    base, base_cpu = results[ours]["median_s"], results[ours]["cpu_s"]
    lines = ["| | median s | min – max s | CPU s | peak GiB | × ours | × our CPU |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, row in sorted(results.items(), key=lambda pair: pair[1]["median_s"]):
        spread = f"{row['min_s']:.3g} – {row['max_s']:.3g}"
        ratios = f"{row['median_s'] / base:.1f} | {row['cpu_s'] / base_cpu:.1f}"
        lines.append(
            f"| {name} | {row['median_s']:.3g} | {spread} | {row['cpu_s']:.3g} | {row['peak_gib']:.2f} | {ratios} |"
        )
    return "\n".join(lines)


def code_of(room: str) -> str:
    """A hash of the code of a room: results that were kept are of the same code, or are computed again."""
    found = hashlib.sha256()
    for file in sorted((ROOT / "src" / "reclens" / room).rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def describe(about: dict[str, Any]) -> str:
    """The machine in one line."""
    return "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**about)


def our_environment() -> dict[str, str]:
    """The environment of a process that runs this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def write(name: str, lines: list[str], content: dict[str, Any]) -> None:
    """Print a page, and write it and its numbers to ``results/NAME.md`` and ``.json``."""
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines).rstrip() + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    print(text)


def report(name: str, title: str, sections: dict[str, dict[str, dict[str, Any]]], notes: list[str]) -> None:
    """Print the tables and write them, with the machine, to ``results/NAME.md`` and ``.json``."""
    about = machine()
    lines = [f"# {title}", "", f"Measured on {describe(about)}. Everybody takes turns in one run; medians.", ""]
    for heading, results in sections.items():
        lines += [f"## {heading}", "", table(results), ""]
    lines += [f"- {note}" for note in notes]
    write(name, lines, {"machine": about, "results": sections, "notes": notes})
