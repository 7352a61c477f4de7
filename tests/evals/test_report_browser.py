"""The report as people use it, in a real browser: charts that lead to cases, keys, the address, light and dark."""

import re

import pytest
from reports_kit import EVIL, hostile, report_of, rows_of, write_run
from verdicts_kit import verdict

from benchmarks.synthetic_run import synthetic_run
from doubleread.core.task import Label, Task
from doubleread.evals.runs.run_folder import read_rows

pytestmark = pytest.mark.integration

READY = "document.documentElement.dataset.ready"
COUNT = "document.getElementById('count').textContent"
OPEN = "document.getElementById('case').open"
CASES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic_run(tmp_path_factory.mktemp("run"), CASES)


@pytest.fixture(scope="module")
def report(folder):
    return report_of(folder, by=("site",))


@pytest.fixture(scope="module")
def shared(browser):
    page = browser.page()
    yield page
    page.close()


@pytest.fixture
def page(shared, report):
    """The report, just opened; whatever a test does must not upset it or make it ask for anything."""
    shared.scheme()
    load(shared, report)
    yield shared
    assert shared.errors == []
    assert shared.requests == []


def load(browser, file, fragment=""):
    browser.errors.clear()
    browser.open(file, fragment)
    browser.until(READY)


def shown(browser):
    """How many cases the gallery says it shows."""
    return int(re.match(r"\d+", browser.run(COUNT))[0])


def go(browser, fragment):
    """Follows a link of the page; the gallery has followed when the event of the new address has been heard."""
    if browser.run("location.hash") != fragment:
        heard = "addEventListener('hashchange', () => setTimeout(done), { once: true })"
        browser.run(f"new Promise(done => {{ {heard}; location.hash = {fragment!r}; }})")


def verdicts_of(folder):
    return [row.verdict for row in read_rows(folder) if row.verdict is not None]


def test_it_opens_on_every_case_worst_first(page, folder):
    assert page.run(COUNT) == f"{CASES} cases"
    chances = [v.scores[v.case.label] for v in verdicts_of(folder)]
    worst = sorted(zip(chances, verdicts_of(folder), strict=True), key=lambda pair: pair[0])[0][1]
    assert page.run("document.querySelector('.one-case').title") == worst.case.source


def test_marks_filter_and_add_up(page, folder):
    looked = [v for v in verdicts_of(folder) if v.second_look]
    page.run("document.querySelector('[data-mark=looked]').click()")
    assert shown(page) == len(looked)
    page.run("document.querySelector('[data-mark=referred]').click()")
    assert shown(page) == sum(v.decision.action == "refer" for v in looked)
    assert page.run("location.hash") == "#show=looked%2Creferred"
    page.run("document.getElementById('clear').click()")
    assert shown(page) == CASES


def test_every_mark_of_a_chart_leads_to_as_many_cases_as_it_says(page):
    """Confusion cells, reliability bins, bars of histograms, bands of the second look."""
    links = page.run("[...document.querySelectorAll('.dr-plot a')].map(a => [a.getAttribute('href'), a.ariaLabel])")
    says = (r"^(\d+) of \d+ cases that are", r"\d+ of (\d+) right = ", r": (\d+) cases$", r"^(?:right|wrong).*: (\d+)$")
    checked = dict.fromkeys(says, 0)
    for href, label in links:
        found = next(((pattern, re.search(pattern, label)) for pattern in says if re.search(pattern, label)), None)
        if found:
            go(page, href)
            assert shown(page) == int(found[1][1]), (href, label)
            checked[found[0]] += 1
    assert all(n >= 3 for n in checked.values()), checked


def test_a_point_of_risk_and_coverage_leads_to_what_was_wrong_up_to_there(page):
    links = page.run("[...document.querySelectorAll('.dr-plot a[href*=\"show=wrong&by=panel\"]')].map("
                     "a => [a.getAttribute('href'), a.ariaLabel])")  # fmt: skip
    assert len(links) == 7
    for href, label in links:
        wrong, of = map(float, re.search(r"([\d.]+) % wrong among the (\d+) %", label).groups())
        go(page, href)
        assert shown(page) == pytest.approx(wrong / 100 * of / 100 * CASES, abs=0.7)


