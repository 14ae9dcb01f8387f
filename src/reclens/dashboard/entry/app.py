"""The script for ``streamlit run``.

If a folder ``pages`` lies beside the script, Streamlit treats each of its files as a page, and a link to one that is
opened first after the start shows an empty page. Therefore this script lies in a separate folder.
"""

from __future__ import annotations

from reclens.dashboard.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
