"""doubleread's orchestration of the paper's recorded answers, held to its targets."""

import asyncio
from collections.abc import Iterator

from benchmarks.data import paper_folder
from benchmarks.figure import Figure
from doubleread.evals.reproduction.reproduction_report import (
    CASCADE,
    ONE_LOOK,
    OURS,
    PAPERS,
    RETRIEVAL_ALONE,
    reproduce_paper,
)
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning


def paper_replay() -> Iterator[Figure]:
    """Published figures that come out again; accuracy and log-loss with one look and with second looks."""
    found = asyncio.run(reproduce_paper(paper_folder(), learning=Learning(), policy=Policy()))
    yield Figure(
        name="paper, published figures that the record gives again",
        value=found.matching,
        n=len(found.rows),
        target=f"== {len(found.rows)}",
    )
    by_name = {score.name: score for score in found.scores}
    for name, accuracy, nll in ((ONE_LOOK, ">= 0.983", "<= 0.07"), (OURS, ">= 0.99", "<= 0.05")):
        score = by_name[name]
        again = f"; {score.looked_again:.0%} looked at again" if score.looked_again else ""
        yield Figure.of(f"paper, {name}: accuracy", score.accuracy, found.images, accuracy, f"bootstrap{again}")
        yield Figure.of(f"paper, {name}: NLL", score.nll, found.images, nll, "bootstrap")
        share = f"surest 90 %{again}"
        yield Figure(
            name=f"paper, {name}: accuracy at 90 %",
            value=score.accuracy_at_90,
            n=found.images,
            target=">= 0.993",
            note=share,
        )
    yield Figure(
        name=f"paper, {OURS}: looked again", value=by_name[OURS].looked_again, n=found.images, target="<= 0.12"
    )
    cascade = by_name[CASCADE]
    again = f"bootstrap; {cascade.looked_again:.0%} looked at again"
    yield Figure.of(f"paper, {CASCADE}: accuracy", cascade.accuracy, found.images, ">= 0.99", again)
    yield Figure.of(f"paper, {CASCADE}: NLL", cascade.nll, found.images, "<= 0.05", "bootstrap")
    yield Figure(name=f"paper, {CASCADE}: $ an image", value=cascade.cost_usd, n=found.images, target="<= 0.0007")
    by_rival = {difference.than: difference for difference in found.differences}
    better, alone = by_rival[PAPERS], by_rival[RETRIEVAL_ALONE]
    yield Figure.of("paper, accuracy above its orchestrator", better.accuracy, found.images, "> 0", "paired bootstrap")
    yield Figure.of("paper, accuracy above retrieval alone", alone.accuracy, found.images, "", "paired bootstrap")
    yield Figure(
        name="paper, accuracy above retrieval alone in the worst cross-fitting",
        value=alone.worst_repeat,
        n=found.images,
        target=">= 0",
    )
