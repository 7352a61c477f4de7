"""``doubleread cases``: the archive of labelled cases. Each kind of care has a file of its own."""

import typer

from doubleread.cli import (
    cases_change,
    cases_check,
    cases_encoders,
    cases_find,
    cases_keep,
    cases_list,
    cases_map,
    cases_move,
    cases_suspect,
)
from doubleread.cli.cases_add import add, sync

app = typer.Typer(
    no_args_is_help=True, help="The archive of labelled cases: fill it, look, correct, keep, move, encode anew."
)
app.command("add", epilog="Example: doubleread cases add archive photos/ --tag greenhouse --reviewer ada")(add)
app.command("sync", epilog="Example: doubleread cases sync archive photos/ --prune")(sync)

PARTS = (
    cases_list,
    cases_find,
    cases_check,
    cases_suspect,
    cases_change,
    cases_keep,
    cases_move,
    cases_encoders,
    cases_map,
)
for part in PARTS:
    app.add_typer(part.app)
