"""Diagnosing many cases into an append-only file: a verdict a line, resumed where it was stopped."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.verdict import Unread, Verdict
from doubleread.panel import Panel


def run(
    panel: Panel,
    cases: Sequence[Case],
    file: Path,
    *,
    fitted: str,
    progress: Callable[[int, int], None],
) -> list[Verdict | Unread]:
    """Verdicts on the cases, in their order; those already in ``file`` from the same fitted panel are not made again.

    ``fitted`` names the fitted panel (a digest); a file of another panel is begun anew. An ``Unread`` row is a result
    too. A torn last line, left by a kill, is cut off.
    """
    done = _resume(file, fitted)
    missing = [case for case in cases if case.id not in done]
    progress(len(cases) - len(missing), len(cases))
    with file.open("a", encoding="utf-8") as out:
        for i, (case, result) in enumerate(zip(missing, panel.diagnose_many(missing), strict=True), start=1):
            kind = "verdict" if isinstance(result, Verdict) else "unread"
            out.write(json.dumps({"case": case.id, kind: result.model_dump(mode="json")}) + "\n")
            out.flush()
            done[case.id] = result
            progress(len(cases) - len(missing) + i, len(cases))
    return [done[case.id] for case in cases]


def _resume(file: Path, fitted: str) -> dict[str, Verdict | Unread]:
    """What the file holds of this panel; afterwards it ends with a whole line and is ready to be appended to."""
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    if not lines or json.loads(lines[0]).get("fitted") != fitted:
        file.write_text(json.dumps({"fitted": fitted}) + "\n", encoding="utf-8")
        return {}
    file.write_bytes(b"\n".join(lines) + b"\n")
    rows = [json.loads(line) for line in lines[1:]]
    return {
        row["case"]: Verdict.model_validate(row["verdict"])
        if "verdict" in row
        else Unread.model_validate(row["unread"])
        for row in rows
    }
