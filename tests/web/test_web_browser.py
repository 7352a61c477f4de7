"""Sessions as people use them, in a real browser: upload, watch, talk, decide, come back."""

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
from kit import photo
from sessions_kit import own_panel, referring
from web_kit import ABOUT, ScriptedSessions

from doubleread.sessions.engine import Sessions
from doubleread.web.app import make_app
from doubleread.web.limits import WebLimits
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules
from doubleread.web.serving import running

pytestmark = pytest.mark.integration

CARDS = "document.querySelectorAll('.dr-card').length"
ENTRIES = "document.querySelectorAll('.entry').length"
ASK = "document.querySelector('#text')"


on_a_phone = pytest.mark.parametrize("page", ["phone"], indirect=True)


@pytest.fixture(scope="module")
def pages(browser):
    pages = {"desk": browser.page(), "phone": browser.page(390, 844, phone=True)}
    yield pages
    for page in pages.values():
        page.close()


@pytest.fixture
def shared(pages):
    return pages["desk"]


def leave(page):
    """Leaves a server before it stops: a page that loses its server complains of it."""
    page.open("about:blank")


@pytest.fixture
def page(request, pages):
    """A page that must not have complained of anything, nor asked anybody else."""
    page = pages[getattr(request, "param", "desk")]
    leave(page)
    page.scheme()
    page.errors.clear()
    page.requests.clear()
    yield page
    assert page.errors == []
    assert page.requests == []


@pytest.fixture
def sessions(tmp_path):
    """Sessions that take their time, and a picture to send."""
    leaf = photo(tmp_path / "leaf.png", 0, 1)
    sessions = ScriptedSessions(tmp_path, neighbours=(leaf,), pause=0.25)
    yield sessions
    sessions.go.set()


@pytest.fixture
def scripted(pages, sessions):
    """A server of them; all pages have left it when it stops."""
    with running(make_app(sessions, ABOUT, Rules())) as base:
        yield base
        for page in pages.values():
            leave(page)


def say(page, text):
    """Types a line and sends it; waits for the answer."""
    before = page.run(ENTRIES)
    page.run(f"{ASK}.focus()")
    for letter in text:
        page.press(letter)
    page.press("Escape")
    page.run(f"{ASK}.form.requestSubmit()")
    page.until(f"{ENTRIES} >= {before + 2}")


def begin(page, base, *files):
    page.open(base)
    page.choose("#files", *files)
    page.arrive("/s/")


def test_progress_streams_and_a_reload_loses_nothing(page, scripted, sessions, tmp_path):
    sessions.go.clear()
    begin(page, scripted, tmp_path / "leaf.png")
    page.until("document.querySelectorAll('.asked .there').length === 1")
    assert page.run("document.querySelectorAll('.asked .pending').length") == 2
    assert page.run("document.querySelectorAll('.live .thumbs li').length") == 5
    assert page.run("document.querySelector('.shot').ariaBusy") == "true"
    page.open(scripted + page.run("location.pathname"))
    sessions.go.set()
    page.until(f"{CARDS} === 1")
    assert page.run(ENTRIES) == 2
    page.until("[...document.querySelectorAll('.dr-card img')].every(i => i.complete && i.naturalWidth > 0)")


