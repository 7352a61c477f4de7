"""Several people at one server, each in a browser of their own: what reviewers see, and whose name is on record."""

import pytest
from kit import photo
from web_kit import ABOUT, ScriptedSessions

from doubleread.web.app import make_app
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules
from doubleread.web.serving import running

pytestmark = pytest.mark.integration

USERS, REVIEWERS = "a token of more than sixteen", "another token, of the reviewers"
TEXT = "document.body.innerText"


@pytest.fixture
def base(tmp_path):
    photo(tmp_path / "doubtful.png", 0, 1)
    sessions = ScriptedSessions(tmp_path)
    about = PanelFacts(ABOUT.task, ABOUT.agents, taking_hints=("two",))
    rules = Rules(token=USERS, reviewer_token=REVIEWERS)
    with running(make_app(sessions, about, rules)) as address:
        yield address


@pytest.fixture
def people(base, browser):
    """Opens a page for one person, who enters with a token; nobody's page may complain or ask elsewhere."""
    opened = []

    def enter(token):
        page = browser.page()
        opened.append(page)
        page.open(base)
        assert "Which token?" in page.run(TEXT)
        fill(page, "input[name=token]", token)
        page.run("document.querySelector('form').requestSubmit()")
        page.until("document.querySelector('#lists') && document.readyState === 'complete'")
        page.errors.clear()  # the page that asks for the token is a 401
        return page

    yield enter
    for page in opened:
        page.open("about:blank")
        assert page.errors == []
        assert page.requests == []
        page.close()


def fill(page, selector, text):
    """Types behind what stands there."""
    page.run(f"(one => {{ one.focus(); one.setSelectionRange(999, 999); }})(document.querySelector({selector!r}))")
    for letter in text:
        page.press(letter)


def upload(page, base, file):
    page.open(base)
    page.choose("#files", file)
    page.arrive("/s/")
    page.until("document.querySelector('.decide')")
    return base + page.run("location.pathname")


def until_stored(page, name):
    """The name goes to the server by itself: a page that is opened before that has none yet."""
    for _ in range(200):
        if f'value="{name}"' in page.run("fetch('/').then((answer) => answer.text())"):
            return
    raise AssertionError(f"the server never knew {name}")


def decide(page, label):
    page.run(f"document.querySelector('.decide input[value={label}]').click()")
    page.run("document.querySelector('.decide button').click()")


def test_a_reviewer_decides_what_waits_for_somebody_else_who_sees_who_it_was(people, base, tmp_path):
    user, other, reviewer = people(USERS), people(USERS), people(REVIEWERS)
    address = upload(user, base, tmp_path / "doubtful.png")
    other.open(base + "/waiting")
    assert "No image is waiting" in other.run(TEXT)
    reviewer.open(base + "/waiting")
    assert "somebody else's session" in reviewer.run(TEXT)
    reviewer.open(address)
    assert reviewer.run("document.querySelector('#files')") is None
    assert "Delete" not in reviewer.run(TEXT)
    fill(reviewer, ".decide input[name=reviewer]", "Grace")
    decide(reviewer, "scab")
    reviewer.until("document.querySelector('.outcome')")
    user.until("document.querySelector('.outcome')?.innerText.includes('decided by Grace')")
    user.open(base + "/waiting")
    assert "by Grace" in user.run("document.querySelector('.lately').innerText")


def test_the_name_is_the_same_everywhere_and_forms_that_come_later_have_it(people, base, tmp_path):
    page = people(USERS)
    page.until("document.querySelector('#you')")
    fill(page, "#you", "Ada")
    page.run("document.querySelector('#you').blur()")
    until_stored(page, "Ada")
    upload(page, base, tmp_path / "doubtful.png")
    assert page.run("document.querySelector('.decide input[name=reviewer]').value") == "Ada"
    fill(page, ".decide input[name=reviewer]", " L.")
    page.run("document.querySelector('.decide input[name=reviewer]').blur()")
    page.until("document.querySelector('#you').value === 'Ada L.'")
    decide(page, "scab")
    page.until("document.querySelector('.outcome')?.innerText.includes('decided by Ada L.')")


def test_a_hint_is_sent_and_said(people, base, tmp_path):
    page = people(USERS)
    upload(page, base, tmp_path / "doubtful.png")
    fill(page, ".again input[name=hint]", "it was wet")
    page.run("document.querySelector('.again button').click()")
    page.until("document.querySelector('.entry.said')?.innerText.includes('/read-again look-again hint: it was wet')")
    page.resize(390, 844)
    assert page.run("document.documentElement.scrollWidth") == 390
