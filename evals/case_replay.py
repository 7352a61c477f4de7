"""The graph's course over answers that are known already: for replays, sweeps and reproductions."""

from collections.abc import Mapping
from dataclasses import dataclass

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.orchestrator.course.arbiter import Arbiter, Assessment


@dataclass(frozen=True)
class Walked:
    """Where a case ended, and the answers that were asked for on its way."""

    assessment: Assessment
    asked: tuple[Answer, ...]
    looked_again: bool
    spared: tuple[str, ...]


def walk(
    arbiter: Arbiter, first: Mapping[str, Answer], second: Mapping[str, Answer], evidence: Evidence | None
) -> Walked:
    """What the graph would do, had each agent answered ``first``, and ``second`` when asked again.

    Decisions are the arbiter's own; only who is asked, and when, is repeated here.
    """
    again = {name: answer for name, answer in second.items() if answer.round > 1 and arbiter.looks_again(name)}
    first = {name: answer for name, answer in first.items() if name not in arbiter.left_out}
    spared = arbiter.spared({})
    heard = {name: answer for name, answer in first.items() if name not in spared}
    found = arbiter.assess(heard, heard, evidence, round_=1, can_ask_more=True, can_look_again=_any(again, heard))
    if found.decision.action == "ask-more":
        heard = dict(first)
        found = arbiter.assess(heard, heard, evidence, round_=1, can_look_again=_any(again, heard))
    if found.decision.action != "second-look":
        return Walked(found, tuple(heard.values()), looked_again=False, spared=arbiter.spared(heard))
    again = {name: answer for name, answer in again.items() if name in heard}
    found = arbiter.assess(heard, {**heard, **again}, evidence, round_=2, can_look_again=True)
    return Walked(found, (*heard.values(), *again.values()), looked_again=True, spared=arbiter.spared(heard))


def _any(again: Mapping[str, Answer], heard: Mapping[str, Answer]) -> bool:
    """Whether anyone who was heard can look again."""
    return any(name in heard for name in again)
