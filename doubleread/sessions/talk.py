"""Answers messages without a language model: parses, looks up and replies. It changes nothing itself."""

from dataclasses import replace

from doubleread.core.errors import DoublereadError
from doubleread.sessions.actions.action import Intent, NotUnderstood
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.intents import parse
from doubleread.sessions.names import Unclear, known_of
from doubleread.sessions.record import Reply, Text
from doubleread.sessions.standing import Response, Standing


async def answer(text: str, standing: Standing) -> Response:
    """Returns a reply, orders to the session, or both; input that fails is explained, without orders."""
    intent = parse(text, known_of(standing))
    if isinstance(intent, NotUnderstood):
        return _refused(intent.problem, intent.suggestions)
    return await act(intent, standing)


async def act(intent: Intent, standing: Standing) -> Response:
    """Runs the action of an intent."""
    try:
        done = await actions()[intent.command].run(intent.arguments, standing)
    except Unclear as problem:
        return _refused(problem.problem, problem.suggestions)
    except DoublereadError as error:
        return _refused(str(error), ())
    return _with_heard(done, intent.heard)


def _refused(problem: str, suggestions: tuple[str, ...]) -> Response:
    return Response(Reply(blocks=(Text(lines=(problem,)),), suggestions=suggestions or ("/help",), refused=True))


def _with_heard(done: Response, heard: tuple[str, ...]) -> Response:
    """Puts the corrections made to understand the input first."""
    if not heard or done.reply is None:
        return done
    blocks = (Text(lines=heard), *done.reply.blocks)
    return replace(done, reply=done.reply.model_copy(update={"blocks": blocks}))