def test_a_lost_connection_is_made_up_for_without_repeating(page, scripted, sessions, tmp_path):
    sessions.go.clear()
    begin(page, scripted, tmp_path / "leaf.png")
    page.until("document.querySelectorAll('.asked .there').length === 1")
    page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.run("document.querySelector('[sse-connect]')") is None
    sessions.go.set()
    page.run("new Promise(done => setTimeout(done, 800))")
    assert page.run(CARDS) == 0
    page.run("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(f"{CARDS} === 1")
    assert page.run(ENTRIES) == 2


def test_dropped_and_pasted_images_are_read(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    make = """(async hue => { const c = document.createElement('canvas'); c.width = c.height = 40;
        const p = c.getContext('2d'); p.fillStyle = hue; p.fillRect(0, 0, 40, 40);
        const box = new DataTransfer(); const blob = await new Promise(done => c.toBlob(done));
        box.items.add(new File([blob], hue + '.png', {type: 'image/png'})); return box; })"""
    page.run(f"""{make}('red').then(box => {{ for (const type of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(
            new DragEvent(type, {{dataTransfer: box, bubbles: true, cancelable: true}})); }})""")
    page.until(f"{CARDS} === 2")
    page.run(f"""{make}('blue').then(box => document.body.dispatchEvent(
        new ClipboardEvent('paste', {{clipboardData: box, bubbles: true}})))""")
    page.until(f"{CARDS} === 3")
    titles = page.run("[...document.querySelectorAll('[role=tab]')].map(tab => tab.title)")
    assert titles == ["leaf.png", "red.png", "blue.png"]
    assert page.run("document.querySelector('[role=tab][aria-selected=true]').title") == "blue.png"
    assert page.run("document.querySelectorAll('.shot:not([hidden])').length") == 1


def test_commands_complete_and_keys_do_what_they_say(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    page.run("document.activeElement.blur()")
    page.press("/")
    assert page.run("document.activeElement.id") == "text"
    page.press("/")
    page.press("s")
    page.until("!document.querySelector('#completions').hidden")
    assert page.run(f"{ASK}.ariaExpanded") == "true"
    page.press("Tab")
    assert page.run(f"{ASK}.value") == "/similar "
    page.until("document.querySelector('#completions').hidden")
    page.press("Escape")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.run(paper)
    page.press("t")
    assert page.run(paper) != light
    page.press("t")
    assert page.run(paper) == light


@on_a_phone
def test_where_the_agents_looked_is_toggled_over_the_image(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    page.run("document.querySelector('.where summary').focus()")
    page.press("Enter")
    page.until("document.querySelector('.where .maps')")
    shown = "[...document.querySelectorAll('.where .heat:not([hidden]) img')].map(i => i.alt)"
    assert page.run(shown) == ["one gives rust 80.0%: covering the part at the upper left lowers it to 30.0%"]
    assert page.run("document.querySelectorAll('.where .heat:not([hidden]) .takes').length") == 1
    page.until("[...document.querySelectorAll('.where .maps img')].every(i => i.complete && i.naturalWidth > 0)")
    page.run("document.querySelector('.where .views input[value=\"2\"]').click()")
    (line,) = page.run(shown)
    assert "does not rest on one place" in line
    assert page.run("document.querySelector('.where figcaption p:not([hidden])').textContent") == line
    page.run("document.querySelector('.where .views input[value=\"\"]').click()")
    assert page.run(shown) == []
    page.run("document.querySelector('.where .views input[value=\"1\"]').click()")
    slide = "document.querySelector('.where [type=range]')"
    page.run(f"{slide}.value = 40; {slide}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    assert page.run("getComputedStyle(document.querySelector('.where .heat:not([hidden]) img')).opacity") == "0.4"
    assert page.run("document.documentElement.scrollWidth") == 390
    say(page, "why")  # the image's card is drawn anew, and the map stays open
    assert page.run("document.querySelector('.where').open")
    assert page.run("document.querySelectorAll('.where .maps').length") == 1
    page.run("document.querySelector('.where .of button[value=scab]').click()")
    page.until("document.querySelector('.where .problem')")
    page.run("document.querySelector('.where summary').click()")
    page.run("document.querySelector('.where summary').click()")
    page.until("document.querySelector('.where .maps')")


OFFERED = "[...document.querySelectorAll('#completions:not([hidden]) [role=option] b')].map(b => b.textContent)"
MARKED = "document.querySelector('#completions [aria-selected=true]')"


def typed(page, text):
    """Types into the line, on top of what is there."""
    page.run(f"{ASK}.focus()")
    for letter in text:
        page.press(letter)


def offers(page, *lines):
    """Waits until these and no others are offered."""
    page.until(f"JSON.stringify({OFFERED}) === {json.dumps(json.dumps(lines, separators=(',', ':')))}")


def test_arguments_complete_from_the_keyboard(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    typed(page, "/why")
    offers(page, "/why", "/why-not")
    assert page.run(f"{ASK}.getAttribute('aria-activedescendant')") == page.run(f"{MARKED}.id")
    page.press("ArrowDown")
    page.press("Tab")
    offers(page, "/why-not healthy", "/why-not rust", "/why-not scab")
    assert page.run(f"{ASK}.value") == "/why-not "
    assert page.run(MARKED) is None  # Enter would send what is typed
    page.press("ArrowUp")
    assert page.run(f"{MARKED}.textContent").startswith("/why-not scab")
    page.press("ArrowDown")
    page.press("ArrowDown")
    page.press("Enter")
    assert page.run(f"{ASK}.value") == "/why-not rust"
    page.until("document.querySelector('#completions').hidden")
    assert page.run(f"{ASK}.ariaExpanded") == "false"
    before = page.run(ENTRIES)
    page.press("Enter")
    page.until(f"{ENTRIES} === {before + 2}")
    assert page.run("[...document.querySelectorAll('.entry.said')].at(-1).innerText").strip().endswith("/why-not rust")
    typed(page, "/why")
    offers(page, "/why", "/why-not")
    page.press("Escape")
    assert page.run(OFFERED) == []
    assert page.run("document.activeElement.id") == "text"  # the first Escape only closes the list
    assert page.run(f"{ASK}.value") == "/why"


@on_a_phone
def test_a_touch_takes_a_completion_and_the_line_keeps_the_focus(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    typed(page, "/why-not ")
    offers(page, "/why-not healthy", "/why-not rust", "/why-not scab")
    box = page.run("(o => { const b = o.getBoundingClientRect(); return [b.x + 30, b.y + b.height / 2, b.right]; })"
                   "(document.querySelectorAll('#completions [role=option]')[1])")  # fmt: skip
    assert box[2] <= 390
    page.tap(*box[:2])
    page.until(f"{ASK}.value === '/why-not rust'")
    assert page.run("document.activeElement.id") == "text"


def test_a_late_answer_does_not_show_what_was_offered_for_other_words(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    page.run("""(() => { const real = fetch; window.fetch = async (...asked) => {
        const answer = await real(...asked);
        if (asked[0].includes('%2Fw&')) await new Promise(done => { window.late = done; });
        return answer; }; })()""")
    typed(page, "/w")
    page.until("window.late")
    typed(page, "hy-")
    offers(page, "/why-not")
    page.run("(window.late(), new Promise(done => setTimeout(done)))")
    assert page.run(OFFERED) == ["/why-not"]


def test_labels_agents_and_images_complete_as_in_the_terminal(page, made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel, served(panel, tmp_path / "sessions") as base:
        begin(page, base, photo(tmp_path / "one.png", 0, 5555), photo(tmp_path / "two.png", 1, 5556))
        page.until(f"{CARDS} === 2")
        for begun, lines in (
            ("/why-not g", ["/why-not green"]),
            ("/who ", ["/who logistic", "/who neighbours"]),
            ("/switch ", ["/switch one.png"]),
            ("/costs r", ["/costs referral=", "/costs red="]),
            ("/read-again without log", ["/read-again without logistic"]),
        ):
            page.run(f"{ASK}.value = ''")
            typed(page, begun)
            offers(page, *lines)
        page.press("Escape")
        leave(page)


def test_what_cannot_be_read_is_told_on_the_page(shared, scripted, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    shared.open(scripted)
    shared.choose("#files", tmp_path / "no.png")
    shared.until("document.querySelector('.notice')")
    assert "no.png: the file begins with" in shared.run("document.querySelector('.notice').textContent")
    shared.run("document.querySelector('.notice button').click()")
    assert shared.run("document.querySelector('.notice')") is None
    assert shared.requests == []


@on_a_phone
def test_it_fits_a_phone_light_and_dark(page, scripted, tmp_path):
    begin(page, scripted, tmp_path / "leaf.png")
    page.until(f"{CARDS} === 1")
    say(page, "why")
    assert page.run("document.documentElement.scrollWidth") == 390
    assert not page.run("document.querySelector('#menu').open")
    seen = "document.elementFromPoint(195, 815).closest('.composer') !== null"
    assert page.run(seen)
    ink, paper = "getComputedStyle(document.body).color", "getComputedStyle(document.body).backgroundColor"
    light = page.run(ink), page.run(paper)
    page.scheme(dark=True)
    assert page.run(ink) != light[0]
    assert page.run(paper) != light[1]


@contextmanager
def served(panel, folder, port=0):
    """A server of that panel and those sessions, from its start to its end."""
    sessions = Sessions(panel, folder)
    try:
        with running(make_app(sessions, PanelFacts.of(panel), Rules()), port=port) as base:
            yield base
    finally:
        asyncio.run(sessions.close())


def test_from_an_upload_through_a_talk_to_the_archive(page, made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel, served(panel, tmp_path / "sessions") as base:
        held = panel._store.count()
        begin(page, base, photo(tmp_path / "one.png", 0, 5555))
        page.until(f"{CARDS} === 1")
        assert "calibration images" in page.run("document.querySelector('.dr-card').innerText")
        say(page, "why?")
        say(page, "show similar cases")
        pictures = "[...document.querySelectorAll('.reply .thumbs img')]"
        assert page.run(f"{pictures}.length") >= 3
        page.until(f"{pictures}.every(i => i.complete && i.naturalWidth > 0)")
        label = page.run("document.querySelector('.dr-bars dt').firstChild.data.trim()")
        say(page, f"/confirm {label}")
        page.until("document.querySelector('.outcome')")
        assert panel._store.count() == held + 1
        leave(page)


def test_a_referred_case_outlives_a_restart_is_decided_and_taken_back(page, made, quick, tmp_path):
    with referring(own_panel(made, tmp_path, quick)) as panel:
        held = panel._store.count()
        with served(panel, tmp_path / "sessions") as base:
            begin(page, base, photo(tmp_path / "one.png", 0, 5555))
            page.until("document.querySelector('.decide')")
            path, entries = page.run("location.pathname"), page.run(ENTRIES)
            leave(page)
        with served(panel, tmp_path / "sessions") as base:
            page.open(base + "/waiting")
            assert "one.png" in page.run("document.querySelector('.work').innerText")
            page.open(base + path)
            assert page.run(ENTRIES) == entries
            page.run("document.querySelector('.decide input[value=green]').click()")
            page.run("document.querySelector('.decide button').click()")
            page.until("document.querySelector('.outcome')")
            assert panel._store.count() == held + 1
            page.run("document.querySelector('.entry.decided button').click()")
            page.until("document.querySelector('.entry.decided.undone')")
            page.until("document.querySelector('.decide')")
            assert panel._store.count() == held
            leave(page)


def test_a_page_comes_back_to_a_server_that_was_away(shared, made, quick, tmp_path):
    with own_panel(made, tmp_path, quick) as panel:
        with served(panel, tmp_path / "sessions") as base:
            begin(shared, base, photo(tmp_path / "one.png", 0, 5555))
            shared.until(f"{CARDS} === 1")
        shared.until("document.body.classList.contains('offline')")
        with served(panel, tmp_path / "sessions", port=int(base.rsplit(":", 1)[1])):
            shared.until("!document.body.classList.contains('offline')")
            say(shared, "why?")
            assert shared.run(ENTRIES) == 4
    assert shared.requests == []


def test_a_failed_send_is_told_and_keeps_the_text_a_failed_poll_is_not(shared, tmp_path):
    leaf = photo(tmp_path / "leaf.png", 0, 1)
    with running(make_app(ScriptedSessions(tmp_path, neighbours=(leaf,)), ABOUT, Rules())) as base:
        begin(shared, base, leaf)
        shared.until(f"{CARDS} === 1")
    shared.until("document.body.classList.contains('offline')")
    shared.run("htmx.trigger('#lists', 'refresh')")
    shared.run(f"{ASK}.value = 'is it rust?'")
    shared.run("document.querySelector('#say').requestSubmit()")
    shared.until("document.querySelector('.notice')")
    told = shared.run("document.querySelector('#notices').innerText")
    assert "What you typed was not sent; it is kept" in told
    assert shared.run("document.querySelectorAll('.notice').length") == 1
    assert shared.run(f"{ASK}.value") == "is it rust?"
    shared.choose("#files", leaf)
    shared.until("document.querySelectorAll('.notice').length === 2")
    assert "Not sent: leaf.png" in shared.run("document.querySelector('#notices').innerText")
    leave(shared)


def test_a_map_that_waits_says_so_and_comes_by_itself(page, tmp_path):
    leaf = photo(tmp_path / "leaf.png", 0, 1)
    go = threading.Event()

    class Slow(ScriptedSessions):
        async def where(self, session, case, label=None):
            await asyncio.to_thread(go.wait, 20)
            return await super().where(session, case, label)

    limits = WebLimits(map_answer_s=0.1)
    with running(make_app(Slow(tmp_path, neighbours=(leaf,)), ABOUT, Rules(), limits)) as base:
        begin(page, base, leaf)
        page.until(f"{CARDS} === 1")
        asked = "fetch(document.querySelector('.where').getAttribute('hx-get') + '?label=healthy')"
        page.run(f"void {asked}.then(() => {{ window.asked = true; }})")
        page.until("window.asked")
        page.run("document.querySelector('.where').open = true")
        page.until("document.querySelector('.where').innerText.includes('Waiting: 1 other map comes first')")
        go.set()
        page.until("document.querySelector('.where .maps')")
        leave(page)


def test_one_enters_and_logs_out(shared, tmp_path):
    token = "a token of more than sixteen"
    with running(make_app(ScriptedSessions(tmp_path), ABOUT, Rules(token=token))) as base:
        shared.open(f"{base}/?token={token.replace(' ', '+')}")
        assert shared.run("location.href") == f"{base}/"
        assert shared.run("document.cookie") == ""
        shared.run("document.querySelector('.leave button').click()")
        shared.until("document.body && document.body.innerText.includes('You are logged out')")
        shared.open(base)
        assert "Which token?" in shared.run("document.body.innerText")
        leave(shared)
