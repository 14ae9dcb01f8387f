"""How long it takes from an empty machine to the first alert: the lines of docs/monitor-production.md, in their order.

    python benchmarks/bench_first_alert.py               # pip downloads everything again; --cache lets it use its cache

Every line of the first section is run in an empty folder, in a new virtual environment; there is no release on PyPI
yet, so that RecLens itself is installed from this checkout. What is asked at the end is that a notice was written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

PAGE = harness.ROOT / "docs" / "monitor-production.md"
FENCE = re.compile(r"^```(sh|console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LIMIT = 15 * 60
ACTIVATE = ". .venv/bin/activate"


def steps() -> Iterator[tuple[str, list[str]]]:
    """What a reader types, and the command that does it."""
    section = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    for language, body in FENCE.findall(section):
        if language == "python":
            yield body.strip().splitlines()[-1], ["python", "-c", body]
            continue
        for line in body.splitlines():
            typed = line.removeprefix("$ ")
            here = typed.replace("reclens[", f"{harness.ROOT}[") if typed.startswith("pip ") else typed
            yield typed, ["bash", "-c", here]


def main() -> None:
    """Run the lines, print the seconds of each, and write ``results/first_alert.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", action="store_true", help="let pip take packages from its cache")
    chosen = parser.parse_args()
    load, took = os.getloadavg()[0], list[tuple[str, float]]()
    with tempfile.TemporaryDirectory() as folder:
        around = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        around |= {"PATH": f"{folder}/.venv/bin:{around['PATH']}", "PIP_NO_CACHE_DIR": "off" if chosen.cache else "1"}
        for typed, command in steps():
            begin = time.perf_counter()
            if typed != ACTIVATE:  # the path says it
                subprocess.run(command, cwd=folder, env=around, check=True, stdout=subprocess.DEVNULL)
            took.append((typed, time.perf_counter() - begin))
            print(f"{took[-1][1]:8.1f} s  {typed}", file=sys.stderr)
        told = (Path(folder) / "workspace" / "monitor" / "notices.jsonl").read_text(encoding="utf-8").splitlines()
    opened = [line for line in map(json.loads, told) if line["message_id"].startswith("opened:")]
    packages = "cached" if chosen.cache else "downloaded"
    whole = sum(seconds for _, seconds in took)
    assert opened, "no alert was written"
    assert whole < LIMIT, f"{whole:.0f} s: the page says fifteen minutes"
    lines = [
        "# From an empty machine to the first alert",
        "",
        f"{harness.describe(harness.machine())}, load {load:.1f}; packages {packages}.",
        "",
        "| line of the page | s |",
        "|---|--:|",
        *(f"| `{typed}` | {seconds:.1f} |" for typed, seconds in took),
        f"| **together** | **{whole:.0f}** |",
        "",
        f"The first notice: {opened[0]['title']}",
        "",
        "Made by `python benchmarks/bench_first_alert.py`.",
    ]
    harness.write("first_alert", lines, {"steps": took, "seconds": whole, "load": load, **harness.machine()})


if __name__ == "__main__":
    main()
