"""What a portfolio refuses: numbers without interval or reason, claims that no finding carries, charts without text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from reclens.learn.exercise import Remark
from reclens.learn.measured import Measured, Value
from reclens.learn.project_settings import ProjectSettings

__all__ = ["MOST_BYTES", "claims_in", "numbers_in", "refusals", "texts_of"]

MOST_BYTES: Final = 5_000_000
"""Most bytes of a portfolio."""
_SHORTEST: Final = 20
"""Letters of a text that says something."""
_NUMBER: Final = re.compile(r"(?<![\w.@/:-])[-−+]?\d[\d,]*(?:\.\d+)?(?:\s?%)?(?![\w@])")
_DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_FREE: Final = frozenset({*range(13), 95.0, 100.0})
"""Numbers that a text may hold without a source: small counts, and the level of the intervals."""
_CLAIMS: Final[Mapping[str, re.Pattern[str]]] = {
    "better": re.compile(
        r"\b(improv\w*|better|best|outperform\w*|superior|beats?|wins?|winner|gains?|raises?|increases?|lifts?)\b", re.I
    ),
    "worse": re.compile(
        r"\b(worse|worst|harm\w*|unfair\w*|biased|discriminat\w*|disadvantag\w*|under-served|loses?|decreases?|drops?)\b",
        re.I,
    ),
    "significant": re.compile(r"\bsignifican\w*", re.I),
    "fair": re.compile(r"\b(fair|fairly|fairness|unbiased|equitable|equal treatment|no bias)\b", re.I),
}
_OPEN: Final = re.compile(
    r"\b(not|no|never|nothing|nobody|none|cannot|whether|if|unless|without|would|could|may|might|nor|neither)\b", re.I
)
_CARRIES: Final[Mapping[str, frozenset[str]]] = {
    "better": frozenset({"better", "significant"}),
    "worse": frozenset({"worse", "significant"}),
    "described": frozenset({"significant"}),
}
"""What the verdict on a finding carries; that it is fair, no interval that leaves out a difference says."""


def refusals(settings: ProjectSettings, measured: Measured, values: Mapping[str, Value]) -> Iterator[Remark]:
    """What has to be mended ahead of a portfolio.

    Args:
        settings: The texts.
        measured: What was computed.
        values: All numbers, those of the author too.
    """
    for name in ("decision", "not_concluded", "next_step"):
        if len(getattr(settings, name).strip()) < _SHORTEST:
            yield Remark("text_missing", {"entry": name})
    if len(settings.chart.strip()) < _SHORTEST:
        yield Remark("chart_without_text", {})
    for key in sorted(settings.finding.keys() - values.keys()):
        yield Remark("unknown_number", {"seen": key, "names": sorted(values)})
    for each in values.values():
        if each.failed:
            yield Remark("number_failed", {"number": each.label, "error": each.failed})
        elif each.low is None and len(each.number.reason.strip()) < _SHORTEST:
            yield Remark("number_without_interval", {"number": each.label})
    carried = {key: _CARRIES.get(each.verdict or "", frozenset()) for key, each in values.items()}
    anywhere = frozenset[str]().union(*carried.values())
    for entry, key, text in texts_of(settings):
        for word, claim in claims_in(text):
            if claim not in (anywhere if key is None else carried.get(key, frozenset())):
                yield Remark("claim_not_carried_here", {"entry": entry, "word": word})
        unknown = [each for each in numbers_in(text) if not _known(each, values, measured)]
        if unknown:
            yield Remark("number_not_in_evidence", {"entry": entry, "numbers": unknown})


def texts_of(settings: ProjectSettings) -> Iterator[tuple[str, str | None, str]]:
    """What the author wrote: entry, key of the number that it stands beside (None for none), text."""
    for name in ("question", "decision", "not_concluded", "next_step", "chart"):
        yield name, None, getattr(settings, name)
    for key, said in settings.finding.items():
        yield f"finding.{key}.director", key, said.director
        yield f"finding.{key}.ticket", key, said.ticket
    for each in settings.number:
        yield f"number {each.label!r}", None, f"{each.label}. {each.reason}"


def claims_in(text: str) -> Iterator[tuple[str, str]]:
    """Words that claim something, and what: not those of a question, nor those that are denied or left open.

    >>> list(claims_in("It improves clicks. It is not worse. Is it fair?"))
    [('improves', 'better')]
    """
    for part in re.split(r"(?<=[.!?;])\s+", text):
        if part.rstrip().endswith("?"):
            continue
        for claim, words in _CLAIMS.items():
            for found in words.finditer(part):
                before = " ".join(part[: found.start()].split()[-5:])
                if not _OPEN.search(before):
                    yield found[0], claim


def numbers_in(text: str) -> list[str]:
    """Numbers of a text, as they stand there.

    >>> numbers_in("NDCG@10 rose by 0.021 (3.5 %) for 1,200 users")
    ['0.021', '3.5 %', '1,200']
    """
    return [each.strip() for each in _NUMBER.findall(_DATE.sub("", text))]


def _known(text: str, values: Mapping[str, Value], measured: Measured) -> bool:
    """Whether a number of a text is one of the evidence, to its decimals."""
    plain = text.replace(",", "").replace("−", "-").rstrip(" %")
    value, digits = float(plain), len(plain.partition(".")[2])
    if value in _FREE:
        return True
    held = [each for one in values.values() for each in (one.value, one.low, one.high, one.n) if each is not None]
    held += [
        each for one in (measured.data, measured.protocol) for each in one.values() if isinstance(each, int | float)
    ]
    room = 0.5 * 10**-digits * (1 + 1e-9)
    return any(abs(abs(each * scale) - abs(value)) <= room for each in held for scale in (1.0, 100.0))
