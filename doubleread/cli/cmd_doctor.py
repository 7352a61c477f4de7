"""``doubleread doctor`` and ``doubleread settings``: what is installed and what will be used."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.screen import OUT
from doubleread.core.errors import DoublereadError

if TYPE_CHECKING:
    from doubleread.agents.wire.reachability import ServerProblem
    from doubleread.agents.wire.server_options import Server
    from doubleread.panel.consent import Ask
    from doubleread.panel.panel_folder import PanelFolder
    from doubleread.settings import Settings

doctor_app = typer.Typer(invoke_without_command=True)
app = typer.Typer()

OK, MISSING = "[green]✓[/green]", "[dark_orange]✗[/dark_orange]"
REASONS = {"made here": "allowed: this panel was fitted here", "allowed": "allowed: you allowed it for this panel"}
SAME, REFUSED = "allowed: your settings say the same", "not allowed"


@app.command("settings")
def show_settings() -> None:
    """Print a settings file with all defaults and a comment on each."""
    from doubleread.settings import default_toml

    sys.stdout.write(default_toml())


@doctor_app.callback()
def doctor(context: typer.Context, settings: options.SettingsFile = None, encoder: options.Encoder = None) -> None:
    """Show what is installed, which weights, devices and keys were found, and what will be used."""
    if context.invoked_subcommand is not None:
        return
    chosen = options.settings_of(settings, encoder)
    OUT.print(_packages())
    table = Table(title="what will be used", title_justify="left", show_header=False)
    for name, value in _findings(chosen):
        table.add_row(name, value)
    OUT.print(table)


@doctor_app.command("encoder", epilog="Example: doubleread doctor encoder open-clip:ViT-B-32/datacomp_xl_s13b_b90k")
def doctor_encoder(
    encoder: Annotated[str, typer.Argument(metavar="NAME", help="The encoder, as in [encoder] of the settings.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Local weights, as `checkpoint` of the settings.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    download: Annotated[bool, typer.Option("--download", help="Download missing weights.")] = False,
) -> None:
    """Load an encoder and show how it prepares images and texts, and where this is known from."""
    from doubleread.rag.encoders import build, choose

    choice = choose(encoder)
    loaded = build(choice.name, device=device, checkpoint=checkpoint, download=download)
    understood = getattr(loaded, "understood", lambda: {"weights": loaded.fingerprint, "length": str(loaded.dim)})
    OUT.print(f"{OK} {escape(choice.name)} can be used.", highlight=False)
    table = Table(show_header=False, box=None)
    for name, value in understood().items():
        table.add_row(name, escape(value))
    OUT.print(table)


@doctor_app.command("panel", epilog="Example: doubleread doctor panel received-panel")
def doctor_panel(
    panel: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a panel, yours or from somebody else.")],
    allow_from_panel: options.AllowFromPanel = False,
    settings: options.SettingsFile = None,
) -> None:
    """List what a panel asks of this machine, and what of it is allowed. Nothing is sent.

    Exit code 1 if something is not allowed.
    """
    from doubleread.panel.consent import refused, remember
    from doubleread.panel.panel_folder import read_panel

    saved = read_panel(panel, options.settings_of(settings))
    if allow_from_panel:
        remember(panel, saved.head.id, saved.asks, "allowed")
    open_ = refused(saved.head.id, saved.asks)
    OUT.print(_answer(saved, open_))
    for line in _asked(saved, open_):
        OUT.print(line)
    if open_:
        tables = ", ".join(f"[{ask.table}]" for ask in open_)
        OUT.print(Text(f"To use values of your own: write them into your settings, under {tables}."))
        OUT.print(Text("To allow all of this for this panel: add --allow-from-panel. It is remembered."))
        raise typer.Exit(1)


def _packages() -> Table:
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    from doubleread.panel.provenance import package_version

    table = Table(title="packages", title_justify="left", show_header=False)
    for line in requires("doubleread") or ():
        requirement = Requirement(line)
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'")
        if extra not in ("", "embedded", "demo") or requirement.name == "doubleread":
            continue
        installed = package_version(requirement.name)
        fits = installed is not None and requirement.specifier.contains(installed, prereleases=True)
        needed = f"needs {requirement.specifier}" if not fits else ""
        hint = f"pip install {requirement.name}" if extra and installed is None else ""
        table.add_row(OK if fits else MISSING, requirement.name, installed or "not installed", needed, hint)
    return table


def _findings(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yields the encoder and weights, device, agents, sessions, and keys (whether set, never their value)."""
    from doubleread.panel.composition import check_names
    from doubleread.rag.encoders import choose, probe_device

    try:
        choice = choose(settings.encoder.name)
        yield "encoder", escape(f"{choice.name}: {choice.reason}")
    except DoublereadError as error:
        yield "encoder", f"{MISSING} {escape(str(error))}"
    yield "device", escape(probe_device(settings.encoder.device))
    yield "encodings", escape(str(settings.cache_folder))
    try:
        check_names(settings)
        yield "agents", ", ".join(settings.panel.agents)
    except DoublereadError as error:
        yield "agents", f"{MISSING} {escape(str(error))}"
    yield "fusion", escape(f"{settings.fusion.rule}, calibrator {settings.trust.calibrator}")
    yield "sessions", _sessions(settings)
    yield from _models(settings)


