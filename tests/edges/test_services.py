"""Requests to services: what went wrong as a code, tries with growing pauses, and no key in any message."""

from __future__ import annotations

import pickle
import traceback
from types import SimpleNamespace

import pytest

from reclens.edges import _services as module
from reclens.edges._services import Service, problem_of
from reclens.errors import StoreError, UsageError

SECRET = "sk-S3CRET"


class Refused(Exception):
    """As clients have them: a status, of one name or the other."""

    def __init__(self, text: str = "refused", **more: object) -> None:
        super().__init__(text)
        vars(self).update(more)


class ReadTimeoutError(Exception):
    """As urllib3 calls it."""


def grpc_error(name: str) -> Exception:
    return Refused(code=lambda: SimpleNamespace(name=name))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(status=401), "wrong_key"),
        (Refused(status_code=403), "wrong_key"),
        (Refused(status=402), "quota"),
        (Refused(status_code=429), "rate_limited"),
        (Refused(status=503), "down"),
        (Refused(status=504), "slow"),
        (Refused(status=400), "refused"),
        (Refused(status=404), "refused"),
        (grpc_error("UNAVAILABLE"), "down"),
        (grpc_error("DEADLINE_EXCEEDED"), "slow"),
        (grpc_error("RESOURCE_EXHAUSTED"), "rate_limited"),
        (grpc_error("UNAUTHENTICATED"), "wrong_key"),
        (TimeoutError("no answer"), "slow"),
        (ConnectionRefusedError("refused"), "down"),
        (ReadTimeoutError("read"), "slow"),
        (Refused(reason=ReadTimeoutError("read")), "slow"),
        (ValueError("odd"), "refused"),
    ],
)
def test_what_went_wrong_is_a_code(error, code) -> None:
    assert problem_of(error) == code


def test_the_cause_is_looked_at_where_the_client_says_nothing() -> None:
    gave_up = Refused("gave up")
    gave_up.__cause__ = ConnectionRefusedError("nobody there")
    assert problem_of(gave_up) == "down"
    one, other = Refused("a circle"), Refused("a circle")
    one.__context__, other.__context__ = other, one
    assert problem_of(one) == "refused"


@pytest.fixture
def pauses(monkeypatch):
    found: list[float] = []
    monkeypatch.setattr(module.time, "sleep", found.append)
    return found


def test_what_passes_is_tried_again_with_growing_pauses(pauses) -> None:
    answers = [Refused(status=429), TimeoutError(), ConnectionResetError(), "here"]

    def call() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Service("S", "place", pause=1.0).ask("search", call) == "here"
    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("error", "tries"), [(Refused(status=429), 5), (Refused(status=401), 1), (Refused(status=400), 1)]
)
def test_what_stays_is_said_once_and_without_the_key(pauses, error, tries) -> None:
    calls: list[int] = []
    error.args = (f"the key {SECRET} may not\nand a second line",)

    def call() -> None:
        calls.append(1)
        raise error

    with pytest.raises(StoreError) as said:
        Service("S", "place", [SECRET, ""]).ask("search", call)
    assert len(calls) == tries and said.value.code == problem_of(error)
    shown = "".join(traceback.format_exception(said.value)) + str(pickle.loads(pickle.dumps(said.value)))
    assert SECRET not in shown and "S at place cannot search: Refused: the key *** may not" in shown


def test_our_own_errors_pass_through(pauses) -> None:
    def call() -> None:
        raise UsageError("k is 0")

    with pytest.raises(UsageError, match="k is 0"):
        Service("S", "place").ask("search", call)
    assert not pauses


def test_what_is_never_visible_is_slow(monkeypatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(StoreError, match="is not visible after 5 s") as slow:
        Service("S", "place").wait("what was written", lambda: False, seconds=5)
    assert slow.value.code == "slow"
    Service("S", "place").wait("what was written", lambda: True)
