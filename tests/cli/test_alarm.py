"""An image unlike the calibration images: no output shows a probability, a track record or a promise."""

import asyncio
import csv
import io
import json
import re
import shutil
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from kit import photo
from measures_kit import columns_of, rows_of
from panel_kit import edited
from rich.console import Console
from verdicts_kit import verdict

from doubleread.cli.cmd_compare_runs import _said
from doubleread.core.case import Case
from doubleread.core.verdict import Unfamiliarity, Verdict
from doubleread.evals.metrics.case_tables import CaseTable
from doubleread.evals.metrics.comparison import compare_runs
from doubleread.panel import Panel
from doubleread.render.shown import ShownVerdict
from doubleread.render.terminal_card import verdict_card
from doubleread.sessions._grounding import plain_text
from doubleread.sessions.engine import Sessions
from doubleread.sessions.standing import CaseSeen, Standing
from doubleread.sessions.talk import answer
from doubleread.web._view import View
from doubleread.web.pages import Lists, PanelFacts, session_page

UNLIKE = "this image is unlike the calibration images"
ANSWERS = (
    "/why", "/why-not blue", "/why-not LABEL", "/who", "/what-would-change", "/without AGENT", "/compare other.png",
    "/costs referral=0.9", "/prevalence blue=30%", "/where", "/images", "/correct blue", "/similar",
)  # fmt: skip
OUTPUTS = ("card in a terminal", "card in a notebook", "explanation", "markdown", "page", "web", "web while reading")
NUMBER = re.compile(r"\d[\s\u00a0]?%")
CLAIMS = ("with a similar score", "as sure of", "% sure", "calibrated", "coverage", "cannot be ruled out", "commits to")


@dataclass
class Strange:
    """A panel to which every image is unlike what it knows, and its verdicts on two."""

    folder: object
    panel: Panel
    standing: Standing
    verdict: Verdict

    @property
    def agent(self):
        """One that spoke."""
        return self.verdict.opinions[0].agent


@pytest.fixture(scope="module")
def strange(saved, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange")
    shutil.copytree(saved, folder / "panel")
    edited(folder / "panel", "arbiter.json", lambda arbiter: arbiter["familiarity"].update(alarm_rate=0.99))
    with Panel.load(folder / "panel", settings=settings) as panel:
        cases = [
            Case.from_file(photo(folder / name, hue, seed=707)) for name, hue in (("one.png", 2), ("other.png", 0))
        ]
        seen = {case.id: CaseSeen(case, case.path.name, (panel.diagnose(case),)) for case in cases}
        yield Strange(folder, panel, Standing(panel, seen, cases[0].id, {}), seen[cases[0].id].verdicts[0])


class _Visible(HTMLParser):
    """The words of a page that a person reads, without the glossary's meanings."""

    def __init__(self, html):
        super().__init__()
        self.words, self._hidden, self._glossary = [], False, False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._glossary |= ("class", "dr-words") in attrs
        self._hidden = self._glossary or tag in ("style", "script")

    def handle_endtag(self, tag):
        self._glossary &= tag != "dl"
        self._hidden = self._glossary

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)


def visible(html):
    return " ".join(" ".join(_Visible(html).words).split())


async def session_outputs(strange):
    """The documents and pages of a session in which the image was read and talked about."""
    sessions = Sessions(strange.panel, strange.folder / f"sessions-{id(object())}")
    try:
        info = await sessions.create("strange")
        case = await sessions.add(info.id, (strange.folder / "one.png").read_bytes(), "one.png")
        await sessions.read(info.id, case)
        async for event in sessions.follow(info.id):
            if event.kind == "waiting":
                break
        await sessions.say(info.id, "/why", case)
        async for event in sessions.follow(info.id):
            if event.kind == "reply":
                break
        events = await sessions.events(info.id)
        documents = {
            kind: (await sessions.export(info.id, kind, strange.folder / "out")).read_text()
            for kind in ("markdown", "html")
        }
    finally:
        await sessions.close()
    reading = [event for event in events if event.kind in ("image", "asked", "evidence", "answer")]
    return {
        "markdown": documents["markdown"],
        "page": visible(documents["html"]),
        "web": web_page(strange, info, events),
        "web while reading": web_page(strange, info, reading),
    }


def web_page(strange, info, events):
    view = View()
    for event in events:
        view.apply(event)
    return visible(session_page(PanelFacts.of(strange.panel), Lists((), ()), info, view).body.decode())


@pytest.fixture(scope="module")
def outputs(strange):
    verdict = strange.verdict
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(verdict_card(verdict))
    return {
        "card in a terminal": console.export_text(),
        "card in a notebook": visible(ShownVerdict.of(verdict)._repr_html_()),
        "explanation": "\n".join(strange.panel.explain(verdict).lines),
        **asyncio.run(session_outputs(strange)),
    }


