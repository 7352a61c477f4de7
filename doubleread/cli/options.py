"""Options shared by several commands, and the settings built from them."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from doubleread.settings import Settings

# settings
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Settings file; see `doubleread settings`.")]
Encoder = Annotated[str | None, typer.Option(help="auto, efficientnet-lite0, open-clip:MODEL/TAG, …")]
Agents = Annotated[str | None, typer.Option(help="Agents of the panel, separated by commas.")]
Rule = Annotated[str | None, typer.Option(help="Fusion rule.")]
Record = Annotated[
    Path | None, typer.Option("--record", help="Add every agent's answers to this .jsonl or .csv file, to replay them.")
]

# data sets
Group = Annotated[
    str | None,
    typer.Option(
        help="What must stay together: columns such as 'patient' or 'series,capture//10' (blocks of ten); "
        "for folders 're:' and a pattern with one group."
    ),
]
GroupAsForFit = Annotated[str | None, typer.Option(help="What must stay together, as for `fit`.")]
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
        help="Let this panel use the addresses, key variables and files that its folder names; it is remembered. "
        "`doubleread doctor panel` lists them.",
    ),
]

# archives of cases
Archive = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Folder of the archive.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="A case: at least 6 digits of its id.")]
CaseIds = Annotated[list[str], typer.Argument(metavar="ID…", help="Cases: at least 6 digits of each id.")]
Reviewer = Annotated[str, typer.Option(help="Who says so; goes on record.")]
Note = Annotated[str, typer.Option(help="Why; goes on record.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
OnlyLabels = Annotated[list[str] | None, typer.Option("--label", help="Only this label; repeatable.")]
OnlyTags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only cases with this tag; repeated: with all of them.")
]
OnlyGroups = Annotated[list[str] | None, typer.Option("--group", help="Only this group; repeatable.")]
OnlySplits = Annotated[list[str] | None, typer.Option("--split", help="Only this split; repeatable.")]
Since = Annotated[datetime | None, typer.Option(help="Added then or later.")]
Until = Annotated[datetime | None, typer.Option(help="Added before then.")]


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
