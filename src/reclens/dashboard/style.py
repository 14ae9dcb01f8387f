"""The little CSS that Streamlit's theme does not reach: room, phone width, and focus that can be seen."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.25rem; padding-bottom: 4rem; max-width: 1320px; }
[data-testid="stVegaLiteChart"] { min-height: 120px; }
.legend { display: flex; flex-wrap: wrap; gap: .3em 1.2em; list-style: none; margin: 0; padding: 0; }
.legend li { display: inline-flex; align-items: center; gap: .4em; }
.legend i { width: .75em; height: .75em; border-radius: 50%; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.6rem !important; }
}
</style>"""
