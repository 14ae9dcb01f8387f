"""Runs in a folder of this machine: ``runs:FOLDER``, one file of JSON per run, for who has no other tracker."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from reclens.errors import UsageError, WorkspaceError
from reclens.files import made_folder, write_text

__all__ = ["FolderTracker", "connect"]


def connect(rest: str) -> FolderTracker:
    """The tracker of a folder.

    Raises:
        UsageError: If no folder is named.
    """
    if not rest:
        raise UsageError("no folder is named. Expected runs:FOLDER, such as runs:tracked.")
    return FolderTracker(rest)


class FolderTracker:
    """Writes ``NAME.json`` for each run, and its files into the folder ``NAME``.

    A run of the same name replaces the one that is there, so that a day that is run again is tracked once. The file is
    written when the run ends: a run that is killed leaves the older one as it was.

    Args:
        folder: The folder; created with the first run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._run: dict[str, Any] | None = None
        self._files: list[Path] = []

    def start(self, name: str, settings: Mapping[str, Any]) -> None:
        """As :meth:`reclens.protocols.Tracker.start`."""
        if self._run is not None:
            raise UsageError("a run is open: finish it first.")
        self._run = {"name": name, "settings": dict(settings), "numbers": {}, "steps": []}
        self._files = []

    def log(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """As :meth:`reclens.protocols.Tracker.log`."""
        known = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        if step is None:
            self._open()["numbers"].update(known)
        else:
            self._open()["steps"].append({"step": step, **known})

    def attach(self, path: Path) -> None:
        """As :meth:`reclens.protocols.Tracker.attach`."""
        run = self._open()
        place = made_folder(self.folder / _file_name(run["name"]))
        try:
            shutil.copyfile(path, place / path.name)
        except OSError as error:
            raise WorkspaceError(f"{place} cannot be written: {error.strerror or error}.") from error
        self._files.append(place / path.name)

    def finish(self, status: Literal["done", "failed"]) -> None:
        """As :meth:`reclens.protocols.Tracker.finish`."""
        run, self._run = self._open(), None
        files = [each.relative_to(self.folder).as_posix() for each in self._files]
        text = json.dumps({**run, "status": status, "files": files}, ensure_ascii=False, indent=1, allow_nan=False)
        write_text(self.folder / f"{_file_name(run['name'])}.json", text + "\n")

    def _open(self) -> dict[str, Any]:
        if self._run is None:
            raise UsageError("no run is open: start one first.")
        return self._run


def _file_name(name: str) -> str:
    """The name of a run as that of a file: two runs share none. Odd characters are written as in addresses."""
    return re.sub(r"[^\w .-]|^\.", lambda odd: "".join(f"%{byte:02X}" for byte in odd[0].encode()), name) or "%"
