"""``doubleread prompts``: list, show, diff, try."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from doubleread.cli import options
from doubleread.cli.announcements import announce_reading
from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import OUT, note, progress, say, tell_json, words_line

if TYPE_CHECKING:
    from doubleread.core.case import Case
    from doubleread.evals.prompt_trial import PromptPlan, PromptTrial, TriedPrompt
    from doubleread.panel import Panel

app = typer.Typer(no_args_is_help=True, help="List, show, compare and try prompts, built-in ones and your own.")

Folder = Annotated[Path | None, typer.Option("--folder", help="Folder of your own prompt files.")]


@app.command("list", epilog="Example: doubleread prompts list --folder my-prompts")
def show_list(folder: Folder = None) -> None:
    """List every prompt in every version."""
    from doubleread.prompts.library import Library

    shown = Table("prompt", "version", "hash", "variant of", "origin", "purpose", box=None, header_style="dim")
    for one in Library(folder).all():
        shown.add_row(one.id, str(one.version), one.sha256[:8], one.variant_of or "", one.origin, one.purpose)
    OUT.print(shown)


@app.command(epilog="Example: doubleread prompts show vlm-read")
def show(
    prompt: Annotated[str, typer.Argument(help="ID or ID@VERSION.")],
    folder: Folder = None,
) -> None:
    """Show one prompt, section by section."""
    from doubleread.prompts.library import Library

    found = Library(folder).get(prompt)
    OUT.print(f"[bold]{found.ref}[/bold]  {escape(found.origin)}\n{escape(found.purpose)}", highlight=False)
    for name, text in found.sections.items():
        OUT.print(f"\n[cyan]\\[{name}][/cyan]")
        say(text.strip())


@app.command(epilog="Example: doubleread prompts diff vlm-read vlm-read-brief")
def diff(
    one: Annotated[str, typer.Argument(help="ID or ID@VERSION.")],
    other: Annotated[
        str | None,
        typer.Argument(
            help="Prompt to compare with; by default, the built-in prompt is compared with yours in --folder."
        ),
    ] = None,
    folder: Folder = None,
) -> None:
    """Compare two prompts. Exit code 1 if they differ."""
    from difflib import unified_diff

    from doubleread.prompts.library import Library

    before = Library().get(one) if other is None else Library(folder).get(one)
    after = Library(folder).get(other or one)
    lines = list(unified_diff(_lines(before.sections), _lines(after.sections), before.ref, after.ref, lineterm=""))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        say(line, styles.get(line[:1]))
    if lines:
        raise typer.Exit(1)
    OUT.print(f"{before.ref} and {after.ref} are the same", highlight=False)


@app.command(
    "try",
    epilog="Example: doubleread prompts try panel --agent gpt --variants vlm-read-brief,vlm-read-checklist. Exit "
    "codes: 0, whether or not a prompt is better; 2 nothing could be compared.",
)
@grouped
def try_variants(
    panel: options.PanelArgument,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGES",
            help="Labelled images, as for `fit`; by default the panel's calibration images. Never the test split.",
        ),
    ] = None,
    *,
    agent: Annotated[
        str, typer.Option(help="The agent that is asked: NAME, if its settings are in the table vlm.NAME.")
    ],
    variants: Annotated[
        str,
        typer.Option(help="Prompts to compare with its present one, as ID or ID@VERSION, separated by commas."),
    ],
    sample: Annotated[int, typer.Option(min=4, help="Number of images, drawn at random; groups stay whole.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Which images are drawn.")] = 0,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Most US dollars to spend on models.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask and cost, and stop.")] = False,
    folder: Folder = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the table.")] = False,
    columns: DataColumns,
    settings: options.SettingsFile = None,
    allow_from_panel: options.AllowFromPanel = False,
) -> None:
    """Ask a model with other prompts, and say whether one is better calibrated than the present one.

    Prompts that show reference images are compared in the second look, all others in the first reading. Answers are
    cached: the same command costs nothing the second time.
    """
    from doubleread.evals.prompt_trial import plan_trial, try_prompts
    from doubleread.panel import Panel

    names = [one.strip() for one in variants.split(",") if one.strip()]
    chosen = options.settings_of(settings, budget={"max_cost_usd": max_cost})
    with Panel.load(panel, settings=chosen, allow_from_panel=allow_from_panel) as loaded:
        cases = _cases(loaded, data, columns)
        if dry_run:
            _announce(plan_trial(loaded, agent, names, cases, folder=folder, size=sample, seed=seed))
            return
        with progress() as report:
            found = try_prompts(
                loaded,
                agent,
                names,
                cases,
                folder=folder,
                size=sample,
                seed=seed,
                progress=report,
                announce=_announce,
            )
    if json:
        tell_json(found.model_dump_json(indent=1))
    else:
        _show(found)


def _cases(panel: "Panel", data: str | None, columns: DataColumns) -> "list[Case] | None":
    if data is None:
        return None
    dataset = columns.labelled_with_bar(data, panel.task.names)
    announce_reading(dataset)
    return list(dataset.cases)


def _announce(plan: "PromptPlan") -> None:
    for line in (*plan.sample.notes, plan.line):
        note(line)


def _show(found: "PromptTrial") -> None:
    say(found.verdict[0], "bold")
    for line in found.verdict[1:]:
        OUT.print(line, markup=False, highlight=False)
    OUT.print()
    shown = _table(found)
    OUT.print(shown)
    paid = "unknown" if found.cost_usd is None else f"${found.cost_usd:.2f}"
    note(f"paid now: {paid} for {found.calls} calls; {found.cached} answers were in the cache")
    if found.settings:
        OUT.print(
            "To use it, put this into the settings and fit the panel again (it was measured with the old prompt):\n"
        )
        for line in found.settings:
            say(f"    {line}")
    words_line((*found.verdict, *(str(column.header) for column in shown.columns)))


def _table(found: "PromptTrial") -> Table:
    from doubleread.cli.tables import titled_table

    look = "second look" if found.second_look else "first reading"
    title = f"{found.agent}, {look}: {found.images} images in {found.groups} groups"
    words = ("answered", "right %", "log-loss", "calibrated", "ECE %", "Brier", "$/image")
    shown = titled_table(title, "prompt", *words, gap=0)
    for one in found.prompts:
        shown.add_row(*_row(one), style="bold" if one.prompt == found.best else "")
    return shown


def _row(one: "TriedPrompt") -> list[str]:
    cost = "unknown" if one.usd_an_image is None else f"{one.usd_an_image:.4f}"
    known, measured = [escape(one.prompt), f"{one.answered} of {one.asked}"], one.profile
    if measured is None:
        return [*known, *["–"] * 5, cost]
    after = "–" if measured.calibrated_nll is None else f"{measured.calibrated_nll.value:.3f}"
    shares = f"{100 * measured.accuracy.value:.1f}", f"{100 * measured.ece.value:.1f}"
    return [*known, shares[0], f"{measured.nll.value:.3f}", after, shares[1], f"{measured.brier.value:.3f}", cost]


def _lines(sections: dict[str, str]) -> list[str]:
    return [line for name, text in sections.items() for line in (f"[{name}]", *text.splitlines())]