def test_an_agent_s_errors_and_a_group(page, folder):
    go(page, "#missed=texture")
    said = {v.case.id: next(o for o in v.opinions if o.agent == "texture") for v in verdicts_of(folder)}
    wrong = [v for v in verdicts_of(folder) if said[v.case.id].label != v.case.label]
    assert shown(page) == len(wrong)
    go(page, "#missed=texture&column=site&value=phone")
    assert shown(page) == sum(v.case.metadata["site"] == "phone" for v in wrong)
    assert page.run("document.querySelector('[data-column=site]').selectedOptions[0].text") == "phone"


def test_slash_searches_names_and_what_agents_said(page, folder):
    page.press("/")
    assert page.run("document.activeElement.id") == "q"
    for letter in "halos":
        page.press(letter)
    said = sum(any("halos" in o.reason for o in v.opinions) for v in verdicts_of(folder))
    page.until(f"{COUNT} === '{said} of {CASES} cases'")
    assert page.run("location.hash") == "#q=halos"
    page.press("Escape")
    page.press("Escape")
    assert shown(page) == CASES


def test_keys_open_step_and_close(page):
    page.press("j")
    page.press("j")
    second = page.run("document.activeElement.title")
    page.press("Enter")
    page.until(OPEN)
    place = "document.getElementById('case-place').textContent"
    assert page.run(place) == f"2 of {CASES} · {second}"
    assert page.run("document.querySelector('#card .dr-name').textContent") == second.split("/")[1]
    assert page.run("document.querySelector('#card img').src.startsWith('data:image/webp')")
    page.press("j")
    page.until(f"{place}.startsWith('3 of')")
    page.press("k")
    page.press("k")
    page.until(f"{place}.startsWith('1 of')")
    page.press("Escape")
    page.until(f"!{OPEN}")
    page.until("document.activeElement.dataset.place === '0'")
    page.press("?")
    assert page.run("document.getElementById('help').open")


def test_a_card_holds_opinions_influence_neighbours_and_the_second_look(page, folder):
    looked = next(v for v in verdicts_of(folder) if v.second_look)
    go(page, f"#case={looked.case.id[:12]}")
    page.until(OPEN)
    page.run("document.querySelectorAll('#card details').forEach((one) => { one.open = true; })")
    text = page.run("document.getElementById('card').innerText")
    assert "Second look, because: the agents disagree" in text
    assert all(o.reason in text for o in looked.opinions if o.round == 2)
    assert len(re.findall(r"influence (under )?\d+ points?", text)) == 4
    pictures = page.run("[...document.querySelectorAll('#card .dr-cases img')].map(i => i.naturalWidth)")
    assert len(pictures) >= 6
    assert all(width == 96 for width in pictures)


def test_a_word_leads_to_its_meaning(page):
    page.run("""document.querySelector('a.dr-word[href="#word-ece"]').click()""")
    page.until("document.getElementById('words').open && location.hash === '#word-ece'")
    assert page.run(COUNT) == f"{CASES} cases"


def test_of_an_image_unlike_the_others_no_confidence_is_shown(page, folder):
    strange = [v for v in verdicts_of(folder) if v.unfamiliar]
    assert strange
    assert page.run("document.querySelectorAll('.one-case .share').length") > 0
    go(page, "#show=unfamiliar")
    assert shown(page) == len(strange)
    assert page.run("document.querySelectorAll('.one-case .share').length") == 0
    go(page, f"#case={strange[0].case.id[:12]}")
    page.until(OPEN)
    text = page.run("document.getElementById('card').innerText")
    assert "Have a person look: this image is unlike the calibration images" in text
    assert "%" not in text


