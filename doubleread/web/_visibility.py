"""Which sessions a user sees: their own, and for reviewers also others' that wait for a person."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from doubleread.core.errors import SessionError
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import Event, SessionInfo, person
from doubleread.web._view import View
from doubleread.web.pages import Lists

HELD = 64
"""Number of cached session views; the least recently used are dropped."""
LATELY, LOOKED_THROUGH = 12, 500
"""Decisions shown in the work list, and the number of all users' decisions searched for them."""
NAME_COOKIE = "doubleread-name"
"""Cookie with the user's name, which is recorded with decisions; kept until the browser is closed."""
Answer = TypeVar("Answer", bound=Response)


class Visibility:
    """What users may see; sessions are owned by the hash of a cookie. For one event loop.

    The owner "" (the only user of a loopback server) sees every session.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._held: OrderedDict[str, View] = OrderedDict()

    async def view(self, session: str) -> View:
        """Returns the current state of a session, cached for its page and pictures. Raises ``SessionError``."""
        view = self._held.setdefault(session, View())
        self._held.move_to_end(session)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        for event in await self._sessions.events(session, view.seq):
            if event.seq == view.seq + 1:  # a concurrent request may have applied it already
                view.apply(event)
        return view

    def forget(self, session: str) -> None:
        """Drops a deleted session from the cache."""
        self._held.pop(session, None)

    async def sees(self, request: Request) -> Callable[[str], bool]:
        """Returns a function that tells whether the user owns a session."""
        owner = request.state.owner
        if not owner:
            return lambda _session: True
        people = await self._sessions.people()
        return lambda session: people.get(session) == owner

    async def keep(self, request: Request, session: str) -> None:
        """Makes the user the owner of the session."""
        if request.state.owner:
            await self._sessions.own(session, request.state.owner)

    async def own(self, request: Request) -> SessionInfo:
        """Returns the session of the URL if the user owns it."""
        info = await self.seen(request)
        if not (await self.sees(request))(info.id):
            raise HTTPException(403, "this session is somebody else's: a reviewer may look, talk and decide in it")
        return info

    async def seen(self, request: Request) -> SessionInfo:
        """Returns the session of the URL if the user may see it: their own; for reviewers also what waits or waited.

        Any other is reported as missing.
        """
        name, mine = request.path_params["session"], await self.sees(request)
        own = mine(name)
        listed = await self._sessions.listed() if own or request.state.reviews else []
        found = next((info for info in listed if info.id == name), None)
        if found is None or not (own or await self._waited(name)):
            raise HTTPException(404, "there is no such session: it was deleted, or is somebody else's")
        return found

    async def lists(self, request: Request) -> Lists:
        """Returns the lists beside every session."""
        mine, reviews = await self.sees(request), request.state.reviews
        sessions, waiting = await asyncio.gather(self._sessions.listed(), self._sessions.waiting())
        own = [info for info in sessions if mine(info.id)]
        seen = [one for one in waiting if reviews or mine(one.session)]
        ids = frozenset(info.id for info in own)
        return Lists(own, seen, ids, remembered(request), reviews, request.state.entered)

    async def decided(self, request: Request) -> list[Event]:
        """Returns the latest decisions in the sessions that the user may see."""
        mine, reviews, seen = await self.sees(request), request.state.reviews, list[Event]()
        for event in await self._sessions.decisions(LOOKED_THROUGH):
            if mine(event.session) or (reviews and await self._waited(event.session)):
                seen.append(event)
            if len(seen) == LATELY:
                break
        return seen

    async def _waited(self, session: str) -> bool:
        """Whether anything in a session waits for a person, or did before it was decided."""
        view = await self.view(session)
        return any(reading.waiting is not None for shot in view.shots.values() for reading in shot.readings)


def remembered(request: Request) -> str:
    """Returns the name that the browser keeps; empty if none or invalid."""
    try:
        return person(unquote(request.cookies.get(NAME_COOKIE, "")))
    except SessionError:
        return ""


def remember(answer: Answer, name: str, request: Request) -> Answer:
    """Sets the browser's name cookie on the response, or deletes it if the name is empty."""
    secure = request.url.scheme == "https"
    if name:
        answer.set_cookie(NAME_COOKIE, quote(name, safe=""), httponly=True, samesite="lax", secure=secure)
    else:
        answer.delete_cookie(NAME_COOKIE, httponly=True, samesite="lax", secure=secure)
    return answer