def _sessions(settings: "Settings") -> str:
    """Describes where sessions are kept, and whether the database answers."""
    address = settings.sessions.database
    if not address:
        return escape(settings.sessions.folder or "in the user's data, a folder for panels of each kind")
    try:
        from doubleread.core.postgres import probe
    except ImportError:
        return MISSING + escape(f" {address} needs: pip install langgraph-checkpoint-postgres 'psycopg[binary]'")
    try:
        return escape(f"{address}: {probe(address)}")
    except DoublereadError as error:
        return f"{MISSING} {escape(str(error))}"


def _models(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yields the models of agents and sessions: address, whether the key is set (never its value), and price."""
    from doubleread.agents.wire.addresses import LITELLM
    from doubleread.agents.wire.prices import PriceTable, price_words

    servers, prices = {**settings.vlm, **settings.reasoner, **settings.talk}, PriceTable(settings.prices)
    problems = _server_problems({name: one for name, one in servers.items() if one.key() or not one.key_name})
    for name, server in servers.items():
        seated = name in settings.panel.agents or name in settings.talk
        seat = "" if seated else "; NOT on the panel: add it to agents in [panel]"
        reached = f"; {MISSING} {escape(problems[name].text)}" if name in problems else ""
        key = f"; {server.key_name} {'is set' if server.key() else 'is NOT set'}" if server.key_name else "; no key"
        where = f"{server.model} at {server.base_url}"
        if server.base_url == LITELLM:
            where, key = f"{server.model} through LiteLLM", key if server.key_name else ""
        cost = f"; {said}" if (said := price_words(prices.of(server))) else "; price unknown"
        yield name, escape(f"{where}{key}{cost}{seat}") + reached


def _server_problems(servers: "Mapping[str, Server]") -> "Mapping[str, ServerProblem]":
    if not servers:
        return {}
    from doubleread.agents.wire.reachability import server_problems

    return server_problems(servers)


def _answer(saved: "PanelFolder", open_: "list[Ask]") -> Text:
    """Says in one sentence whether the panel can be used."""
    from doubleread.panel.consent import asks_of

    if open_:
        count = sum(len(ask.values) for ask in open_)
        things = "1 thing that is" if count == 1 else f"{count} things that are"
        return Text(f"{saved.folder} cannot be used yet: it asks for {things} not allowed here.", "bold")
    if asks_of(saved.settings, None):
        return Text(f"{saved.folder} can be used: everything it asks for is allowed here.", "bold")
    return Text(f"{saved.folder} can be used: it asks for nothing outside its own folder.", "bold")


def _asked(saved: "PanelFolder", open_: "list[Ask]") -> Iterator[Text]:
    """Yields two lines per value: what it is, and what happens with it."""
    from doubleread.panel.consent import allowed, asks_of

    beyond = {ask.table: ask for ask in saved.asks}
    record = allowed(saved.head.id)
    for ask in asks_of(saved.settings, None):
        asked = beyond.get(ask.table)
        for name in ask.values:
            if asked is None or name not in asked.values:
                why = SAME
            else:
                why = REFUSED if record is None or asked in open_ else REASONS[record.how]
            mark = ("✗", "dark_orange") if why == REFUSED else ("✓", "green")
            yield Text.assemble(mark, f" {ask.table}.{name} = {ask.shown(name)}")
            yield Text.assemble((f"    {ask.effects[name]}; {why}", "dim"))
