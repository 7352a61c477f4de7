"""Logins: a random key in the browser's cookie, and its keyed hash stored with the sessions."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from time import monotonic

from doubleread.sessions.engine import Sessions
from doubleread.web.rules import Rules

SURE_S, HELD = 5.0, 1000
"""Seconds to cache that a login is valid, and the number of cached logins."""
TRIES, WINDOW_S, ADDRESSES = 10, 60.0, 10_000
"""Wrong tokens allowed per address within a period in seconds, and the number of addresses remembered."""


class Logins:
    """Browser keys. The hash is keyed with the token, so changing the token ends all logins made with the old one."""

    def __init__(self, sessions: Sessions, rules: Rules) -> None:
        self._sessions, self._rules = sessions, rules
        self._sure: OrderedDict[str, float] = OrderedDict()

    async def begin(self, token: str) -> str:
        """Returns a new key for a browser that gave the token."""
        key = secrets.token_urlsafe(32)
        await self._sessions.enter(_hashed(key, token))
        return key

    async def token_of(self, key: str) -> str | None:
        """Returns the token that a browser logged in with; None if it has no valid login."""
        for token in self._rules.tokens if key else ():
            if await self._known(_hashed(key, token)):
                return token
        return None

    async def end(self, key: str) -> None:
        """Ends the login."""
        for token in self._rules.tokens if key else ():
            login = _hashed(key, token)
            self._sure.pop(login, None)
            await self._sessions.leave(login)

    async def _known(self, login: str) -> bool:
        if self._sure.get(login, 0.0) > monotonic():
            return True
        self._sure.pop(login, None)
        if not await self._sessions.entered(login):
            return False
        self._sure[login] = monotonic() + SURE_S
        while len(self._sure) > HELD:
            self._sure.popitem(last=False)
        return True


class Attempts:
    """Wrong tokens by client address."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        """Whether an address has to wait."""
        return len(self._lately(address)) >= TRIES

    def wrong(self, address: str) -> None:
        """Records a wrong token."""
        self._wrong[address] = [*self._lately(address), monotonic()]
        self._wrong.move_to_end(address)
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def _lately(self, address: str) -> list[float]:
        return [when for when in self._wrong.get(address, []) if when > monotonic() - WINDOW_S]


def _hashed(key: str, token: str) -> str:
    return hmac.new(token.encode(errors="replace"), key.encode(errors="replace"), hashlib.sha256).hexdigest()
