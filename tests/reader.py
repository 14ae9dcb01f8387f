"""What a reader of a page or a document sees, and what is no word: code, markup, Python, hashes.

No test; :func:`reader` of ``conftest.py`` brings it to those in any room.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

CODE = {
    "reStructuredText": re.compile(r"``|:(?:class|func|meth|data|mod|attr):|^\.\. ", re.MULTILINE),
    "a hash": re.compile(r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{12,}\b"),
    "Python": re.compile(
        r"\b(?:True|False|nan|NaN|inf)\b|\bNone\b(?! of)|<class |\bdatetime\.|[\[({]'|\w+ object at 0x|\bdtype"
        r"|\b[A-Z]\w*\((?:\w+=|\))|\b[a-z]\w*\(\w+="
    ),
    "a code": re.compile(
        r"\b(?:new_items|with_repeats|last_n|by_time|by_user|not_tested|no_users|seen_items|truth_in_training|"
        r"hold_back|do_not_ship|keep_below_k|not_concluded|single_value|below_popular|OVERALL)\b"
    ),
    "a time for machines": re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d"),
    "a gendered reader": re.compile(r"\b(?:[Ss]he|[Hh]ers?|[Hh]is|[Hh]im)\b"),
}


def words_of_chart(spec: Any) -> Iterator[str]:
    """The titles and texts of a chart."""
    if isinstance(spec, list):
        for each in spec:
            yield from words_of_chart(each)
    elif isinstance(spec, dict):
        for name, value in spec.items():
            if name in ("title", "text") and isinstance(value, str):
                yield value
            else:
                yield from words_of_chart(value)


def words_of_document(html: str) -> list[str]:
    """The text of a document, with the words of its charts and without commands, which are code by intent."""
    specs = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html, flags=re.DOTALL)
    text = re.sub(r"<(script|style|code|pre)\b.*?</\1>", " ", html, flags=re.DOTALL)
    said = [unescape(each).strip() for each in re.split(r"<[^>]+>", text)]
    return said + [each for spec in specs for each in words_of_chart(json.loads(spec))]


def faults_of_document(html: str) -> dict[str, list[str]]:
    """What in a document is no word -> where."""
    said = words_of_document(html)
    wrong = {what: [each for each in said if pattern.search(each)] for what, pattern in CODE.items()}
    return {what: found for what, found in wrong.items() if found}
