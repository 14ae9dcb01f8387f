"""Messages are sent once, in order: receivers that are down for a day, and a process that is killed at every step."""

from __future__ import annotations

import itertools
import json
import shutil

import pytest

import reclens as rl
from killed import Killed, dying
from reclens.monitor import outbox as module
from reclens.monitor.outbox import Message, Outbox

MESSAGES = [Message(key=f"opened:{at}", title=f"title {at}", text="text", thread=f"i{at}") for at in range(4)]


class Receiver:
    """Keeps what it was sent once by identity, as the contract says; ``down`` refuses."""

    def __init__(self):
        self.got, self.down, self.facts = [], False, None

    def send(self, title, text, *, severity="info", key=None, link=None, message_id=None, facts=None):
        self.facts = facts
        if self.down:
            raise rl.errors.StoreError("it is down", code="down")
        if message_id not in self.got:
            self.got.append(message_id)


def keys(messages):
    return [each.key for each in messages]


def test_every_message_is_sent_once_in_order(tmp_path):
    box, receiver = Outbox(tmp_path), Receiver()
    assert box.add(MESSAGES[:2], receivers=["a"]) == 2
    assert box.add(MESSAGES, receivers=["a"]) == 2
    (delivery,) = box.send({"a": receiver})
    assert (delivery.sent, delivery.waiting, delivery.problem) == (4, 0, None)
    assert receiver.got == keys(MESSAGES)
    again = Receiver()
    assert Outbox(tmp_path).send({"a": again})[0].sent == 0 and again.got == []


def test_facts_travel_with_a_message_and_a_message_of_before_has_none(tmp_path):
    box, receiver = Outbox(tmp_path), Receiver()
    box.add([Message(key="k", title="t", text="", facts={"Usual": "1 to 2"})], receivers=["a"])
    (file,) = (tmp_path / "queue").iterdir()
    box.send({"a": receiver})
    assert receiver.facts == {"Usual": "1 to 2"}
    kept = json.loads(file.read_text())
    del kept["facts"]
    file.write_text(json.dumps(kept))
    late = Receiver()
    shutil.rmtree(tmp_path / "sent")
    assert Outbox(tmp_path).send({"a": late})[0].sent == 1 and late.facts == {}


def test_a_receiver_that_is_down_for_a_day_gets_everything_later_and_the_other_one_at_once(tmp_path):
    box, up, down = Outbox(tmp_path), Receiver(), Receiver()
    down.down = True
    for message in MESSAGES[:3]:  # three runs
        box.add([message], receivers=["up", "down"])
        deliveries = box.send({"up": up, "down": down})
    assert up.got == keys(MESSAGES[:3]) and down.got == []
    assert (deliveries[1].waiting, deliveries[1].problem) == (3, "it is down")
    assert keys(box.waiting("down")) == keys(MESSAGES[:3]) and box.waiting("up") == []
    down.down = False
    box.add(MESSAGES[3:], receivers=["up", "down"])
    box.send({"up": up, "down": down})
    assert up.got == down.got == keys(MESSAGES)


def test_a_new_receiver_gets_what_comes_from_then_on(tmp_path):
    box, late = Outbox(tmp_path), Receiver()
    box.add(MESSAGES[:2], receivers=["a"])
    box.add(MESSAGES[2:], receivers=["a", "late"])
    box.send({"late": late})
    assert late.got == keys(MESSAGES[2:])


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_write_and_run_again_nothing_is_lost_or_sent_twice(tmp_path, monkeypatch, after):
    write, finished = module.write_bytes, False
    for killed_at in itertools.count(1):
        folder, receiver = tmp_path / str(killed_at), Receiver()
        monkeypatch.setattr(module, "write_bytes", dying(write, killed_at, after=after))
        try:
            Outbox(folder).add(MESSAGES, receivers=["a"])
            Outbox(folder).send({"a": receiver})
            finished = True
        except Killed:
            pass
        monkeypatch.setattr(module, "write_bytes", write)
        Outbox(folder).add(MESSAGES, receivers=["a"])
        Outbox(folder).send({"a": receiver})
        assert receiver.got == keys(MESSAGES), killed_at
        if finished:
            break
    assert killed_at == 10  # the place of the receiver, four messages, and four places


def test_a_broken_file_is_named(tmp_path):
    box = Outbox(tmp_path)
    box.add(MESSAGES[:1], receivers=["a"])
    (path,) = (tmp_path / "queue").iterdir()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(rl.errors.WorkspaceError, match=path.name):
        box.send({"a": Receiver()})
