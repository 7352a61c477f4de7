"""``doubleread``: the commands. Each imports what it runs, so that ``--help`` answers at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from doubleread.cli.chat import app as chat_app
from doubleread.cli.cmd_cases import app as cases_app
from doubleread.cli.cmd_compare_runs import app as compare_app
from doubleread.cli.cmd_datasets import app as datasets_app
from doubleread.cli.cmd_evaluate import app as evaluate_app
from doubleread.cli.cmd_prompts import app as prompts_app
from doubleread.cli.cmd_stress import app as stress_app
from doubleread.cli.cmd_trust import app as trust_app
from doubleread.cli.options import AllowFromPanel
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

app.add_typer(prompts_app, name="prompts")
app.add_typer(trust_app, name="trust")
app.add_typer(datasets_app, name="datasets")
app.add_typer(cases_app, name="cases")
app.add_typer(chat_app)
app.add_typer(evaluate_app)
app.add_typer(compare_app)
app.add_typer(stress_app)

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
CLOSED, UNEXPECTED = 1, 70
TRACEBACK = "DOUBLEREAD_TRACEBACK"
"""The environment variable that shows where an unexpected error came from."""

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")]
Encoder = Annotated[str | None, typer.Option(help="auto, efficientnet-lite0, open-clip:MODEL/TAG, …")]
Agents = Annotated[str | None, typer.Option(help="Agents of the panel, separated by commas.")]
Record = Annotated[
    Path | None, typer.Option("--record", help="Add every agent's answers to this .jsonl or .csv file, to replay them.")
]
Rule = Annotated[str | None, typer.Option(help="Fusion rule.")]
Group = Annotated[
    str | None,
    typer.Option(
        help="What must stay together: columns such as 'patient' or 'series,capture//10' (blocks of ten); "
        "for folders 're:' and a pattern with one group."
    ),
]
TaskFile = Annotated[
    Path | None, typer.Option("--task", help="TOML file that says what the images show and what the labels mean.")
]
LabelColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the label.")]
PathColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the image's path.")]


@app.command(epilog="Example: doubleread demo --data photos/ -o out")
def demo(
    data: Annotated[str, typer.Option(help="solar-cells, a folder with a sub-folder a label, or a manifest.")] = (
        "solar-cells"
    ),
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the results.")] = None,
    show: Annotated[int, typer.Option(help="How many verdicts to print.")] = 4,
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
    task: TaskFile = None,
    settings: SettingsFile = None,
    encoder: Encoder = None,
    agents: Agents = None,
    rule: Rule = None,
) -> None:
    """Fit a panel on real images and judge it on images it has never seen."""
    from doubleread.cli.cmd_demo import run_demo
    from doubleread.cli.options import settings_of

    chosen = settings_of(settings, encoder, agents, rule)
    run_demo(data, out, show, chosen, group=group, label_column=label_column, path_column=path_column, task_file=task)


@app.command(epilog="Example: doubleread fit photos/ -o panel")
def fit(
    data: Annotated[str, typer.Argument(help="A folder with a sub-folder a label, a manifest, or solar-cells.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the fitted panel.")] = Path("panel"),
    group: Group = None,
    label_column: LabelColumn = "label",
    path_column: PathColumn = "path",
    task: TaskFile = None,
    settings: SettingsFile = None,
    encoder: Encoder = None,
    agents: Agents = None,
    rule: Rule = None,
    record: Record = None,
) -> None:
    """Fit a panel on labelled images and save it. Rows of split `test` are left alone."""
    from doubleread.cli.cmd_fit import run_fit
    from doubleread.cli.options import settings_of

    chosen = settings_of(settings, encoder, agents, rule, record)
    run_fit(data, out, chosen, group=group, label_column=label_column, path_column=path_column, task_file=task)


@app.command(epilog="Example: doubleread diagnose leaf.jpg --panel panel")
def diagnose(
    images: Annotated[list[str], typer.Argument(help="Image files.")],
    panel: Annotated[Path, typer.Option(help="Folder of a fitted panel.")] = Path("panel"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of cards.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also say why, and what would change it.")] = False,
    where: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of one image: draw where the local agents looked (.png, .jpg, .webp), or write it as .json.",
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="With --where: of this label, not the likeliest.")] = None,
    settings: SettingsFile = None,
    record: Record = None,
    allow_from_panel: AllowFromPanel = False,
) -> None:
    """Diagnose images with a fitted panel. Exit code 1 where an image could not be read."""
    from doubleread.cli.cmd_diagnose import Drawn, run_diagnose
    from doubleread.cli.options import settings_of

    drawn = Drawn.asked(where, label, images)
    run_diagnose(
        images,
        panel,
        as_json=json,
        explained=explain,
        settings=settings_of(settings, record=record),
        drawn=drawn,
        allow=allow_from_panel,
    )


@app.command(epilog="Example: doubleread prevalence panel photos/")
def prevalence(
    panel: Annotated[Path, typer.Argument(metavar="PANEL", help="Folder of a fitted panel.")],
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES…", help="Image files, or folders of them; labels are not needed.")
    ],
    group: Annotated[
        str | None,
        typer.Option(
            help="Which images belong together, so that they count as one draw: 're:' and a pattern with one group."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    settings: SettingsFile = None,
    allow_from_panel: AllowFromPanel = False,
) -> None:
    """Estimate which share of unlabelled images has each label. Nothing is changed by it.

    Exit code 1 where the images differ from the calibration cases in more than label shares, so that there is no
    estimate.
    """
    from doubleread.cli.cmd_prevalence import run_prevalence
    from doubleread.cli.options import settings_of

    run_prevalence(panel, images, group, settings_of(settings), as_json=json, allow=allow_from_panel)


@app.command(epilog="Example: doubleread sweep panel --vary max_share=0,0.05,0.12,0.3 --vary rule")
def sweep(
    panel: Annotated[Path, typer.Argument(help="Folder of a fitted panel.")] = Path("panel"),
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
    """Judge other panels, rules, policies and costs by recorded answers. Nobody is asked again."""
    from doubleread.cli.cmd_sweep import run_sweep

    run_sweep(panel, run, vary or [], usd or [], as_json=json, draw=draw, out=out)


@app.command(epilog="Example: doubleread serve --panel panel")
def serve(
    panel: Annotated[Path, typer.Option(help="Folder of a fitted panel.")] = Path("panel"),
    talk: Annotated[str, typer.Option(help="Model of the settings' \\[talk.NAME] that holds the conversation.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen at; the network needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="DOUBLEREAD_TOKEN", show_envvar=True, help="What users have to know; made where needed."),
    ] = None,
    reviewer_token: Annotated[
        str | None,
        typer.Option(
            envvar="DOUBLEREAD_REVIEWER_TOKEN",
            show_envvar=True,
            help="What reviewers have to know, who see what waits in everybody's sessions.",
        ),
    ] = None,
    public_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name under which a TLS proxy makes it public; may be repeated."),
    ] = None,
    settings: SettingsFile = None,
    allow_from_panel: AllowFromPanel = False,
) -> None:
    """Inspection sessions in the browser: images in, verdicts and a talk about them out."""
    from doubleread.cli.cmd_serve import run_serve
    from doubleread.cli.options import settings_of

    run_serve(
        panel,
        settings_of(settings),
        talk=talk,
        host=host,
        port=port,
        token=token,
        reviewer_token=reviewer_token,
        allow=allow_from_panel,
        public_hosts=public_host or (),
    )


reproduce_app = typer.Typer(no_args_is_help=True, help="Published figures again, from their own record.")
app.add_typer(reproduce_app, name="reproduce")


@reproduce_app.callback()
def _reproduce() -> None:
    """Published figures again, from their own record."""


@reproduce_app.command("paper", epilog="Example: doubleread reproduce paper --data results/ -o runs/paper")
def reproduce_paper(
    data: Annotated[Path, typer.Option(help="Folder with the paper's recorded answers (its CSV files).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the page and the figures.")] = Path("runs/paper"),
    repeats: Annotated[int, typer.Option(min=1, help="Cross-fittings, each with folds of its own.")] = 20,
    rule: Rule = None,
    settings: SettingsFile = None,
) -> None:
    """The tables of arXiv 2507.10571, and doubleread's orchestration of the same answers."""
    from doubleread.cli.cmd_reproduce import run_reproduce
    from doubleread.cli.options import settings_of

    run_reproduce(data, out, settings_of(settings, rule=rule), repeats)


