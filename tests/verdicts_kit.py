"""Verdicts and a panel that say what they are told."""

from kit import case_of, opinion

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention
from doubleread.core.task import Task
from doubleread.core.verdict import Decision, SecondLook, Verdict

AB = Task.of("ab", ["a", "b"])


def verdict(name, truth, p_a, *, agent=None, then=None, commit=True, sure=False, **fields):
    """A verdict of a panel that gives ``a`` the probability ``p_a``; its agent ``x`` said ``agent``, then ``then``."""
    label = "a" if p_a >= 0.5 else "b"
    said = [(1, agent), (2, then)]
    opinions = [opinion("x", p, 1 - p, task=AB, round=turn) for turn, p in said if p is not None]
    looked = SecondLook(reasons=("low margin",), rounds=2, before={"a": 0.5, "b": 0.5}) if then is not None else None
    return Verdict(
        case=case_of(name, label=truth),
        task="ab",
        posterior={"a": p_a, "b": 1 - p_a},
        prediction_set=(label,) if sure else ("a", "b"),
        coverage=0.9,
        decision=Decision(action="commit" if commit else "refer", label=label if commit else None, reasons=("so",)),
        influence={"x": 1.0},
        opinions=tuple(opinions),
        calibrated={"x": {"a": p_a, "b": 1 - p_a}} if opinions else {},
        abstentions=() if opinions else (Abstention(agent="x", cause="timeout"),),
        evidence=Evidence(neighbours=()),
        second_look=looked,
        seconds=0.5,
        **fields,
    )
