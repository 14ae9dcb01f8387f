"""A new monitor: a folder with commented settings, and an example log where no log is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reclens.edges.dbt import write_project
from reclens.errors import NameTakenError
from reclens.files import made_folder, write_text
from reclens.monitor.project import Project
from reclens.monitor.settings import SETTINGS_FILE

if TYPE_CHECKING:
    from reclens.world.simulation import Run

__all__ = ["SYNTHETIC", "MadeProject", "init_project", "log_days", "simulated_log"]

SYNTHETIC: Final = "synthetic"
"""File that says that the log is made up."""
_DAYS: Final = 56
_USERS: Final = 4_000

_TEMPLATE: Final = """\
# The health monitor of one system. Every key has a default but the path of the log; an unknown key is an error.
system = {system}

[log]
path = {path}                    # a file, a folder by day or of any names, or a DuckDB file with table = "..."
shape = "impressions"            # or "requests": a row a request, its items in a list
time_zone = "UTC"                # in which a day begins
# clicks = "/logs/clicks"        # where clicks are kept apart from impressions
# [log.columns]                  # name here = name in your log
# timestamp = "ts"
{tables}
[dimensions]
names = ["surface", "model_version", "variant", "position"]
{marts}
[detect]
budget = 1.0                     # false alerts that an indicator may cost a year, its slices together
warm_up = 3                      # weeks that teach a forecast; as many again teach its spread before it judges
cool_down = 7                    # days in which an incident that comes back is the same one

[indicators.ctr]
owner = "ranking team"
runbook = "https://wiki.example/ctr"

[notify]
to = ["file:notices.jsonl"]      # also smtp:... and webhook:...
least = "warning"

[report]
week_ends = "sunday"
"""

_TABLES: Final = """
[tables]
users = "log/users.parquet"
items = "log/items.parquet"
"""


_MARTS: Final = """
[marts]
engine = "dbt"                   # in the folder dbt; target = "postgres" makes them on a server
"""


@dataclass(frozen=True, kw_only=True)
class MadeProject:
    """A monitor that was made.

    Attributes:
        project: The monitor.
        first: First day of its example log; None if a log was named.
        last: Last day of it.
    """

    project: Project
    first: date | None = None
    last: date | None = None


def init_project(
    folder: Path,
    *,
    log: str | None = None,
    system: str = "recommender",
    seed: int = 0,
    made: bool = False,
    dbt: bool = False,
) -> MadeProject:
    """Make a monitor.

    Args:
        folder: Its folder, which has no settings yet.
        log: Path of its log; None writes an example log of eight weeks into it.
        system: Name of the system that is watched.
        seed: Of the example log.
        made: Whether the example log is there already.
        dbt: Whether dbt makes its marts: its project is written too.

    Returns:
        The monitor, and the days of its example log.

    Raises:
        NameTakenError: If there is a monitor in the folder.
        WorkspaceError: If it cannot be written.
    """
    if (folder / SETTINGS_FILE).exists():
        raise NameTakenError(f"{folder} has a {SETTINGS_FILE} already. Change that file, or name another folder.")
    made_folder(folder)
    days: list[date] = []
    if log is None:
        if not made:
            simulated_log(folder / "log", days=_DAYS, users=_USERS, seed=seed)
        days = log_days(folder)
        write_text(folder / SYNTHETIC, "The log is made up: nobody in it exists.\n")
    path = "log/impressions" if log is None else str(Path(log).expanduser().absolute())
    text = _TEMPLATE.format(
        system=json.dumps(system), path=json.dumps(path), tables="" if log else _TABLES, marts=_MARTS if dbt else ""
    )
    write_text(folder / SETTINGS_FILE, text)
    found = Project(folder)
    if dbt:
        write_project(found, today=days[0] if days else None)
    return MadeProject(project=found, first=days[0] if days else None, last=days[-1] if days else None)


def log_days(folder: Path) -> list[date]:
    """The days of a simulated log."""
    return sorted(date.fromisoformat(each.stem) for each in (folder / "log" / "impressions").glob("*.parquet"))


def simulated_log(folder: Path, *, days: int, users: int, seed: int, start: date = date(2026, 1, 5)) -> Run:
    """A log of the simulated world: two variants and three surfaces.

    Args:
        folder: Where; it must not exist.
        days: Number of days.
        users: Number of users; about three impressions a user and day.
        seed: Seed of the random numbers.
        start: The first day.
    """
    from reclens.world import Arm, Oracle, Policy, WorldSettings, draw_world, simulate

    # Lists never run short, and models are trained every week: a recommender that is looked after.
    world = draw_world(WorldSettings(users=users, items=1_200, start=start, arrivals=days), seed=seed)
    policy = Policy(kind="epsilon", epsilon=0.2, k=8, pool=60)
    arms = [
        Arm(name=name, strategy=Oracle(world, blur=blur, name=f"ranker_{name}"), policy=policy)
        for name, blur in (("control", 1.0), ("treatment", 0.9))
    ]
    return simulate(world, arms, days=days, retrain=7, seed=seed, folder=folder)
