"""Security headers: browsers refuse to frame the dashboard, and to load code or data from other origins."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["HEADERS", "SafeHeaders", "add_headers"]

HEADERS: Final = {
    # Streamlit uses inline styles and scripts, Vega compiles expressions, and pictures and downloads are blobs.
    "content-security-policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
            "worker-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
"""Name of a header -> its value, of every answer."""


class SafeHeaders:
    """Middleware (ASGI) that adds :data:`HEADERS` to every answer that lacks them.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request and add the headers."""

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                present = {name.lower() for name, _ in given}
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*given, *(each for each in added if each[0] not in present)]}
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def add_headers() -> None:
    """Add the headers to Streamlit's server, which starts later and has no setting for them."""
    from starlette.middleware import Middleware
    from streamlit.web.server.starlette import starlette_app

    own = starlette_app.create_streamlit_middleware
    starlette_app.create_streamlit_middleware = lambda: [Middleware(SafeHeaders), *own()]
