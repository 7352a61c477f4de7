"""The page of a run: figures, drawings and a few verdicts, as files that need nothing else."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.datasets import Dataset
from doubleread.evals.drawings import ReliabilityPanel, reliability_diagram, reliability_grid, risk_coverage_diagram
from doubleread.evals.measures.evaluation import Evaluation, ReaderFigures
from doubleread.render.html import style_sheet, verdict_html

SHOWN = 12


def page(
    dataset: Dataset, trust: Sequence[TrustProfile], found: Evaluation, results: Sequence[Verdict | Unread]
) -> dict[str, str]:
    """File name → contents: ``index.html`` and the drawings on it, each an SVG of its own too."""
    verdicts = [result for result in results if isinstance(result, Verdict)]
    p = found.judged
    drawings = {
        "reliability.svg": reliability_diagram(
            p.reliability,
            title="The panel on unseen images",
            ece=p.ece.value,
            floor=p.ece.floor,
            floor_high=p.ece.floor_high,
            n=p.n,
        ),
        "risk-coverage.svg": risk_coverage_diagram(
            {one.reader: (one.risk_coverage.coverage, one.risk_coverage.risk) for one in found.readers}, n=found.n
        ),
    }
    if found.agents:
        drawings["reliability-agents.svg"] = reliability_grid(
            [reliability_panel(a.reader, a) for a in found.agents],
            title="Each agent after calibration, on the same images",
        )
    template = Environment(
        loader=PackageLoader("doubleread.evals", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("page.html")
    html = template.render(
        dataset=dataset,
        trust=trust,
        unread=[result for result in results if isinstance(result, Unread)],
        e=found,
        drawings={name: Markup(svg) for name, svg in drawings.items()},  # noqa: S704 - drawn by us, text escaped
        style=Markup(style_sheet()),  # noqa: S704 - our own file
        cards=[Markup(verdict_html(v, styled=False)) for v in telling(verdicts)[:SHOWN]],  # noqa: S704 - autoescaped
    )
    return {"index.html": html, **drawings}


def reliability_panel(title: str, p: TrustProfile | ReaderFigures) -> ReliabilityPanel:
    """A reader as one reliability diagram."""
    return ReliabilityPanel(
        title=title, bins=p.reliability, ece=p.ece.value, floor=p.ece.floor, floor_high=p.ece.floor_high, n=p.n
    )


def telling(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts worth a look, kinds taking turns: second looks, plain commitments, referrals, wrong commitments."""
    kinds: list[list[Verdict]] = [
        [v for v in verdicts if _right(v) and v.second_look is not None],
        [v for v in verdicts if _right(v) and v.second_look is None],
        [v for v in verdicts if v.decision.action == "refer"],
        [v for v in verdicts if v.decision.action == "commit" and not _right(v)],
    ]
    picked: dict[str, Verdict] = {}
    for i in range(max(map(len, kinds), default=0)):
        for kind in kinds:
            if i < len(kind):
                picked.setdefault(kind[i].case.id, kind[i])
    return list(picked.values())


def _right(verdict: Verdict) -> bool:
    return verdict.decision.action == "commit" and verdict.decision.label == verdict.case.label
