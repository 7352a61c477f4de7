"""Whether the servers of models can be reached: each is asked for its list of models, which costs nothing."""

import asyncio
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple
from urllib.parse import urlsplit

from doubleread.agents.wire.addresses import LITELLM
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.sender import sender_of
from doubleread.agents.wire.server_options import Server
from doubleread.core.background import Background

PATIENCE_S, CONNECT_S = 3.0, 2.0
"""Seconds that a server has to answer, and to accept the connection."""
_SHOWN = 3


class ServerProblem(NamedTuple):
    """What is wrong with a server, and whether no call to it can succeed."""

    text: str
    certain: bool


def server_problems(servers: Mapping[str, Server]) -> dict[str, ServerProblem]:
    """Asks all servers at the same time and returns the problems found, by the names given. Blocks for some seconds.

    The key is sent as with every call. A server that answers, if only with a refusal, has no problem unless it refuses
    the key or does not list the model.
    """
    if not servers:
        return {}
    background = Background()
    try:
        return background.call(_problems, servers)
    finally:
        background.close()


async def _problems(servers: Mapping[str, Server]) -> dict[str, ServerProblem]:
    found = await asyncio.gather(*map(_problem, servers.values()))
    return {name: problem for name, problem in zip(servers, found, strict=True) if problem is not None}


async def _problem(server: Server) -> ServerProblem | None:
    key = server.key()
    if server.key_name and not key:
        return ServerProblem(f"the environment variable {server.key_name} is not set", certain=True)
    client = sender_of(server, timeout_s=PATIENCE_S, connect_s=CONNECT_S)
    try:
        listed = await client.models()
    except CallFault as fault:
        if fault.cause == "timeout":
            return ServerProblem(f"{server.base_url} gave no answer within {PATIENCE_S:g} s", certain=False)
        return _problem_of(fault, server)
    finally:
        await client.close()
    return _unlisted(server, listed)


def _problem_of(fault: CallFault, server: Server) -> ServerProblem | None:
    """Many servers have no list of models, refuse it to some keys, or are loading: none of this is a problem."""
    text = f"{server.base_url}: {fault.detail}"
    if fault.cause == "not-found" and not urlsplit(server.base_url).path:
        return ServerProblem(f"{text}. Does the address end in /v1?", certain=False)
    if server.base_url == LITELLM:
        return ServerProblem(fault.detail, certain=fault.cause == "unsupported")
    certain = fault.cause == "network" or (fault.cause == "authentication" and "HTTP 401" in fault.detail)
    return ServerProblem(text, certain=True) if certain else None


def _unlisted(server: Server, listed: tuple[str, ...]) -> ServerProblem | None:
    if not listed or any(name == server.model or name.startswith(f"{server.model}:") for name in listed):
        return None
    near = get_close_matches(server.model, listed, _SHOWN, cutoff=0.3) or listed[:_SHOWN]
    known = f"it lists {len(listed)}, such as {', '.join(near)}"
    return ServerProblem(f"{server.base_url} does not list the model {server.model!r}; {known}", certain=False)
