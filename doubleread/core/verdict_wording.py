"""Wording about verdicts that all outputs share: the first screen of a card, and phrases used below it.

A first screen is ``headline``, ``track_line``, ``why_line``, ``look_line``, ``todo_line`` and ``alerts``. It uses no
technical words but those of the glossary. After an alarm it shows no probability.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Track, Verdict

UNLIKE = "this image is unlike the calibration images: no probability and no track record applies to it"
NO_FIT = "no label fits this image well: it may show something else"
NO_COMMON_FIT = "no label fits these images together: they may show something else, or several subjects"
_NAMED = 3
"""Labels or agents that a line names; more are counted."""


# -- the first screen -------------------------------------------------------------------------------------------------


def title(verdict: Verdict) -> str:
    """What the verdict is about: the image's name, or the subject and its number of images."""
    if verdict.images == 1:
        return image_name(verdict)
    return f"{verdict.case.source} · {verdict.images} images"


def image_name(verdict: Verdict) -> str:
    """The name of the image's file, or the beginning of its id."""
    return Path(verdict.case.source).name or verdict.case.id[:12]


def headline(verdict: Verdict) -> str:
    """The verdict in a few words: ``rust, 99.8% sure``, or that a person should look."""
    several = verdict.images > 1
    if verdict.unfamiliar:
        what = "no image of it is like" if several else "this image is unlike"
        return f"Have a person look: {what} the calibration images"
    if verdict.label is None:
        return f"Have a person look: no {'image' if several else 'agent'} gave an answer"
    if verdict.decision.action == "commit":
        label = str(verdict.decision.label)
        if label == verdict.label:
            return f"{label}, {sure(verdict.posterior[label])}"
        rival = f"{verdict.label} ({verdict.confidence:.1%})"
        return f"treat it as {label} ({verdict.posterior[label]:.1%}): {rival} is likelier, but errors would cost more"
    likely = "probably" if verdict.confidence >= 0.5 else "perhaps"
    return f"Have a person look: {likely} {verdict.label}, {sure(verdict.confidence)}"


def sure(probability: float) -> str:
    """Formats a calibrated probability: ``99.8% sure``. Only a probability of 1 is 100%."""
    text = f"{probability:.1%}"
    return "over 99.9% sure" if text == "100.0%" and probability < 1 else f"{text} sure"


def track_line(verdict: Verdict) -> str:
    """How often the panel was right when it was about as sure; empty if not known, or if costs decided otherwise."""
    if verdict.track is None or verdict.decision.label not in (None, verdict.label):
        return ""
    track = verdict.track
    return f"right on {track.right} of {track.n} {_graded(verdict)} when about as sure ({_span(track)})"


def why_line(verdict: Verdict) -> str:
    """Who says the label, who does not, and what the most similar images are; empty if nobody gave an answer."""
    return "; ".join(_reasons(verdict))


def look_line(verdict: Verdict) -> str:
    """What the second look changed; empty without one and after an alarm."""
    look = verdict.second_look
    if look is None or verdict.unfamiliar or verdict.label is None:
        return ""
    if not look.before:
        return f"before it, no agent had given an answer; now {verdict.label}"
    label = max(look.before, key=lambda name: look.before[name])
    now = f"{verdict.label} ({verdict.confidence:.1%})"
    if label == verdict.label:
        return f"it confirmed {label} ({look.before[label]:.1%} before it)"
    return f"it changed the verdict from {label} ({look.before[label]:.1%}) to {now}"


def todo_line(verdict: Verdict) -> str:
    """What a person should do now."""
    if verdict.decision.action == "commit":
        return _accept(verdict)
    if verdict.unfamiliar:
        return "have a person look at it; do not rely on the panel here"
    return f"have a person look at it{_because(verdict)}"


def alerts(verdict: Verdict) -> tuple[str, ...]:
    """What is out of the ordinary: agents that gave no answer, no fitting label, and the verdict's warnings."""
    return tuple(_alerts(verdict))


def first_screen(verdict: Verdict) -> tuple[str, ...]:
    """All lines of the first screen but the bars, without empty ones."""
    lines = (headline(verdict), track_line(verdict), why_line(verdict), look_line(verdict), todo_line(verdict))
    return tuple(filter(None, (*lines, spared_line(verdict), *alerts(verdict))))


def spared_line(verdict: Verdict) -> str:
    """Which agents were not asked; empty if all were."""
    if not verdict.spared:
        return ""
    return f"not asked, because the answer would cost more than it helps: {', '.join(verdict.spared)}"


def _graded(verdict: Verdict) -> str:
    return "calibration images" if verdict.images == 1 else "calibration subjects"


def _reasons(verdict: Verdict) -> Iterator[str]:
    if verdict.images > 1:
        yield from _images_say(verdict)
        return
    if verdict.label is None:
        return
    if verdict.unfamiliar:
        yield f"it {looks_like(verdict)}, but nothing shows how often that is right for such images"
        return
    yield from _agents_say(verdict)
    yield from _similar_are(verdict)


