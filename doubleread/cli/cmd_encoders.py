"""``doubleread encoders``: compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, progress, say

if TYPE_CHECKING:
    from doubleread.core.trust import Estimate
    from doubleread.evals.encoder_comparison import EncoderComparison
    from doubleread.settings import Settings
    from doubleread.settings_sections import EncoderOptions

app = typer.Typer(no_args_is_help=True, help="Encoders, which compute image features.")


@app.callback()
def _group() -> None:
    """Keeps ``compare`` a command of its own."""


@app.command(
    epilog="Example: doubleread encoders compare photos/ --encoder efficientnet-lite0 --encoder colour-texture"
)
@grouped
def compare(
    data: Annotated[str, typer.Argument(help="Labelled images, as for `fit`.")],
    *,
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="An encoder, once for each. Default: all of the settings and all that need no download."),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File for the result, as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="File for a picture of the accuracies, as SVG.")] = None,
    columns: DataColumns,
    task: options.TaskFile = None,
    settings: options.SettingsFile = None,
) -> None:
    """Compare encoders on labelled images: which one, or which few together, read them best?

    The images of a test split are not used.
    """
    from doubleread.core.durable import write_text
    from doubleread.evals.encoder_comparison import compare_encoders
    from doubleread.evals.encoder_drawing import accuracy_plot

    chosen = options.settings_of(settings)
    dataset = columns.dataset(data, task)
    used = [case for case in dataset.cases if case.split != "test"]
    with progress() as report:
        found = compare_encoders(used, dataset.task, _encoders(chosen, encoder or ()), settings=chosen, progress=report)
    _show(found)
    if out is not None:
        write_text(out, found.model_dump_json(indent=1))
        say(f"result: {out}")
    if picture is not None:
        write_text(picture, accuracy_plot(found))
        say(f"picture: {picture}")


def _encoders(settings: "Settings", named: "list[str] | tuple[()]") -> "dict[str, EncoderOptions]":
    """The encoders of the settings, or those that were named, by the names in the table."""
    from doubleread.rag.encoders import choose
    from doubleread.rag.encoders.encoder_registry import ENCLOSED, ENCODERS
    from doubleread.settings_sections import EncoderOptions

    if named:
        return {
            name: settings.encoders.get(name) or EncoderOptions(name=name, device=settings.encoder.device)
            for name in named
        }
    own = {choose(settings.encoder.name).name: settings.encoder, **settings.encoders}
    enclosed = {name: EncoderOptions(name=name) for name in sorted(ENCODERS.having(ENCLOSED)) if name not in own}
    return {**own, **enclosed}


def _show(found: "EncoderComparison") -> None:
    OUT.print(Text(found.line), highlight=False)
    table = Table("encoder", box=None, header_style="dim")
    for heading in ("accuracy %", "log-loss", "ECE", "unknown", "nearest %", "images/s"):
        table.add_column(heading, justify="right")
    for one in found.encoders:
        table.add_row(
            escape(one.name),
            _percent(one.accuracy),
            f"{one.log_loss:.3f} ± {one.log_loss_error:.3f}",
            f"{one.ece:.3f}",
            "" if one.unknown_auroc is None else f"{one.unknown_auroc:.3f}",
            _percent(one.nearest),
            f"{one.images_a_second:.0f}",
        )
    OUT.print(f"\nOn {found.n:,} images in {found.groups:,} groups, each read without its own group", highlight=False)
    OUT.print(table)
    if found.pairs:
        pairs = Table("two together", box=None, header_style="dim")
        for heading in ("log-loss", "gain", "correlation of errors"):
            pairs.add_column(heading, justify="right")
        for pair in found.pairs:
            phi = "no errors" if pair.error_correlation is None else f"{pair.error_correlation:.2f}"
            pairs.add_row(
                escape(f"{pair.first} + {pair.second}"),
                f"{pair.log_loss:.3f}",
                f"{pair.gain:+.3f} ± {pair.gain_error:.3f}",
                phi,
            )
        OUT.print()
        OUT.print(pairs)
    OUT.print()
    for line in (*found.steps, *(f"{name} was not compared: {why}" for name, why in found.unusable.items())):
        OUT.print(Text(line), highlight=False)
    if found.unread:
        OUT.print(f"{found.unread} images could not be read and are left out", highlight=False)
    OUT.print(
        "\ngain     by how much the log-loss of both is below the better one's\n"
        "unknown  AUROC of telling a label that it was not fitted on\n"
        "nearest  how often the most similar image of another group has the same label",
        style="dim",
    )


def _percent(one: "Estimate") -> str:
    return f"{100 * one.value:.1f} ({100 * one.low:.0f}–{100 * one.high:.0f})"
