"""Which sessions somebody sees on one server: their own, and for reviewers those of others that wait for a person."""

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
"""Sessions that are kept folded; the longest unused go first."""
LATELY, LOOKED_THROUGH = 12, 500
"""Decisions that the work list shows, and among how many of all users' it looks for them."""
NAME_COOKIE = "doubleread-name"
"""The name under which somebody decides: kept by their browser until it is closed, on record with a decision."""
Answer = TypeVar("Answer", bound=Response)


class Visibility:
    """What those who come may see; their sessions are known by the hash of a cookie. For one event loop.

    An owner "" (the one user of a loopback server) sees every session.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._held: OrderedDict[str, View] = OrderedDict()

    async def view(self, session: str) -> View:
        """The session as it is now, folded once for its page and its pictures. Raises ``SessionError``."""
        view = self._held.setdefault(session, View())
        self._held.move_to_end(session)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        for event in await self._sessions.events(session, view.seq):
            if event.seq == view.seq + 1:  # somebody else may have taken it in meanwhile
                view.apply(event)
        return view

    def forget(self, session: str) -> None:
        """The session is gone."""
        self._held.pop(session, None)

    async def sees(self, request: Request) -> Callable[[str], bool]:
        """Tells of a session whether it is the user's own."""
        owner = request.state.owner
        if not owner:
            return lambda _session: True
        people = await self._sessions.people()
        return lambda session: people.get(session) == owner

    async def keep(self, request: Request, session: str) -> None:
        """From now on the session is the user's."""
        if request.state.owner:
            await self._sessions.own(session, request.state.owner)

    async def own(self, request: Request) -> SessionInfo:
        """The session of the address, if it is the user's own."""
        info = await self.seen(request)
        if not (await self.sees(request))(info.id):
            raise HTTPException(403, "this session is somebody else's: a reviewer may look, talk and decide in it")
        return info

    async def seen(self, request: Request) -> SessionInfo:
        """The session of the address, where the user may see it: their own, and for reviewers what waits or waited.

        Any other is as one that is not there.
        """
        name, mine = request.path_params["session"], await self.sees(request)
        own = mine(name)
        listed = await self._sessions.listed() if own or request.state.reviews else []
        found = next((info for info in listed if info.id == name), None)
        if found is None or not (own or await self._waited(name)):
            raise HTTPException(404, "there is no such session: it was deleted, or is somebody else's")
        return found

    async def lists(self, request: Request) -> Lists:
        """What stands beside every session."""
        mine, reviews = await self.sees(request), request.state.reviews
        sessions, waiting = await asyncio.gather(self._sessions.listed(), self._sessions.waiting())
        own = [info for info in sessions if mine(info.id)]
        seen = [one for one in waiting if reviews or mine(one.session)]
        ids = frozenset(info.id for info in own)
        return Lists(own, seen, ids, remembered(request), reviews, request.state.entered)

    async def decided(self, request: Request) -> list[Event]:
        """What was decided last in the sessions that the user may see."""
        mine, reviews, seen = await self.sees(request), request.state.reviews, list[Event]()
        for event in await self._sessions.decisions(LOOKED_THROUGH):
            if mine(event.session) or (reviews and await self._waited(event.session)):
                seen.append(event)
            if len(seen) == LATELY:
                break
        return seen

    async def _waited(self, session: str) -> bool:
        """Whether something in a session waits for a person, or did before it was decided."""
        view = await self.view(session)
        return any(reading.waiting is not None for shot in view.shots.values() for reading in shot.readings)


def remembered(request: Request) -> str:
    """The name that the browser keeps; empty where it keeps none that can be one."""
    try:
        return person(unquote(request.cookies.get(NAME_COOKIE, "")))
    except SessionError:
        return ""


def remember(answer: Answer, name: str, request: Request) -> Answer:
    """The answer, which has the browser keep a name, or forget it where that is empty."""
    secure = request.url.scheme == "https"
    if name:
        answer.set_cookie(NAME_COOKIE, quote(name, safe=""), httponly=True, samesite="lax", secure=secure)
    else:
        answer.delete_cookie(NAME_COOKIE, httponly=True, samesite="lax", secure=secure)
    return answer
