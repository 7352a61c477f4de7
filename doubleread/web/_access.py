"""Access control: checks requests against the rules, accepts tokens, and adds security headers."""

import hashlib
import secrets
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doubleread.core.errors import DoublereadError
from doubleread.sessions.login_store import LIFE
from doubleread.web._logins import Attempts, Logins
from doubleread.web.pages import error_page, page
from doubleread.web.rules import Rules

LOGIN_COOKIE, OWNER_COOKIE = "doubleread-login", "doubleread-owner"
_YEAR = 365 * 24 * 3600
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
    "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class AccessMiddleware:
    """ASGI middleware that applies the access rules.

    It sets ``request.state.owner`` (the hash of a cookie; "" on a server with one user), ``request.state.entered``
    (whether the user has a valid token) and ``request.state.reviews`` (whether it is the reviewers' token).
    """

    def __init__(self, app: ASGIApp, rules: Rules, logins: Logins) -> None:
        self._app, self._rules, self._logins, self._attempts = app, rules, logins, Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        if self._rules.encrypted(request):
            scope["scheme"] = "https"
        try:
            answer = self._refused(request) or await self._entering(request)
        except HTTPException as error:
            answer = error_page(error.status_code, error.detail)
        except DoublereadError as error:  # the database of the logins is unreachable
            answer = error_page(503, str(error))
        except ClientDisconnect:
            answer = Response(status_code=400)
        if answer is not None:
            return await answer(scope, receive, _guarded(send))
        made = self._owned(request)
        return await self._app(scope, receive, _guarded(send, request, made))

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._rules.knows(host):
            advice = f"It was called as {host[:200]!r}. Use its address in numbers, or localhost; where it stands "
            advice += "behind a proxy, start it with --public-host and that name."
            return error_page(421, "This is not the address of this server", advice)
        if not self._rules.same_page(request):
            advice = "Only pages of this server may change something here: reload it and try again. Behind a proxy "
            advice += "the server has to be started with --public-host and its name."
            return error_page(403, "This came from another page", advice)
        return None

    def _owned(self, request: Request) -> str:
        """Sets ``state.owner``; returns a new user's cookie, else ""."""
        state = request.scope["state"]
        several = state["entered"]
        owner = request.cookies.get(OWNER_COOKIE, "") if several else ""
        made = secrets.token_urlsafe(24) if several and not owner else ""
        state["owner"] = hashlib.sha256((made or owner).encode(errors="replace")).hexdigest() if made or owner else ""
        return made

    async def _entering(self, request: Request) -> Response | None:
        """Returns a response that handles a token or asks for one; a valid token moves from the URL to a cookie."""
        state, path = request.scope.setdefault("state", {}), request.url.path
        state["entered"] = state["reviews"] = False
        if self._rules.token is None:
            return None
        key = request.cookies.get(LOGIN_COOKIE, "")
        if path == "/leave" and request.method == "POST":
            return await self._leave(request, key)
        said = request.query_params.get("token")
        if path == "/enter" and request.method == "POST":
            said = _said(await request.body())
        if said is not None:
            return await self._enter(request, key, said)
        token = await self._logins.token_of(key)
        state["entered"] = token is not None
        state["reviews"] = token is not None and token == self._rules.reviewer_token
        if path == "/enter" or (token is None and not path.startswith("/static/")):
            return _asking()
        return None

    async def _enter(self, request: Request, key: str, said: str) -> Response:
        address = self._rules.client(request)
        if self._attempts.too_many(address):
            return error_page(429, "Too many wrong tokens came from here", "Wait a minute, then try again.")
        token = self._rules.token_said(said)
        if token is None:
            self._attempts.wrong(address)
            return _asking(wrong=True)
        await self._logins.end(key)
        rest = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "token"])
        path = request.url.path
        target = "/" if path == "/enter" else "/" + path.lstrip("/\\")  # never another host
        answer = RedirectResponse(target + (f"?{rest}" if rest else ""), 303)
        _keep(answer, LOGIN_COOKIE, await self._logins.begin(token), request, int(LIFE.total_seconds()))
        if not request.cookies.get(OWNER_COOKIE):
            _keep(answer, OWNER_COOKIE, secrets.token_urlsafe(24), request, _YEAR)
        return answer

    async def _leave(self, request: Request, key: str) -> Response:
        await self._logins.end(key)
        answer = page("left.html")
        answer.delete_cookie(LOGIN_COOKIE, httponly=True, samesite="lax", secure=_secure(request))
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer


def _asking(*, wrong: bool = False) -> Response:
    """Asks for the token; an htmx request leaves its part of the page unchanged."""
    return page("token.html", 401, {"HX-Reswap": "none"}, wrong=wrong)


def _said(body: bytes) -> str:
    try:
        return parse_qs(body.decode(errors="replace"), max_num_fields=20).get("token", [""])[0]
    except ValueError:
        return ""


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _keep(answer: Response, name: str, value: str, request: Request, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=_secure(request))


def _guarded(send: Send, request: Request | None = None, owner: str = "") -> Send:
    """Adds security headers, and a new user's cookie."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if request is not None and owner:
                cookie = Response()
                _keep(cookie, OWNER_COOKIE, owner, request, _YEAR)
                headers.append("set-cookie", cookie.headers["set-cookie"])
        await send(message)

    return guarded
