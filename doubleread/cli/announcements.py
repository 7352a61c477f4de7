"""Notes that commands print about the data they read and about the panel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doubleread.cli.screen import OUT, note
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.core.trust import TrustProfile
    from doubleread.evals.datasets import LabelledCases
    from doubleread.panel import Panel

REWORDINGS = {"paraphrase": "asked in other words", "permutation": "labels in another order"}


def announce_reading(dataset: "LabelledCases") -> None:
    """Prints a summary of the data set. Its warnings were printed when it was read."""
    labels = sorted({case.label for case in dataset.cases if case.label is not None})
    note(f"{dataset.name}: {len(dataset.cases)} images, labels {', '.join(labels)}")
    if dataset.accounting:
        note(dataset.accounting)
    for line in dataset.notes:
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
    """Prints which encoder is used, notes from fitting, and warnings that fitting has not printed."""
    warn_user(panel.warnings)
    for line in (*(() if panel.encoder_is_fallback else (panel.encoder_note,)), *panel.notes):
        note(line)
