"""The access rules: the server's host names, which pages may make changes, and the tokens."""

import hashlib
import hmac
import re
import secrets
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from starlette.requests import Request

from doubleread.core.errors import DataError

MIN_TOKEN = 16
_SAFE = ("GET", "HEAD")
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Whether a server bound to ``host`` can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def chosen_token(
    host: str, token: str | None, reviewer_token: str | None = None, *, public: bool = False
) -> str | None:
    """Returns the token that users need: the given one, a generated one if one is required, or None.

    One is required if ``host`` is reachable from the network, a proxy makes it ``public``, or reviewers have a token.
    Raises ``DataError`` for a token that is too short, and if both tokens are the same.
    """
    for option, one in (("token", token), ("reviewer-token", reviewer_token)):
        if one is not None and len(one) < MIN_TOKEN:
            advice = "leave --token out to have one made" if option == "token" else "choose a longer one"
            raise DataError(f"the {option} has {len(one)} characters; at least {MIN_TOKEN} are needed: {advice}")
    if token is not None and token == reviewer_token:
        raise DataError("users and reviewers have the same token, so that every user would be a reviewer: choose two")
    needed = public or reviewer_token is not None or not is_loopback(host)
    return secrets.token_urlsafe(32) if token is None and needed else token


def public_host(name: str) -> str:
    """Checks a host name, with or without a port, as given to ``--public-host``. Raises ``DataError``."""
    found = name.strip().lower()
    if not _HOST.fullmatch(found) or (_split(f"//{found}") is None):
        raise DataError(f"{name!r} is not a host name: give only the name, and the port if it is not 443 or 80")
    return found


@dataclass(frozen=True)
class Rules:
    """The access rules. With a token there may be several users, each of whom sees only their own sessions.

    Users with ``reviewer_token`` also see what waits for a person in others' sessions. ``public_hosts`` are further
    host names, served through a proxy; its ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are then trusted.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    reviewer_token: str | None = None
    public_hosts: tuple[str, ...] = ()

    def knows(self, host: str) -> bool:
        """Whether a ``Host`` header names this server: an address, or a name that foreign DNS cannot point here."""
        parts = _split(f"//{host}")
        name = "" if parts is None else parts.hostname or ""
        own = socket.gethostname().lower()
        return _is_address(name) or name in {"localhost", self.host.lower(), own, f"{own}.local"} or self._named(host)

    def same_page(self, request: Request) -> bool:
        """Whether a request may make changes: it only reads, or it comes from a page of this server."""
        if request.method in _SAFE:
            return True
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = _split(request.headers.get("origin", ""))
        if origin is None or origin.scheme not in _PORTS or not origin.netloc:
            return False
        if origin.netloc == request.headers.get("host", ""):
            return True
        return any(origin.netloc == name or _plain(origin) == name for name in self.public_hosts)

    def encrypted(self, request: Request) -> bool:
        """Whether the browser uses https, to the server or to the proxy in front of it."""
        said = request.headers.get("x-forwarded-proto", "") if self.public_hosts else ""
        return (said.rpartition(",")[2].strip() or request.url.scheme) == "https"

    def client(self, request: Request) -> str:
        """Returns the client's address, as given by the proxy if there is one; for IPv6 only the network."""
        said = request.headers.get("x-forwarded-for", "") if self.public_hosts else ""
        address = said.rpartition(",")[2].strip() or (request.client.host if request.client else "")
        return ":".join(address.split(":")[:4])[:64] if address.count(":") > 1 else address[:64]

    def token_said(self, said: str) -> str | None:
        """Returns the token if it is valid, in constant time."""
        right = [one for one in self.tokens if _same(said, one)]
        return right[0] if right else None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The valid tokens."""
        return tuple(one for one in (self.token, self.reviewer_token) if one is not None)

    def _named(self, host: str) -> bool:
        """Whether it is a public name; proxies may omit the port."""
        name = host.lower()
        return any(name in {one, one.partition(":")[0], f"{one}:443", f"{one}:80"} for one in self.public_hosts)


def _plain(origin: SplitResult) -> str:
    """Returns host and port of an origin, without the scheme's default port."""
    port = origin.port
    name = origin.hostname or ""
    return name if port is None or port == _PORTS[origin.scheme] else f"{name}:{port}"


def _split(address: str) -> SplitResult | None:
    """Splits an address; None if it is malformed."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _same(one: str, other: str) -> bool:
    """Compares in constant time, independent of content and length."""
    digests = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (one, other))
    return hmac.compare_digest(*digests)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
