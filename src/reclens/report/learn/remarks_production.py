"""What the checks of the exercises on production found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["OF_PRODUCTION"]

OF_PRODUCTION: Final[Mapping[str, str]] = {
    "workflow_failed": "workflow.py failed in the replay{hidden}: {error}",
    "no_state": "run_day has to return a table with the lists tracked (records with day) and alerts (records with day "
    "and metric){hidden}.",
    "days_not_tracked": "Days that are not in tracked at the end{hidden}: {days}.",
    "days_tracked_twice": "Days that are in tracked more than once{hidden}: {days}.",
    "days_of_no_feed": "Days in tracked that the month does not have{hidden}: {days}.",
    "days_tracked_wrongly": "Days in tracked with other numbers than their rows give{hidden}: {days}.",
    "wrong_week": "weekly gives other numbers for the week of {monday} than its rows give{hidden}.",
    "incidents_missed": "{found} of {of} incidents were alerted in time{hidden}; at least {least} have to be.",
    "false_alerts": "Alerts on days without an incident of that metric{hidden}: {seen}; at most {most} may be.",
    "double_alerts": "Incidents that were alerted more than once{hidden}: {seen}.",
    "no_links": "links.toml: links is a list of {expected} addresses that begin with a single slash.",
    "page_failed": "app.py failed while it was asked: {error}",
    "page_slow": "{link} took {seconds} s; at most {most} s are allowed.",
    "unknown_choice": "{link} names a segment that there is not, and answers {seen!r}; expected a status 4xx.",
    "page_not_there": "{link} answers {seen!r}, expected 200 and text/html.",
    "wrong_answer_of_link": "{link} shows {seen!r} as the answer, which is not the {metric} of segment {segment} on "
    "surface {surface} in the data that the page was given.",
    "page_runs": "{link} gives a page that would load or run something ({seen}): what comes from data or addresses has "
    "to be escaped, and nothing is loaded.",
    "page_without_title": "{link} gives a page without <html lang=…> or without a title.",
    "page_ran_in_browser": "{link}: opened in a browser, the page runs a script. What comes from data or "
    "addresses has to "
    "be escaped.",
    "page_fails_in_browser": "{link}: opened in a browser, the page fails: {error}.",
    "page_too_wide": "{link}: in a window of {width} pixels the page is {seen} wide. Let it wrap, and nothing be "
    "wider than "
    "the window.",
    "answer_not_seen": "{link}: in a window of {width} pixels nobody sees the text of the answer.",
    "no_viewport": "{link} gives a page without a viewport of the device's width: it is unreadable on a phone.",
    "segments_not_offered": "{link} gives a page whose text lacks these segments, as they are named: {segments}.",
}
"""Code of a remark -> its sentence, with its facts in braces."""
