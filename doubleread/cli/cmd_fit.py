"""``doubleread fit``."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from doubleread.cli.screen import OUT, note, progress, warn
from doubleread.cli.tables import percent, show_trust, spending_table
from doubleread.core.trust import TrustProfile
from doubleread.evals.datasets import Dataset, Labelled, read_dataset
from doubleread.evals.datasets.task_file import with_task
from doubleread.evals.leakage import check_leakage
from doubleread.panel import Panel
from doubleread.panel.saving import check_target, clear_leftovers
from doubleread.settings import Settings

SHOWN_PROBLEMS = 10
REWORDINGS = {"paraphrase": "asked in other words", "permutation": "labels in another order"}


def run_fit(
    data: str,
    out: Path,
    settings: Settings,
    *,
    group: str | None,
    label_column: str,
    path_column: str,
    task_file: Path | None = None,
) -> None:
    """Reads the data, fits, saves, and shows what trust was learned."""
    clear_leftovers(out)
    check_target(out)
    dataset = read_dataset(data, label_column=label_column, path_column=path_column, group=group)
    dataset = with_task(dataset, task_file)
    announce(dataset)
    with progress() as report:
        fitted = Panel.fit(dataset.cases, dataset.task, settings=settings, progress=report)
    with fitted as panel:
        announce_panel(panel)
        panel.save(out)
        show_trust(panel.profiles, panel.left_out)
        announce_models(panel)
    OUT.print(f"panel: {escape(str(out))}", soft_wrap=True, highlight=False)


def announce(dataset: Dataset) -> None:
    """What was read, what was wrong with it, and whether it leaks."""
    announce_reading(dataset)
    for line in check_leakage(dataset.cases).lines():
        note(line)


def announce_reading(dataset: Labelled) -> None:
    """What was read, and what was wrong with it."""
    labels = sorted({case.label for case in dataset.cases if case.label is not None})
    note(f"{dataset.name}: {len(dataset.cases)} images, labels {', '.join(labels)}")
    for line in dataset.notes:
        note(line)
    for problem in dataset.problems[:SHOWN_PROBLEMS]:
        path = f" ({problem.path})" if problem.path and problem.path not in problem.where else ""
        warn(f"skipped {problem.where}{path}: {problem.problem}")
    if len(dataset.problems) > SHOWN_PROBLEMS:
        warn(f"… and {len(dataset.problems) - SHOWN_PROBLEMS} more rows skipped")


def announce_gaps(profiles: Sequence[TrustProfile]) -> None:
    """How much the agents' answers depend on the wording."""
    for profile in profiles:
        for kind, gap in profile.consistency.items():
            flips = f"{percent(gap.flips)} of {gap.n} labels changed"
            note(f"{profile.agent}, {REWORDINGS[kind]}: {flips}, probabilities moved by {gap.distance.value:.2f}")


def announce_models(panel: Panel) -> None:
    """What asking models has cost, and how much their answers depend on the wording."""
    announce_gaps(panel.profiles)
    if panel.spent:
        OUT.print(spending_table(panel.spent))


def announce_panel(panel: Panel) -> None:
    """Which encoder is used, and what fitting had to say."""
    (warn if panel.encoder_is_fallback else note)(panel.encoder_note)
    for row in panel.unread:
        warn(f"skipped {row.source}: {row.problem}")
    for line in panel.notes:
        note(line)
