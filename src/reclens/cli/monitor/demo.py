"""``reclens monitor demo``: sixty simulated days with injected incidents."""

from __future__ import annotations

from pathlib import Path

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption

__all__ = ["demo"]


@command("monitor demo")
def demo(
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Simulate sixty days, put four incidents in, and monitor them: less than a minute, with page and report.

    Example:
      reclens monitor demo
    """
    from reclens.cli.shared import prepare, progress_of
    from reclens.job.monitor_demo import run_demo
    from reclens.job.monitor_inputs import store_of
    from reclens.report.monitor.sentences import day_sentence, incident_sentence
    from reclens.report.monitor.tables import incident_table
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        done = run_demo(place, seed=seed, progress=progress, say=output.say)
    incidents = store_of(done.project).list()
    output.emit(incident_table(incidents, title="Incidents that were found"), synthetic=True)
    for code, incident in done.found(incidents).items():
        said = "not found" if incident is None else incident_sentence(incident)
        output.say(f"{code.replace('_', ' ')}: {said}")
    output.say(day_sentence(done.last.days[-1]))
    output.say(f"report: {', '.join(map(str, done.last.reports))}")
    output.say(f"page: reclens dashboard --workspace {workspace}, then Health")
