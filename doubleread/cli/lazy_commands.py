"""Commands with slow imports, declared here so that ``--help`` stays fast."""

from pathlib import Path
from typing import Annotated

import typer

from doubleread.cli import options

app = typer.Typer()
reproduce_app = typer.Typer(no_args_is_help=True, help="Reproduce published figures from recorded answers.")


@app.command(epilog="Example: doubleread sweep panel --vary max_share=0,0.05,0.12,0.3 --vary rule")
def sweep(
    panel: options.PanelArgument = Path("panel"),
    run: Annotated[
        Path | None, typer.Option(help="Replay on the cases of this run instead of the panel's calibration cases.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE,VALUE or NAME for its usual values; repeat for every combination. agents, rule, "
            "calibrator, max_share (second looks), cascade, referral, max_risk; k, top or local (neighbours)."
        ),
    ] = None,
    usd: Annotated[
        list[str] | None, typer.Option(help="NAME=PRICE of an agent's answer in US dollars; repeatable.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    draw: Annotated[Path | None, typer.Option(help="Also draw the variants into this .svg file.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Also write every figure to this .csv file.")] = None,
) -> None:
    """Compare panels, fusion rules, policies and costs on recorded answers. No model is called."""
    from doubleread.cli.cmd_sweep import run_sweep

    run_sweep(panel, run, vary or [], usd or [], as_json=json, draw=draw, out=out)


@app.command(epilog="Example: doubleread serve --panel panel")
def serve(
    panel: options.Panel = Path("panel"),
    talk: Annotated[str, typer.Option(help="Model of the \\[talk.NAME] table that holds the conversation.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen at. Other machines need a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="DOUBLEREAD_TOKEN", show_envvar=True, help="Token that users need; created if needed."),
    ] = None,
    reviewer_token: Annotated[
        str | None,
        typer.Option(
            envvar="DOUBLEREAD_REVIEWER_TOKEN",
            show_envvar=True,
            help="Token of reviewers, who see the images that wait in all sessions.",
        ),
    ] = None,
    public_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host name of the TLS proxy in front of it; repeatable."),
    ] = None,
    settings: options.SettingsFile = None,
    allow_from_panel: options.AllowFromPanel = False,
) -> None:
    """Open inspection sessions in the browser: upload images, get verdicts, ask about them."""
    from doubleread.cli.cmd_serve import run_serve

    run_serve(
        panel,
        options.settings_of(settings),
        talk=talk,
        host=host,
        port=port,
        token=token,
        reviewer_token=reviewer_token,
        allow=allow_from_panel,
        public_hosts=public_host or (),
    )


@reproduce_app.callback()
def _reproduce() -> None:
    """Reproduce published figures from recorded answers."""


@reproduce_app.command("paper", epilog="Example: doubleread reproduce paper --data results/ -o runs/paper")
def reproduce_paper(
    data: Annotated[Path, typer.Option(help="Folder with the paper's recorded answers (its CSV files).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the page and the figures.")] = Path("runs/paper"),
    repeats: Annotated[int, typer.Option(min=1, help="Number of cross-validations, each with other folds.")] = 20,
    rule: options.Rule = None,
    settings: options.SettingsFile = None,
) -> None:
    """Reproduce the tables of arXiv 2507.10571, and run doubleread on the same answers."""
    from doubleread.cli.cmd_reproduce import run_reproduce

    run_reproduce(data, out, options.settings_of(settings, rule=rule), repeats)
