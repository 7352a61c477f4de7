"""``doubleread doctor``: what is here, and what will be used."""

from collections.abc import Iterator
from importlib.metadata import requires

from packaging.requirements import Requirement
from rich.markup import escape
from rich.table import Table

from doubleread.agents.wire.prices import PriceTable
from doubleread.cli.screen import OUT
from doubleread.core.errors import DoublereadError
from doubleread.panel.composition import check_names
from doubleread.panel.provenance import package_version
from doubleread.rag.encoders import choose, probe_device
from doubleread.settings import Settings

OK, MISSING = "[green]✓[/green]", "[dark_orange]✗[/dark_orange]"


def run_doctor(settings: Settings) -> None:
    """Prints packages, encoder and weights, device, keys (whether set, never their value)."""
    OUT.print(_packages())
    table = Table(title="what will be used", title_justify="left", show_header=False)
    for name, value in _findings(settings):
        table.add_row(name, value)
    OUT.print(table)


def _packages() -> Table:
    table = Table(title="packages", title_justify="left", show_header=False)
    for line in requires("doubleread") or ():
        requirement = Requirement(line)
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'")
        if extra not in ("", "embedded", "demo") or requirement.name == "doubleread":
            continue
        installed = package_version(requirement.name)
        fits = installed is not None and requirement.specifier.contains(installed, prereleases=True)
        needed = f"needs {requirement.specifier}" if not fits else ""
        hint = escape(f'pip install "doubleread[{extra}]"') if extra and installed is None else ""
        table.add_row(OK if fits else MISSING, requirement.name, installed or "not installed", needed, hint)
    return table


def _findings(settings: Settings) -> Iterator[tuple[str, str]]:
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


def _sessions(settings: Settings) -> str:
    """Where sessions are kept, and whether a database answers."""
    address = settings.sessions.database
    if not address:
        return escape(settings.sessions.folder or "in the user's data, a folder for panels of each kind")
    try:
        from doubleread.core.postgres import probe
    except ImportError:
        return MISSING + escape(f' {address} needs an extra: pip install "doubleread[postgres]"')
    try:
        return escape(f"{address}: {probe(address)}")
    except DoublereadError as error:
        return f"{MISSING} {escape(str(error))}"


def _models(settings: Settings) -> Iterator[tuple[str, str]]:
    """The models of agents and sessions: where, whether the key is set (never its value), and at what price."""
    prices = PriceTable(settings.prices)
    for name, server in {**settings.vlm, **settings.reasoner, **settings.talk}.items():
        seat = "" if name in settings.panel.agents or name in settings.talk else "; not on this panel"
        key = f"; {server.key_name} {'is set' if server.key() else 'is NOT set'}" if server.key_name else "; no key"
        price = server.price or prices.of(server.model)
        dated = f" as of {price.as_of}" if price and price.as_of else ""
        cost = f"; ${price.input:g} in, ${price.output:g} out per million tokens{dated}" if price else "; price unknown"
        yield name, escape(f"{server.model} at {server.base_url}{key}{cost}{seat}")
