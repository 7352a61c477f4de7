"""Writes ``report.html`` into a run's folder: one pass over its rows, no more than a block of cards in memory."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from markupsafe import Markup

from doubleread.core.durable import replacing, told
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.gates import GateResult
from doubleread.evals.metrics.panel_worth import subjects_worth
from doubleread.evals.metrics.run_columns import RunColumns, read_columns
from doubleread.evals.metrics.spending_rows import ASKED_TWICE, SPENDING, spending_cells
from doubleread.evals.report._charts import Charts
from doubleread.evals.report._packs import Packs, block, packed
from doubleread.evals.report._report_facts import MARKS, facts, marked
from doubleread.evals.report._report_wording import agent_rows, lead, metric_headings, provenance_lines, tiles
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.evals.runs.run_record import RunRecord
from doubleread.evals.runs.subject_rows import read_subjects
from doubleread.render.html import environment, style_sheet, verdict_html
from doubleread.render.thumbnail import case_thumbnail

NAME = "report.html"
_COPY = 1 << 20
_SIDES = ((600, 192), (1500, 128))
"""Up to so many cases, pictures of that many pixels; 96 for more, so that the file stays small enough to send."""
_OVERCONFIDENT = 0.8
_SUBJECTS, _SUBJECT_SIDE = 48, 96
"""Subjects with a card, and the longer side of their pictures in pixels."""


def write_report(folder: Path, evaluation: Evaluation, *, gates: Sequence[GateResult] = ()) -> Path:
    """The report of the run in ``folder``, as ``report.html`` there; ``evaluation`` is what the run comes to.

    A picture that is not there any more is a placeholder. An earlier report is replaced when the new one is whole.
    Raises ``RunError`` where the folder holds no run or damaged rows.
    """
    run = read_record(folder)
    by = tuple(dict.fromkeys(one.column for one in evaluation.subgroups))
    with (
        told(folder / NAME, "the results of the run are kept"),
        TemporaryFile("w+", encoding="utf-8", dir=folder) as blocks,
    ):
        packs = Packs(blocks, _side(run.cases))
        columns = read_columns(packs.passing(read_rows(folder)), run.task, run.trust, by)
        with replacing(folder / NAME) as part, part.open("w", encoding="utf-8", errors="backslashreplace") as out:
            _compose(out, blocks, run, evaluation, columns, packs, gates, _subject_cards(folder))
    return folder / NAME


def _side(cases: int) -> int:
    return next((side for most, side in _SIDES if cases <= most), 96)


def _compose(
    out: TextIO,
    blocks: TextIO,
    run: RunRecord,
    evaluation: Evaluation,
    columns: RunColumns,
    packs: Packs,
    gates: Sequence[GateResult],
    subject_cards: Sequence[Markup],
) -> None:
    threshold = evaluation.panel.ocr_threshold if evaluation.panel else _OVERCONFIDENT
    marks = marked(columns, threshold)
    charts = Charts(evaluation, columns, marks)
    script = _text("report.js")
    counts = {key: int(flags.sum()) for key, flags in marks.items()} | {"unread": len(packs.unread)}
    template = environment("doubleread.evals.report").get_template("report.html")
    head = template.render(
        seen=set[str](),
        run=run,
        e=evaluation,
        lead=lead(evaluation),
        tiles=tiles(evaluation, counts),
        agents=agent_rows(run, evaluation),
        headings=metric_headings(),
        spending=[(name, spending_cells(one)) for name, one in evaluation.spending.items()],
        spending_headings=SPENDING,
        asked_twice=ASKED_TWICE,
        charts={name: Markup(svg) for name, svg in charts.all().items()},  # noqa: S704 - drawn by us, text escaped
        confusions=[Markup(svg) for svg in charts.agents_confusion()],  # noqa: S704
        chips=[(mark, mark.told.format(threshold=threshold), counts[mark.key]) for mark in MARKS if counts[mark.key]],
        columns=[name for name, values in columns.subgroups.items() if len(set(values)) > 1],
        provenance=provenance_lines(run, evaluation),
        gates=gates,
        subjects=None if evaluation.subjects is None else subjects_worth(evaluation.subjects),
        subject_cards=subject_cards,
        notes=run.notes,
        warnings=_warnings(run, evaluation),
        style=Markup(style_sheet() + _text("report.css")),  # noqa: S704 - our own files
        hash=Markup(_csp_hash(script)),  # noqa: S704 - base64
    )
    out.write(head)
    blocks.seek(0)
    while part := blocks.read(_COPY):
        out.write(part)
    out.write(block("facts", packed(facts(columns, packs, marks, run.task.names))))
    out.write(f"<script>{script}</script>\n</body>\n</html>\n")


def _subject_cards(folder: Path) -> list[Markup]:
    """Cards of the subjects with their pictures, wrong and referred ones first, as many as a report can carry."""

    def small(path: Path | None, case: str, *, side: int) -> str | None:
        return case_thumbnail(path, case, side=min(side, _SUBJECT_SIDE))

    found = [row.verdict for row in read_subjects(folder) if row.verdict is not None]
    found.sort(key=lambda one: (one.case.label in (None, one.decision.label), one.decision.action != "commit"))
    cards = [verdict_html(one, styled=False, pictures=small, glossary="") for one in found[:_SUBJECTS]]
    return [Markup(card) for card in cards]  # noqa: S704 - drawn by us, text escaped


def _warnings(run: RunRecord, evaluation: Evaluation) -> list[str]:
    """Every warning once; those of the trust profiles are among the panel's, with the agents' names."""
    profiles = (said for one in run.trust for said in one.warnings if not any(said in known for known in run.warnings))
    return list(dict.fromkeys((*evaluation.warnings, *run.warnings, *profiles)))


def _csp_hash(script: str) -> str:
    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return files("doubleread.evals.report").joinpath(name).read_text(encoding="utf-8")
