"""Start Streamlit, with what the pages need loaded before the first reader comes.

Streamlit runs the application on the first visit, which would otherwise wait for the imports. The interpreter runs one
thread at a time, so that imports beside a visit slow down both: they come before the server answers.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from reclens.dashboard.headers import add_headers

__all__ = ["main", "prepare", "warm_up"]

_PATIENCE: Final = 10.0
"""Seconds that the first reader has for the first page, before the charts of the other pages are prepared."""

_NEEDED: Final = ("pandas", "scipy.special", "PIL.Image")
"""What the first page would import otherwise: for tables, for the intervals of shares, and for Streamlit itself."""

_FOR_COMPARISONS: Final = ("numba", "scipy.optimize")
"""What the first page would import besides if its comparison is not kept: half a second of its time."""

_QUIET: Final = 2.0
"""Seconds without a page drawn, after which what fewer pages need is loaded."""


def main() -> None:
    """Run ``python -m reclens.dashboard.serve run APP … -- --workspace FOLDER`` like ``streamlit run APP …``."""
    from streamlit import net_util
    from streamlit.web import cli

    # On a request from another origin, Streamlit would query an external server for the public address of this network.
    net_util.get_external_ip = lambda: None
    add_headers()
    folder = dict(zip(sys.argv, sys.argv[1:], strict=False)).get("--workspace")
    prepare(folder)
    threading.Thread(target=warm_up, args=(folder,), daemon=True).start()
    cli.main(prog_name="streamlit")


def prepare(folder: str | None = None) -> None:
    """Import the pages and the libraries that each of them needs.

    Args:
        folder: The workspace. If it has runs and keeps no comparison, the libraries that make one are imported too.
    """
    from reclens.dashboard.kept_comparisons import keeps_any
    from reclens.dashboard.navigation import pages

    compares = folder is not None and Path(folder, "evaluation").is_dir() and not keeps_any(folder)
    for name in (*_NEEDED, *(_FOR_COMPARISONS if compares else ())):
        importlib.import_module(name)
    pages()
    _settle()


def _settle() -> None:
    """Exempt what is loaded from garbage collection.

    Streamlit collects all garbage whenever a page is drawn, while what it has drawn waits to be sent: to look through
    every loaded module takes a fifth of a second.
    """
    gc.collect()
    gc.freeze()


def warm_up(folder: str | None = None) -> None:
    """Compute the initial scene of Home while the browser opens, then load the other pages' libraries in quiet moments.

    Args:
        folder: The workspace.
    """
    from reclens import kernels
    from reclens.dashboard.app import DRAWN

    if folder is not None:
        _open(folder)
        DRAWN.wait(_PATIENCE)
    importlib.import_module("altair")
    while DRAWN.is_set():
        DRAWN.clear()
        DRAWN.wait(_QUIET)
    importlib.import_module("scipy.stats")
    # On a new machine they are compiled now, which takes longer than a reader would wait for an address.
    kernels.warm_up(rooms=["stats", "metrics"])
    _settle()


def _open(folder: str) -> None:
    """Compute the initial scene of Home; the page itself reports problems of the workspace."""
    from reclens.dashboard import store
    from reclens.dashboard.scene import opening_scene
    from reclens.workspace import Workspace

    with suppress(Exception):
        workspace = Workspace(folder)
        chosen = store.newest_together(workspace)
        if chosen:
            opening_scene(workspace, chosen)


if __name__ == "__main__":
    main()
