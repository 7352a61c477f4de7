"""A language model that talks about a session through tools: the session's actions are its only source of facts.

Commands and statements of the truth never go through the model. It sees the latest turns for context, but they do
not count as sources: its words are shown only if it called a tool for this answer, and every number in them comes from
a tool's result or from the person's current message. Otherwise the tools' results are shown instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from doubleread.agents.vlm.messages import text_part
from doubleread.agents.vlm.vlm_options import TalkOptions
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Completion, Request, ToolCall
from doubleread.agents.wire.wire import Wire
from doubleread.core.errors import FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.types import Json
from doubleread.prompts.prompt import Prompt
from doubleread.sessions._grounding import plain_text, remembered, untold
from doubleread.sessions.actions.action import Action, Intent
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.intents import parse
from doubleread.sessions.names import fold, known_of
from doubleread.sessions.record import Block, Order, Reply, Text
from doubleread.sessions.standing import Response, Standing, TalkTurn
from doubleread.sessions.talk import answer

PROMPT = "session-talk"
AGENT = "talk"
"""The name its calls are counted under in the budget."""
MOST_TURNS = 5
"""Maximum number of model answers per message, including tool calls."""
MOST_WORDS = 20_000
"""Maximum length of the model's answer in characters."""


@dataclass
class _Turn:
    messages: list[Json]
    replies: list[Reply] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        return [plain_text(reply) for reply in self.replies]


class Conversation:
    """A ``Talk`` that asks a model, except for commands and decisions."""

    def __init__(self, options: TalkOptions, wire: Wire, prompt: Prompt) -> None:
        self._options, self._wire, self._prompt = options, wire, prompt

    async def __call__(self, text: str, standing: Standing) -> Response:
        """Answers a message; if the model cannot be reached, answers without it."""
        intent = parse(text, known_of(standing))
        if text.lstrip().startswith("/") or (isinstance(intent, Intent) and actions()[intent.command].decides):
            return await answer(text, standing)
        try:
            return await self._talk(text, standing)
        except CallFault as fault:
            plain = await answer(text, standing)
            return _led(f"the model gave no answer ({fault.cause}); this is without it", plain)

    async def _talk(self, text: str, standing: Standing) -> Response:
        task = standing.panel.task
        system = self._prompt.render("system", about=task.about, labels=task.labels)
        before = [_before(one) for one in remembered(standing.earlier, self._options.memory)]
        turn = _Turn([_message("system", system), *before, _message("user", text)])
        said = [text, *(one.text for one in standing.earlier if one.by == "person")]
        for _ in range(MOST_TURNS):
            completion = await self._ask(turn.messages)
            if not completion.tool_calls:
                return _checked(completion.text, text, turn)
            turn.messages.append(_asked(completion))
            for call in completion.tool_calls:
                turn.messages.append(await _called(call, standing, turn, said))
        return _told(turn, "the model came to no end; this is what it looked up")

    async def _ask(self, messages: Sequence[Json]) -> Completion:
        request = Request(
            model=self._options.model,
            messages=tuple(messages),
            max_tokens=self._options.max_tokens,
            temperature=self._options.temperature,
            extra={**self._options.extra, "tools": [tool(action) for action in actions().for_models]},
        )
        return (await self._wire.ask(self._options, AGENT, request, _anything)).completion


def _anything(_completion: Completion) -> None:
    """Accepts every answer: checks depend on the tools' results, which the next question may change."""


def tool(action: Action[Any]) -> Json:
    """Describes an action as a tool for the model."""
    usage = f"What stands behind the command: {action.takes}" if action.takes else "Nothing."
    parameters = {
        "type": "object",
        "properties": {"arguments": {"type": "string", "description": usage}},
        "required": ["arguments"],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": action.name, "description": action.help, "parameters": parameters},
    }


async def _called(call: ToolCall, standing: Standing, turn: _Turn, said: Sequence[str]) -> Json:
    """Runs a tool, keeps its result, and formats it for the model."""
    done = await _do(call, standing, said)
    if done.reply is not None:
        turn.replies.append(done.reply)
    turn.orders.extend(done.orders)
    content = plain_text(done.reply) if done.reply is not None else "done"
    return {"role": "tool", "tool_call_id": call.id, "content": content}


async def _do(call: ToolCall, standing: Standing, said: Sequence[str]) -> Response:
    """``said`` holds the person's messages: a hint is accepted only if it quotes them."""
    if call.name not in {action.name for action in actions().for_models}:
        return _line(f"there is no tool {call.name}")
    try:
        given = parse_json(call.arguments or "{}", "the arguments")
    except FileError:
        given = None
    words = given.get("arguments", "") if isinstance(given, dict) else None
    if not isinstance(words, str | int | float):
        return _line("the arguments are no JSON object")
    line = f"/{call.name} {' '.join(str(words).split())}"
    intent = parse(line, known_of(standing))
    own_words = actions()[call.name].own_words
    if isinstance(intent, Intent) and own_words and not _said(own_words(intent.arguments), said):
        return _line("a hint must be the person's own words, as they were said")
    return await answer(line, standing)


def _said(words: str, said: Sequence[str]) -> bool:
    return any(fold(words) in fold(one) for one in said)


def _checked(words: str, said: str, turn: _Turn) -> Response:
    """Returns the model's answer if a tool or the person named every number in it."""
    if not turn.replies:
        unknown = "that is nothing this session can tell; what one can say: /help"
        return Response(Reply(blocks=(Text(lines=(unknown,)),), suggestions=("/help",), refused=True))
    if len(words) > MOST_WORDS:
        return _told(turn, "the model's answer is too long; this is what it looked up")
    if made_up := untold(words, [*turn.told, said]):
        return _told(turn, f"the model named numbers that nothing tells ({len(made_up)}); this is what it looked up")
    lines = tuple(line.strip() for line in words.splitlines() if line.strip())
    beside = [block for reply in turn.replies for block in reply.blocks if not isinstance(block, Text)]
    return _put(Text(lines=lines), beside, turn)


def _told(turn: _Turn, why: str) -> Response:
    return _put(Text(lines=(why,)), [block for reply in turn.replies for block in reply.blocks], turn)


def _put(first: Text, blocks: Iterable[Block], turn: _Turn) -> Response:
    suggestions = tuple(dict.fromkeys(one for reply in turn.replies for one in reply.suggestions))
    orders = tuple(order for i, order in enumerate(turn.orders) if order not in turn.orders[:i])
    return Response(Reply(blocks=(first, *blocks), suggestions=suggestions), orders)


def _led(line: str, done: Response) -> Response:
    reply = done.reply or Reply(blocks=())
    return Response(reply.model_copy(update={"blocks": (Text(lines=(line,)), *reply.blocks)}), done.orders)


def _line(line: str) -> Response:
    return Response(Reply(blocks=(Text(lines=(line,)),)))


def _message(role: str, text: str) -> Json:
    return {"role": role, "content": [text_part(text)]}


def _before(turn: TalkTurn) -> Json:
    return _message("user", turn.text) if turn.by == "person" else {"role": "assistant", "content": turn.text}


def _asked(completion: Completion) -> Json:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in completion.tool_calls
    ]
    return {"role": "assistant", "content": completion.text, "tool_calls": calls}
