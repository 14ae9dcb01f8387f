"""What the checks of the exercises on production found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["OF_PRODUCTION"]

OF_PRODUCTION: Final[Mapping[str, str]] = {
    "workflow_refused": "{error}",
    "setting_not_taken": "monitor.toml has {seen}, which the exercise does not take. It is about {expected}.",
    "another_system": "monitor.toml: system is {seen!r}, expected {expected!r}: a monitor is of one system.",
    "nobody_is_told": "monitor.toml: [notify] to names no receiver, so that no alert reaches anybody.",
    "no_tracker": "schedule.cron: no 'monitor run' has --track. Let it copy the numbers of the day: "
    "--track runs:tracked.",
    "command_failed": "A command of the schedule failed in the replay{hidden}: '{command}' said: {error}",
    "airflow_failed": "'airflow dags test' of the daily DAG failed with monitor.toml: {error}",
    "days_not_tracked": "Days that are not in the tracker with the numbers of their log{hidden}: {days}, the first of "
    "them {first}.",
    "days_tracked_twice": "Days that are in the tracker more than once{hidden}: {days}, the first of them {first}.",
    "wrong_week": "The report of the week to {sunday} is missing, or lacks days of the week{hidden}.",
    "incidents_missed": "{found} of {of} incidents were told in time{hidden}; at least {least} have to be.",
    "false_alerts": "Alerts on days without an incident{hidden}: {seen}; at most {most} may be.",
    "double_alerts": "Incidents that were told as two or more{hidden}: {seen}.",
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
