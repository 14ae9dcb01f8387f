"""Starts Streamlit, and loads what the pages need while the browser is still on its way.

Streamlit runs the application when the first reader comes; they would wait for the imports and the compiled loops.
"""

from __future__ import annotations

import importlib
import threading

from reclens.dashboard.headers import add_headers

__all__ = ["main", "warm_up"]


def main() -> None:
    """``python -m reclens.dashboard.serve run APP …``: as ``streamlit run APP …``."""
    from streamlit import net_util
    from streamlit.web import cli

    # Asked from a foreign origin, Streamlit would ask a server elsewhere for the address of this network.
    net_util.get_external_ip = lambda: None
    add_headers()
    threading.Thread(target=warm_up, daemon=True).start()
    cli.main(prog_name="streamlit")


def warm_up() -> None:
    """Import the pages with the libraries that they use, and load the compiled loops of comparisons."""
    from reclens import kernels
    from reclens.dashboard.navigation import pages

    for name in ("altair", "pandas", "scipy.stats"):
        importlib.import_module(name)
    pages()
    kernels.warm_up(rooms=["stats", "metrics"])


if __name__ == "__main__":
    main()
