"""How a generated page ends: it is written, or with ``--check`` compared with what stands there."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["write_or_check"]


def write_or_check(page: Path, text: str, *, sources: str) -> int:
    """0 when the page is as it has to be."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.name}")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{page.name} is not what {sources} say; run: make reference", file=sys.stderr)
    return 1
