"""A simulated A/B test at full size: seconds, CPU seconds and peak memory, and what its parts cost.

    python benchmarks/bench_world.py             # 2 arms × 100,000 users × 28 days × 10 items
    python benchmarks/bench_world.py --users 20000 --runs 1

Every user comes every day and sees one list of ten: the most that the sizes allow, 56 million impressions. One arm
shows what is popular, the other draws its lists (Plackett-Luce) and so pays for propensities; both train every week.
The kernel alone is timed too: what remains is writing, and training.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

WORKER = """
import json, sys, tempfile, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import harness
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.simulation import Arm, simulate
from reclens.world.strategies import Popular
users, days, logs = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "logs"
daily = {"light_visits": 0.9999, "heavy_visits": 0.9999, "visit_spread": 0.0, "new_share": 0.0, "more": 0.0,
         "return_effect": 0.0}
started, worked = time.perf_counter(), time.process_time()
world = draw_world(preset("large", users=users, **daily))
made, made_cpu = time.perf_counter() - started, time.process_time() - worked
arms = [Arm(name="control", strategy=Popular()),
        Arm(name="treatment", strategy=Popular(name="explored"), policy=Policy(kind="softmax"))]
simulate(draw_world(preset("tiny")), arms, days=1)  # load the loops
with tempfile.TemporaryDirectory() as name:
    started, worked = time.perf_counter(), time.process_time()
    run = simulate(world, arms, days=days, folder=Path(name) / "logs" if logs else None)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    size = sum(file.stat().st_size for file in Path(name).rglob("*.parquet")) / 2**30
print(json.dumps({"seconds": seconds, "cpu": cpu, "make_s": made, "make_cpu": made_cpu, "peak": harness.peak_gib(),
                  "gib_written": size, "impressions": int(run.users["impressions"].sum())}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=200_000, help="in both arms together")
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    here = str(Path(__file__).resolve().parent)
    rows: dict[str, dict] = {}
    for name in ("logs", "none"):
        turns = []
        for _ in range(asked.runs):
            call = [sys.executable, "-c", WORKER, here, str(asked.users), str(asked.days), name]
            done = subprocess.run(call, check=True, capture_output=True, text=True, env=harness.our_environment())
            turns.append(json.loads(done.stdout))
            print(name, turns[-1], file=sys.stderr)
        rows[name] = sorted(turns, key=lambda turn: turn["seconds"])[len(turns) // 2]
    about = harness.machine()
    words = {"logs": "with all logs written", "none": "nothing written"}
    n = rows["logs"]["impressions"]
    lines = [
        "# A simulated A/B test",
        "",
        f"Measured on {harness.describe(about)}; the median of {asked.runs} runs.",
        "",
        f"{asked.users:,} users in 2 arms, {asked.days} days, lists of 10: {n / 1e6:.0f} million impressions.",
        "",
        "| | s | CPU s | ns CPU an impression | peak GiB | GiB written |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {words[name]} | {row['seconds']:.1f} | {row['cpu']:.1f} | {row['cpu'] / n * 1e9:.0f} | "
        f"{row['peak']:.2f} | {row['gib_written']:.2f} |"
        for name, row in rows.items()
    ]
    lines += ["", f"- drawing the world takes another {rows['none']['make_s']:.1f} s"]
    # Not "results": README shows those, beside peers, and this has none.
    harness.write("world", lines, {"machine": about, "measured": rows})


if __name__ == "__main__":
    main()
