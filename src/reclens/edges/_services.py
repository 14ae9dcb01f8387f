"""Requests to a service, with error codes, retries with growing pauses, and no secrets in messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from reclens.errors import RecLensError, StoreError, StoreProblem, first_line

__all__ = ["Service", "problem_of"]

Answer = TypeVar("Answer")

_STATUS: Final[dict[int, StoreProblem]] = {
    401: "wrong_key",
    402: "quota",
    403: "wrong_key",
    408: "slow",
    429: "rate_limited",
    500: "down",
    502: "down",
    503: "down",
    504: "slow",
}
_GRPC: Final[dict[str, StoreProblem]] = {
    "UNAVAILABLE": "down",
    "DEADLINE_EXCEEDED": "slow",
    "RESOURCE_EXHAUSTED": "rate_limited",
    "UNAUTHENTICATED": "wrong_key",
    "PERMISSION_DENIED": "wrong_key",
}
_TYPES: Final[dict[str, StoreProblem]] = {
    "TimeoutError": "slow",
    "TimeoutException": "slow",
    "ReadTimeoutError": "slow",
    "ConnectTimeoutError": "slow",
    "PineconeTimeoutError": "slow",
    "WeaviateTimeoutError": "slow",
    "ConnectionError": "down",
    "ConnectError": "down",
    "NetworkError": "down",
    "RemoteProtocolError": "down",
    "NewConnectionError": "down",
    "MaxRetryError": "down",
    "Py4JNetworkError": "down",
    "PineconeConnectionError": "down",
    "WeaviateConnectionError": "down",
    "WeaviateGRPCUnavailableError": "down",
    "WeaviateStartUpError": "down",
    "AuthenticationFailedError": "wrong_key",
    "InsufficientPermissionsError": "wrong_key",
    "UnauthorizedException": "wrong_key",
    "UnauthorizedError": "wrong_key",
}
"""What exceptions of the clients are called; their classes differ from version to version."""

_ADVICE: Final[dict[StoreProblem, str]] = {
    "down": "See whether it runs and can be reached from here, and run the same again: what was written stays.",
    "slow": "Run the same again: what was written stays.",
    "quota": "Make room, or change the plan.",
    "rate_limited": "Wait, and run the same again: what was written stays.",
    "wrong_key": "Check the key, and what it may do.",
    "refused": "",
}
_AGAIN: Final = ("down", "slow", "rate_limited")


def problem_of(error: BaseException) -> StoreProblem:
    """Classify an exception of a client by its status, code or class."""
    found: StoreProblem = "refused"
    for each in _chain(error):
        status = next(
            (
                value
                for name in ("status", "status_code", "code")
                if isinstance(value := getattr(each, name, None), int)
            ),
            None,
        )
        if status in _STATUS:
            return _STATUS[status]
        if isinstance(status, int) and 400 <= status < 500:
            return "refused"
        code = getattr(each, "code", None) or getattr(each, "getGrpcStatusCode", None)
        name = getattr(code() if callable(code) else code, "name", None)
        if name in _GRPC:
            return _GRPC[name]
        kinds: list[StoreProblem] = [_TYPES[kind.__name__] for kind in type(each).__mro__ if kind.__name__ in _TYPES]
        # The last exception of the chain is closest to the network and the most specific.
        found = "slow" if "slow" in kinds else kinds[0] if kinds else found
    return found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)  # of urllib3
        error = error.__cause__ or error.__context__ or (reason if isinstance(reason, BaseException) else None)


class Service:
    """A service that is called through a client.

    Args:
        name: Name of the service.
        place: Address, without keys.
        secrets: Values to remove from messages.
        tries: Number of tries of a request that failed temporarily.
        pause: Seconds before the second try; each later pause is twice as long.
    """

    def __init__(
        self,
        name: str,
        place: str,
        secrets: Sequence[str] = (),
        *,
        tries: int = 5,
        pause: float = 0.5,
    ) -> None:
        self.name, self.place, self.tries, self.pause = name, place, tries, pause
        self._secrets = [each for each in secrets if each]

    def ask(
        self, what: str, call: Callable[[], Answer], *, problem: Callable[[BaseException], StoreProblem] = problem_of
    ) -> Answer:
        """Do a request.

        Args:
            what: Description of the request, to complete "cannot …".
            call: Sends the request; called again after a temporary failure.
            problem: Classifies an exception.

        Raises:
            StoreError: With the answer of the service.
        """
        for turn in range(self.tries):
            try:
                return call()
            except RecLensError:
                raise
            # Clients raise their own exceptions and those of their dependencies.
            except Exception as error:
                code = problem(error)
                if code not in _AGAIN or turn == self.tries - 1:
                    raise self.failed(what, error, code) from None
            time.sleep(self.pause * 2**turn)
        raise AssertionError("unreachable")

    def failed(self, what: str, error: BaseException, code: StoreProblem) -> StoreError:
        """The error for an exception of the client; ``from None``, because its traceback may show a key."""
        said = self.redacted(first_line(error))[:300]
        message = f"{self.name} at {self.place} cannot {what}: {type(error).__name__}: {said}. {_ADVICE[code]}".strip()
        return StoreError(message, code=code)

    def redacted(self, text: str) -> str:
        """A text without the secrets."""
        for each in self._secrets:
            text = text.replace(each, "***")
        return text

    def wait(self, what: str, done: Callable[[], bool], *, seconds: float = 60.0, pause: float = 0.05) -> None:
        """Wait until a write is visible.

        Raises:
            StoreError: If it is not visible within the time limit.
        """
        end = time.monotonic() + seconds
        while not self.ask(what, done):
            if time.monotonic() > end:
                raise StoreError(
                    f"{self.name} at {self.place}: {what} is not visible after {seconds:g} s. {_ADVICE['slow']}",
                    code="slow",
                )
            time.sleep(pause)
            pause = min(1.5 * pause, 2.0)
