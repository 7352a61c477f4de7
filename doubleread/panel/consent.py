"""What the settings in a panel's folder ask of this machine, and which of it is allowed.

Addresses, names of key variables, and files outside the folder are used only if this machine's settings have the same
value, or if a user allowed them for this panel: on the command line, in code, or by fitting it here. Consent is stored
in the user's configuration, one file a panel, for exactly these values; deleting the file revokes it.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, Field, ValidationError

from doubleread.core.authority import HERE, asking, marker
from doubleread.core.base import Record
from doubleread.core.durable import write_file
from doubleread.core.errors import FileError, NotAllowed, PanelError
from doubleread.core.safe_files import read_json
from doubleread.core.terminal_text import harmless
from doubleread.settings import Settings

_log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{32}")
_LIMIT = 1_000_000
_SHOWN = 200
"""Characters of a value that are shown."""

How = Literal["made here", "allowed"]


@dataclass(frozen=True)
class Ask:
    """The requests of one table of a panel's settings; it is allowed as a whole or not at all."""

    table: str
    """``retrieval``, ``vlm.NAME``, …"""
    values: Mapping[str, Any]
    """Values by setting, without those that have no effect or that this machine's settings share."""
    effects: Mapping[str, str]
    """What each value causes."""

    @property
    def lines(self) -> list[str]:
        """Returns a safe line for each setting, with its value and effect."""
        return [
            f"{harmless(f'{self.table}.{name}')} = {self.shown(name)}: {self.effects[name]}" for name in self.values
        ]

    def shown(self, name: str) -> str:
        """Returns a value on one line, shortened if it is long."""
        text = harmless(json.dumps(self.values[name], ensure_ascii=False, sort_keys=True))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


class Allowed(Record):
    """What a user allowed a panel on this machine."""

    how: How
    when: datetime
    folder: str
    """The panel's location at that time."""
    tables: dict[str, dict[str, Any]] = Field(default_factory=dict)


def asks_of(settings: Settings, own: Settings | None) -> tuple[Ask, ...]:
    """Returns the requests of a panel beyond this machine's settings; all if ``own`` is None."""
    asks = []
    for table, section, at_home in _sections(settings, own):
        known = {} if at_home is None else _reaching(at_home)
        values = {name: value for name, value in _reaching(section).items() if known.get(name) != value}
        if values:
            effects = {name: one.effect for name, one in asking(type(section)).items()}
            asks.append(Ask(table, values, effects))
    return tuple(asks)


def _sections(settings: Settings, own: Settings | None) -> Iterator[tuple[str, BaseModel, BaseModel | None]]:
    """Yields the tables that apply, with this machine's tables of the same name; unused agents are left out."""
    for name, field in type(settings).model_fields.items():
        if marker(field) == HERE:
            continue
        section, at_home = getattr(settings, name), getattr(own, name, None)
        if isinstance(section, BaseModel):
            yield name, section, at_home
            continue
        for agent in sorted(set(section) & {*settings.panel.agents, *settings.sights}):
            yield f"{name}.{agent}", section[agent], (at_home or {}).get(agent)


def _reaching(section: BaseModel) -> dict[str, Any]:
    marked = asking(type(section))
    return {name: value for name, one in marked.items() if (value := one.value(section, name)) is not None}


def refused(panel: str, asks: Sequence[Ask]) -> list[Ask]:
    """Returns the requests that are not allowed here. Raises ``PanelError`` for a damaged record."""
    known = allowed(panel) if asks else None
    tables = {} if known is None else known.tables
    return [ask for ask in asks if not ask.values.items() <= tables.get(ask.table, {}).items()]


def check_allowed(folder: Path, panel: str, asks: Sequence[Ask], *, allow: bool = False) -> None:
    """Raises ``NotAllowed``, which lists every request not allowed; ``allow`` allows and remembers all of them."""
    if allow and asks:
        remember(folder, panel, asks, "allowed")
    elif open_ := refused(panel, asks):
        tables = ", ".join(f"[{harmless(ask.table)}]" for ask in open_)
        listed = "\n".join(f"  - {line}" for ask in open_ for line in ask.lines)
        raise NotAllowed(
            f"{folder} was not loaded: it asks for what this machine has not allowed. Nothing was sent.\n"
            f"{listed}\n"
            "If you trust where it came from and agree, add --allow-from-panel once (Python: allow_from_panel=True). "
            f"Or name your own values in your settings, under {tables}. `doubleread doctor panel {folder}` says more."
        )


def remember(folder: Path, panel: str, asks: Sequence[Ask], how: How) -> None:
    """Allows a panel's requests permanently. If the record cannot be written, this is only logged."""
    if not asks or not _ID.fullmatch(panel):
        return
    tables = {ask.table: dict(ask.values) for ask in asks}
    try:
        before = allowed(panel)
    except PanelError:
        before = None
    if before is not None:
        tables = before.tables | tables
    told = Allowed(how=how, when=datetime.now(UTC), folder=str(folder.absolute()), tables=tables)
    file = _file(panel)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(file, json.dumps(told.model_dump(mode="json"), indent=1).encode())
        file.chmod(0o600)
    except (FileError, OSError) as error:
        _log.warning("what %s may do is not remembered (%s): allow it again when it is loaded", folder, error)


def allowed(panel: str) -> Allowed | None:
    """Returns the panel's consent record, or None. Raises ``PanelError`` for a damaged record."""
    file = _file(panel)
    if not _ID.fullmatch(panel) or not file.exists():
        return None
    try:
        return Allowed.model_validate(read_json(file, limit=_LIMIT))
    except (FileError, ValidationError) as error:
        told = " ".join(str(error).split())[:_SHOWN]
        raise PanelError(f"{file} cannot be read ({told}); delete it, and allow the panel again") from None


def _file(panel: str) -> Path:
    return platformdirs.user_config_path("doubleread") / "allowed" / f"{panel}.json"
