"""A synthetic run: invented verdicts of every kind on invented pictures, as large as is wanted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from doubleread.core.case import Case, digest_of_file
from doubleread.core.evidence import Evidence, EvidenceQuality, Neighbour
from doubleread.core.opinion import Abstention, Opinion, Usage
from doubleread.core.task import Task
from doubleread.core.types import Vector
from doubleread.core.verdict import AgentChange, Decision, SecondLook, Track, Unfamiliarity, Unread, Verdict
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import RECORD, ROWS
from doubleread.evals.runs.run_record import RunRecord
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.trust.profile import profile

TASK = Task.of("leaves", ["black rot", "healthy", "powdery mildew", "rust", "scab"])
AGENTS = {"generalist": 1.5, "second reader": 1.0, "neighbours": 1.3, "texture": 0.8}
"""Agents and how well they see: the mean of the true label's advantage, in standard deviations."""
_SITES = ("orchard north", "orchard south", "greenhouse", "phone")
_ARCHIVE = 400
_DECEPTIVE = 0.08
"""Share of cases that look like a label drawn at random."""
_REASONS = (
    "Lesions near the midrib are irregular, with a purple edge.",
    "No halos are visible around the dark spots; the margin is out of focus.",
    "Concentric rings with a dry centre, the blade is even otherwise.",
    "A whitish film covers the veins; the light is uneven.",
)


