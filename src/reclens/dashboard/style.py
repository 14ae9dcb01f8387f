"""CSS for what Streamlit's theme does not cover: spacing, phone width and visible focus."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 2.5rem; padding-bottom: 4rem; max-width: 1480px;
  padding-left: 2.5rem; padding-right: 2.5rem; }
[data-testid="stDownloadButton"] button[kind="tertiary"] { min-height: 1.6rem; padding-top: 0; padding-bottom: 0; }
h1 { font-size: 2rem !important; } h2, h3 { font-size: 1.35rem !important; }
ul.legend { display: flex; flex-wrap: wrap; gap: .3em 1.2em; list-style: none; margin: 0 !important;
  padding: 0 !important; }
ul.legend li { margin: 0 !important; display: inline-flex; align-items: center; gap: .4em; }
ul.legend i { width: .75em; height: .75em; border-radius: 50%; }
section.decision { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 8px;
  border-left: 6px solid var(--tone); padding: .9rem 1.2rem; }
section.decision p { margin: 0; font-size: .875rem; opacity: .8; }
section.decision h2 { margin: .1rem 0 .4rem; padding: 0; overflow-wrap: anywhere; }
section.decision img, .finding img { display: block; margin: 0 0 .5rem; max-width: 100%; }
section.decision dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 23rem), 1fr));
  gap: .5rem 2rem; margin: 0; padding: 0; }
section.decision dl > div, section.decision dt, section.decision dd { margin: 0 !important; padding: 0 !important; }
section.decision dt { font-size: .8rem; opacity: .8; } section.decision dd { margin: 0; overflow-wrap: anywhere; }
.finding { border-top: 3px solid var(--tone); padding-top: .4rem; }
.finding b { display: block; font-size: .8rem; } .finding span { font-size: .8rem; opacity: .8;
  overflow-wrap: anywhere; display: block; }
.finding p { margin: .3rem 0; overflow-wrap: anywhere; }
ul.stamps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 11rem), 1fr)); gap: .6rem;
  list-style: none; margin: 0 !important; padding: 0 !important; }
ul.stamps li { margin: 0 !important; }
ul.stamps a { display: block; height: 100%; padding: .5rem .8rem; border-radius: 8px; color: inherit !important;
  text-decoration: none !important; border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-left: 6px solid var(--tone); }
ul.stamps a:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
ul.stamps b { display: block; font-size: .75rem; text-transform: uppercase; letter-spacing: .03em; }
ul.stamps strong, ul.stamps small { display: block; } ul.stamps small { opacity: .8; }
.st-key-sql textarea { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace !important;
  font-size: .9rem; }
[data-testid="stMultiSelect"] [data-tag] *, [data-testid="stBaseButton-primary"] * {
  color: light-dark(#ffffff, #14171c) !important; }
[data-testid="stCaptionContainer"] { opacity: .8 !important; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid currentColor !important; outline-offset: 2px; }
[data-testid="stTextArea"] textarea:focus-visible { outline: none !important; }
button[aria-label="Download as CSV"] { display: none; }
@media (min-width: 641px) { [data-testid="stElementContainer"]:has(ul.cards) { display: none; } }
@media (max-width: 640px) {
  [class*="st-key-wide-"], [data-testid="stLayoutWrapper"]:has(> [class*="st-key-wide-"]) { display: none; }
  ul.cards { list-style: none; margin: 0 !important; padding: 0 !important; font-size: .875rem; }
  ul.cards li { margin: 0 !important; padding: .5rem 0; overflow-wrap: anywhere;
    border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
  ul.cards b { margin-right: .6em; } ul.cards i { font-style: normal; opacity: .75; }
  ul.cards span { display: inline-block; margin-right: .9em; max-width: 100%; }
  ul.cards img { height: 1.1em; vertical-align: middle; }
  [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 3rem; }
  [data-testid="stMarkdownContainer"] table { display: block; overflow-x: auto; }
  h1 { font-size: 1.5rem !important; }
}
</style>"""
