"""Starts Streamlit, and loads what the pages need while the browser is still on its way.

Streamlit runs the application when the first reader comes; she would wait for the imports and the compiled loops.
"""

from __future__ import annotations

import importlib
import threading

__all__ = ["main", "warm_up"]


def main() -> None:
    """``python -m reclens.dashboard.serve run APP …``: as ``streamlit run APP …``."""
    from streamlit.web import cli

    threading.Thread(target=warm_up, daemon=True).start()
    cli.main(prog_name="streamlit")


def warm_up() -> None:
    """Import the pages with the libraries that they use, and load the compiled loops of comparisons."""
    from reclens import kernels
    from reclens.dashboard.navigation import pages

    for name in ("altair", "scipy.stats"):
        importlib.import_module(name)
    pages()
    kernels.warm_up(rooms=["stats", "metrics"])


if __name__ == "__main__":
    main()
