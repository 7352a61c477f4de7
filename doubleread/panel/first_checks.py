"""What is checked before anything slow: names in the settings, tables that seat no agent, and servers of models."""

from collections.abc import Iterator

from doubleread.core.errors import PanelError
from doubleread.core.notices import warn_user
from doubleread.panel.composition import check_names
from doubleread.settings import Settings


def check_first(settings: Settings) -> None:
    """Checks settings that a panel will be fitted with. Warns of tables and servers that may be wrong.

    Raises:
        UnknownPart: There is no such agent, fusion rule, calibrator or store.
        PanelError: An agent's server cannot be reached, or refuses the key.
    """
    check_names(settings)
    warn_user(unseated(settings))
    certain, possible = _problems(settings)
    warn_user(possible)
    if certain:
        remedy = "Start the server, correct base_url or the key, or leave the agent out of panel.agents (--agents)."
        raise PanelError(f"{_sentence('; '.join(certain))} {remedy}")


def check_fitted(settings: Settings, given: Settings | None) -> None:
    """Warns of servers that a fitted panel cannot reach, and of agents in ``given`` that it was fitted without.

    The panel goes on without agents whose servers do not answer, and its verdicts say so.
    """
    certain, possible = _problems(settings)
    if given is not None:
        warn_user(
            f"the settings describe [{kind}.{name}], which is not used: this panel was fitted without it. Fit again "
            f'with "{name}" in panel.agents'
            for kind, name in _tables(given)
            if name not in settings.panel.agents
        )
    degraded = (f"{_sentence(text)} Verdicts will lack this agent until it answers." for text in certain)
    warn_user([*degraded, *possible])


def unseated(settings: Settings) -> list[str]:
    """Returns a warning for each table of an agent that is not on the panel."""
    seated = settings.panel.agents
    return [
        f"the settings describe [{kind}.{name}], which is not used: {name} is not among the agents of the panel. "
        f"Add it, as in --agents {','.join((*seated, name))}, or in the settings to agents in [panel]"
        for kind, name in _tables(settings)
        if name not in seated
    ]


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _tables(settings: Settings) -> Iterator[tuple[str, str]]:
    for kind in ("vlm", "reasoner", "recorded"):
        yield from ((kind, name) for name in getattr(settings, kind))


def _problems(settings: Settings) -> tuple[list[str], list[str]]:
    """Returns what certainly keeps an agent from answering, and what may."""
    servers = {
        name: server for name, server in {**settings.vlm, **settings.reasoner}.items() if name in settings.panel.agents
    }
    if not servers:
        return [], []
    from doubleread.agents.wire.reachability import server_problems  # noqa: PLC0415 - loads openai

    told = server_problems(servers)
    certain = [f"agent {name} cannot answer: {one.text}" for name, one in told.items() if one.certain]
    return certain, [f"agent {name}: {one.text}" for name, one in told.items() if not one.certain]