batch_app = typer.Typer(no_args_is_help=True, help="Files of the Batch API: requests out, results in.")
app.add_typer(batch_app, name="batch")

AgentName = Annotated[str, typer.Option("--agent", help="Name of the [vlm.NAME] table.")]


@batch_app.command("write", epilog="Example: doubleread batch write photos/ --agent gpt --settings doubleread.toml")
def batch_write(
    data: Annotated[str, typer.Argument(help="The images, as for `fit`.")],
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the requests.")] = Path("requests.jsonl"),
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Write every image's first reading as a request. Upload the file yourself; nothing is sent."""
    from doubleread.cli.cmd_files import write_batch
    from doubleread.cli.options import settings_of

    write_batch(data, agent, out, settings_of(settings), task)


@batch_app.command("read", epilog="Example: doubleread batch read results.jsonl photos/ --agent gpt -o answers.jsonl")
def batch_read(
    results: Annotated[Path, typer.Argument(help="The batch's output file.")],
    data: Annotated[str, typer.Argument(help="The images that the requests were written for.")],
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="Recording, .jsonl or .csv.")] = Path("answers.jsonl"),
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Turn a batch's results into recorded answers, which a [recorded.NAME] table replays."""
    from doubleread.cli.cmd_files import read_batch
    from doubleread.cli.options import settings_of

    read_batch(results, data, agent, out, settings_of(settings), task)