def test_the_address_is_the_view(page, report):
    page.run("document.querySelector('[data-mark=wrong]').click()")
    page.run("document.getElementById('as-table').click()")
    view, count = page.run("location.hash"), page.run(COUNT)
    page.run("document.querySelector('.line').click()")
    page.until(OPEN)
    case = page.run("location.hash")
    load(page, report, case)
    page.until(OPEN)
    assert page.run(COUNT) == count
    page.press("Escape")
    page.until(f"location.hash === {view!r}")
    assert page.run("document.querySelectorAll('#lines tr').length") == shown(page)
    page.run("history.back()")
    page.until(OPEN)


def test_more_cases_come_as_one_scrolls(page):
    first = page.run("document.querySelectorAll('.one-case').length")
    assert first < CASES
    page.run("document.getElementById('end').scrollIntoView()")
    page.until(f"document.querySelectorAll('.one-case').length === {CASES}")


def test_dark_follows_the_system_and_the_button(page, report):
    paper = "getComputedStyle(document.body).backgroundColor"
    card = "getComputedStyle(document.querySelector('.dr-plot .dr-paper')).fill"
    light = page.run(paper), page.run(card)
    page.scheme(dark=True)
    dark = page.run(paper), page.run(card)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    page.press("t")
    assert (page.run(paper), page.run(card)) == light
    page.scheme()
    page.press("t")
    assert (page.run(paper), page.run(card)) == dark


def test_print_shows_figures_and_no_controls(page):
    page.scheme(printed=True)
    seen = "[...document.querySelectorAll({!r})].filter(e => e.getClientRects().length).length"
    assert page.run(seen.format("figure")) >= 8
    assert page.run(seen.format(".tile")) >= 6
    assert page.run(seen.format("button, select, input, .one-case, nav")) == 0
    assert page.pdf().startswith(b"%PDF")


def test_it_fits_a_phone(browser, report):
    page = browser.page(390, 844, phone=True)
    load(page, report)
    assert page.run("document.documentElement.scrollWidth") == 390
    page.press("j")
    page.press("Enter")
    page.until(OPEN)
    assert page.run("document.getElementById('case').scrollWidth <= 390")
    assert page.errors == page.requests == []
    page.close()


def test_without_scripts_the_figures_are_there(shared, report):
    shared.scripts(on=False)
    try:
        shared.open(report)
        seen = "[...document.querySelectorAll({!r})].filter(e => e.getClientRects().length).length"
        assert shared.run(seen.format("figure")) >= 8
        assert shared.run(seen.format("button, select, input")) == 0
        assert "needs JavaScript" in shared.run("document.querySelector('#cases').innerText")
    finally:
        shared.scripts(on=True)


def test_hostile_text_does_nothing(shared, tmp_path):
    task = Task(id=EVIL, labels=(Label(name=EVIL), Label(name="b")))
    rows = rows_of([hostile(EVIL.replace("/", "∕")), hostile("2")])
    report = report_of(write_run(tmp_path / "run", rows, task, agent=EVIL, name=EVIL, notes=(EVIL,)), by=("site",))
    load(shared, report)
    shared.press("j")
    shared.press("Enter")
    shared.until(OPEN)
    assert EVIL in shared.run("document.getElementById('card').innerText")
    assert shared.run("document.querySelectorAll('script:not([type]), img, [onerror]').length") == 1  # the page's own
    assert shared.run("document.getElementById('true').options[1].text").startswith("<script>")
    assert shared.errors == []
    assert shared.requests == []


def test_a_case_without_a_picture_says_so(shared, tmp_path):
    lost = verdict("1", "a", 0.9, agent=0.8)
    lost = lost.model_copy(update={"case": lost.case.model_copy(update={"path": tmp_path / "gone.png"})})
    load(shared, report_of(write_run(tmp_path / "run", rows_of([lost, verdict("2", "b", 0.2, agent=0.3)]))))
    assert "no picture" in shared.run("document.querySelector('.gallery').textContent")
    assert shared.errors == []
