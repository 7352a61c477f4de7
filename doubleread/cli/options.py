"""Options shared by several commands, and the settings built from them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from doubleread.settings import Settings

# settings
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")]
Encoder = Annotated[str | None, typer.Option(help="auto, efficientnet-lite0, open-clip:MODEL/TAG, …")]
Agents = Annotated[str | None, typer.Option(help="Names of the agents, separated by commas.")]
Rule = Annotated[str | None, typer.Option(help="Fusion rule: auto, log-pool, stacking, …")]
Record = Annotated[
    Path | None,
    typer.Option("--record", help="Append every agent's answers to this .jsonl or .csv file, to replay them later."),
]

# data sets
Group = Annotated[
    str | None,
    typer.Option(
        help="Images that belong together: columns such as 'patient' or 'series,capture//10' (blocks of ten); "
        "for folders 're:' and a pattern, such as 're:(.*)_\\d+'."
    ),
]
Subject = Annotated[
    str | None,
    typer.Option(help="Images that get one verdict together, such as all of a plant; written like --group."),
]
LabelFromPath = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="RE:PATTERN",
        help="Take the label from the image's path: 're:' and a pattern, such as 're:(\\w+)_\\d+'.",
    ),
]
LabelLevel = Annotated[
    int | None,
    typer.Option(
        "--label-level", help="Which folder is the label: 1 the first below the data set, -1 the one with the image."
    ),
]
LabelMap = Annotated[
    list[str] | None, typer.Option("--map", metavar="OLD=NEW", help="Rename a label, as in Rust=rust; repeatable.")
]
ListFiles = Annotated[bool, typer.Option("--list", help="List every file that is not used, and why.")]
GroupAsForFit = Annotated[str | None, typer.Option(help="Images that belong together, as for `fit`.")]
LabelColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the label.")]
PathColumn = Annotated[str, typer.Option(help="Column of a manifest that holds the image's path.")]
TaskFile = Annotated[
    Path | None, typer.Option("--task", help="TOML file with what it changes of the task: about, labels, prior, costs.")
]

DecisionFile = Annotated[
    Path | None,
    typer.Option("--task", help="TOML file with other costs or another prior than the panel was fitted with."),
]

# panels
Panel = Annotated[Path, typer.Option(help="Folder of a fitted panel.")]
PanelArgument = Annotated[Path, typer.Argument(help="Folder of a fitted panel.")]
AllowFromPanel = Annotated[
    bool,
    typer.Option(
        "--allow-from-panel",
        help="Allow this panel the addresses, key variables and files that its folder names, and remember it. "
        "`doubleread doctor panel` lists them.",
    ),
]

# archives of cases
Archive = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Folder of the archive.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="A case: at least 6 digits of its id.")]
CaseIds = Annotated[list[str], typer.Argument(metavar="ID…", help="Cases: at least 6 digits of each id.")]
Reviewer = Annotated[str, typer.Option(help="Name of the person who decides; it is recorded.")]
Note = Annotated[str, typer.Option(help="Reason; it is recorded.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
OnlyLabels = Annotated[list[str] | None, typer.Option("--label", help="Only this label; repeatable.")]
OnlyTags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only cases with this tag; if repeated, with all of the tags.")
]
OnlyGroups = Annotated[list[str] | None, typer.Option("--group", help="Only this group; repeatable.")]
OnlySplits = Annotated[list[str] | None, typer.Option("--split", help="Only this split; repeatable.")]
Since = Annotated[datetime | None, typer.Option(help="Only cases added at this time or later.")]
Until = Annotated[datetime | None, typer.Option(help="Only cases added before this time.")]


def settings_of(
    file: Path | None,
    encoder: str | None = None,
    agents: str | None = None,
    rule: str | None = None,
    record: Path | None = None,
    preview: str | None = None,
    **tables: dict[str, Any],
) -> "Settings":
    """Builds settings from the file, the environment, and the flags that were given.

    ``tables`` holds further flags by table and setting name; None means not given.
    """
    from doubleread.settings import load_settings

    names = None if agents is None else tuple(name.strip() for name in agents.split(",") if name.strip())
    flags: dict[str, dict[str, Any]] = {
        "encoder": {"name": encoder},
        "panel": {"agents": names},
        "fusion": {"rule": rule},
        "run": {"record": None if record is None else str(record)},
        "sessions": {"preview": preview},
    }
    for table, values in tables.items():
        flags[table] = {**flags.get(table, {}), **values}
    given = {table: {k: v for k, v in values.items() if v is not None} for table, values in flags.items()}
    return load_settings(file, {table: values for table, values in given.items() if values})


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Parses ``OLD=NEW`` arguments of an option. Raises ``BadParameter``."""
    parsed = [one.partition("=") for one in given]
    for (old, sign, new), text in zip(parsed, given, strict=True):
        if not (old.strip() and sign and new.strip()):
            raise typer.BadParameter(f"{option} {text!r}: write it as OLD=NEW, such as {option} Rust=rust")
    return {old.strip(): new.strip() for old, _, new in parsed}
