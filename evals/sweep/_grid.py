"""The variants of ``--vary NAME=VALUE,VALUE --vary NAME``: every combination, after the panel as it is."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import NamedTuple

from doubleread.core.errors import DataError, UnknownPart
from doubleread.core.registry import Registry
from doubleread.evals.sweep._variant import Variant
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.fusion import FUSION_RULES
from doubleread.orchestrator.learning.choice import AUTO

MOST = 500
"""With more variants, chance decides which one looks best."""


class Dimension(NamedTuple):
    """One thing to vary: what it is, how a value is read, and the values that are taken where none is named."""

    about: str
    read: Callable[[str, Variant], object]
    usual: Callable[[Variant], Sequence[str]]


def variants_of(first: Variant, vary: Sequence[str], referees: Sequence[str] = ()) -> tuple[Variant, ...]:
    """``first`` and every combination of what is to vary; each ``NAME`` or ``NAME=VALUE,VALUE``.

    Raises ``UnknownPart`` for a name that cannot be varied and ``DataError`` for a value that cannot be. ``referees``
    heard the other agents, so that they cannot stay where one of those is left out.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers, variants_of
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> [one.name(recorded.first) for one in variants_of(recorded.first, ["max_risk=0.05,0.02"])]
        ['as it is', 'max_risk=0.05', 'max_risk=0.02']
    """
    if not vary:
        raise DataError(f"nothing to vary; name at least one of {', '.join(DIMENSIONS)}, such as max_share=0,0.1,0.3")
    axes: dict[str, list[object]] = {}
    for words in vary:
        name, _, values = words.partition("=")
        if name not in DIMENSIONS:
            raise UnknownPart("thing to vary", name, DIMENSIONS)
        dimension = DIMENSIONS[name]
        named = [value.strip() for value in values.split(",") if value.strip()] or dimension.usual(first)
        axes.setdefault(name, []).extend(dimension.read(value, first) for value in named)
    if "k" in axes and {"top", "local"} & set(axes):
        raise DataError(
            "k cannot be varied together with top or local: k is for a plain vote of the neighbours, top and local "
            "are for weighted ones"
        )
    if (count := prod(map(len, axes.values()))) > MOST:
        raise DataError(
            f"{count} variants are too many to tell a gain from chance; name fewer values (at most {MOST} variants)"
        )
    points = [dict(zip(axes, point, strict=True)) for point in product(*axes.values())]
    unique = tuple(dict.fromkeys([first, *(first.model_copy(update=point) for point in points)]))
    for one in unique:
        _check_referees(one, first, referees)
    return unique


def _check_referees(one: Variant, first: Variant, referees: Sequence[str]) -> None:
    gone = [name for name in first.agents if name not in one.agents and name not in referees]
    staying = [name for name in one.agents if name in referees]
    if gone and staying:
        raise DataError(
            f"{staying[0]} was given the answers of {', '.join(gone)}, and its answer without them was not recorded: "
            "leave "
            f"it out too, as in agents={''.join(f'-{name}' for name in (*gone, *staying))}"
        )


def _agents(value: str, first: Variant) -> tuple[str, ...]:
    """``all``, ``-texture`` (without it), ``-texture-logistic`` or ``discriminant+neighbours``."""
    if value == "all":
        return first.agents
    without = value.startswith("-")
    known = sorted(first.agents, key=len, reverse=True)
    named, rest = [], value if without else f"+{value}"
    mark = "-" if without else "+"
    while rest:
        name = next((n for n in known if rest == mark + n or rest.startswith((f"{mark}{n}{mark}",))), None)
        if name is None:
            raise UnknownPart("agent of this panel", rest.lstrip(mark), first.agents)
        named.append(name)
        rest = rest[len(mark + name) :]
    kept = tuple(name for name in first.agents if (name in named) is not without)
    if not kept:
        raise DataError(f"agents={value} leaves no agent in the panel")
    return kept


def _leave_one_out(first: Variant) -> list[str]:
    return ["all", *(f"-{name}" for name in first.agents if len(first.agents) > 1)]


def _number(name: str, low: float, high: float, value: str, first: Variant) -> float:
    del first
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise DataError(f"{name}={value} is not valid: give a number from {low:g} to {high:g}")
    return number


def _count(name: str, value: str, first: Variant) -> int:
    number = _number(name, 1, 1000, value, first)
    if number != int(number):
        raise DataError(f"{name}={value} is not valid: give a whole number")
    return int(number)


def _risk(value: str, first: Variant) -> float | None:
    return None if value == "none" else _number("max_risk", 0.001, 0.999, value, first)


def _part(registry: Registry, value: str, first: Variant) -> str:
    del first
    registry.check({value} - {AUTO})
    return value


def _plain(*values: str) -> Callable[[Variant], Sequence[str]]:
    return lambda _: values


DIMENSIONS: Mapping[str, Dimension] = {
    "agents": Dimension("the agents: all, -texture (without it), discriminant+neighbours", _agents, _leave_one_out),
    "rule": Dimension("the fusion rule", partial(_part, FUSION_RULES), lambda _: (AUTO, *FUSION_RULES.names())),
    "calibrator": Dimension("the calibrator", partial(_part, CALIBRATORS), lambda _: (AUTO, *CALIBRATORS.names())),
    "max_share": Dimension(
        "share of cases that may have a second look",
        partial(_number, "max_share", 0, 1),
        _plain("0", "0.05", "0.12", "0.3", "1"),
    ),
    "cascade": Dimension(
        "share of cases on which agents that cost money are called",
        partial(_number, "cascade", 0, 1),
        _plain("0.1", "0.3", "1"),
    ),
    "referral": Dimension(
        "cost of a referral; an ordinary error costs 1",
        partial(_number, "referral", 0, 1000),
        _plain("0.05", "0.1", "0.2", "0.4"),
    ),
    "max_risk": Dimension(
        "share of committed answers that may be wrong, or none", _risk, _plain("none", "0.05", "0.02")
    ),
    "k": Dimension(
        "number of nearest cases in a plain vote of the agent neighbours",
        partial(_count, "k"),
        _plain("1", "5", "10", "20"),
    ),
    "top": Dimension(
        "number of best cases of each label that the agent neighbours weighs",
        partial(_count, "top"),
        _plain("1", "5", "10"),
    ),
    "local": Dimension(
        "number of cases by which the agent neighbours corrects for hubs",
        partial(_count, "local"),
        _plain("5", "10", "20"),
    ),
}
