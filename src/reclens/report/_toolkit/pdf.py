"""A page as PDF, printed by a headless Chromium of the machine where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["Printed", "find_chromium", "print_pdf"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_SECONDS: Final = 120
_WIDTH: Final = 400
"""Width of the window in pixels: charts are drawn as wide as the columns of the printed page."""
_WAIT: Final = 20_000
"""Milliseconds of the page's own clock in which its charts are drawn."""


@dataclass(frozen=True)
class Printed:
    """What became of a PDF.

    Attributes:
        outcome: ``printed``; ``no_browser``: there is none on this machine; ``failed``: it did not print.
        path: The file; None where there is none.
        detail: What the browser said where it failed.
    """

    outcome: Literal["printed", "no_browser", "failed"]
    path: Path | None = None
    detail: str = ""


def find_chromium() -> str | None:
    """The Chromium of this machine: ``$RECLENS_CHROMIUM``, or one on the path; None where there is none."""
    named = os.environ.get("RECLENS_CHROMIUM")
    candidates = (named,) if named else _NAMES
    return next((path for name in candidates if (path := shutil.which(name))), None)


def print_pdf(page: Path, target: Path) -> Printed:
    """Print a page; nothing is written where that is not possible, and the outcome says why.

    Args:
        page: A self-contained HTML file.
        target: The PDF, whose old version is replaced.
    """
    browser = find_chromium()
    if browser is None:
        return Printed("no_browser")
    # A browser that runs as root refuses its sandbox.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="reclens-print-") as folder:
        made = Path(folder) / "page.pdf"
        words = [browser, "--headless", *root, "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        words += [
            f"--user-data-dir={folder}/profile",
            f"--virtual-time-budget={_WAIT}",
            "--no-pdf-header-footer",
            f"--window-size={_WIDTH},1400",
        ]
        words += [f"--print-to-pdf={made}", page.absolute().as_uri()]
        try:
            done = subprocess.run(  # noqa: S603 - the browser is one of this machine, the page ours
                words, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Printed("failed", detail=str(error))
        if not made.is_file():
            return Printed("failed", detail=done.stderr.strip()[-300:])
        from reclens.files import write_bytes

        write_bytes(target, made.read_bytes())
    return Printed("printed", target)
