"""Whose a session is, where several people use one server: kept with the sessions, by the hash of a cookie."""

from collections.abc import Callable

from doubleread.sessions.engine import Sessions


class Owners:
    """Sessions and their owners. An owner "" (the one user of a loopback server) sees every session."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def sees(self, owner: str) -> Callable[[str], bool]:
        """Tells of a session whether it is the owner's."""
        if not owner:
            return lambda _session: True
        people = await self._sessions.people()
        return lambda session: people.get(session) == owner

    async def keep(self, owner: str, session: str) -> None:
        """From now on the session is the owner's."""
        if owner:
            await self._sessions.own(session, owner)
