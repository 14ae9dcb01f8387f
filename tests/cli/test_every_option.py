"""Every option, argument and key of every command: what is wrong is refused by its name, and nothing is skipped."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from rich.text import Text

COMMANDS = (
    "demo",
    "run",
    "evaluate",
    "compare",
    "report",
    "fit",
    "recommend",
    "similar",
    "predict",
    "evaluate-predictions",
    "evaluate-requests",
    "tune",
    "tune-weights",
    "dashboard",
    "doctor",
    "track-sync",
    "data info",
    "data split",
    "data fetch",
    "data sql",
    "data convert",
    "models list",
    "models show",
    "pipeline rerankers",
    "pipeline fit",
    "pipeline recommend",
    "pipeline trace",
    "pipeline evaluate",
    "pipeline diagram",
    "knowledge ask",
    "knowledge relax",
    "knowledge critique",
    "knowledge columns",
    "audit run",
    "audit plan",
    "audit compare",
    "audit demo",
    "explore demo",
    "explore embed",
    "explore index",
    "explore map",
    "explore move",
    "explore report",
    "explore search",
    "experiment plan",
    "experiment size",
    "experiment assign",
    "experiment check",
    "experiment aa",
    "experiment read",
    "experiment simulate",
    "experiment correlate",
    "experiment interference",
    "experiment holdout",
    "experiment realism",
    "experiment verdicts",
    "experiment off-policy",
    "metrics list",
    "metrics show",
    "metrics conventions",
    "workspace list",
    "workspace show",
    "workspace remove",
    "workspace restore",
    "workspace trash",
    "workspace empty-trash",
    "workspace clean",
    "workspace sql",
    "export tableau",
    "export looker",
    "monitor init",
    "monitor run",
    "monitor backfill",
    "monitor replay",
    "monitor report",
    "monitor check",
    "monitor annotate",
    "monitor learn",
    "monitor incidents list",
    "monitor incidents show",
    "monitor incidents ack",
    "monitor incidents resolve",
    "monitor incidents snooze",
    "monitor chaos",
    "monitor demo",
    "monitor sql",
    "learn list",
    "learn next",
    "learn start",
    "learn check",
    "learn drill",
    "learn hint",
    "learn reset",
    "learn solution",
    "learn export",
    "learn verify",
    "learn lesson",
    "learn glossary",
    "learn quiz",
    "learn page",
    "learn interview",
    "portfolio build",
    "portfolio verify",
)
ELSEWHERE = {
    "demo",
    "run",
    "tune",
    "tune-weights",
    "track-sync",
    "dashboard",
    "data fetch",
    "audit demo",
    "explore demo",
    "experiment simulate",
    "experiment correlate",
    "experiment interference",
    "experiment realism",
    "experiment verdicts",
    "export tableau",
    "monitor chaos",
    "monitor demo",
    "learn check",
    "learn solution",
    "learn export",
    "learn verify",
    "learn page",
    "learn interview",
    "portfolio build",
    "portfolio verify",
}
"""Commands whose valid call takes seconds, the network or an extra: other tests run them."""


def test_no_command_and_no_option_is_missing_from_the_table(option_table) -> None:
    found = {path: [*arguments, *options] for path, arguments, options in option_table.commands()}
    assert set(found) == set(COMMANDS) == set(option_table.COMMANDS)
    for path, names in found.items():
        assert len(names) == len(set(names)), f"{path} declares an option twice, of which one is never read: {names}"
        special = option_table.COMMANDS[path][1]
        missing = [name for name in names if name not in special and name not in option_table.EVERYWHERE]
        assert not missing, f"{path}: no entry for {missing}"
        assert set(special) <= set(names) | set(option_table.NEW), f"{path} has no {set(special) - set(names)}"


def test_no_help_loses_its_brackets(option_table) -> None:
    """Help is markup of Rich, which takes ``[[gate]]`` for a tag."""
    for path, said in option_table.helps():
        kept = re.sub(r"\[/?bold]", "", said).replace("\\[", "[")
        assert Text.from_markup(said).plain == kept, path


@pytest.mark.parametrize("path", COMMANDS)
def test_what_is_wrong_is_refused_by_its_name(path: str, option_table, shop: Path, typed) -> None:
    arguments, options = next(found[1:] for found in option_table.commands() if found[0] == path)
    base, special = option_table.COMMANDS[path]
    skipped = []
    for name in (*arguments, *options):
        wrong = special.get(name) or option_table.EVERYWHERE[name]
        for value in wrong.values:
            said = typed(*option_table.words(path, {**base, **wrong.beside, name: value}), cwd=shop)
            # Of ``user_id=nosuch`` the part that is wrong is named.
            words = [value, name if len(name) < 6 else name.strip("-"), *re.findall("nosuch|ncdg|sideways", value)]
            if said.status != 2 or said.stdout or not any(word in said.stderr for word in words):
                skipped.append(f"{name} {value!r} -> {said.status}: {said.stderr[-300:]}")
    assert not skipped, "\n".join(skipped)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ELSEWHERE])
def test_without_what_is_wrong_each_call_is_right_and_says_how_far_it_is(
    path: str, option_table, shop: Path, typed, tmp_path: Path, silent: list[str]
) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    said = typed(*option_table.words(path, option_table.COMMANDS[path][0]), cwd=tmp_path)
    # Units that were drawn alike show no effect: that is a finding.
    assert said.status == (1 if path == "experiment read" else 0), said
    assert not silent, f"no step is shown in the meantime: {silent}"
