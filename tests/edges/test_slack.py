"""Messages to Slack: the real client against a server of the test, and blocks within the limits of Slack."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import pytest

from reclens.edges.slack import SlackNotifier, blocks_of
from reclens.errors import StoreError, UsageError, WorkspaceError
from reclens.protocols import Notifier, adapter

SECRET = "T0AAAA/B0BBBB/c0ffee"
FACTS = {"Click-through rate": "3.10%", "Usual": "4.80% to 5.20%", "Runbook": "https://wiki/ctr?a=1&b=<2>|x"}


def characters(blocks: Any) -> int:
    if isinstance(blocks, dict):
        return sum(
            len(value) if key == "text" and isinstance(value, str) else characters(value)
            for key, value in blocks.items()
        )
    return sum(map(characters, blocks)) if isinstance(blocks, list) else 0


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("title", "text", "facts"),
    [
        ("CTR fell", "0.031 against 0.050", {"usual": "0.048 to 0.052", "suspects": "deploy"}),
        ("t" * 4_000, "x" * 40_000, {f"{at} " + "f" * 900: "v" * 900 for at in range(150)}),
        ("t", "\n".join(["line " * 30] * 900), {}),
        ("", "", {"": ""}),
        ("t", "x" * 40_000, {f"{at} " + "<" * 300: "https://h/" + "&" * 290 for at in range(30)}),
        ("<!channel> & <script>", "*bold* <@U1> `code`\n\n\n", {"<b>": "a|b"}),
    ],
    ids=["usual", "long", "many lines", "empty", "links", "markup"],
)
def test_blocks_keep_to_the_limits_of_slack(
    slack_server: ModuleType, title: str, text: str, facts: dict[str, str], plain: bool
) -> None:
    blocks = blocks_of(title, text, link="https://h/x?a=1&b=<2>", facts=facts, plain=plain)
    assert len(slack_server.rebuilt(blocks).blocks or []) == len(blocks) <= 45
    assert characters(blocks) < 13_200
    marked = [block for block in blocks if block.get("text", {}).get("type") == "mrkdwn"]
    (pointed,) = [block["text"]["text"] for block in marked]
    assert pointed.startswith("<https://h/x?a=1&amp;b=&lt;2&gt;|Open the page>") and pointed.endswith(">")


@pytest.mark.parametrize("plain", [False, True])
def test_a_fact_that_is_an_address_is_a_link_beside_that_to_the_page(plain: bool) -> None:
    *_, told, pointed = blocks_of("Title", "text", link="http://h/health", facts=FACTS, plain=plain)
    assert pointed["text"]["text"] == (
        "<http://h/health|Open the page> · <https://wiki/ctr?a=1&amp;b=&lt;2&gt;%7Cx|Runbook>"
    )
    if plain:
        assert told["text"]["text"] == "Click-through rate: 3.10%\nUsual: 4.80% to 5.20%"
    else:
        rows = [[cell["text"] for cell in row] for row in told["rows"]]
        assert rows == [["Click-through rate", "3.10%"], ["Usual", "4.80% to 5.20%"]]
    (_, _, alone) = blocks_of("Title", "text", link=None, facts={"Runbook": "https://wiki/ctr"}, plain=plain)
    assert alone["text"]["text"] == "<https://wiki/ctr|Runbook>"


def test_blocks_say_everything_that_fits() -> None:
    text = "first line\n" + "\n".join(f"line {at} " + "y" * 500 for at in range(15))
    blocks = blocks_of("Title", text, link=None, facts={"owner": "search"})
    assert blocks[0] == {"type": "header", "text": {"type": "plain_text", "text": "Title", "emoji": False}}
    assert "\n".join(block["text"]["text"] for block in blocks[1:-1]) == text
    assert blocks[-1]["rows"] == [[{"type": "raw_text", "text": "owner"}, {"type": "raw_text", "text": "search"}]]


def test_a_message_arrives_whole(slack: Any) -> None:
    notifier = adapter("slack:", Notifier)
    notifier.send("shop: critical: CTR fell", "a\nb", severity="critical", key="i1", link="http://x/y", message_id="m")
    ((path, sent),) = slack.requests
    assert path == f"/services/{SECRET}"
    assert sent["text"] == "shop: critical: CTR fell" and sent["blocks"][0]["type"] == "header"
    assert sent["blocks"][1]["text"] == {"type": "plain_text", "text": "a\nb", "emoji": False}


def test_a_workspace_without_tables_gets_plain_sections(slack: Any) -> None:
    slack.answers = [(400, "invalid_blocks")]
    SlackNotifier(os.environ["RECLENS_SLACK_WEBHOOK"]).send("Title", "text", facts={"usual": "1 to 2"})
    _, (_, sent) = slack.requests
    assert [block["type"] for block in sent["blocks"]] == ["header", "section", "section"]
    assert sent["blocks"][2]["text"]["text"] == "usual: 1 to 2"


@pytest.mark.parametrize(
    ("answers", "slept"),
    [([(429, "")], 7.0), ([(503, ""), (500, "")], None), (["break"], None)],
    ids=["rate limited", "down twice", "broken off"],
)
def test_what_passes_is_tried_again(slack: Any, answers: list[Any], slept: float | None) -> None:
    slack.answers = list(answers)
    adapter("slack:", Notifier).send("Title", "text")
    assert len(slack.requests) == len(answers) + 1
    assert slept is None or slack.slept[0] >= slept


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((503, "down"), "down"),
        ((429, ""), "rate_limited"),
        ((404, "no_service"), "wrong_key"),
        ((400, "no_text"), "refused"),
    ],
)
def test_what_stays_is_an_error_without_the_address(slack: Any, answer: Any, code: str) -> None:
    slack.answers = [answer] * 9
    with pytest.raises(WorkspaceError) as caught:
        adapter("slack:", Notifier).send("Title", "text")
    assert isinstance(caught.value, StoreError) and caught.value.code == code
    assert (
        "c0ffee" not in str(caught.value) and "B0BBBB" not in str(caught.value) and str(answer[0]) in str(caught.value)
    )
    assert "c0ffee" not in repr(adapter("slack:", Notifier))


def test_an_answer_that_breaks_off_after_its_status_is_an_answer(slack: Any) -> None:
    slack.answers = ["cut"]
    adapter("slack:", Notifier).send("Title", "text")
    assert len(slack.requests) == 1  # Slack has the message: it is not posted again


def test_a_slow_service_and_one_that_is_away_are_errors(slack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slack.answers = ["slow"] * 3
    with pytest.raises(StoreError) as caught:
        SlackNotifier(os.environ["RECLENS_SLACK_WEBHOOK"], seconds=1, tries=1).send("Title", "text")
    assert caught.value.code == "slow" and "c0ffee" not in str(caught.value)
    monkeypatch.setenv("ELSEWHERE", f"http://127.0.0.1:9/services/{SECRET}")
    with pytest.raises(StoreError) as away:
        adapter("slack:ELSEWHERE", Notifier).send("Title", "text")
    assert away.value.code == "down" and "c0ffee" not in str(away.value)


@pytest.mark.parametrize("address", ["slack:https://hooks.slack.com/services/T0/B0/x", "slack:NOT_SET"])
def test_the_address_stands_in_the_environment_alone(address: str) -> None:
    with pytest.raises(UsageError, match="variable of the environment") as caught:
        adapter(address, Notifier)
    assert "B0" not in str(caught.value)


def test_a_value_that_is_no_address_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLENS_SLACK_WEBHOOK", "xoxb-secret")
    with pytest.raises(UsageError, match="no address") as caught:
        adapter("slack:", Notifier)
    assert "xoxb" not in str(caught.value)


@pytest.mark.skipif("SLACK_TOKEN" not in os.environ, reason="SLACK_TOKEN is not set: Slack does not check the blocks")
def test_slack_itself_finds_no_fault() -> None:
    from slack_sdk import WebClient

    blocks = blocks_of("Title", "text", link="https://example.org", facts=FACTS)
    assert WebClient(token=os.environ["SLACK_TOKEN"]).blocks_validate(blocks=blocks)["ok"]
