"""The journal of a search: every finished trial is written to disk, so that a killed search can be resumed.

``search.json`` has the settings of the search, ``trials.jsonl`` one line per trial, ``summaries/`` the summaries of
full fits, for comparisons by user. An incomplete last line is dropped, and its trial is run again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from reclens.errors import Advice, WorkspaceError
from reclens.schema import read_arrays
from reclens.stats.summary import Summary
from reclens.tuning.results import Trial

__all__ = ["Journal", "holds_another"]


class Journal:
    """Trials so far, in memory and, if a folder is given, on disk.

    Args:
        folder: Folder of the journal, or None.
        settings: Settings of the search, as JSON values. Another search cannot use the same folder.

    Raises:
        WorkspaceError: If the folder has another search, is damaged, is in use, or cannot be written.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        self.trials: list[Trial] = []
        self.summaries: dict[tuple[str, int], Summary] = {}
        self.folder = folder
        self._file: Any = None
        if folder is None:
            return
        try:
            (folder / "summaries").mkdir(parents=True, exist_ok=True)
            self._claim(folder / "search.json", json.loads(json.dumps(settings, default=str)))
            self._file = (folder / "trials.jsonl").open("a+b")
            _lock(self._file, folder)
            self._read()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and not isinstance(error, WorkspaceError):
                raise _cannot(folder, error) from error
            raise

    def add(self, trial: Trial, summary: Summary | None) -> None:
        """Write a trial, with its summary if it was a full fit."""
        if self.folder is not None:
            try:
                if summary is not None:
                    self._write_summary(trial, summary)
                line = json.dumps(asdict(trial), default=str).encode() + b"\n"
                self._file.write(line)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise _cannot(self.folder, error) from error
        self.trials.append(trial)
        if summary is not None:
            self.summaries[trial.model, trial.number] = summary

    def close(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _claim(self, path: Path, settings: dict[str, Any]) -> None:
        """Write the settings, or check that they are the same."""
        if not path.exists():
            _write_whole(path, json.dumps(settings, indent=1).encode())
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            assert isinstance(there, dict)
        except (ValueError, AssertionError) as error:
            raise WorkspaceError(f"{path}: it cannot be read. Remove the folder and tune again.") from error
        if there != settings:
            raise WorkspaceError(
                f"{path.parent} holds another search, which cannot go on as this one. They differ in "
                + "; ".join(_differences(there, settings)),
                advice=Advice("start_anew", text="Choose another name, or remove the folder to start anew."),
            )

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                trial = Trial(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise WorkspaceError(
                    f"{self.folder}/trials.jsonl, line {number}: it is no trial ({error}). Remove the folder and tune "
                    "again."
                ) from error
            self.trials.append(trial)
            if trial.share >= 1 and trial.value is not None:
                self.summaries[trial.model, trial.number] = self._read_summary(trial)

    def _summary_path(self, trial: Trial) -> Path:
        assert self.folder is not None
        return self.folder / "summaries" / f"{re.sub(r'[^A-Za-z0-9_]', '-', trial.model)}-{trial.number:05d}.npz"

    def _write_summary(self, trial: Trial, summary: Summary) -> None:
        path = self._summary_path(trial)
        temporary = path.with_suffix(".writing")
        header = np.array(json.dumps(summary.header()))
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, header=header, **summary.arrays())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def _read_summary(self, trial: Trial) -> Summary:
        path = self._summary_path(trial)
        try:
            arrays = read_arrays(path)
            return Summary.of_arrays(json.loads(str(arrays.pop("header"))), arrays)
        except (OSError, ValueError, KeyError) as error:
            raise WorkspaceError(f"{path}: it cannot be read ({error}). Remove the folder and tune again.") from error


def holds_another(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a folder has the journal of a search with other settings."""
    try:
        there = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return there != json.loads(json.dumps(settings, default=str))


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], before: str = "") -> list[str]:
    """Settings that differ, with both values."""
    found: list[str] = []
    for key in dict.fromkeys([*there, *here]):
        old, new = there.get(key), here.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{before}{key}.")
        elif old != new:
            found.append(f"{before}{key}: {json.dumps(old)} there, {json.dumps(new)} here")
    return found


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _lock(file: Any, folder: Path) -> None:
    """Lock the folder against a second process; the lock is released when the process ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # no such locks on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkspaceError(
            f"{folder}: another process is searching here. Wait for it, or choose another name."
        ) from None


def _cannot(folder: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{folder} cannot be written: {error.strerror or error}. Choose another place.")
