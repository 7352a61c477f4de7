"""Shared by actions: the current image and its verdict, and number formats."""

from collections.abc import Iterable
from typing import NamedTuple

from doubleread.core.case import Case
from doubleread.core.opinion import Opinion
from doubleread.core.trust import Estimate, TrustProfile
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import UNLIKE, headline, looks_like
from doubleread.orchestrator.learning.arbitration import PANEL
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import Block, Reply, Text
from doubleread.sessions.standing import CaseSeen, Response, Standing


class SeenVerdict(NamedTuple):
    """The current image and its last verdict."""

    name: str
    case: Case
    verdict: Verdict


def current(standing: Standing) -> CaseSeen:
    """Returns the current image. Raises ``Unclear`` if there is none."""
    seen = standing.cases.get(standing.current or "")
    if seen is None:
        raise Unclear("there is no image in this session yet: add one first")
    return seen


def read(standing: Standing) -> SeenVerdict:
    """Returns the current image with its last verdict. Raises ``Unclear`` if it has none."""
    return seen_with_verdict(current(standing))


def seen_with_verdict(seen: CaseSeen) -> SeenVerdict:
    """Returns an image with its last verdict. Raises ``Unclear`` if it has none."""
    if not seen.verdicts:
        raise Unclear(f"there is no verdict on {seen.name} yet", ("/read-again",))
    return SeenVerdict(seen.name, seen.case, seen.verdicts[-1])


def spoken(standing: Standing) -> SeenVerdict:
    """Like ``read``, but raises ``Unclear`` if no agent gave an opinion; images with an alarm are allowed."""
    seen = read(standing)
    if not seen.verdict.posterior and not seen.verdict.unfamiliar:
        raise Unclear(f"no agent gave an answer on {seen.name}: there is nothing to explain", ("/who", "/read-again"))
    return seen


def opinions(verdict: Verdict) -> dict[str, Opinion]:
    """Returns the last opinion of each agent."""
    return {one.agent: one for one in sorted(verdict.opinions, key=lambda one: one.round)}


def profile(standing: Standing, agent: str = PANEL, round_: int = 1) -> TrustProfile | None:
    """Returns an agent's trust profile for a round."""
    return next((p for p in standing.panel.profiles if p.agent == agent and p.round == min(round_, 2)), None)


def said(lines: Iterable[str], *blocks: Block, suggestions: Iterable[str] = ()) -> Response:
    """Makes a reply from lines and blocks."""
    told = tuple(lines)
    text = (Text(lines=told),) if told else ()
    return Response(Reply(blocks=(*text, *blocks), suggestions=tuple(dict.fromkeys(suggestions))))


def unlike(seen: SeenVerdict, *lines: str, suggestions: Iterable[str] = ("/who", "/similar")) -> Response:
    """Replies to questions that need a probability, for an image that raised the alarm."""
    return said((f"{seen.name}: {UNLIKE}", *lines), suggestions=suggestions)


def percent(share: float) -> str:
    """Formats a share in per cent."""
    return f"{share:.1%}"


def interval(figure: Estimate) -> str:
    """Formats an estimate with its 95 % interval."""
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"


def sorted_shares(shares: dict[str, float]) -> dict[str, float]:
    """Sorts by share, largest first."""
    return dict(sorted(shares.items(), key=lambda one: -one[1]))


def standing_line(verdict: Verdict) -> str:
    """Describes the verdict in a sentence, as the cards do."""
    told = headline(verdict)
    return f"{told}; it {looks_like(verdict)}" if verdict.unfamiliar and verdict.label else told
