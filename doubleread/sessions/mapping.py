"""Attribution maps one after the other: each reads the image dozens of times, and together none would end."""

import asyncio
from weakref import WeakKeyDictionary

from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.render.shown import ShownAttribution

_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""By event loop: that of the sessions is one."""


async def mapped(panel: Panel, verdict: Verdict, label: str | None) -> ShownAttribution:
    """Where the agents' probability of a label rests, once it is this map's turn; may be cancelled."""
    async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        return await panel.aattribute(verdict, label=label)
