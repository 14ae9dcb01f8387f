"""Runs at Weights & Biases: ``wandb:PROJECT`` or ``wandb:ENTITY/PROJECT``.

Offline by default: a run is written to ``WANDB_DIR``, or to ``wandb`` in the working folder, and ``reclens track-sync``
sends it later. ``WANDB_MODE=online`` sends it live, and falls back to offline if W&B does not respond within twenty
seconds. Errors of W&B never stop the tracked run, because W&B only holds a copy.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from reclens.engine import need
from reclens.errors import RecLensWarning, UsageError, WorkspaceError, first_line

__all__ = ["WandbTracker", "connect", "sync"]

_QUIET: Final = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
_SECONDS: Final = 20


def connect(rest: str) -> WandbTracker:
    """The tracker of a project.

    Args:
        rest: ``PROJECT`` or ``ENTITY/PROJECT``; empty for ``reclens``.

    Raises:
        UsageError: If the address has another form.
        MissingExtraError: If wandb is not installed.
    """
    entity, _, project = rest.rpartition("/")
    if "/" in entity or "://" in rest or (rest and not project):
        raise UsageError(f"'wandb:{rest}' is no project of W&B. Expected wandb:PROJECT or wandb:ENTITY/PROJECT.")
    need("wandb", extra="wandb")
    return WandbTracker(project or "reclens", entity or None)


class WandbTracker:
    """Writes runs as W&B does, offline unless ``WANDB_MODE`` says otherwise.

    Args:
        project: Name of the project.
        entity: Team or user; None for the default of the account.
    """

    def __init__(self, project: str, entity: str | None = None) -> None:
        self.project, self.entity = project, entity
        self._run: Any = None
        self._open = self._told = False

    def start(self, name: str, settings: Mapping[str, Any]) -> None:
        """As :meth:`reclens.protocols.Tracker.start`."""
        if self._open:
            raise UsageError("a run is open: finish it first.")
        self._open = True
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        mode = os.environ.get("WANDB_MODE", "offline")
        self._run = self._tried(lambda: self._begun(name, settings, mode))
        if self._run is None and mode not in ("offline", "disabled"):  # without a network, it can still be written
            self._run = self._tried(lambda: self._begun(name, settings, "offline"))

    def _begun(self, name: str, settings: Mapping[str, Any], mode: str) -> Any:
        wandb: Any = need("wandb", extra="wandb")
        folder = Path(os.environ.get("WANDB_DIR", "."))
        folder.mkdir(parents=True, exist_ok=True)
        # Keep artefacts with the runs until they are sent, not in the home folder of the user.
        os.environ.setdefault("WANDB_DATA_DIR", str(folder.resolve() / "wandb" / "data"))
        return wandb.init(
            project=self.project,
            entity=self.entity,
            name=name,
            config=dict(settings),
            mode=mode,
            dir=str(folder),
            reinit="create_new",
            settings=wandb.Settings(
                console="off", silent=True, x_disable_stats=True, init_timeout=_SECONDS, finish_timeout=_SECONDS
            ),
        )

    def log(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """As :meth:`reclens.protocols.Tracker.log`."""
        # W&B does not store NaN: missing values have no entry.
        known = {name: float(value) for name, value in values.items() if not math.isnan(value)}
        if self._run is not None and known:
            self._tried(lambda: self._run.summary.update(known) if step is None else self._run.log(known, step=step))

    def attach(self, path: Path) -> None:
        """As :meth:`reclens.protocols.Tracker.attach`."""
        if self._run is not None:
            self._tried(lambda: self._attached(path.resolve()))

    def _attached(self, path: Path) -> None:
        # Copy the file to the folder of the run, because the original can change.
        copy = Path(self._run.dir) / path.name
        shutil.copyfile(path, copy)
        self._run.save(str(copy), base_path=self._run.dir, policy="now")
        if path.suffix == ".csv":
            self._run.log({path.stem: _table(path)})
        elif path.suffix == ".html":
            wandb: Any = need("wandb", extra="wandb")
            artifact = wandb.Artifact(re.sub(r"[^\w.-]", "-", path.stem), type="report")
            artifact.add_file(str(copy))
            self._run.log_artifact(artifact)

    def finish(self, status: Literal["done", "failed"]) -> None:
        """As :meth:`reclens.protocols.Tracker.finish`."""
        run, self._run, self._open = self._run, None, False
        if run is not None:
            self._tried(lambda: run.finish(exit_code=0 if status == "done" else 1))

    def _tried(self, call: Callable[[], Any]) -> Any:
        """The result of a call; None and one warning if W&B fails, because errors must not stop the run."""
        try:
            return call()
        except Exception as error:  # of any kind: the library hands on those of what it is made of
            if not self._told:
                self._told = True
                said = f"W&B did not take this run, which goes on: {type(error).__name__}: {first_line(error)[:200]}"
                warnings.warn(said, RecLensWarning, stacklevel=2)
            return None


def _table(path: Path) -> Any:
    """A CSV as a table of W&B."""
    wandb: Any = need("wandb", extra="wandb")
    frame = pl.read_csv(path, infer_schema_length=None)
    return wandb.Table(columns=frame.columns, data=[list(row) for row in frame.iter_rows()])


def sync(folders: Sequence[Path], *, seconds: float) -> None:
    """Send runs that were written offline, with a timeout, because W&B blocks silently without a network.

    Args:
        folders: Folders of runs, ``offline-run-…``.
        seconds: Timeout in seconds.

    Raises:
        WorkspaceError: If it takes longer, or W&B refuses. The runs are kept and can be sent later.
        MissingExtraError: If wandb is not installed.
    """
    need("wandb", extra="wandb")
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, folders)]
    again = "The runs stay where they are: see to the network and to WANDB_API_KEY, and sync again."
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, and paths
            command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise WorkspaceError(f"W&B did not answer within {seconds:g} s. {again}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        key = os.environ.get("WANDB_API_KEY") or "\0"
        raise WorkspaceError(f"W&B cannot take the runs: {said[-1].replace(key, '***') if said else ''}. {again}")
