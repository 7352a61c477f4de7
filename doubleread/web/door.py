"""Who is let in: the right host name, a token where one is asked for, and no page of somebody else's."""

import hashlib
import hmac
import secrets
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doubleread.core.errors import DataError
from doubleread.web.pages import error_page, token_page

MIN_TOKEN = 16
TOKEN_COOKIE, OWNER_COOKIE = "doubleread-token", "doubleread-owner"
_YEAR = 365 * 24 * 3600
_SAFE = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
    "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def chosen_token(host: str, token: str | None, reviewer_token: str | None = None) -> str | None:
    """The token that users are asked for: the one given, a fresh one where one is needed, or None.

    One is needed where the network can reach ``host``, and where reviewers have a token of their own. Raises
    ``DataError`` for a token that could be guessed, and where both are the same.
    """
    for option, one in (("token", token), ("reviewer-token", reviewer_token)):
        if one is not None and len(one) < MIN_TOKEN:
            advice = "leave --token out to have one made" if option == "token" else "choose a longer one"
            raise DataError(f"the {option} has {len(one)} characters; at least {MIN_TOKEN} are needed: {advice}")
    if token is not None and token == reviewer_token:
        raise DataError("users and reviewers have the same token, so that every user would be a reviewer: choose two")
    needed = reviewer_token is not None or not is_loopback(host)
    return secrets.token_urlsafe(32) if token is None and needed else token


@dataclass(frozen=True)
class Rules:
    """What the door asks for. With a token there may be several users, each of whom sees their own sessions only.

    Who comes with ``reviewer_token`` also sees what waits for a person in the sessions of others.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    reviewer_token: str | None = None

    def knows(self, host: str) -> bool:
        """Whether a ``Host`` header names this machine: by address, or by a name nobody else's DNS can point here."""
        name = urlsplit(f"//{host}").hostname or ""
        own = socket.gethostname().lower()
        return _is_address(name) or name in {"localhost", self.host.lower(), own, f"{own}.local"}

    def cookie_of(self, said: str) -> str | None:
        """What the browser keeps instead of a token that is right; takes as long for a wrong one."""
        right = [_cookie(one) for one in self._tokens if _same(said, one)]
        return right[0] if right else None

    def admits(self, cookie: str) -> bool:
        """Whether a cookie was made of a token."""
        right = [_same(cookie, _cookie(one)) for one in self._tokens]
        return any(right)

    def reviews(self, cookie: str) -> bool:
        """Whether it was made of the reviewers' token."""
        return self.reviewer_token is not None and _same(cookie, _cookie(self.reviewer_token))

    @property
    def _tokens(self) -> tuple[str, ...]:
        return tuple(one for one in (self.token, self.reviewer_token) if one is not None)


def _cookie(token: str) -> str:
    return hashlib.sha256(f"doubleread {token}".encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    """Takes as long wherever they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


class Door:
    """ASGI middleware that lets in as the rules say.

    ``request.state.owner`` is who came: "" where there is one user, else the hash of a cookie;
    ``request.state.reviews`` is whether they came with the reviewers' token.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        answer = self._refused(request) or await self._entering(request)
        if answer is not None:
            return await answer(scope, receive, _guarded(send))
        owner = request.cookies.get(OWNER_COOKIE, "") if self._rules.token else ""
        made = secrets.token_urlsafe(24) if self._rules.token and not owner else ""
        state = scope.setdefault("state", {})
        state["owner"] = hashlib.sha256((made or owner).encode()).hexdigest() if made or owner else ""
        state["reviews"] = self._rules.reviews(request.cookies.get(TOKEN_COOKIE, ""))
        return await self._app(scope, receive, _guarded(send, request, made))

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._rules.knows(host):
            advice = f"It was called as {host!r}. Use its address in numbers, or localhost."
            return error_page(421, "This is not the address of this server", advice)
        if request.method not in _SAFE and urlsplit(request.headers.get("origin", "")).netloc != host:
            advice = "Only pages of this server may change something here: reload it and try again."
            return error_page(403, "This came from another page", advice)
        return None

    async def _entering(self, request: Request) -> Response | None:
        """What somebody gets without a token, or with one: a right one becomes a cookie, and leaves the address."""
        if self._rules.token is None:
            return None
        known, path = self._rules.admits(request.cookies.get(TOKEN_COOKIE, "")), request.url.path
        if not known and path.startswith("/static/"):
            return None
        said = request.query_params.get("token")
        if path == "/enter" and request.method == "POST":
            said = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0]
        cookie = None if said is None else self._rules.cookie_of(said)
        if cookie is None:
            return None if known and path != "/enter" else token_page(wrong=said is not None)
        rest = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "token"])
        target = "/" if path == "/enter" else "/" + path.lstrip("/")  # never another host
        answer = RedirectResponse(target + (f"?{rest}" if rest else ""), 303)
        _keep(answer, TOKEN_COOKIE, cookie, request)
        return answer


def _keep(answer: Response, name: str, value: str, request: Request) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=_YEAR, httponly=True, samesite="strict", secure=secure)


def _guarded(send: Send, request: Request | None = None, owner: str = "") -> Send:
    """Adds the headers that guard a page, and the cookie of a user who is new."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if request is not None and owner:
                cookie = Response()
                _keep(cookie, OWNER_COOKIE, owner, request)
                headers.append("set-cookie", cookie.headers["set-cookie"])
        await send(message)

    return guarded


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
