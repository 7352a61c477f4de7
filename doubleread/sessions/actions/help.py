"""Lists what can be said."""

from doubleread.sessions.actions._facts import said
from doubleread.sessions.actions.action import Action, Nothing
from doubleread.sessions.actions.registry import actions
from doubleread.sessions.phrases import phrases
from doubleread.sessions.record import Table
from doubleread.sessions.standing import Response, Standing


async def help_(_asked: Nothing, standing: Standing) -> Response:
    """Returns the table of actions, and the names they accept."""
    rows = tuple((action.line, action.saying, action.help) for action in actions().values())
    lines = ("type a command, or ask in plain English", f"labels: {', '.join(standing.panel.task.names)}")
    return said(lines, Table(head=("command", "or ask", "what it does"), rows=rows))


HELP = Action(
    "help",
    Nothing,
    help_,
    help="All commands.",
    for_models=False,
    without_slash=True,
    phrases=phrases(
        r"help(?: me)?|what (?:can|may|could) (?:i|one|you|we) (?:say|ask|do)|commands|how does this work|\?",
    ),
)
