"""The report of a run as a file: what is in it, that it needs nothing else, and that text in it stays text."""

import gzip
import json
import re
from base64 import b64decode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from PIL import Image
from reports_kit import EVIL, hostile, report_of, rows_of, words_of, write_run
from verdicts_kit import verdict

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.task import Label, Task
from doubleread.core.verdict import Unread
from doubleread.evals.metrics.gates import parse_gate
from doubleread.evals.report._packs import CARDS_A_BLOCK
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import RECORD, ROWS

SCRIPTED = 2  # the facts' and the page's own


RESULTS = (
    verdict("1", "a", 0.9, agent=0.8, sure=True),
    verdict("2", "a", 0.8, agent=0.4, then=0.7),
    verdict("3", "b", 0.3, agent=0.2, sure=True),
    verdict("4", "b", 0.6, agent=0.3, then=0.6, commit=False),
    verdict("5", "b", 0.9, agent=0.6, then=0.7, sure=True),
    verdict("6", None, 0.6),
    Unread(source="7.jpg", code="empty", problem="the file has no bytes"),
)


class Page(HTMLParser):
    """Elements, attributes and words of a report, and what its blocks hold."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words, self.data = [], [], [], {}
        self._block = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._block = dict(attrs).get("id") if tag == "script" else None

    def handle_endtag(self, tag):
        self._block = None

    def handle_data(self, data):
        if self._block:
            self.data[self._block] = data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def unpacked(self, id):
        return json.loads(gzip.decompress(b64decode(self.data[id])))


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("run"), rows_of(RESULTS), notes=("grouped by leaf",))
    gates = (parse_gate("accuracy=0.9", "at least"), parse_gate("total-cost=1", "at most"))
    return report_of(folder, gates).read_text()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_summary_says_what_came_of_the_run(page):
    for words in (
        "On 5 of 7 unseen images, the panel was right on 60.0 % (95 % interval: ",
        "the others are left out: 1 has no true label and 1 could not be read.",
        "The agent that is best on these images (x) was right on 60.0 %: the difference may be chance",
        "The panel referred 1 of 6 cases to a person, and was right on 75.0 % of the 4 others whose label it knows.",
        "✗ missed accuracy",
        "✓ passed total-cost",
        "grouped by leaf",
        "! 1 case could not be read: empty (1)",
        "3 cases: 0 helped, 0 harmed",
        "2 January 2026",
    ):
        assert words in page.text


def test_words_of_the_glossary_are_explained_on_the_page(html):
    assert {"word-agent", "word-ece", "word-decision", "word-influence", "word-log-loss"} <= words_of(html)


def test_facts_of_each_case(page):
    facts = page.unpacked("facts")
    assert facts["names"] == ["1", "2", "3", "4", "5", "6", "7.jpg"]
    assert facts["labels"] == ["a", "b"]
    assert facts["readers"] == ["panel", "x"]
    assert facts["truth"] == [0, 0, 1, 1, 1, -1, -1]
    assert facts["said"] == [[0, 0, 1, 0, 0, 0, -1], [0, 1, 1, 1, 0, -1, -1]]
    assert facts["sure"][0] == [0.9, 0.8, 0.7, 0.6, 0.9, 0.6, -1]
    assert facts["chance"] == [0.9, 0.8, 0.7, 0.4, 0.1, -1, -1]
    marked = {
        mark: [i for i, bits in enumerate(facts["bits"]) if bits >> b & 1] for b, mark in enumerate(facts["marks"])
    }
    assert marked == {
        "wrong": [3, 4],
        "sure": [4],
        "slipped": [4],
        "referred": [3],
        "disagree": [],
        "looked": [1, 3, 4],
        "helped": [],
        "harmed": [],
        "unfamiliar": [],
        "leaked": [],
        "outside": [4],
        "silent": [5],
        "unlabelled": [5],
        "unread": [6],
        "right": [0, 1, 2],
        "committed": [0, 1, 2, 4, 5],
    }


def test_every_case_has_its_card(page):
    facts, cards = page.unpacked("facts"), page.unpacked("cards-0")["cards"]
    assert [name in cards[card] for name, card in zip(facts["names"], facts["cards"], strict=True)] == [True] * 7
    assert "the file has no bytes" in cards[6]
    assert all(card.startswith("<article") and "<style" not in card for card in cards)


def test_the_file_needs_nothing_else(html, page):
    loads = [(key, value) for key, value in page.attributes if key in {"src", "href", "srcset", "data", "action"}]
    assert all(value.startswith("#") for _, value in loads)
    assert not {"iframe", "object", "embed", "link", "base", "form"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", html)
    assert not [key for key, _ in page.attributes if key.startswith("on")]


def test_only_the_page_s_own_script_may_run(html):
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    allowed = b64decode(re.search(r"script-src &#39;sha256-([^&]*)&#39;|script-src 'sha256-([^']*)'", policy)[2])
    assert allowed == sha256(script[0].encode()).digest()
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_hostile_text_stays_text(tmp_path):
    task = Task(id=EVIL, labels=(Label(name=EVIL), Label(name="b")))
    evil = [hostile(EVIL.replace("/", "∕")), hostile("2")]
    folder = write_run(tmp_path / "run", rows_of(evil), task, agent=EVIL, name=EVIL, notes=(EVIL,))
    html = report_of(folder, by=("site",)).read_text()
    page = Page(html)
    assert html.count("<script") == SCRIPTED + 1  # one block of cards
    assert not {"img", "iframe"} & set(page.tags)
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert sum(EVIL in word for word in page.words) >= 5
    card = Page(page.unpacked("cards-0")["cards"][0])
    assert not {"script", "img"} & set(card.tags)
    assert sum(EVIL in word for word in card.words) >= 4


def test_pictures_are_there_once_and_lost_ones_are_placeholders(tmp_path):
    leaf, stored = tmp_path / "leaf.png", tmp_path / "stored.png"
    Image.new("RGB", (300, 200), "teal").save(leaf)
    Image.new("RGB", (300, 200), "olive").save(stored)
    named = Neighbour(case_id=Case.from_file(stored).id, label="a", similarity=0.9, path=stored)
    near = Evidence(neighbours=(named, named, named.model_copy(update={"case_id": "c"})))
    there = verdict("there", "a", 0.9, agent=0.8)
    lost = verdict("lost", "b", 0.9, agent=0.8)
    shown = [
        there.model_copy(update={"evidence": near, "case": Case.from_file(leaf)}),
        lost.model_copy(
            update={"evidence": near, "case": lost.case.model_copy(update={"path": tmp_path / "gone.png"})}
        ),
    ]
    page = Page(report_of(write_run(tmp_path / "run", rows_of(shown))).read_text())
    facts, cards = page.unpacked("facts"), page.unpacked("cards-0")["cards"]
    pictures = page.data["pictures-0"].split("\n")
    assert facts["pictures"] == [0, -1]
    assert len(pictures) == 2
    assert all(picture.startswith("data:image/webp;base64,") for picture in pictures)
    assert cards[0].count("#picture-0") == 1
    assert cards[1].count("#picture-1") == 2
    assert "the picture is not there any more" in cards[1]


def test_cards_are_written_block_by_block(tmp_path):
    many = [verdict(str(i), "ab"[i % 2], 0.6, agent=0.6) for i in range(2 * CARDS_A_BLOCK + 1)]
    page = Page(report_of(write_run(tmp_path / "run", rows_of(many))).read_text())
    assert [len(page.unpacked(f"cards-{i}")["cards"]) for i in range(3)] == [CARDS_A_BLOCK, CARDS_A_BLOCK, 1]
    assert "cards-3" not in page.data
    assert page.unpacked("facts")["cards"] == list(range(2 * CARDS_A_BLOCK + 1))


def test_the_last_row_of_a_case_is_the_one_shown(tmp_path):
    first, *rest = rows_of(RESULTS)
    again = Row(index=6, case=rest[-1].case, verdict=verdict("7.jpg", "b", 0.2, agent=0.2))
    page = Page(report_of(write_run(tmp_path / "run", [first, *rest, again])).read_text())
    assert len(page.unpacked("facts")["names"]) == 7
    assert "no bytes" not in page.text


def test_a_report_replaces_the_earlier_one_and_leaves_nothing_else(tmp_path):
    folder = write_run(tmp_path / "run", rows_of(RESULTS))
    (folder / "report.html").write_text("earlier")
    assert report_of(folder) == folder / "report.html"
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert {file.name for file in folder.iterdir()} == {RECORD, ROWS, "report.html"}


def test_a_run_without_true_labels_has_a_report_too(tmp_path):
    unknown = [verdict(str(i), None, 0.7, agent=0.6) for i in range(3)]
    page = Page(report_of(write_run(tmp_path / "run", rows_of(unknown))).read_text())
    assert "The panel read 3 images; none has a true label, so it cannot be judged." in page.text
    assert "first answers after calibration" not in page.text


def test_a_picture_that_a_run_holds_twice_is_two_cases(tmp_path):
    twice = [verdict("same", "a", p, agent=p) for p in (0.9, 0.2)]
    facts = Page(report_of(write_run(tmp_path / "run", rows_of(twice))).read_text()).unpacked("facts")
    assert len(set(facts["ids"])) == 2
