"""The words of experiments, defined once for every document that uses them."""

from __future__ import annotations

from typing import Final

from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import in_words
from reclens.report._toolkit.tables import Table

__all__ = ["READING", "definitions"]

READING: Final = (
    "A lift is the difference between two arms in percent of control; the range behind it is its interval.",
    "An interval that excludes 0 shows a difference. One that includes 0 shows none: no proof that there is none.",
    "Faded marks are not significant.",
)
"""How the documents of experiments are read."""

_TERMS: Final = {
    "A/B_test": "Users are divided by chance into arms; each arm gets another system, and the arms are compared.",
    "bias": "How far the mean of many estimates lies from the truth.",
    "control": "The arm that keeps what is there today; the others are held against it.",
    "credit": "Clicks of a mixed list, each given to the system that brought the clicked item.",
    "guardrail": "A metric that must not get worse by more than its margin, whatever the primary metric gains.",
    "interleaving": "Two systems fill one list in turn, and each user sees items of both. The system whose items get "
    "more clicks wins. It needs fewer users than an A/B test, and tells the direction and not the size of an effect.",
    "interval": "The range of true values that the data do not rule out at the level that is stated, mostly 95 %.",
    "lift": "The difference between treatment and control, divided by control.",
    "looks": "The times at which the data are read. More looks without a plan find effects that are not there.",
    "off-policy_estimate": "The value of a system, estimated from a log that another system wrote, by weighting what "
    "was shown by how likely the new system is to show it.",
    "p-value": "How often chance alone would give a difference as large as this one, if there were none.",
    "power": "How often a test finds an effect of the size that is asked for, if it is there.",
    "primary_metric": "The metric that decides.",
    "segment": "A named group of users, such as heavy users.",
    "trust_check": "A test of the data and not of the effect, such as whether the arms have the planned sizes.",
    "truth": "The effect if everybody got the new system, against nobody. Only a simulation knows it.",
    "units": "What is divided into arms, mostly users or households.",
}


def definitions(*names: str) -> DocumentPart:
    """What the words of a document mean: its last part.

    Args:
        names: The words, with an underscore for each space.
    """
    rows = tuple((in_words(name), _TERMS[name]) for name in sorted(names, key=str.lower))
    records = tuple({"word": name, "meaning": text} for name, text in rows)
    return DocumentPart(
        title="What the words mean",
        tables=(Table(title="What the words mean", columns=("word", "meaning"), rows=rows, records=records),),
    )
