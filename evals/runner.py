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
    missing = list({case.id: case for case in cases if case.id not in done}.values())
    known = len(cases) - len(missing)
    progress(known, len(cases))
    with file.open("a", encoding="utf-8") as out:
        for i, (case, result) in enumerate(zip(missing, panel.diagnose_many(missing), strict=True), start=1):
            kind = "verdict" if isinstance(result, Verdict) else "unread"
            out.write(json.dumps({"case": case.id, kind: result.model_dump(mode="json")}) + "\n")
            out.flush()
            done[case.id] = result
            progress(known + i, len(cases))
    return [_of(case, done[case.id]) for case in cases]


def _resume(file: Path, fitted: str) -> dict[str, Verdict | Unread]:
    """What the file holds of this panel; afterwards it ends with a whole line and is ready to be appended to."""
    head = json.dumps({"fitted": fitted}).encode()
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    kept = {line: row for line in lines[1:] if (row := _row(line))} if lines[:1] == [head] else {}
    draft = file.with_name(file.name + ".draft")
    draft.write_bytes(b"".join(line + b"\n" for line in (head, *kept)))
    draft.replace(file)  # at once: verdicts may have been paid for
    return dict(kept.values())


def _row(line: bytes) -> tuple[str, Verdict | Unread] | None:
    """Case id and result; None for a line that is damaged, whose case is then diagnosed again."""
    try:
        row = json.loads(line)
        verdict = Verdict.model_validate(row["verdict"]) if "verdict" in row else None
        return str(row["case"]), verdict or Unread.model_validate(row["unread"])
    except (ValueError, TypeError, KeyError):
        return None


def _of(case: Case, result: Verdict | Unread) -> Verdict | Unread:
    """The result with the case as it is known now: its file may have been moved since."""
    return result if isinstance(result, Unread) else result.model_copy(update={"case": case})
