"""Decides which HTTP requests may pass: token or password, host, origin; and sets the headers that protect the page.

The page is served to one person. Another site in the same browser, or another machine, must not read it:
the token is a secret cookie, `Host` must be a name of this server (DNS rebinding), `Origin` must be this server
(cross-site requests), and a strict Content-Security-Policy with Trusted Types keeps text from becoming code.
"""

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Access", "AccessControl"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Open to everybody who reaches the server: the form that asks for the password, and its style.
_OPEN_PATHS = ("/login", "/static/style.css")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use the server.

    Attributes:
        host: The address that it listens on.
        token: The secret that opens it; made for each start.
        password: What a person types, where the server is open to other machines. None: only the token opens it.
    """

    host: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    password: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        return self.host in _LOOPBACK

    def opens(self, secret: str) -> bool:
        """Whether a secret is the token or the password; takes the same time for each wrong one."""
        given = secret.encode()
        fits_token = hmac.compare_digest(given, self.token.encode())
        fits_password = self.password is not None and hmac.compare_digest(given, self.password.encode())
        return fits_token or fits_password

    def is_name(self, host: str) -> bool:
        """Whether a `Host` header names this server: loopback, the given host, or a plain address."""
        name = urlsplit(f"//{host}").hostname or ""
        if name in _LOOPBACK or name == self.host:
            return True
        if self.is_local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class AccessControl:
    """ASGI middleware: refuses what may not pass, and adds the protecting headers to every response."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _plain(protected, *refusal)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.pop("token", [""])[0]
        if token and scope["path"] == "/" and self._access.opens(token):
            rest = urlencode(query, doseq=True)
            await _redirect(protected, f"/?{rest}" if rest else "/", self.cookie(headers))
            return
        if scope["path"] in _OPEN_PATHS or self._is_known(headers):
            await self._app(scope, receive, protected)
        elif scope["path"] == "/" and self._access.password is not None:
            await _redirect(protected, "/login")
        elif scope["path"].startswith("/v1/"):
            await _plain(
                protected, 401, "Send the header `Authorization: Bearer KEY`: `playhead ui --api` prints the key."
            )
        else:
            await _plain(protected, 401, "Open the address that `playhead ui` printed: it carries the key.")

    def cookie(self, headers: dict[str, str]) -> str:
        """The cookie that lets a browser in; its name has the port, because cookies ignore ports."""
        return f"{_cookie_name(headers)}={self._access.token}; Path=/; HttpOnly; SameSite=Strict"

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._access.is_name(host):
            return 421, "This server is not reached by that name."
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope.get('scheme', 'http')}://{host}":
            return 403, "Requests from other sites are refused."
        site = headers.get("sec-fetch-site", "none")
        is_navigation = (
            headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
        )
        if site not in ("same-origin", "none") and not is_navigation:
            return 403, "Requests from other sites are refused."
        return None

    def _is_known(self, headers: dict[str, str]) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._access.opens(bearer.strip()):
            return True
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(headers.get("cookie", ""))
        except CookieError:
            return False
        found = jar.get(_cookie_name(headers))
        return found is not None and self._access.opens(found.value)


def _cookie_name(headers: dict[str, str]) -> str:
    port = urlsplit(f"//{headers.get('host', '')}").port
    return f"playhead-{port or 80}"


async def _plain(send: Send, status: int, text: str) -> None:
    await _respond(send, status, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())


async def _redirect(send: Send, location: str, cookie: str | None = None) -> None:
    headers = [(b"location", location.encode("latin-1")), (b"cache-control", b"no-store")]
    if cookie:
        headers.append((b"set-cookie", cookie.encode("latin-1")))
    await _respond(send, 303, headers, b"")


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
