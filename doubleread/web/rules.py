"""Who is let in: under which names the server answers, which pages may change something, and the tokens."""

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
    """Whether only this machine can reach a server bound to ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def chosen_token(
    host: str, token: str | None, reviewer_token: str | None = None, *, public: bool = False
) -> str | None:
    """The token that users are asked for: the one given, a fresh one where one is needed, or None.

    One is needed where the network can reach ``host`` or a proxy makes it ``public``, and where reviewers have a token
    of their own. Raises ``DataError`` for a token that could be guessed, and where both are the same.
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
    """A name with or without a port, as ``--public-host`` takes it. Raises ``DataError``."""
    found = name.strip().lower()
    if not _HOST.fullmatch(found) or (_split(f"//{found}") is None):
        raise DataError(f"{name!r} is not a host name: give only the name, and the port if it is not 443 or 80")
    return found


@dataclass(frozen=True)
class Rules:
    """What is asked for. With a token there may be several users, each of whom sees their own sessions only.

    Who comes with ``reviewer_token`` also sees what waits for a person in the sessions of others. With
    ``public_hosts`` the server is also reached under these names, through a proxy whose ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` are then believed.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    reviewer_token: str | None = None
    public_hosts: tuple[str, ...] = ()

    def knows(self, host: str) -> bool:
        """Whether a ``Host`` header names this server: by address, or by a name nobody else's DNS can point here."""
        parts = _split(f"//{host}")
        name = "" if parts is None else parts.hostname or ""
        own = socket.gethostname().lower()
        return _is_address(name) or name in {"localhost", self.host.lower(), own, f"{own}.local"} or self._named(host)

    def same_page(self, request: Request) -> bool:
        """Whether a request may change something: it only reads, or it comes from a page of this server."""
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
        """Whether the browser speaks https: to the server, or to the proxy in front of it."""
        said = request.headers.get("x-forwarded-proto", "") if self.public_hosts else ""
        return (said.rpartition(",")[2].strip() or request.url.scheme) == "https"

    def client(self, request: Request) -> str:
        """The address that a request comes from; as the proxy says, where there is one. Of IPv6 the network."""
        said = request.headers.get("x-forwarded-for", "") if self.public_hosts else ""
        address = said.rpartition(",")[2].strip() or (request.client.host if request.client else "")
        return ":".join(address.split(":")[:4])[:64] if address.count(":") > 1 else address[:64]

    def token_said(self, said: str) -> str | None:
        """The token that somebody said, if it is one of ours; takes as long for a wrong one."""
        right = [one for one in self.tokens if _same(said, one)]
        return right[0] if right else None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that let somebody in."""
        return tuple(one for one in (self.token, self.reviewer_token) if one is not None)

    def _named(self, host: str) -> bool:
        """Whether it is a public name; proxies may leave the port out."""
        name = host.lower()
        return any(name in {one, one.partition(":")[0], f"{one}:443", f"{one}:80"} for one in self.public_hosts)


def _plain(origin: SplitResult) -> str:
    """Host and port of an origin, without the port that its scheme implies."""
    port = origin.port
    name = origin.hostname or ""
    return name if port is None or port == _PORTS[origin.scheme] else f"{name}:{port}"


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None for text that is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _same(one: str, other: str) -> bool:
    """Takes as long wherever they differ, and however long they are."""
    digests = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (one, other))
    return hmac.compare_digest(*digests)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
