"""The verdict card: as text, as HTML, and with text in it that means no good."""

import io
from html.parser import HTMLParser

import pytest
from kit import case_of, evidence_for, opinion
from PIL import Image
from rich.console import Console

from doubleread.core.case import Case
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import AgentChange, Decision, SecondLook, Track, Verdict
from doubleread.core.verdict_wording import in_points
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.shown import ShownVerdict
from doubleread.render.terminal_card import verdict_card, verdict_details
from doubleread.render.thumbnail import thumbnail

EVIL = """[/red]<script>alert('1')</script>"><img src=x onerror=alert(2)> & ' [bold]"""


def change(agent, before, after):
    return AgentChange(agent=agent, before=before, after=after)


def verdict(text="plain", **fields):
    """A committed verdict after a second look; ``text`` stands wherever an agent or a file name speaks."""
    parts = {
        "case": case_of(text.replace("/", "∕")),
        "task": "leaves",
        "posterior": {"healthy": 0.05, "rust": 0.9, "scab": 0.05},
        "prediction_set": ("rust",),
        "coverage": 0.9,
        "decision": Decision(action="commit", label="rust", reasons=(text,), expected_cost=0.1),
        "track": Track(n=40, right=38, low=0.83, high=0.99),
        "influence": {"one": 0.12, "two": 0.04},
        "opinions": (
            opinion("one", 0.1, 0.8, 0.1),
            opinion("two", 0.1, 0.2, 0.7),
            opinion("one", 0.1, 0.8, 0.1, round=2).model_copy(update={"reason": text}),
            opinion("two", 0.1, 0.7, 0.2, round=2),
        ),
        "calibrated": {"one": {"healthy": 0.1, "rust": 0.85, "scab": 0.05}},
        "abstentions": (Abstention(agent="three", cause="failure", detail=text),),
        "evidence": evidence_for("rust"),
        "second_look": SecondLook(
            reasons=(text,),
            rounds=2,
            before={"healthy": 0.2, "rust": 0.5, "scab": 0.3},
            changes=(change("one", "rust", "rust"), change("two", "scab", "rust")),
        ),
        "warnings": (text,),
        "seconds": 0.25,
        "cost_usd": 0.0123,
    }
    return ShownVerdict.of(Verdict.model_validate({**parts, **fields}))


SILENT = {
    "posterior": {},
    "prediction_set": ("healthy", "rust", "scab"),
    "decision": Decision(action="refer", reasons=("no agent gave a usable answer",), expected_cost=0.2),
    "track": None,
    "influence": {},
    "opinions": (),
    "calibrated": {},
    "evidence": None,
    "second_look": None,
    "coverage": None,
}


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def words(html):
    return " ".join(" ".join(Elements(html).words).split())


def test_a_card_says_what_was_decided_and_why():
    text = words(verdict_html(verdict(), styled=False))
    for part in (
        "✓ rust, 90.0% sure",
        "right on 38 of 40 calibration images when about as sure (83–99%)",
        "prediction set at 90% (labels that cannot be ruled out): rust.",
        "influence 12 points",
        "scab → rust",
        "85.0% calibrated, 80.0% before calibration",
        "three no answer",
        "Most similar labelled images",
        "0.25 s · $0.0123",
    ):
        assert part in text


def test_figures_wait_behind_details_which_print_opens():
    first, _, details = verdict_html(verdict(), styled=False).partition("<details")
    for part in ("influence", "before calibration", "0.25 s", "rust 0.90"):
        assert part not in first
        assert part in details
    assert "::details-content" in style_sheet()


def test_a_card_brings_the_meanings_of_its_words_or_links_to_a_page():
    alone, linked = (verdict_html(verdict(), styled=False, glossary=page) for page in (None, "/words"))
    assert '<abbr class="dr-word" title="One reader of the image' in alone
    assert '<dl class="dr-words">' in alone
    assert '<a class="dr-word" href="/words#word-agent"' in linked
    assert "<dl class" not in linked.replace('<dl class="dr-bars">', "")
    assert linked.count("#word-agent") == 1


def test_a_card_of_a_referral_and_of_silence():
    referred = verdict(decision=Decision(action="refer", reasons=("unsure",), expected_cost=0.2))
    assert "⚑ Have a person look: probably rust, 90.0% sure" in words(verdict_html(referred, styled=False))
    text = words(verdict_html(verdict(**SILENT), styled=False))
    assert "Have a person look: no agent gave an answer" in text
    assert "% sure" not in text


def test_hostile_text_stays_text_in_a_card():
    html = verdict_html(verdict(EVIL))
    found = Elements(html)
    assert not {"script", "img", "a", "iframe"} & set(found.tags)
    assert not [key for key, _ in found.attributes if key.startswith("on")]
    assert all("javascript:" not in (value or "") for _, value in found.attributes)
    assert "<script" not in html
    assert sum(EVIL in word for word in found.words) >= 4


