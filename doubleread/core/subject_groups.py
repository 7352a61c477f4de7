"""Subjects and groups: a subject, of which several images are taken, is never divided between groups."""

from collections.abc import Sequence

from doubleread.core.case import Case


def whole_groups(cases: Sequence[Case]) -> list[Case]:
    """Returns the cases with groups that hold whole subjects.

    A case without a group gets that of its subject's other cases, or else the subject itself as its group. Groups that
    share a subject become one, under the name of the first.
    """
    joined: dict[str, str] = {}

    def root(name: str) -> str:
        while joined.get(name, name) != name:
            name = joined[name]
        return name

    first: dict[str, str] = {}
    for case in cases:
        if case.subject is not None and case.group is not None:
            joined[root(case.group)] = root(first.setdefault(case.subject, case.group))

    def of(case: Case) -> str | None:
        if case.group is None and case.subject is not None:
            return root(first.get(case.subject, case.subject))
        return None if case.group is None else root(case.group)

    return [case if of(case) == case.group else case.model_copy(update={"group": of(case)}) for case in cases]
