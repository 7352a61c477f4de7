"""What a run is of: its head, and the digest that tells it from another."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from doubleread.evals.runs.run_record import IRRELEVANT, RunRecord
from doubleread.panel import Panel


def run_record(panel: Panel, name: str, identity: object, **fields: Any) -> RunRecord:
    """The head of a run by this panel. ``identity`` says what is diagnosed, as JSON; ``fields`` are further ones."""
    about, deciding = panel.about(), panel.settings.model_dump(mode="json", exclude=IRRELEVANT)
    return RunRecord(
        name=name,
        digest=_digest([identity, [about.digest, about.archive, deciding]]),
        panel=about.digest,
        task=panel.task,
        trust=panel.profiles,
        members=panel.members,
        archive=about.archive,
        settings=panel.settings.model_dump(mode="json"),
        provenance=about.provenance,
        seed=panel.settings.trust.seed,
        started=datetime.now(UTC),
        **fields,
    )


def left_out(panel: Panel) -> list[str]:
    """Which agents the run does without, and why."""
    return [f"{name} was not asked: {why}" for name, why in panel.left_out.items()]


def _digest(everything: object) -> str:
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
