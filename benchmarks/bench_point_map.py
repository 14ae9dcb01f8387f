"""What a map of points weighs as one file, and what a redraw costs a browser without a graphics card.

    python benchmarks/bench_point_map.py            # 10,000, 100,000 and 1,000,000 points

Drawn points lie in 50 clouds; with titles they have three attributes more. A headless Chromium draws by software
WebGL. Script is what the browser itself counts as run in JavaScript on the main thread (``ScriptDuration``) over 50
redraws, one a frame; picture is the time until the pixels of one redraw can be read back.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np
import polars as pl

REDRAWS = 50
PICTURE = """() => {
  const { renderer } = map.views[0];
  const taken = [];
  for (let at = 0; at < 5; at++) {
    const begin = performance.now();
    renderer.draw();
    renderer.gl.readPixels(0, 0, 1, 1, renderer.gl.RGBA, renderer.gl.UNSIGNED_BYTE, new Uint8Array(4));
    taken.push(performance.now() - begin);
  }
  return taken.sort((a, b) => a - b)[2];
}"""
PAN = """async (times) => {
  for (let at = 0; at < times; at++) {
    map.views[0].pan(at % 2 ? 3 : -3, 0);
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  }
}"""


def page_of(count: int, *, titles: bool) -> str:
    """A page with ``count`` points."""
    from reclens.report._toolkit.point_map import MapColumn, MapView, map_page, pack_map

    rng = np.random.default_rng(1)
    cloud = rng.integers(50, size=count)
    places = rng.normal(size=(50, 2))[cloud] + rng.normal(size=(count, 2)) * 0.1
    columns = [MapColumn(name="cluster", values=pl.Series(cloud).cast(pl.String), regions=True)]
    if titles:
        columns += [
            MapColumn(name="popularity", values=pl.Series(rng.lognormal(size=count)).round(2)),
            MapColumn(name="year", values=pl.Series(rng.integers(1950, 2026, count))),
        ]
    words = np.array(["night", "river", "love", "last", "of", "the", "return", "house", "king", "storm", "two", "blue"])
    picked = words[rng.integers(len(words), size=(count, 4))]
    names = pl.Series([f"{' '.join(row)} {at}" for at, row in enumerate(picked)]) if titles else None
    return map_page(pack_map([MapView(places=places)], columns, titles=names), title="Points").html


def drawn(page: Any, file: Path) -> dict[str, float]:
    """Seconds until the map stands, milliseconds of script and of a picture a redraw."""
    begin = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_function("globalThis.map?.views[0]?.milliseconds !== undefined", timeout=300_000)
    ready = time.perf_counter() - begin
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def script() -> float:
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["ScriptDuration"]

    before = script()
    page.evaluate(PAN, REDRAWS)
    per_redraw = (script() - before) / REDRAWS
    return {"ready_s": ready, "script_ms": per_redraw, "picture_ms": page.evaluate(PICTURE)}


def main() -> None:
    """Measure, print, and write ``results/point_map.json`` and ``results/point_map.md``."""
    from playwright.sync_api import sync_playwright

    from reclens.report._toolkit.pdf import find_chromium

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--out", type=Path, default=harness.FOLDER / "results" / "point_map")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), headless=True, args=["--no-sandbox", "--disable-gpu"]
        )
        for count in asked.points:
            plain, full = page_of(count, titles=False), page_of(count, titles=True)
            file = Path(folder) / "map.html"
            file.write_text(full, encoding="utf-8")
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            sizes = {"points_mb": len(plain.encode()) / 1e6, "titles_mb": len(full.encode()) / 1e6}
            found.append({"points": count, **sizes, **drawn(page, file)})
            page.close()
        browser.close()
    about = harness.machine()
    where = f"{about['cores']} cores, load {os.getloadavg()[0]:.1f} with other work; {about['date']}"
    sizes_of = ("points and colours, MB", "with titles and three attributes, MB")
    heads = ("points", *sizes_of, "stands after, s", "script a redraw, ms", "picture a redraw, ms")
    lines = [
        "# A map of points",
        "",
        f"One file of HTML; Chromium, software WebGL; {where}.",
        "",
        f"| {' | '.join(heads)} |",
        "|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {row['points']:,} | {row['points_mb']:.2f} | {row['titles_mb']:.2f} | {row['ready_s']:.1f} | "
            f"{row['script_ms']:.2f} | {row['picture_ms']:.0f} |"
            for row in found
        ),
        "",
        "Made by `python benchmarks/bench_point_map.py`.",
        "",
    ]
    print("\n".join(lines))
    asked.out.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")
    kept = json.dumps({"machine": about, "found": found}, indent=1)
    asked.out.with_suffix(".json").write_text(kept + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
