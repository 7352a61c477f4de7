"""How good a panel is, and how good its best agent alone: the first sentences of an evaluation."""

from collections.abc import Callable

from doubleread.core.trust import Estimate
from doubleread.evals.metrics.evaluation import Advantage, Evaluation, ReaderFigures, SubjectFigures
from doubleread.evals.metrics.left_out import reasons
from doubleread.orchestrator.metrics.case_metrics import ACCURACY, NLL
from doubleread.orchestrator.metrics.metric import Metric


def worth(e: Evaluation) -> str:
    """Accuracy and log-loss of the panel and of the agent that turned out best in each, with their paired difference.

    The best agent is known only afterwards, on these very cases: that favours the agent.
    """
    if e.panel is None:
        return f"The panel read {e.n:,} image{'' if e.n == 1 else 's'}; none has a true label, so it cannot be judged."
    said = _accuracy(e, e.panel)
    if not e.agents:
        return said
    shown = ACCURACY.display.value
    surest = max(e.agents, key=lambda one: (one.accuracy.value, -one.nll.value))
    kindest = min(e.agents, key=lambda one: one.nll.value)
    by_agent = {one.agent: one for one in e.advantages}
    return (
        f"{said} The agent that is best on these images ({_named(surest)}) was right on "
        f"{shown(surest.accuracy.value)}: {_difference(by_agent, surest, ACCURACY)}. "
        f"The log-loss (lower is better) is {e.panel.nll.value:.3f} for the panel and {kindest.nll.value:.3f} for the "
        f"agent with the lowest ({_named(kindest)}): {_difference(by_agent, kindest, NLL)}."
    )


def subjects_worth(found: SubjectFigures) -> str:
    """How good the verdicts on subjects are, in a few sentences."""
    shown, n = ACCURACY.display.value, f"{found.n:,} subjects with {found.images:,} images"
    among = f" in {found.clusters:,} groups" if found.clusters < found.n else ""
    said = f"One verdict a subject ({n}{among}): {found.committed:,} committed, {found.referred:,} referred"
    if found.committed_accuracy:
        said += f"; {shown(found.committed_accuracy.value)} of the committed right"
    if found.accuracy is None or found.nll is None:
        return f"{said}."
    judged = "all" if found.labelled == found.n else f"the {found.labelled:,} whose images have one true label"
    said += f"; right on {shown(found.accuracy.value)} of {judged} ({ACCURACY.display.interval(found.accuracy)})"
    if found.nll_gain is None:
        return f"{said}."
    gain = f"{NLL.display.change(found.nll_gain.value)}, 95 %: {NLL.display.interval(found.nll_gain, ' to ', '+')}"
    return f"{said}. The log-loss is {found.nll.value:.3f}; that of the single images is higher by {gain}."


def _accuracy(e: Evaluation, panel: ReaderFigures) -> str:
    low, high = (ACCURACY.display.number(end, digits=0) for end in (panel.accuracy.low, panel.accuracy.high))
    right, interval = ACCURACY.display.value(panel.accuracy.value), f"(95 % interval: {low}–{high} %)"
    if e.left_out:
        some = f"On {panel.n:,} of {e.asked_n:,} unseen images, the panel was right on {right} {interval}"
        return f"{some}; the others are left out: {reasons(e.left_out)}."
    groups = e.resampling.clusters
    among = f" in {groups:,} groups" if groups < e.n else ""
    return f"The panel was right on {right} of {panel.n:,} unseen image{'' if panel.n == 1 else 's'}{among} {interval}."


def _named(agent: ReaderFigures) -> str:
    return f"{agent.reader}, for the {agent.n:,} that it answered" if agent.abstained else agent.reader


def _difference(advantages: dict[str, Advantage], agent: ReaderFigures, metric: Metric) -> str:
    """Better, worse, or within chance, by the whole interval of the paired difference; above 0 the panel is better."""
    found = advantages.get(agent.reader)
    if found is None:
        return "they cannot be compared, because no image was answered by both"
    e: Estimate = getattr(found, metric.name)

    def shown(value: float) -> str:
        return metric.display.change(value, "points")

    if e.low > 0:
        return f"the panel is better by {shown(e.value)} ({_span(e.low, e.high, shown)})".replace("+", "")
    if e.high < 0:
        return f"the panel is worse by {shown(-e.value)} ({_span(-e.high, -e.low, shown)})".replace("+", "")
    return f"the difference may be chance ({_span(e.low, e.high, shown)})"


def _span(low: float, high: float, shown: Callable[[float], str]) -> str:
    return f"95 %: {shown(low).removesuffix(' points')} to {shown(high)}"


def benefit(e: Estimate) -> str:
    """How much the log-loss rises without an agent: ``+0.012 (-0.003 to +0.020)``."""
    return f"{NLL.display.change(e.value)} ({NLL.display.interval(e, ' to ', '+')})"
