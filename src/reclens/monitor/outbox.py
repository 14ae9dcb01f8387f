"""A persistent outbox: messages are stored before they are sent, and are sent in order and once.

::

    queue/000001-5f2a9c1e.json    a message; its number is its place, and the rest tells its key
    sent/3b1f0a77.json            how far a receiver has got

A message is queued once, even if a run is repeated, because the name of its file contains its key. Each receiver gets
the messages in order. A failed message stops that receiver until the next run; the others continue. If a process is
killed after a message was accepted but before this was stored, the message is sent again with the same identity: a file
skips the duplicate, and mail servers and webhooks can use the identity to do the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import TypeAdapter

from reclens.errors import WorkspaceError
from reclens.files import made_folder, write_bytes
from reclens.protocols import Notifier

__all__ = ["Delivery", "Message", "Outbox"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to people.

    Attributes:
        key: Unique key: only one message with this key is sent.
        title: One line.
        text: Lines of plain text.
        severity: Severity.
        thread: Thread identifier, such as the id of an incident.
        link: Address of the page that shows more.
        facts: Short additional facts, label -> value.
    """

    key: str
    title: str
    text: str
    severity: Literal["info", "warning", "critical"] = "info"
    thread: str | None = None
    link: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Delivery status of one receiver.

    Attributes:
        receiver: Its address.
        sent: Number of messages accepted in this run.
        waiting: Number of waiting messages.
        problem: Reason for waiting; None if no message waits.
    """

    receiver: str
    sent: int
    waiting: int
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Progress of a receiver."""

    receiver: str
    last: int


_T = TypeVar("_T")
_MESSAGE: Final = TypeAdapter(Message)
_PLACE: Final = TypeAdapter(_Place)


class Outbox:
    """The messages of a monitor. One process at a time may use it; runs hold the lock of the project.

    Args:
        folder: Folder of the outbox; created with the first message.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def add(self, messages: Sequence[Message], *, receivers: Sequence[str]) -> int:
        """Put messages at the end of the queue; known messages are skipped.

        Args:
            messages: In order.
            receivers: Addresses; a new one gets these and later messages, not earlier ones.

        Returns:
            Number of new messages.

        Raises:
            WorkspaceError: If the folder cannot be written.
        """
        queue = self._queue()
        number = max(queue.values(), default=0)
        for each in receivers:
            if not self._sent(each).exists():
                self._reached(each, number)
        new = 0
        for message in messages:
            mark = _mark(message.key)
            if mark in queue:
                continue
            number, new = number + 1, new + 1
            queue[mark] = number
            made_folder(self.folder / "queue")
            write_bytes(self._file(number, mark), _MESSAGE.dump_json(message, indent=1))
        return new

    def send(self, receivers: Mapping[str, Notifier]) -> list[Delivery]:
        """Send waiting messages to each receiver, in order, until one is not accepted.

        Args:
            receivers: Address -> notifier.

        Raises:
            WorkspaceError: If the folder cannot be written.
        """
        queue = sorted((number, mark) for mark, number in self._queue().items())
        return [self._send(address, notifier, queue) for address, notifier in receivers.items()]

    def waiting(self, receiver: str) -> list[Message]:
        """Messages waiting for a receiver, in order."""
        last = self._last(receiver)
        return [
            _read(self._file(number, mark), _MESSAGE)
            for number, mark in sorted((number, mark) for mark, number in self._queue().items())
            if number > last
        ]

    def _send(self, address: str, notifier: Notifier, queue: Sequence[tuple[int, str]]) -> Delivery:
        last, sent = self._last(address), 0
        todo = [each for each in queue if each[0] > last]
        for number, mark in todo:
            message = _read(self._file(number, mark), _MESSAGE)
            try:
                notifier.send(
                    message.title,
                    message.text,
                    severity=message.severity,
                    key=message.thread,
                    link=message.link,
                    message_id=message.key,
                    facts=message.facts,
                )
            except WorkspaceError as error:
                return Delivery(receiver=address, sent=sent, waiting=len(todo) - sent, problem=str(error))
            self._reached(address, number)
            sent += 1
        return Delivery(receiver=address, sent=sent, waiting=0)

    def _queue(self) -> dict[str, int]:
        """Mark of each message -> its number."""
        names = [each.stem.split("-") for each in (self.folder / "queue").glob("*-*.json") if each.name[0] != "."]
        return {mark: int(number) for number, mark in names}

    def _file(self, number: int, mark: str) -> Path:
        return self.folder / "queue" / f"{number:06d}-{mark}.json"

    def _sent(self, receiver: str) -> Path:
        return self.folder / "sent" / f"{_mark(receiver)}.json"

    def _last(self, receiver: str) -> int:
        place = self._sent(receiver)
        return _read(place, _PLACE).last if place.exists() else 0

    def _reached(self, receiver: str, number: int) -> None:
        made_folder(self.folder / "sent")
        write_bytes(self._sent(receiver), _PLACE.dump_json(_Place(receiver=receiver, last=number)))


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(place: Path, kind: TypeAdapter[_T]) -> _T:
    try:
        return kind.validate_json(place.read_bytes())
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{place} cannot be read. Remove it, and run again.") from error
