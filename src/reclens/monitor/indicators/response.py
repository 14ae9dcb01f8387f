"""Indicators of how users respond to the lists."""

from __future__ import annotations

import polars as pl

from reclens.monitor.indicators.rates import mean, share
from reclens.monitor.indicators.registry import indicator
from reclens.monitor.summary import Summary

__all__ = ["conversion", "ctr", "hit_rate", "mrr", "ndcg"]


@indicator(caption="Click-through rate", unit="share", scale="logit", direction="down", family="response")
def ctr(summary: Summary) -> pl.DataFrame | None:
    """Share of impressions that were clicked.

    Formula: clicks ÷ impressions whose click is known.
    By position it shows how attention falls; of the whole day it depends on the mix of positions and surfaces.
    """
    return share(summary, "cells", "clicks", "judged")


@indicator(caption="Conversion rate", unit="share", scale="logit", direction="down", family="response")
def conversion(summary: Summary) -> pl.DataFrame | None:
    """Share of clicks that converted.

    Formula: conversions ÷ clicks of which it is known.
    Conversions that arrive late raise it when a day is run again.
    """
    return share(summary, "cells", "conversions", "clicks_followed")


@indicator(caption="NDCG of clicked lists", unit="share", scale="logit", direction="down", family="ranking")
def ndcg(summary: Summary) -> pl.DataFrame | None:
    """NDCG of lists with a click: how far up the clicked items stand.

    Formula: Σ 1 / log2(position + 1) over clicked places ÷ the same with the clicks on top; the mean over lists with a
    click. Places count up to ``cutoff``.
    """
    return mean(summary, "lists", "ndcg", "ndcg_squared", "clicked")


@indicator(caption="Hit rate of clicked lists", unit="share", scale="logit", direction="down", family="ranking")
def hit_rate(summary: Summary) -> pl.DataFrame | None:
    """Share of lists with a click that have one in the first places.

    Formula: lists with a click in the first ``hit_at`` places ÷ lists with a click.
    """
    return share(summary, "lists", "hits", "clicked")


@indicator(caption="Reciprocal rank of clicked lists", unit="share", scale="logit", direction="down", family="ranking")
def mrr(summary: Summary) -> pl.DataFrame | None:
    """Mean reciprocal rank of the first click.

    Formula: mean of 1 ÷ position of the first click, over lists with a click.
    """
    return mean(summary, "lists", "reciprocal_rank", "reciprocal_rank_squared", "clicked")
