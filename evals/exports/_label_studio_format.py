"""Label Studio: ``tasks.json`` to import, ``config.xml`` for the project, and the images as local files."""

import json
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from doubleread.core.durable import write_text
from doubleread.evals.exports._export_parts import ExportDraft, ExportedCase, ExportFormat

TASKS, CONFIG, IMAGES = "tasks.json", "config.xml", "images"
_QUESTION, _IMAGE = "choice", "image"


def _place(split: str, label: str) -> str:  # noqa: ARG001 - one folder for all
    return IMAGES


def _write(draft: ExportDraft) -> None:
    """Labels become annotations, verdicts become predictions. Paths begin with the folder's own name."""
    tasks = [_task(one, draft) for one in draft.cases]
    write_text(draft.folder / TASKS, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    choices = "".join(f"    <Choice value={quoteattr(label)}/>\n" for label in draft.labels)
    write_text(
        draft.folder / CONFIG,
        f'<View>\n  <Image name="{_IMAGE}" value="${_IMAGE}"/>\n'
        f'  <Choices name="{_QUESTION}" toName="{_IMAGE}" choice="single">\n{choices}  </Choices>\n</View>\n',
    )


def _task(one: ExportedCase, draft: ExportDraft) -> dict[str, object]:
    address = f"/data/local-files/?d={quote(f'{draft.name}/{one.path}')}"
    data = {**one.case.metadata, **one.facts, **_decision(one), _IMAGE: address}
    task: dict[str, object] = {"data": data}
    if one.case.label:
        task["annotations"] = [{"result": [_result(one.case.label)]}]
    if guess := one.guess:
        prediction = {"model_version": draft.version, "score": round(guess[1], 6), "result": [_result(guess[0])]}
        task["predictions"] = [prediction]
    return task


def _decision(one: ExportedCase) -> dict[str, str]:
    if one.verdict is None:
        return {}
    told = {"decision": one.verdict.decision.action, "reasons": " ".join(one.verdict.decision.reasons)}
    return {**told, "prediction_set": ", ".join(one.verdict.prediction_set)}


def _result(label: str) -> dict[str, object]:
    return {"from_name": _QUESTION, "to_name": _IMAGE, "type": "choices", "value": {"choices": [label]}}


LABEL_STUDIO = ExportFormat(
    "tasks with labels and, if given, verdicts as predictions", _place, _write, takes_verdicts=True
)