@app.command("fine-tune", epilog="Example: doubleread fine-tune photos/ --agent gpt -o training.jsonl")
def fine_tune(
    data: Annotated[str, typer.Argument(help="The labelled images, as for `fit`.")],
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the examples.")] = Path("training.jsonl"),
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Write chat examples with images for vision fine-tuning. Calibration and test images are left out."""
    from doubleread.cli.cmd_files import write_fine_tuning
    from doubleread.cli.options import settings_of

    write_fine_tuning(data, agent, out, settings_of(settings), task)


@app.command("mock-server", epilog="Example: doubleread mock-server photos/ --accuracy 0.7 --fault rate-limit=0.05")
def mock_server(
    data: Annotated[str, typer.Argument(help="The labelled images it will be asked about, as for `fit`.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: a free one.")] = 8099,
    answers: Annotated[Path | None, typer.Option(help="Recorded answers to give instead of invented ones.")] = None,
    script: Annotated[
        Path | None, typer.Option(help='Lines such as {"text": "…"} or {"fault": "html"}, said before anything else.')
    ] = None,
    accuracy: Annotated[float, typer.Option(min=0, max=1, help="Share of invented answers that are right.")] = 0.7,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.2,
    requests_per_minute: Annotated[float | None, typer.Option(min=1, help="Let in no more than that.")] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, help="Answer no more at the same time.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="NAME=SHARE of requests that fail so; repeatable.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Feature it rejects (json_schema, json_object, logprobs, …); repeatable.")
    ] = None,
) -> None:
    """Serve the OpenAI protocol on this machine, for dry runs of a panel that asks models. It costs nothing."""
    from doubleread.cli.cmd_mock_server import run_mock_server
    from doubleread.mock_server import Limits

    limits = Limits(requests_per_minute=requests_per_minute, in_flight=in_flight)
    run_mock_server(
        data,
        host=host,
        port=port,
        answers=answers,
        script=script,
        accuracy=accuracy,
        latency=latency,
        limits=limits,
        faults=fault or [],
        without=without or [],
    )


doctor_app = typer.Typer(invoke_without_command=True)
app.add_typer(doctor_app, name="doctor")


@doctor_app.callback()
def doctor(context: typer.Context, settings: SettingsFile = None, encoder: Encoder = None) -> None:
    """Say what is installed, which weights, devices and keys are there, and what will be used."""
    if context.invoked_subcommand is not None:
        return
    from doubleread.cli.cmd_doctor import run_doctor
    from doubleread.cli.options import settings_of

    run_doctor(settings_of(settings, encoder))


@doctor_app.command("panel", epilog="Example: doubleread doctor panel received-panel")
def doctor_panel(
    panel: Annotated[Path, typer.Argument(metavar="FOLDER", help="A panel, from here or from somebody else.")],
    allow_from_panel: AllowFromPanel = False,
    settings: SettingsFile = None,
) -> None:
    """List what a panel asks of this machine, and what of it is allowed. Nothing is sent, and no pictures are opened.

    Exit code 1 where something is not allowed.
    """
    from doubleread.cli.cmd_doctor_panel import run_doctor_panel
    from doubleread.cli.options import settings_of

    run_doctor_panel(panel, settings_of(settings), allow=allow_from_panel)


@app.command("settings")
def show_settings() -> None:
    """Print a settings file with every default, commented."""
    from doubleread.settings import default_toml

    sys.stdout.write(default_toml())


def _version(wanted: bool) -> None:
    if wanted:
        from doubleread import __version__

        typer.echo(f"doubleread {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command. Every error is a message on stderr, never a traceback.

    Exit code 2 for what the user can mend, 70 for an error of doubleread itself.
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it ends
        raise SystemExit(CLOSED) from None
    except OSError as error:
        full = "; what was stored is kept: free some space and run the same command again" if is_full(error) else ""
        raise _failed(f"error: {error.filename or 'the system'}: {error.strerror or error}{full}") from None
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            typer.secho("stopped; what was done is kept, run the same command to go on", file=sys.stderr)
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        raise _failed(_unexpected(error), UNEXPECTED) from None


def _failed(told: str, code: int = 2) -> SystemExit:
    typer.secho(harmless_lines(told), file=sys.stderr, fg="red")
    return SystemExit(code)


def _unexpected(error: Exception) -> str:
    """One line on an error that nobody foresaw."""
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
