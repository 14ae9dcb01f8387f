"""The little CSS that Streamlit's theme does not reach: room, phone width, and focus that can be seen."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 2.5rem; padding-bottom: 4rem; max-width: 1320px; }
h1 { font-size: 2rem !important; } h2, h3 { font-size: 1.35rem !important; }
ul.legend { display: flex; flex-wrap: wrap; gap: .3em 1.2em; list-style: none; margin: 0 !important;
  padding: 0 !important; }
ul.legend li { margin: 0 !important; display: inline-flex; align-items: center; gap: .4em; }
ul.legend i { width: .75em; height: .75em; border-radius: 50%; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid currentColor !important; outline-offset: 2px; }
button[aria-label="Download as CSV"] { display: none; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.5rem !important; }
}
</style>"""
