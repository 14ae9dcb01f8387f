"""``python -m reclens`` is ``reclens``."""

from __future__ import annotations

from reclens.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
