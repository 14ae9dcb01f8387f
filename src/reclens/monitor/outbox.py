"""Messages on their way: on disk before they are sent, in order, and none twice.

::

    queue/000001-5f2a9c1e.json    a message; its number is its place, and the rest tells its key
    sent/3b1f0a77.json            how far a receiver has got

A message is in the queue once, whatever runs again, because its key is in the name of its file. Each receiver gets the
messages in their order; the first one that cannot be sent stops it until the next run, and the others go on. If a
process is killed after a message was accepted and before that was written down, the message is sent again with the same
identity: a file leaves it out, a mail server and a webhook get the identity to do the same.
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
        key: Its identity: a message of a key is sent once.
        title: One line.
        text: Lines of plain text.
        severity: How urgent it is.
        thread: What it is about, such as the id of an incident.
        link: Address of the page that shows more.
        facts: Short facts beside the text, label -> value.
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
    """What one receiver got.

    Attributes:
        receiver: Its address.
        sent: Messages that it accepted now.
        waiting: Messages that wait for it.
        problem: Why they wait; None if none does.
    """

    receiver: str
    sent: int
    waiting: int
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Place:
    """How far a receiver has got."""

    receiver: str
    last: int


_T = TypeVar("_T")
_MESSAGE: Final = TypeAdapter(Message)
_PLACE: Final = TypeAdapter(_Place)


class Outbox:
    """The messages of a monitor. One process at a time: runs are kept apart by the lock of the project.

    Args:
        folder: Where it is; made with the first message.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def add(self, messages: Sequence[Message], *, receivers: Sequence[str]) -> int:
        """Put messages at the end of the queue; those that were in it before are left out.

        Args:
            messages: In order.
            receivers: Addresses: one that is new gets these messages and later ones, not those before.

        Returns:
            Number of messages that are new.

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
        """Send to each receiver what waits for it, in order, until one is not accepted.

        Args:
            receivers: Address -> notifier.

        Raises:
            WorkspaceError: If the folder cannot be written.
        """
        queue = sorted((number, mark) for mark, number in self._queue().items())
        return [self._send(address, notifier, queue) for address, notifier in receivers.items()]

    def waiting(self, receiver: str) -> list[Message]:
        """Messages that wait for a receiver, in order."""
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
