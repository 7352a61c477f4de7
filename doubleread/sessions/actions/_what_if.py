"""Shared by what-if actions: parses pairs of a name and a number, and compares verdicts."""

import re
from collections.abc import Iterator

from doubleread.core.verdict import Verdict
from doubleread.orchestrator.explanation.counterfactual import WhatIf
from doubleread.sessions.actions._facts import standing_line
from doubleread.sessions.names import Unclear

_PAIR = re.compile(r"\s*(?P<name>[^=]+?)\s*=\s*(?P<value>[^\s=;]+?(?:\s*%)?)(?:[,;]?\s+|;|$)")


def pairs(rest: str, line: str) -> Iterator[tuple[str, str]]:
    """Parses repeated NAME=NUMBER; ``line`` is the command's syntax. Raises ``Unclear``."""
    at = 0
    while at < len(rest) and (found := _PAIR.match(rest, at)):
        yield found["name"], found["value"]
        at = found.end()
    if at < len(rest) or not rest:
        raise Unclear(
            f"“{rest[at:]}” is not understood: write NAME=NUMBER" if rest else "which number should change?", (line,)
        )


def now_and_then(verdict: Verdict, then: WhatIf) -> Iterator[str]:
    """Describes the verdict as it is and as it would be."""
    yield f"now: {standing_line(verdict)}"
    yield f"then: {'another' if then.changes else 'the same'} verdict; {then.decision.reasons[0]}"
    if then.decision.action != "commit":
        yield f"a person would have to look at the image, probably {then.label}"
    yield from then.warnings
    yield "this is calculated, no agent was asked again; the prediction set is not valid there"
