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
}
"""Code of a remark -> its sentence, with its facts in braces."""
