"""The sessions as they are now, folded once: a page and each of its pictures ask for the same."""

from collections import OrderedDict

from doubleread.sessions.engine import Sessions
from doubleread.web.view import View

HELD = 64
"""Sessions that are kept folded; the longest unused go first."""


class Views:
    """What pages show of sessions. For one event loop."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._held: OrderedDict[str, View] = OrderedDict()

    async def now(self, session: str) -> View:
        """The session as it is now; raises ``SessionError`` where there is none."""
        view = self._held.setdefault(session, View())
        self._held.move_to_end(session)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        for event in await self._sessions.events(session, view.seq):
            if event.seq == view.seq + 1:  # somebody else may have taken it in meanwhile
                view.apply(event)
        return view

    async def waited(self, session: str) -> bool:
        """Whether something in a session waits for a person, or did before it was decided."""
        view = await self.now(session)
        return any(reading.waiting is not None for shot in view.shots.values() for reading in shot.readings)

    def forget(self, session: str) -> None:
        """The session is gone."""
        self._held.pop(session, None)