def synthetic_run(folder: Path, cases: int, *, seed: int = 0) -> Path:
    """A run's folder of so many cases (at least 50) with its pictures; the same for the same seed."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    archive = [_neighbour(pictures, i, rng) for i in range(min(_ARCHIVE, cases))]
    with (folder / ROWS).open("w", encoding="utf-8") as out:
        out.writelines(row.line() + "\n" for row in _rows(pictures, cases, archive, rng))
    (folder / RECORD).write_text(_record(cases, seed, rng).model_dump_json(), encoding="utf-8")
    return folder


def _record(cases: int, seed: int, rng: np.random.Generator) -> RunRecord:
    y = rng.integers(0, len(TASK.names), 400)
    trust = []
    for name, skill in AGENTS.items():
        p = np.array([_distribution(int(label), skill, rng) for label in y])
        fitted = CALIBRATORS.get("none")().fit(p, y)
        trust.append(profile(name, TASK, p, y, calibrator=fitted, calibrated_P=p))
    return RunRecord(
        name="invented leaves",
        cases=cases,
        digest="0" * 64,
        panel="0" * 64,
        task=TASK,
        trust=tuple(trust),
        archive="0",
        settings={},
        provenance={},
        seed=seed,
        notes=("Pictures and verdicts are invented.",),
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _rows(pictures: Path, cases: int, archive: list[Neighbour], rng: np.random.Generator) -> Iterator[Row]:
    for i in range(cases):
        truth = int(rng.choice(len(TASK.names), p=(0.15, 0.35, 0.1, 0.2, 0.2)))
        path = _picture(pictures / f"{i:05}.jpg", truth, rng)
        case = Case(
            id=digest_of_file(path),
            path=path,
            source=f"{TASK.names[truth]}/{i:05}.jpg",
            label=TASK.names[truth],
            group=f"leaf {i // 3}",
            split="test",
            metadata={"site": _SITES[i % len(_SITES)]},
        )
        if i % 500 == 499:
            yield Row(index=i, case=case, unread=Unread(source=case.source, code="corrupt", problem="it is cut off"))
        else:
            looks_like = truth if rng.random() > _DECEPTIVE else int(rng.integers(len(TASK.names)))
            yield Row(index=i, case=case, verdict=_verdict(case, looks_like, archive, rng))


def _verdict(case: Case, seen: int, archive: list[Neighbour], rng: np.random.Generator) -> Verdict:
    hard = rng.random() < 0.2
    first = {name: _distribution(seen, skill * (0.3 if hard else 1), rng) for name, skill in AGENTS.items()}
    before = _pooled(list(first.values()))
    looked = before.max() < 0.75
    last = {n: _distribution(seen, AGENTS[n] * (0.7 if hard else 1.2), rng) for n in first} if looked else first
    after = _pooled([*first.values(), *last.values()]) if looked else before
    said, sure = TASK.names[int(after.argmax())], float(after.max())
    alarm = bool(rng.random() < 0.03)
    commit = sure > 0.6 and not alarm
    made = Verdict(
        case=case,
        task=TASK.id,
        posterior=_named(after),
        prediction_set=tuple(name for name, p in zip(TASK.names, after, strict=True) if p > 0.12) or (said,),
        coverage=0.9,
        decision=Decision(
            action="commit" if commit else "refer",
            label=said if commit else None,
            reasons=(f"{said} at {sure:.1%}: expected cost {1 - sure:.3f}, a referral costs 0.2",),
        ),
        track=Track(n=50, right=round(50 * sure), low=max(0, sure - 0.1), high=min(1, sure + 0.1)),
        familiarity=Unfamiliarity(score=float(rng.normal()), threshold=3.3, p_value=0.5, n=300, alarm=alarm),
        influence=dict(zip(AGENTS, (0.35, 0.2, 0.3, 0.15), strict=True)),
        opinions=tuple(_opinions(first, 1, rng)) + (tuple(_opinions(last, 2, rng)) if looked else ()),
        calibrated={name: _named(p) for name, p in last.items()},
        abstentions=(Abstention(agent="slow model", cause="timeout"),) if rng.random() < 0.05 else (),
        evidence=_evidence(said, archive, rng),
        second_look=_second_look(before, first, last) if looked else None,
        seconds=float(rng.lognormal(0.6 if looked else 0, 0.35)),
        cost_usd=float(rng.lognormal(-5 if looked else -6, 0.25)),
    )
    return _unlike(made) if alarm else made


def _unlike(verdict: Verdict) -> Verdict:
    """What the arbiter makes of it after an alarm."""
    reason = "unlike the calibration images: far from every stored case"
    return verdict.model_copy(
        update={
            "posterior": {},
            "leaning": verdict.posterior,
            "calibrated": {},
            "leanings": verdict.calibrated,
            "prediction_set": TASK.names,
            "coverage": None,
            "track": None,
            "decision": Decision(action="refer", reasons=(reason,)),
            "warnings": (reason,),
        }
    )


def _opinions(said: dict[str, Vector], turn: int, rng: np.random.Generator) -> Iterator[Opinion]:
    for name, p in said.items():
        reason = f"{_REASONS[rng.integers(len(_REASONS))]} I read this as {TASK.names[int(p.argmax())]}."
        opinion = Opinion.from_vector(name, TASK, p, "verbalized-distribution", round=turn, reason=reason)
        yield opinion.model_copy(update={"usage": Usage(input_tokens=900, output_tokens=80, calls=1, cost_usd=0.001)})


def _second_look(before: Vector, first: dict[str, Vector], last: dict[str, Vector]) -> SecondLook:
    changes = tuple(
        AgentChange(agent=n, before=TASK.names[int(p.argmax())], after=TASK.names[int(last[n].argmax())])
        for n, p in first.items()
    )
    return SecondLook(reasons=("the agents disagree",), rounds=2, before=_named(before), changes=changes)


def _evidence(said: str, archive: list[Neighbour], rng: np.random.Generator) -> Evidence:
    alike = [one for one in archive if one.label == said]
    drawn = [alike[i] for i in rng.choice(len(alike), 7, replace=False)] + [
        archive[i] for i in rng.choice(len(archive), 3)
    ]
    similar = sorted(rng.uniform(0.7, 0.95, 10), reverse=True)
    found = tuple(n.model_copy(update={"similarity": float(s)}) for n, s in zip(drawn, similar, strict=True))
    copies = (archive[0].model_copy(update={"similarity": 0.999}),) if rng.random() < 0.01 else ()
    quality = EvidenceQuality(similarity=float(similar[0]), agreement=0.7, margin=0.5)
    return Evidence(neighbours=found, quality=quality, near_copies=copies)


def _neighbour(pictures: Path, i: int, rng: np.random.Generator) -> Neighbour:
    label = i % len(TASK.names)
    path = _picture(pictures / f"archive-{i}.jpg", label, rng)
    return Neighbour(case_id=digest_of_file(path), label=TASK.names[label], similarity=0.9, source=path.name, path=path)


def _picture(path: Path, label: int, rng: np.random.Generator) -> Path:
    """A leaf on noise, spotted by its label."""
    back = rng.integers(150, 220, 3)
    pixels = np.clip(back + rng.normal(0, 14, (240, 240, 1)), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    green = int(rng.integers(80, 130))
    wide = int(rng.integers(45, 70))
    draw.ellipse((120 - wide, 20, 120 + wide, 220), fill=(40, green, 36), outline=(24, green - 30, 24), width=3)
    draw.line((120, 24, 120, 234), fill=(90, green + 40, 70), width=3)
    spot = ((60, 30, 30), None, (225, 228, 222), (214, 130, 30), (70, 62, 30))[label]
    for _ in range(int(rng.integers(6, 18)) if spot else 0):
        x, y, r = rng.uniform(120 - wide / 1.6, 120 + wide / 1.6), rng.uniform(50, 190), rng.uniform(4, 12)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=spot)
    image.save(path, quality=88)
    return path


def _distribution(truth: int, skill: float, rng: np.random.Generator) -> Vector:
    logits = rng.normal(0, 1, len(TASK.names)) * 1.6
    logits[truth] += 3.2 * skill
    p = np.exp(logits - logits.max())
    return np.asarray(p / p.sum(), float)


def _pooled(distributions: list[Vector]) -> Vector:
    p = np.exp(np.mean(np.log(distributions), axis=0) * 1.3)
    return np.asarray(p / p.sum(), float)


def _named(p: Vector) -> dict[str, float]:
    return {name: float(share) for name, share in zip(TASK.names, p, strict=True)}
