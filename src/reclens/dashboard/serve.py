"""Start Streamlit, and preload what the pages need while the browser opens.

Streamlit runs the application on the first visit, which would otherwise wait for the imports and the compiled loops.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from contextlib import suppress
from typing import Final

from reclens.dashboard.headers import add_headers

__all__ = ["main", "warm_up"]

_PATIENCE: Final = 5.0
"""Seconds that are left to a reader who is there at once."""


def main() -> None:
    """Run ``python -m reclens.dashboard.serve run APP … -- --workspace FOLDER`` like ``streamlit run APP …``."""
    from streamlit import net_util
    from streamlit.web import cli

    # On a request from another origin, Streamlit would query an external server for the public address of this network.
    net_util.get_external_ip = lambda: None
    add_headers()
    folder = dict(zip(sys.argv, sys.argv[1:], strict=False)).get("--workspace")
    threading.Thread(target=warm_up, args=(folder,), daemon=True).start()
    cli.main(prog_name="streamlit")


def warm_up(folder: str | None = None) -> None:
    """Import the pages and their libraries, load the compiled loops, and compute the initial scene of Home.

    The needs of the first page come first. Those of the other pages follow some seconds later: the interpreter runs
    one thread at a time, and an early reader would have to wait.

    Args:
        folder: The workspace.
    """
    from reclens import kernels
    from reclens.dashboard.navigation import pages

    importlib.import_module("pandas")
    pages()
    kernels.warm_up(rooms=["stats", "metrics"])
    if folder is not None:
        _open(folder)
        time.sleep(_PATIENCE)
    for name in ("altair", "scipy.stats"):
        importlib.import_module(name)


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
