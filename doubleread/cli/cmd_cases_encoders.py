"""``doubleread cases reencode``, ``use`` and ``forget-encoder``: move an archive from one encoder to another."""

from contextlib import closing
from functools import partial
from typing import Annotated

import typer

from doubleread.cli import options
from doubleread.cli.cases_shared import opened
from doubleread.cli.screen import note, progress, say
from doubleread.core.notices import warn_user

app = typer.Typer()

SHOWN_PROBLEMS = 10
EncoderName = Annotated[str, typer.Argument(metavar="ENCODER", help="Fingerprint or name, as `cases stats` shows.")]


@app.command(epilog="Example: doubleread cases reencode archive --encoder efficientnet-lite0")
def reencode(
    archive: options.Archive,
    encoder: options.Encoder = None,
    settings: options.SettingsFile = None,
) -> None:
    """Encode the cases that an encoder has not encoded, beside the embeddings there are. Run it again to go on.

    Exit code 1 where a picture could not be read.
    """
    from doubleread.panel.composition import open_eyes
    from doubleread.rag.care.reencoding import reencode as encode

    chosen = options.settings_of(settings, encoder, agents="neighbours")
    with opened(archive) as store:
        with closing(open_eyes(chosen)) as eyes:
            encoder = f"encoder {eyes.choice.name}: {eyes.choice.reason}"
            warn_user([encoder]) if eyes.choice.fallback else note(encoder)
            fingerprint, dim = eyes.encoder.fingerprint, eyes.encoder.dim
            number = store.vectors.encoder(fingerprint, dim, eyes.choice.name)
            with progress() as report:
                unread = encode(store, number, dim, eyes.embedder.embed_all, partial(report, "encoding"))
        active = number == store.encoder
    for one in unread[:SHOWN_PROBLEMS]:
        warn_user([f"{one.source}: {one.problem}"])
    if unread:
        warn_user([f"{len(unread):,} cases have no embedding: their pictures cannot be read"])
        raise typer.Exit(1)
    say(f"every case has an embedding of {fingerprint}")
    if not active:
        note(f"search by it with: doubleread cases use {archive} {fingerprint}")


@app.command(epilog="Example: doubleread cases use archive efficientnet-lite0")
def use(
    archive: options.Archive,
    name: EncoderName,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also where it has not encoded every case; those are not found then.")
    ] = False,
) -> None:
    """Search by another encoder from now on, once it has encoded every case."""
    from doubleread.rag.care.reencoding import named_encoder
    from doubleread.rag.care.reencoding import use as switch

    with opened(archive) as store:
        chosen = named_encoder(store, name)
        lacking = switch(store, chosen, partial=partial)
    if lacking:
        warn_user([f"{lacking:,} cases are not found: they have no embedding of {chosen.fingerprint}"])
    say(f"searched by {chosen.fingerprint} from now on; panels fitted with another encoder keep to theirs")


@app.command("forget-encoder", epilog="Example: doubleread cases forget-encoder archive open-clip-0a1b2c3d4e5f")
def forget_encoder(
    archive: options.Archive,
    name: EncoderName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop an encoder's embeddings, to save space. The one in use cannot be dropped."""
    from doubleread.rag.care.reencoding import forget, named_encoder

    with opened(archive) as store:
        chosen = named_encoder(store, name)
        if not yes and chosen.number != store.encoder:
            typer.confirm(f"Drop {chosen.cases:,} embeddings of {chosen.fingerprint}?", abort=True, err=True)
        forget(store, chosen)
    say(f"forgot {chosen.fingerprint} and its {chosen.cases:,} embeddings")
