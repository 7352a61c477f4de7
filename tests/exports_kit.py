"""Cases that are hard to export."""

from pathlib import Path

from evals_support import picture

from doubleread.core.case import Case

LABELS = ("rust", "Rust", "HER2+/HER2-", "a: b?", "CON", "健康", "..", "Fäule", "train")


def made(root: Path, n=2, *, splits=("support", "calibration", "test")):
    """Cases of difficult labels whose files all have one of a few names, with group, subject, split and metadata."""
    cases = []
    for k, label in enumerate(LABELS):
        for i in range(n * max(1, len(splits))):
            name = ("leaf.PNG", "leaf.jpg", "b c.v1.png")[i % 3]
            path = picture(root / str(k) / str(i) / "x.png", 100 * k + i)
            path = path.rename(path.with_name(name))
            facts = {"group": f"g{k}", "subject": f"s{k}-{i}", "metadata": {"site": f"field, {i}"}}
            split = splits[i % len(splits)] if splits else None
            cases.append(Case.from_file(path, source=f"{k}/{i}/{name}", label=label, split=split, **facts))
    return cases


def known(cases, *names):
    return {case.id: tuple(getattr(case, name) for name in names) for case in cases}
