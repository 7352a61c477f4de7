"""FiftyOne: ``labels.json`` beside ``data``, its format FiftyOneImageClassificationDataset."""

import json
from pathlib import PurePosixPath

from doubleread.core.durable import write_text
from doubleread.evals.exports._export_parts import ExportDraft, ExportedCase, ExportFormat

LABELS, PREDICTIONS, DATA = "labels.json", "predictions.json", "data"


def _place(split: str, label: str) -> str:  # noqa: ARG001 - one folder for all
    return DATA


def _write(draft: ExportDraft) -> None:
    """Labels, with split, group and subject as attributes; verdicts in a second file of the same kind."""
    numbers = {label: i for i, label in enumerate(draft.labels)}
    _put(draft, LABELS, {_key(one): _label(one, numbers) for one in draft.cases})
    if any(one.verdict for one in draft.cases):
        _put(draft, PREDICTIONS, {_key(one): _prediction(one, numbers) for one in draft.cases})


def _put(draft: ExportDraft, name: str, labels: dict[str, object]) -> None:
    content = {"classes": list(draft.labels), "labels": labels}
    write_text(draft.folder / name, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _key(one: ExportedCase) -> str:
    """The path in ``data`` without its suffix."""
    return PurePosixPath(one.path).relative_to(DATA).with_suffix("").as_posix()


def _label(one: ExportedCase, numbers: dict[str, int]) -> object:
    return {"label": numbers[one.case.label], "attributes": one.facts} if one.case.label else None


def _prediction(one: ExportedCase, numbers: dict[str, int]) -> object:
    if one.verdict is None or one.guess is None:
        return None
    label, confidence = one.guess
    attributes = {"decision": one.verdict.decision.action}
    return {"label": numbers[label], "confidence": round(confidence, 6), "attributes": attributes}


FIFTYONE = ExportFormat(
    "labels.json and data/; if given, verdicts in predictions.json", _place, _write, takes_verdicts=True
)