def _images_say(verdict: Verdict) -> Iterator[str]:
    """How many images say the label, and which say another; images that do not count are among the alerts."""
    said = {image_name(shot): shot.label for shot in verdict.shots if shot.posterior and shot.label}
    if not said or verdict.label is None:
        return
    counted = f" of the {len(said)} that count" if len(said) < verdict.images else f" of {len(said)} images"
    same = sum(label == verdict.label for label in said.values())
    whole = {1: "the only image that counts", 2: "both images"}.get(len(said), f"all {len(said)} images")
    who = f"{whole}{' that count' if 1 < len(said) < verdict.images else ''}"
    verb = "says" if same == 1 else "say"
    yield f"{who} {verb} {verdict.label}" if same == len(said) else f"{same or 'none'}{counted} {verb} {verdict.label}"
    for label in dict.fromkeys(other for other in said.values() if other != verdict.label):
        names = [name for name, its in said.items() if its == label]
        yield f"{named(names)} {'says' if len(names) == 1 else 'say'} {label}"


def _agents_say(verdict: Verdict) -> Iterator[str]:
    said = {name: opinion.label for name, opinion in verdict.last_opinions.items()}
    same = sum(label == verdict.label for label in said.values())
    if not said:
        return
    answered = " that answered" if failed_agents(verdict) else ""
    if same == len(said):
        yield f"{_all(len(said), answered)} {verdict.label}"
    else:
        verb = "says" if same == 1 else "say"
        yield f"{same or 'none'} of {len(said)} agents{answered} {verb} {verdict.label}"
    others = Counter(label for label in said.values() if label != verdict.label)
    for label in others:
        names = [name for name, its in said.items() if its == label]
        yield f"{named(names)} {'says' if len(names) == 1 else 'say'} {label}"


def _all(n: int, answered: str) -> str:
    if n == 1:
        return f"the only agent{answered} says"
    return f"both agents{answered} say" if n == 2 else f"all {n} agents{answered} say"


def _similar_are(verdict: Verdict) -> Iterator[str]:
    cases = verdict.evidence.neighbours if verdict.evidence else ()
    same, n = sum(case.label == verdict.label for case in cases), len(cases)
    if n == 1:
        yield f"the most similar labelled image is {cases[0].label}"
    elif n and same == n:
        yield f"the {n} most similar labelled images are {verdict.label}"
    elif n:
        yield f"{same or 'none'} of the {n} most similar labelled images {'are' if same != 1 else 'is'} {verdict.label}"


def _accept(verdict: Verdict) -> str:
    if verdict.coverage is not None and not verdict.prediction_set:
        return "make sure that it shows what it should, then accept it"
    others = [label for label in verdict.prediction_set if label != verdict.decision.label]
    if verdict.coverage is None or not others:
        return "accept it"
    return f"accept it; {named(others)} cannot be ruled out"


def _because(verdict: Verdict) -> str:
    if verdict.label is None:
        return ""
    if verdict.coverage is not None and len(verdict.prediction_set) > 1:
        return f": {named(verdict.prediction_set)} cannot be ruled out"
    if failed_agents(verdict):
        return ": an answer is missing that could have changed the verdict"
    return ": an error may cost more than a look"


def _alerts(verdict: Verdict) -> Iterator[str]:
    for one in failed_agents(verdict):
        yield f"{one.agent} gave no answer: {one.detail or one.cause}"
    if verdict.coverage is not None and not verdict.prediction_set:
        yield NO_FIT if verdict.images == 1 else NO_COMMON_FIT
    yield from (one for one in other_warnings(verdict) if not _names_silence(one, verdict.silent))


def failed_agents(verdict: Verdict) -> list[Abstention]:
    """The agents that gave no answer on this image, but not those that never give one with this panel's encoder."""
    return [one for one in verdict.silent if one.cause != "no-text-encoder"]


def _names_silence(warning: str, silent: Sequence[Abstention]) -> bool:
    """Whether the warning only repeats which agents gave no answer."""
    return "gave no " in warning and any(one.agent in warning for one in silent)


# -- phrases ----------------------------------------------------------------------------------------------------------


def named(names: Sequence[str]) -> str:
    """Joins names: ``rust and scab``; of many, the first few and the number of others."""
    shown = list(names) if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} others"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""


def looks_like(verdict: Verdict) -> str:
    """Returns what an image that raised the alarm looks like, without numbers; empty if no agent gave an opinion."""
    return f"looks most like {verdict.label}" if verdict.label else ""


def in_points(influence: float) -> str:
    """Formats an influence, 0 to 1, in points: ``12 points``."""
    rounded = round(100 * influence)
    return "under 1 point" if not rounded and influence else f"{rounded} point{'' if rounded == 1 else 's'}"


def other_warnings(verdict: Verdict) -> tuple[str, ...]:
    """Returns the warnings that are not already reasons of the decision."""
    return tuple(warning for warning in verdict.warnings if warning not in verdict.decision.reasons)


def record_line(verdict: Verdict) -> str:
    """The track record with its interval, for the details; empty without one."""
    if verdict.track is None:
        return ""
    track = verdict.track
    return (
        f"right in {track.right} of {track.n} {_graded(verdict)} with a similar score (95% interval {track.low:.1%} to "
        f"{track.high:.1%})"
    )


def fitting_labels(verdict: Verdict) -> str:
    """Describes the prediction set and its coverage in a sentence; empty without guaranteed coverage."""
    if verdict.coverage is None:
        return ""
    level = f"{verdict.coverage:.0%}"
    if verdict.prediction_set:
        return f"prediction set at {level} (labels that cannot be ruled out): {', '.join(verdict.prediction_set)}"
    shows = "the image may show" if verdict.images == 1 else "the images may show"
    return (
        f"no label is in the prediction set at {level}: at least {level} of each label's {_graded(verdict)} fit it "
        f"better, so {shows} something else"
    )


def _span(track: Track) -> str:
    return f"{100 * track.low:.0f}–{track.high:.0%}"
