"""Messages in a file: ``file:PATH``, one line of JSON per message."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from reclens.errors import UsageError, WorkspaceError
from reclens.files import made_folder

__all__ = ["FileNotifier", "connect"]


def connect(rest: str) -> FileNotifier:
    """The notifier of a file.

    Raises:
        UsageError: If the path is empty.
    """
    if not rest:
        raise UsageError("no file is named. Expected file:PATH, such as file:notices.jsonl.")
    return FileNotifier(rest)


class FileNotifier:
    """Appends messages to a file, each once.

    Args:
        path: The file; created with the first message.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def send(
        self,
        title: str,
        text: str,
        *,
        severity: Literal["info", "warning", "critical"] = "info",
        key: str | None = None,
        link: str | None = None,
        message_id: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Append a message and sync it to disk. Messages that are already in the file are skipped.

        Raises:
            WorkspaceError: If the file cannot be written.
        """
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "severity": severity,
            "title": title,
            "text": text,
            "key": key,
            "link": link,
            "message_id": message_id,
            "facts": dict(facts or {}),
        }
        made_folder(self.path.parent)
        try:
            with self.path.open("a+b") as file:
                file.seek(0)
                lines = file.read().split(b"\n")
                # A killed writer leaves half a line; the same message is sent again.
                file.truncate(file.tell() - len(lines[-1]))
                if message_id is not None and message_id in {_id_of(each) for each in lines[:-1]}:
                    return
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be written: {error.strerror or error}.") from error


def _id_of(line: bytes) -> object:
    try:
        return json.loads(line).get("message_id")
    except (ValueError, AttributeError):  # not ours
        return None
