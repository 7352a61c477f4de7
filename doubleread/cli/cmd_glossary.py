"""``doubleread glossary``."""

import json
from typing import Annotated

import typer

from doubleread.cli.screen import OUT, tell_json
from doubleread.core.errors import UnknownPart
from doubleread.core.glossary import TERMS, Term, find

app = typer.Typer()


@app.command(epilog='Example: doubleread glossary "prediction set"')
def glossary(
    word: Annotated[list[str] | None, typer.Argument(help="The word; all words without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Explain the words on doubleread's screens."""
    for term in [_found(" ".join(word))] if word else TERMS:
        if as_json:
            tell_json(json.dumps({"word": term.name, "meaning": term.meaning, "also": term.spellings}))
        else:
            OUT.print(term.name, style="bold", markup=False, highlight=False)
            OUT.print(f"{term.meaning}\n", markup=False, highlight=False)


def _found(word: str) -> Term:
    term = find(word)
    if term is None:
        raise UnknownPart("word of the glossary", word, (known.name for known in TERMS))
    return term
