"""What the evaluation of a pipeline finds, as records."""

from __future__ import annotations

from collections.abc import Mapping

from reclens.evaluation import Evaluation
from reclens.findings import Finding
from reclens.stats.estimate import Estimate

__all__ = ["ranker_findings"]


def ranker_findings(results: Mapping[str, Evaluation]) -> list[Finding]:
    """A finding for each pipeline whose learned ranker loses to plain fusion of the same candidates.

    The number is the difference by the first metric that it loses by; the evidence is all of them.
    """
    found: list[Finding] = []
    for name, result in results.items():
        worse = tuple(row for row in result.card.get("ranker", ()) if row["verdict"] == "worse")
        if worse:
            first = worse[0]
            loss = Estimate(first["value"], low=first["low"], high=first["high"], n=first["n"], level=first["level"])
            found.append(
                Finding(
                    severity="warning",
                    kind="caution",
                    code="ranker_loses",
                    about=(name,),
                    estimate=loss,
                    evidence=worse,
                )
            )
    return found
