"""Named conventions: the same metric name means different numbers in different libraries.

A convention is the set of choices behind precision, recall, NDCG and MAP: what is divided by what, how gains are
discounted, what a user without a list counts. The presets reproduce the numbers of the libraries they are named after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from reclens.errors import UnknownNameError

__all__ = ["CONVENTIONS", "Convention", "convention_named"]


@dataclass(frozen=True, kw_only=True)
class Convention:
    """The choices behind the accuracy metrics.

    Attributes:
        name: What to call it on the card.
        summary: One line for people.
        precision_denominator: ``"k"``, or ``"list"`` for the number of items in the list up to k.
        recall_denominator: ``"relevant"``, or ``"min"`` for min(k, relevant).
        ap_denominator: ``"relevant"``, ``"min"`` for min(k, relevant), ``"min_list"`` for min(list length, relevant).
        gain: ``"linear"`` (the relevance itself) or ``"exponential"`` (2^relevance - 1).
        discount: ``"log2(rank+1)"``, or ``"log2(max(rank,2))"``, under which ranks 1 and 2 weigh the same.
        ideal: NDCG's ideal list: ``"min"`` for the min(k, relevant) most relevant items, ``"k"`` for k places that all
            hold the user's highest gain, as if every place could be hit.
        missing_list: A user with relevant items but no list: ``"zero"`` counts 0, ``"drop"`` leaves the user out.
        missing_list_ndcg: The same for NDCG alone.
    """

    name: str
    summary: str
    precision_denominator: Literal["k", "list"] = "k"
    recall_denominator: Literal["relevant", "min"] = "relevant"
    ap_denominator: Literal["relevant", "min", "min_list"] = "relevant"
    gain: Literal["linear", "exponential"] = "linear"
    discount: Literal["log2(rank+1)", "log2(max(rank,2))"] = "log2(rank+1)"
    ideal: Literal["min", "k"] = "min"
    missing_list: Literal["zero", "drop"] = "zero"
    missing_list_ndcg: Literal["zero", "drop"] = "zero"


_PRESETS = (
    Convention(name="trec", summary="trec_eval, ranx, ir_measures; the default"),
    Convention(
        name="recbole",
        summary="RecBole 1.2: AP over min(k, relevant); users without a list are left out",
        ap_denominator="min",
        missing_list="drop",
        missing_list_ndcg="drop",
    ),
    Convention(
        name="lenskit",
        summary="LensKit 2025: precision over the list, recall over min(k, relevant), ranks 1 and 2 weigh the same",
        precision_denominator="list",
        recall_denominator="min",
        ap_denominator="min_list",
        discount="log2(max(rank,2))",
        missing_list="drop",
        missing_list_ndcg="drop",
    ),
    Convention(name="rectools", summary="RecTools 0.19: the ideal list of NDCG fills every place up to k", ideal="k"),
    Convention(
        name="vae_cf",
        summary="Mult-VAE's code (EASE, iALS, RecVAE papers): recall over min(k, relevant)",
        recall_denominator="min",
        ap_denominator="min",
    ),
    Convention(
        name="recommenders",
        summary="Microsoft Recommenders 1.2: users without a list are left out, but count 0 in NDCG",
        missing_list="drop",
    ),
    Convention(name="replay", summary="RePlay 0.22: AP over min(k, relevant)", ap_denominator="min"),
)

CONVENTIONS: Final = {preset.name: preset for preset in _PRESETS}
"""The presets by name."""


def convention_named(convention: str | Convention) -> Convention:
    """A preset by its name; a convention of one's own is passed through.

    Raises:
        UnknownNameError: If there is no such preset.
    """
    if isinstance(convention, Convention):
        return convention
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    return CONVENTIONS[convention]
