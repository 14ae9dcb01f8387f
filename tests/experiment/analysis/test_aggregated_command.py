"""The command reads a table of counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from scipy import stats

from reclens.cli import main
from reclens.experiment import Plan, read_aggregated
from reclens.experiment.aggregate.arm_column import UnknownArmColumnError
from reclens.experiment.analysis.readout import read_experiment

COUNTS = "version,players,retention_7_successes,rounds_mean,rounds_sd\n"


PLAN = """name = "gate"
unit = "userid"
[arms]
gate_30 = 0.5
gate_40 = 0.5
[[metrics]]
name = "retention"
kind = "proportion"
value = "retention_7"
[[metrics]]
name = "rounds"
value = "rounds"
role = "secondary"
"""


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "plan.toml").write_text(PLAN)

    def call(data: Path, *words: str) -> tuple[int, str, str]:
        command = ["reclens", "experiment", "read", str(tmp_path / "plan.toml"), str(data), *words]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return call


def test_the_command_reads_counts_and_lists_what_they_cannot_tell(reads, tmp_path: Path) -> None:
    """Retention of Cookie Cats after 7 days: 8,502 of 44,700 against 8,279 of 45,489 (Mobile Games A/B testing)."""
    (tmp_path / "counts.csv").write_text(COUNTS + "gate_30,44700,8502,52.46,256.7\ngate_40,45489,8279,51.30,103.3\n")
    words = ("--aggregated", "--arm", "version", "-c", "n=players", "-f", "json", "--out", str(tmp_path / "r"))
    status, out, said = reads(tmp_path / "counts.csv", *words)
    row = json.loads(out)["rows"][0]
    p, q = 8502 / 44700, 8279 / 45489
    pooled = (8502 + 8279) / (44700 + 45489)
    z = (q - p) / (pooled * (1 - pooled) * (1 / 44700 + 1 / 45489)) ** 0.5
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-3) == pytest.approx(0.00155, abs=1e-5)
    assert row["difference"] == pytest.approx(q - p) and row["unknown"].startswith("repeated_units")
    assert status == 1, "the sample ratio (p = .009) is mentioned, and the new gate keeps fewer"
    assert "not known (crossed_units): whether a unit is in two arms" in said
    assert "What the table cannot tell" in (tmp_path / "r.md").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--aggregated",), "--arm version"),
        (("--aggregated", "--arm", "version"), "'n'"),
        (("--aggregated", "--arm", "version", "-c", "n=nosuch"), "nosuch"),
        (("--aggregated", "--arm", "version", "--no-ids", "--events"), "--no-ids, --events would not be used"),
        (("--arm", "version"), "--no-ids"),
    ],
)
def test_the_command_refuses_what_it_would_not_use(reads, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS + "gate_30,4470,850,52.4,256.7\ngate_40,4548,827,51.3,103.3\n")
    status, out, said = reads(tmp_path / "counts.csv", *words)
    assert status == 2 and out == "" and says in said


def test_cookie_cats(reads, shared_data: Path, known, same) -> None:
    """The file itself: its arm column is found, and its counts and its rows without ids read alike."""
    file = shared_data / "abtest" / "cookie_cats.csv.gz"
    rows = pl.read_csv(file)
    asked = Plan(
        name="gate",
        unit="userid",
        arms={"gate_30": 0.5, "gate_40": 0.5},
        metrics=(
            {"name": "retention", "kind": "proportion", "value": "retention_7"},
            {"name": "retention 1", "kind": "proportion", "value": "retention_1", "role": "secondary"},
        ),
    )
    with pytest.raises(UnknownArmColumnError, match='arm="version"'):
        read_experiment(asked, file)
    whole = read_experiment(asked, file, arm="version")
    bare = read_experiment(asked, rows.drop("userid"), arm="version", ids=False)
    shares = [pl.col(f"retention_{day}").sum().alias(f"retention_{day}_successes") for day in (1, 7)]
    counts = rows.group_by("version").agg(pl.len().alias("n"), *shares)
    made = read_aggregated(asked, counts, arm="version")
    same(known(made), known(whole))
    same(known(bare), known(whole))
    assert whole.units == {"gate_30": 44700, "gate_40": 45489}
    assert "--arm version" in reads(file)[2]
