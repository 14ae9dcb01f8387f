"""What ``streamlit run`` is given.

Beside a folder ``pages`` Streamlit takes each file of it for a script, and a link to one, opened before any other page
since the start, would show an empty page: so this script has no such folder beside it.
"""

from __future__ import annotations

from reclens.dashboard.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
