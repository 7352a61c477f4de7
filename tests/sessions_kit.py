"""Sessions for tests: a quick panel of its own, a picture, a scripted talker, and waiting for what comes."""

import asyncio
import shutil
from dataclasses import replace

from kit import photo

from doubleread.panel import Panel
from doubleread.sessions.record import Confirm, Read, Reply, Switch, Text, Undo
from doubleread.sessions.standing import Response


def reply(*lines):
    return Reply(blocks=(Text(lines=lines),))


async def scripted(text, standing):
    """Obeys a few words."""
    verb, _, rest = text.partition(" ")
    orders = {
        "confirm": lambda: Confirm(label=rest),
        "undo": Undo,
        "again": Read,
        "switch": lambda: Switch(case=rest),
    }
    if verb == "fail":
        raise RuntimeError("no talking today")
    if verb in orders:
        return Response(reply("as you say"), (orders[verb](),))
    return Response(reply(f"{len(standing.cases)} images, {standing.decided}"))


def picture(folder, hue=0, seed=77):
    return photo(folder / f"{hue}-{seed}.png", hue, seed).read_bytes()


def own_panel(made, folder, settings):
    """A panel in a folder of its own, to be written into."""
    return Panel.load(shutil.copytree(made, folder / "panel"), settings=settings)


async def until(sessions, session, *kinds, after=0, n=1):
    """Events up to the ``n``th that is of one of these kinds."""
    found = []
    async with asyncio.timeout(300):
        async for event in sessions.follow(session, after):
            found.append(event)
            n -= event.kind in kinds
            if n == 0:
                break
    return found


def referring(panel):
    """Makes a panel refer whatever it reads: asking a person costs nothing."""
    free = panel.task.model_copy(update={"costs": panel.task.costs.model_copy(update={"referral": 0.0})})
    panel._arbiter = replace(panel._arbiter, task=free)
    return panel


class Watched:
    """An agent that writes down when it is asked, and may take its time."""

    def __init__(self, agent, asked, delay=0.0):
        self.agent, self.asked, self.delay, self.name = agent, asked, delay, agent.name

    async def read(self, case):
        with self.asked.open("a") as file:
            print(self.name, file=file)
        await asyncio.sleep(self.delay)
        return await self.agent.read(case)


def watched(panel, asked, **delays):
    """Puts a ``Watched`` on every seat."""
    panel._seated.agents.update(
        {name: Watched(agent, asked, delays.get(name, 0.0)) for name, agent in panel._seated.agents.items()}
    )
    return panel
