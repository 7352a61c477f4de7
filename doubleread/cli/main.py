"""The ``doubleread`` command line. Each command imports what it runs, so that ``--help`` stays fast."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from doubleread.cli import (
    chat,
    cmd_cases,
    cmd_compare_runs,
    cmd_datasets,
    cmd_demo,
    cmd_diagnose,
    cmd_doctor,
    cmd_encoders,
    cmd_evaluate,
    cmd_files,
    cmd_fit,
    cmd_glossary,
    cmd_mock_server,
    cmd_models,
    cmd_prevalence,
    cmd_prompts,
    cmd_stress,
    cmd_trust,
    lazy_commands,
)
from doubleread.cli.screen import warnings_as_lines
from doubleread.core.durable import is_full
from doubleread.core.errors import DoublereadError
from doubleread.core.terminal_text import harmless_lines, prepare

app = typer.Typer(
    name="doubleread",
    help="Trustworthy visual diagnosis by a panel of agents.",
    epilog="Start with: doubleread demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

COMMANDS: tuple[tuple[str | None, typer.Typer], ...] = (
    (None, cmd_demo.app),
    (None, cmd_fit.app),
    (None, cmd_diagnose.app),
    (None, cmd_prevalence.app),
    (None, lazy_commands.app),
    (None, cmd_files.app),
    (None, cmd_mock_server.app),
    (None, cmd_doctor.app),
    (None, cmd_glossary.app),
    ("prompts", cmd_prompts.app),
    ("models", cmd_models.app),
    ("encoders", cmd_encoders.app),
    ("trust", cmd_trust.app),
    ("datasets", cmd_datasets.app),
    ("cases", cmd_cases.app),
    (None, chat.app),
    (None, cmd_evaluate.app),
    (None, cmd_compare_runs.app),
    (None, cmd_stress.app),
    ("reproduce", lazy_commands.reproduce_app),
    ("batch", cmd_files.batch_app),
    ("doctor", cmd_doctor.doctor_app),
)
"""In the order of the help; groups have a name."""
for name, part in COMMANDS:
    app.add_typer(part, name=name)

INTERRUPTED = 130
"""Typer's exit code for Ctrl-C."""
CLOSED, UNEXPECTED = 1, 70
TRACEBACK = "DOUBLEREAD_TRACEBACK"
"""Environment variable that shows the traceback of an unexpected error."""


def _version(wanted: bool) -> None:
    if wanted:
        from doubleread import __version__

        typer.echo(f"doubleread {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    context.with_resource(warnings_as_lines())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command. Every error is a message on stderr, never a traceback.

    Exits with code 2 for errors that the user can fix, 70 for an internal error.
    """
    if None in (sys.stdout, sys.stderr):  # closed, as with `>&-`
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    prepare(sys.stdout, sys.stderr)
    try:
        app(arguments)
    except DoublereadError as error:
        raise _failed(f"error: {error}") from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # avoids the interpreter's complaint at exit
        raise SystemExit(CLOSED) from None
    except OSError as error:
        full = "; what was stored is kept: free some space and run the same command again" if is_full(error) else ""
        raise _failed(f"error: {error.filename or 'the system'}: {error.strerror or error}{full}") from None
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            typer.secho("stopped; what was stored is kept: run the same command to go on", file=sys.stderr)
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        raise _failed(_unexpected(error), UNEXPECTED) from None


def _failed(told: str, code: int = 2) -> SystemExit:
    typer.secho(harmless_lines(told), file=sys.stderr, fg="red")
    return SystemExit(code)


def _unexpected(error: Exception) -> str:
    """Describes an unexpected error in one line."""
    match error:
        case MemoryError():
            what = "there is not enough memory for this"
        case RecursionError():
            what = "something is nested too deeply"
        case _:
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return (
        f"error: doubleread itself failed ({what}); what was stored is kept. Please report it with what "
        f"`{TRACEBACK}=1 doubleread …` prints"
    )
