"""The header of an answer file: which exercise it answers, and whose."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from reclens.errors import DataError
from reclens.learn.exercise import Draw

__all__ = ["check_header", "comment_header", "fingerprint", "toml_header"]

_HEADER: Final = re.compile(r"^(?:#|--)\s*exercise (\S+), learner ([0-9a-f]{12})\s*$", re.MULTILINE)


def fingerprint(seed: int) -> str:
    """Twelve digits that name a learner and do not give the seed away.

    >>> fingerprint(7)
    '6ccd38369481'
    """
    return hashlib.blake2b(seed.to_bytes(16, "big"), digest_size=6).hexdigest()


def toml_header(draw: Draw) -> str:
    """First line of an answer in TOML or Python."""
    return f"# {_said(draw)}\n"


def comment_header(draw: Draw) -> str:
    """First line of an answer in SQL."""
    return f"-- {_said(draw)}\n"


def check_header(name: str, text: str, draw: Draw) -> None:
    """Refuse the answer of another exercise or of another learner; a file without a header passes.

    Raises:
        DataError: If the header names another exercise or another learner.
    """
    for code, who in _HEADER.findall(text[:2000]):
        if code != draw.exercise:
            raise DataError(
                f"{name} answers exercise {code}, expected {draw.exercise}. Move it to the folder of exercise {code}."
            )
        if who != fingerprint(draw.seed):
            raise DataError(
                f"{name} belongs to learner {who}, and you are {fingerprint(draw.seed)}: data differ from learner to "
                "learner. Answer it on your own data."
            )


def _said(draw: Draw) -> str:
    return f"exercise {draw.exercise}, learner {fingerprint(draw.seed)}"