def test_the_style_sheet_comes_with_a_card_unless_the_page_has_it():
    shown = verdict()
    assert shown._repr_html_().startswith("<style>.dr-card")
    assert "<style" not in verdict_html(shown, styled=False)
    assert "url(" not in style_sheet()
    assert "@import" not in style_sheet()


@pytest.mark.parametrize("fields", [{}, SILENT, {"evidence": None}, {"second_look": None}, {"track": None}])
def test_print_gives_plain_text(fields):
    for text in (str(verdict(**fields)), verdict(**fields).details):
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= 100
    assert "case " in verdict(**fields).details


def test_hostile_text_stays_text_in_a_terminal():
    text = " ".join((str(verdict(EVIL)) + verdict(EVIL).details).split())
    assert "[bold]" in text
    assert "[/red]" in text


def test_labels_and_agents_are_text_too():
    named = verdict(
        posterior={"[/rust]": 0.9, "[dim]": 0.1},
        prediction_set=("[/rust]",),
        decision=Decision(action="commit", label="[/rust]", reasons=("so",)),
        opinions=(opinion("[red]one", 0.1, 0.8, 0.1).model_copy(update={"label": "[/rust]", "probabilities": {}}),),
        calibrated={},
        influence={"[red]one": 1.0},
        second_look=None,
    )
    for text in (str(named), rich(named)):
        assert "[/rust]" in text
        assert "[dim]" in text
    assert "[red]one" in named.details


def rich(verdict):
    out = io.StringIO()
    Console(file=out, width=100).print(verdict)
    return out.getvalue()


def test_rich_prints_the_same_card():
    assert rich(verdict()).strip() == str(verdict())


def test_a_shown_verdict_is_a_verdict():
    shown = verdict()
    assert Verdict.model_validate_json(shown.model_dump_json()).posterior == shown.posterior
    assert ShownVerdict.of(shown) == shown


def test_thumbnails_are_small_pictures_in_the_page(tmp_path):
    path = tmp_path / "big.png"
    Image.new("RGB", (800, 400), "teal").save(path)
    assert thumbnail(path, side=96).startswith("data:image/webp;base64,")
    assert len(thumbnail(path, side=96)) < 1000


def test_what_cannot_be_shown_has_no_thumbnail(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    bad = (None, tmp_path, tmp_path / "text.png", tmp_path / "none.png", tmp_path / ("x" * 400), tmp_path / "a\0b")
    assert [thumbnail(path, side=96) for path in bad] == [None] * len(bad)


def test_a_card_shows_the_image_and_its_neighbours(tmp_path):
    path = tmp_path / "leaf.png"
    Image.new("RGB", (80, 80), "teal").save(path)
    evidence = evidence_for("rust")
    case = Case.from_file(path)
    pictured = [n.model_copy(update={"path": path, "case_id": case.id}) for n in evidence.neighbours]
    replaced = evidence.neighbours[0].model_copy(update={"path": path})
    shown = verdict(case=case, evidence=evidence.model_copy(update={"neighbours": (*pictured, replaced)}))
    found = Elements(verdict_html(shown, styled=False))
    assert found.tags.count("img") == 1 + len(pictured)
    assert all(value.startswith("data:image/webp") for key, value in found.attributes if key == "src")


def test_nothing_in_a_card_steers_a_terminal():
    steering = "\x1b[2J\x9b31m\rgone\u202e"
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    console.print(verdict_card(verdict(steering)), verdict_details(verdict(steering)))
    assert not set("\x1b\x9b\r\u202e") & set(out.getvalue())
    assert out.getvalue().count("�[2J�31m gone�") >= 4


EMPTY = {"prediction_set": (), "p_values": {"healthy": 0.01, "rust": 0.08, "scab": 0.02}, "warnings": ()}


def test_an_empty_set_says_what_it_means_and_p_values_wait_behind_details():
    shown = verdict(**EMPTY)
    html = verdict_html(shown, styled=False)
    assert "no label fits this image well" in str(shown)
    for text in (" ".join(shown.details.split()), words(html)):
        assert "no label is in the prediction set at 90%" in text
        assert "at least 90% of each label's calibration images fit it better" in text
    assert "0.080" not in str(shown)
    before, details = html.split("<details")
    assert "0.080" not in before
    assert "rust 0.080, scab 0.020, healthy 0.010" in details


def test_influence_is_told_in_points_and_only_of_agents_that_count():
    assert [in_points(share) for share in (0, 0.004, 0.014, 0.126)] == [
        "0 points",
        "under 1 point",
        "1 point",
        "13 points",
    ]
    assert "12 points" in verdict().details
    assert "influence" not in verdict(influence={}, opinions=()).details


def test_a_commitment_shows_the_probability_of_the_label_it_commits_to():
    dear = verdict(decision=Decision(action="commit", label="scab", reasons=("costs",), expected_cost=0.1))
    assert "✓ treat it as scab (5.0%)" in words(verdict_html(dear, styled=False))
    assert "treat it as scab (5.0%)" in " ".join(str(dear).split())