def test_the_alarm_takes_away_everything_but_the_leaning(strange):
    verdict = strange.verdict
    assert verdict.unfamiliar
    assert verdict.leaning
    assert verdict.label in strange.panel.task.names
    assert (verdict.posterior, verdict.calibrated, verdict.track, verdict.coverage) == ({}, {}, None, None)
    assert (verdict.decision.action, verdict.confidence) == ("refer", 0)


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_output_shows_a_probability(outputs, strange, output):
    text = outputs[output]
    assert not NUMBER.findall(text)
    assert not [claim for claim in CLAIMS if claim in text]
    if output != "web while reading":
        assert UNLIKE in text
        assert f"looks most like {strange.verdict.label}" in text


@pytest.mark.parametrize("words", ANSWERS)
async def test_every_answer_begins_with_it(strange, words):
    said = words.replace("LABEL", strange.verdict.label).replace("AGENT", strange.agent)
    told = plain_text((await answer(said, strange.standing)).reply)
    assert not NUMBER.findall(told)
    assert not [claim for claim in CLAIMS if claim in told]
    if words not in ("/images", "/correct blue", "/similar"):
        assert UNLIKE in told.splitlines()[0]


async def test_an_agent_that_is_asked_about_has_a_record_that_does_not_apply(strange):
    told = plain_text((await answer(f"/who {strange.agent}", strange.standing)).reply).splitlines()
    assert told[0].startswith(UNLIKE)
    assert not NUMBER.findall(told[0])


def test_json_has_no_leaning_and_can_be_confirmed(strange, doubleread, offline, tmp_path):
    ended = doubleread("diagnose", strange.folder / "one.png", "--panel", strange.folder / "panel", "--json")
    data = json.loads(ended.out)
    assert not {"leaning", "leanings"} & set(data)
    assert not data["posterior"]
    assert not data["calibrated"]
    assert Verdict.model_validate(data).label is not None
    (tmp_path / "verdicts.jsonl").write_text(ended.out)
    own = shutil.copytree(strange.folder / "panel", tmp_path / "panel")
    confirmed = doubleread("trust", "confirm", tmp_path / "verdicts.jsonl", "--label", "blue", "--panel", own)
    assert confirmed.code == 0
    shown = doubleread("cases", "show", own / "store", data["case"]["id"], "--json")
    assert "unlike the calibration images" in shown.out


def test_the_events_of_chat_have_no_leaning(strange, doubleread, offline, tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_SESSIONS__FOLDER", str(tmp_path / "sessions"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ended = doubleread("chat", strange.folder / "one.png", "--panel", strange.folder / "panel", "--json")
    (verdict,) = [e["data"] for e in map(json.loads, ended.out.splitlines()) if e["kind"] == "verdict"]
    assert verdict["familiarity"]["alarm"]
    assert not {"leaning", "leanings"} & set(verdict)


def test_no_map_is_drawn_of_calibrated_probabilities(strange):
    found = strange.panel.attribute(strange.verdict)
    assert found.maps == ()
    assert strange.agent in found.without
    assert all(UNLIKE in line for line in found.lines)


def test_nothing_changes_at_other_costs(strange):
    then = strange.panel.what_if(strange.verdict, prevalence={"blue": 0.3})
    assert (then.posterior, then.decision.action, then.changes) == ({}, "refer", False)
    assert UNLIKE in then.warnings[0]


def test_rows_keep_the_leaning_and_tables_do_not(strange, tmp_path):
    rows = rows_of([strange.verdict])
    assert rows[0].of_line(rows[0].line()).verdict.leaning == strange.verdict.leaning
    CaseTable(strange.panel.task, strange.panel.agents, ()).write_csv(tmp_path / "cases.csv", rows)
    with (tmp_path / "cases.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["alarm"] == "true"
    empty = ("confidence", *(f"p:{name}" for name in strange.panel.task.names))
    assert [row[name] for name in empty] == [""] * len(empty)


def test_a_comparison_of_runs_names_labels_only():
    found = compare_runs(columns_of([alarmed("1", 0.96)]), columns_of([verdict("1", "b", 0.2)]), ("one", "two"))
    (changed,) = found.fixed
    assert (changed.first, changed.first_confidence) == ("a", None)
    assert changed.second_confidence == 0.8
    assert _said(changed.first, changed.first_confidence) == "a, unfamiliar"


def alarmed(name, p_a):
    """A verdict of ``verdicts_kit`` on an image that raised the alarm."""
    made = verdict(name, "b", p_a, agent=0.99, commit=False)
    nothing = {"posterior": {}, "calibrated": {}, "coverage": None, "leaning": made.posterior}
    unlike = Unfamiliarity(score=5, threshold=3, p_value=0.01, n=300, alarm=True, reason="far")
    return made.model_copy(update={**nothing, "leanings": made.calibrated, "familiarity": unlike})
