"""``doubleread cases``: the archive of labelled cases."""

import typer

from doubleread.cli.cases_add import add, sync

app = typer.Typer(no_args_is_help=True, help="Archives of labelled cases: fill them and care for them.")
app.command("add", epilog="Example: doubleread cases add archive photos/ --tag greenhouse --reviewer ada")(add)
app.command("sync", epilog="Example: doubleread cases sync archive photos/ --prune")(sync)
