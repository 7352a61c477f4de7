"""Notes that commands print about the data they read and about the panel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doubleread.cli.screen import OUT, note, warn, warn_some

if TYPE_CHECKING:
    from doubleread.core.trust import TrustProfile
    from doubleread.evals.datasets import Dataset, LabelledCases
    from doubleread.panel import Panel

REWORDINGS = {"paraphrase": "asked in other words", "permutation": "labels in another order"}


def announce_reading(dataset: "LabelledCases") -> None:
    """Prints a summary of the data set and the rows that were skipped."""
    labels = sorted({case.label for case in dataset.cases if case.label is not None})
    note(f"{dataset.name}: {len(dataset.cases)} images, labels {', '.join(labels)}")
    for line in dataset.notes:
        note(line)
    problems = []
    for problem in dataset.problems:
        path = f" ({problem.path})" if problem.path and problem.path not in problem.where else ""
        problems.append(f"skipped {problem.where}{path}: {problem.problem}")
    warn_some(problems, "{n} more rows skipped")


def announce(dataset: "Dataset") -> None:
    """Prints a summary of the data set, its skipped rows, and its leakage check."""
    from doubleread.evals.leakage import check_leakage

    announce_reading(dataset)
    for line in check_leakage(dataset.cases).lines():
        note(line)


def announce_gaps(profiles: "Sequence[TrustProfile]") -> None:
    """Prints how much the agents' answers depend on the wording."""
    from doubleread.cli.tables import percent

    for profile in profiles:
        for kind, gap in profile.consistency.items():
            flips = f"{percent(gap.flips)} of {gap.n} labels changed"
            note(f"{profile.agent}, {REWORDINGS[kind]}: {flips}, probabilities moved by {gap.distance.value:.2f}")


def announce_models(panel: "Panel") -> None:
    """Prints how much the answers depend on the wording, and what asking models has cost."""
    from doubleread.cli.tables import spending_table

    announce_gaps(panel.profiles)
    if panel.spent:
        OUT.print(spending_table(panel.spent))


def announce_panel(panel: "Panel") -> None:
    """Prints which encoder is used, skipped images, and notes from fitting."""
    (warn if panel.encoder_is_fallback else note)(panel.encoder_note)
    for row in panel.unread:
        warn(f"skipped {row.source}: {row.problem}")
    for line in panel.notes:
        note(line)
