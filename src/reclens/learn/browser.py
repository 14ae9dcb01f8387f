"""Pages of a learner, opened in a headless Chromium at the widths of a phone and of a screen."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reclens.report._toolkit.pdf import find_chromium

__all__ = ["WIDTHS", "Seen", "opened_in_browser"]

WIDTHS: Final = (390, 1280)
"""Widths of a window, in pixels."""
_SECONDS: Final = 60
_FOUND: Final = re.compile(r'<pre id="found">(.*?)</pre>', re.DOTALL)
# Runs in each page before anything of its own: what the page runs or fails at is told to the page around it.
_PROBE: Final = """<script>
window.alert = () => parent.told(FRAME, "ran", "alert");
addEventListener("error", (event) => parent.told(FRAME, "failed", event.message || "something is not there"), true);
</script>"""
_AROUND: Final = """<!doctype html><meta charset="utf-8"><pre id="found"></pre>
<script>
window.told = (at, what, text) => { seen[at][what].push(String(text)); };
const pages = PAGES, widths = WIDTHS, seen = [];
const loads = pages.flatMap((page, index) => widths.map((width) => new Promise((done) => {
  const at = seen.push({ page: index, width, ran: [], failed: [], wide: 0, answer: "" }) - 1;
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  frame.onload = () => {
    const inside = frame.contentDocument, answer = inside.getElementById("answer");
    seen[at].wide = inside.documentElement.scrollWidth;
    seen[at].answer = answer && answer.getClientRects().length ? answer.innerText.trim() : "";
    done();
  };
  frame.srcdoc = page.replaceAll("FRAME", String(at));
  document.body.append(frame);
})));
Promise.all(loads).then(() => setTimeout(() => {
  document.querySelectorAll("iframe").forEach((frame) => frame.remove());
  document.getElementById("found").textContent = JSON.stringify(seen);
}, 100));
</script>
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a page looked like at a width.

    Attributes:
        page: Which page.
        width: Of the window.
        wide: How wide the page is.
        answer: The text of the element ``answer`` that a reader sees.
        ran: Scripts of the page that ran.
        failed: Errors while it was shown.
    """

    page: int
    width: int
    wide: int
    answer: str
    ran: Sequence[str]
    failed: Sequence[str]


def opened_in_browser(pages: Sequence[str]) -> list[Seen] | None:
    """Open pages; None where there is no Chromium, or it did not start.

    Args:
        pages: The pages, as HTML.
    """
    browser = find_chromium()
    if browser is None:
        return None
    # A doctype goes first, or the page is shown by the rules of old browsers.
    probed = [re.sub(r"(?i)^(\s*<!doctype[^>]*>)?", lambda found: found[0] + _PROBE, page, count=1) for page in pages]
    held = json.dumps(probed).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    around = _AROUND.replace("PAGES", held).replace("WIDTHS", json.dumps(WIDTHS))
    # A browser that runs as root refuses its sandbox.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="reclens-open-") as folder:
        file = Path(folder) / "around.html"
        file.write_text(around, encoding="utf-8")
        words = [browser, "--headless", *root, "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        words += [f"--user-data-dir={folder}/profile", "--host-resolver-rules=MAP * ~NOTFOUND"]
        words += ["--virtual-time-budget=5000", "--dump-dom", file.absolute().as_uri()]
        try:
            done = subprocess.run(  # noqa: S603 - the browser is one of this machine
                words, capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = _FOUND.search(done.stdout.decode("utf-8", errors="replace"))
    if found is None or not found[1]:
        return None
    rows: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return [Seen(**row) for row in rows]
