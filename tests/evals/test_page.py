"""The page of a run: one file that needs nothing else, and takes no text at its word."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from kit import case_of
from verdicts_kit import AB, verdict

from doubleread.core.task import Label, Task
from doubleread.core.verdict import Unread
from doubleread.evals.datasets import Dataset
from doubleread.evals.measures.evaluating import evaluate_verdicts
from doubleread.evals.page import page, telling
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.orchestrator.trust import profile

EVIL = """<script>alert('1')</script>"><img src=x onerror=alert(2)>&amp; ' " </svg></style>"""
VOID = {"meta", "img", "br", "link", "input", "hr"}


class WellFormed(HTMLParser):
    """Collects elements, attributes and text; complains about tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def hostile(v, name):
    """The same verdict about a file of that name, its agents talking markup."""
    said = tuple(o.model_copy(update={"reason": EVIL}) for o in v.opinions)
    return v.model_copy(
        update={
            "case": v.case.model_copy(update={"source": name}),
            "opinions": said,
            "abstentions": tuple(a.model_copy(update={"detail": EVIL}) for a in v.abstentions),
            "warnings": (EVIL,),
            "decision": v.decision.model_copy(update={"reasons": (EVIL,)}),
        }
    )


@pytest.fixture(scope="module")
def verdicts():
    plain = [
        verdict("1", "a", 0.9, agent=0.8, sure=True),
        verdict("2", "a", 0.8, agent=0.4, then=0.7),
        verdict("3", "b", 0.3, agent=0.2, sure=True),
        verdict("4", "b", 0.6, agent=0.3, then=0.6, commit=False),
        verdict("5", "b", 0.7, agent=0.6, then=0.7),
        verdict("6", "a", 0.6),
    ]
    return [hostile(v, f"{EVIL.replace('/', '∕')}-{i}.png") for i, v in enumerate(plain)]


@pytest.fixture(scope="module")
def files(verdicts):
    p, y = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]), np.array([0, 1, 1])
    trust = [profile("x", AB, p, y, calibrator=CALIBRATORS.get("none")().fit(p, y), calibrated_P=p)]
    dataset = Dataset(name=EVIL, task=AB, cases=(case_of("1", label="a"),), notes=(EVIL,))
    return page(dataset, trust, evaluate_verdicts(verdicts, AB, trust, name=EVIL), verdicts)


@pytest.fixture(scope="module")
def parsed(files):
    return WellFormed(files["index.html"])


def test_the_page_and_its_drawings(files):
    assert set(files) == {"index.html", "reliability.svg", "reliability-agents.svg", "risk-coverage.svg"}
    assert all(svg.startswith("<svg") for name, svg in files.items() if name.endswith(".svg"))
    assert all(svg in files["index.html"] for name, svg in files.items() if name.endswith(".svg"))


def test_the_page_loads_nothing(files, parsed):
    loads = [(key, value) for key, value in parsed.attributes if key in {"src", "href", "srcset", "data", "action"}]
    assert all(value.startswith(("data:", "#")) for _, value in loads)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(parsed.tags)
    assert not re.search(r"@import|url\((?!#|[\"']?data:)", files["index.html"])
    assert ("http-equiv", "Content-Security-Policy") in parsed.attributes


def test_hostile_text_is_text(files, parsed):
    assert "<script" not in files["index.html"]
    assert "img" not in parsed.tags  # no picture has a file here, so each would be an injected one
    assert not [key for key, _ in parsed.attributes if key.startswith("on")]
    assert sum(EVIL in word for word in parsed.words) >= 6  # as words it is all there
    assert any(EVIL.replace("/", "∕") in (value or "") for key, value in parsed.attributes if key == "aria-label")


def test_the_figures_are_on_it(parsed):
    text = " ".join(" ".join(parsed.words).split())
    assert "6 images the panel had never seen" in text
    assert "66.7 %" in text
    assert "3 of 6 images were read again" in text
    assert text.count("held-out") == 0
    assert parsed.tags.count("article") == 6


def test_a_page_without_second_looks_and_commitments():
    few = [verdict("1", "a", 0.6, agent=0.6, commit=False), verdict("2", "b", 0.6, agent=0.6, commit=False)]
    p, y = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1])
    trust = [profile("x", AB, p, y, calibrator=CALIBRATORS.get("none")().fit(p, y), calibrated_P=p)]
    dataset = Dataset(name="few", task=AB, cases=())
    html = page(dataset, trust, evaluate_verdicts(few, AB, trust, name="few"), few)["index.html"]
    assert "0 of 2 images were read again" in html
    WellFormed(html)


def test_images_that_could_not_be_read_are_named(files, verdicts):
    p, y = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1])
    trust = [profile("x", AB, p, y, calibrator=CALIBRATORS.get("none")().fit(p, y), calibrated_P=p)]
    unread = Unread(source=f"{EVIL}.png", code="empty", problem="the file has no bytes")
    data, found = Dataset(name="t", task=AB, cases=()), evaluate_verdicts(verdicts, AB, trust, name="t")
    parsed = WellFormed(page(data, trust, found, [*verdicts, unread])["index.html"])
    assert f"not read, left out of the figures: {EVIL}.png: the file has no bytes" in parsed.words
    assert "not read" not in files["index.html"]


def test_cards_say_whether_the_panel_was_right(parsed):
    text = " ".join(" ".join(parsed.words).split())
    assert text.count("true label: a ✓") == 3
    assert text.count("true label: b ✗") == 2


def test_kinds_of_verdicts_take_turns(verdicts):
    kinds = [(v.decision.action, v.second_look is not None, v.label == v.case.label) for v in telling(verdicts)]
    assert len(set(kinds[:4])) == 4
    assert len(kinds) == 6
    assert telling([]) == []


def test_labels_are_text_too():
    task = Task(id="t", labels=(Label(name=EVIL), Label(name="b")))
    p, y = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1])
    trust = [profile("x", task, p, y, calibrator=CALIBRATORS.get("none")().fit(p, y), calibrated_P=p)]
    base = verdict("1", "a", 0.9)
    evil = base.model_copy(
        update={
            "case": base.case.model_copy(update={"label": EVIL}),
            "posterior": {EVIL: 0.9, "b": 0.1},
            "prediction_set": (EVIL,),
            "decision": base.decision.model_copy(update={"label": EVIL}),
        }
    )
    files = page(
        Dataset(name="t", task=task, cases=()), trust, evaluate_verdicts([evil], task, trust, name="t"), [evil]
    )
    assert "reliability-agents.svg" not in files  # the agent never spoke
    parsed = WellFormed(files["index.html"])
    assert not {"script", "img"} & set(parsed.tags)
