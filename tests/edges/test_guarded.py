"""Commands that end with the process that asked for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reclens.edges._guarded import run_guarded

SLEEPER = "import os, sys, time; print(os.getpid(), flush=True, file=open(sys.argv[1], 'w')); time.sleep(60)"
KILLED_RUN = """
import sys
from pathlib import Path
from reclens.edges._guarded import run_guarded

run_guarded(sys.argv[2:], cwd=Path(sys.argv[1]), env={}, seconds=60)
"""


def alive(pid: int) -> bool:
    """Whether a process still runs; one that ended and that nobody has asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked at by /proc")
@pytest.mark.parametrize("how", ["killed", "group_killed", "too_slow"])
def test_a_build_ends_with_the_run_that_started_it(how: str, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    command = [sys.executable, "-S", "-c", SLEEPER, str(told)]
    if how != "too_slow":
        run = subprocess.Popen([sys.executable, "-c", KILLED_RUN, str(tmp_path), *command], start_new_session=True)
        while not (told.exists() and told.read_text()):
            time.sleep(0.01)
        assert alive(int(told.read_text()))
        if how == "killed":
            run.kill()
        else:  # as a terminal that closes, `timeout` and Airflow do
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    else:
        with pytest.raises(subprocess.TimeoutExpired):
            run_guarded(command, cwd=tmp_path, env={}, seconds=1)
    end, pid = time.monotonic() + 10, int(told.read_text())
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(pid)


def test_a_guarded_command_ends_as_it_would_alone(tmp_path: Path) -> None:
    def ended(source: str) -> tuple[int, str, str]:
        done = run_guarded([sys.executable, "-S", "-c", source], cwd=tmp_path, env={"A": "b"}, seconds=30)
        return done.returncode, done.stdout, done.stderr

    assert ended("import os, sys; print(os.getcwd(), os.environ['A'], sys.stdin.read() == '')") == (
        0,
        f"{tmp_path} b True\n",
        "",
    )
    assert ended("import sys; sys.exit('no disk')") == (1, "", "no disk\n")
    assert [ended(f"import os; os.kill(os.getpid(), {number})")[0] for number in (2, 9, 15)] == [-2, -9, -15]
