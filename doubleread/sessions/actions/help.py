"""What one can say."""

from doubleread.sessions.actions.facts import said
from doubleread.sessions.commands import COMMANDS
from doubleread.sessions.intent import Intent
from doubleread.sessions.record import Table
from doubleread.sessions.standing import Answered, Standing


async def help_(_intent: Intent, standing: Standing) -> Answered:
    """The table of commands, and what may stand in them."""
    rows = tuple((command.line, command.saying, command.about) for command in COMMANDS)
    lines = ("type a command, or say it in plain words", f"labels: {', '.join(standing.panel.task.names)}")
    return said(lines, Table(head=("command", "or say", "what it does"), rows=rows))
