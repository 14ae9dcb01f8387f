"""Starts Streamlit, and loads what the pages need while the browser is still on its way.

Streamlit runs the application when the first reader comes; they would wait for the imports and the compiled loops.
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
    """``python -m reclens.dashboard.serve run APP … -- --workspace FOLDER``: as ``streamlit run APP …``."""
    from streamlit import net_util
    from streamlit.web import cli

    # Asked from a foreign origin, Streamlit would ask a server elsewhere for the address of this network.
    net_util.get_external_ip = lambda: None
    add_headers()
    folder = dict(zip(sys.argv, sys.argv[1:], strict=False)).get("--workspace")
    threading.Thread(target=warm_up, args=(folder,), daemon=True).start()
    cli.main(prog_name="streamlit")


def warm_up(folder: str | None = None) -> None:
    """Import the pages with the libraries that they use, load the compiled loops, and make what Home opens with.

    What the first page needs comes first. What only other pages need comes some seconds later: the interpreter runs
    one thread at a time, and a reader who is there at once would wait for it.

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
    """Make what Home opens with; whatever is wrong with the workspace is for the page to say."""
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
