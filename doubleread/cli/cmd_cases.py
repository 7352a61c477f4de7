"""``doubleread cases``: the archive of labelled cases. Each group of commands has its own file."""

import typer

from doubleread.cli import (
    cmd_cases_add,
    cmd_cases_change,
    cmd_cases_check,
    cmd_cases_encoders,
    cmd_cases_find,
    cmd_cases_keep,
    cmd_cases_list,
    cmd_cases_map,
    cmd_cases_move,
    cmd_cases_suspect,
)

app = typer.Typer(
    no_args_is_help=True, help="Manage the archive of labelled cases: add, search, correct, back up, move, re-encode."
)

PARTS = (
    cmd_cases_add,
    cmd_cases_list,
    cmd_cases_find,
    cmd_cases_check,
    cmd_cases_suspect,
    cmd_cases_change,
    cmd_cases_keep,
    cmd_cases_move,
    cmd_cases_encoders,
    cmd_cases_map,
)
for part in PARTS:
    app.add_typer(part.app)
