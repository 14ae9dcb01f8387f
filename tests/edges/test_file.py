"""Messages in a file: each once, also after a crash in the middle of a line."""

from __future__ import annotations

import json

import pytest

import reclens as rl
from reclens.protocols import Notifier, adapter


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_messages_are_lines_in_order(tmp_path):
    path = tmp_path / "new" / "notices.jsonl"
    notifier = adapter(f"file:{path}", Notifier)
    about = {"key": "a1", "link": "http://x/y", "message_id": "m1", "facts": {"Usual": "4 % to 6 %"}}
    notifier.send("CTR fell", "by 20 %\non home", severity="critical", **about)
    notifier.send("It is back", "é <b>")
    first, second = lines(path)
    assert first["at"].endswith("+00:00")
    told = {"severity": "critical", "title": "CTR fell", "text": "by 20 %\non home", **about}
    assert {k: first[k] for k in told} == told and second["facts"] == {}
    assert (second["title"], second["text"], second["message_id"]) == ("It is back", "é <b>", None)


def test_the_same_message_is_left_out_and_half_a_line_is_written_anew(tmp_path):
    path = tmp_path / "notices.jsonl"
    notifier = adapter(f"file:{path}", Notifier)
    notifier.send("one", "", message_id="m1")
    notifier.send("one", "", message_id="m1")
    assert len(lines(path)) == 1
    whole = path.read_bytes()
    notifier.send("two", "", message_id="m2")
    path.write_bytes(path.read_bytes()[:-9])  # killed while it was written
    notifier.send("two", "", message_id="m2")
    assert [each["title"] for each in lines(path)] == ["one", "two"]
    assert path.read_bytes().startswith(whole)


def test_lines_of_others_are_kept(tmp_path):
    path = tmp_path / "notices.jsonl"
    path.write_text("not JSON\n[1]\n", encoding="utf-8")
    adapter(f"file:{path}", Notifier).send("one", "", message_id="m1")
    assert path.read_text(encoding="utf-8").startswith("not JSON\n[1]\n{")


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(rl.errors.WorkspaceError, match="cannot be written"):
        adapter(f"file:{tmp_path}", Notifier).send("one", "")
    with pytest.raises(rl.errors.UsageError, match="no file is named"):
        adapter("file:", Notifier)
