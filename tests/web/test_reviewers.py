"""Who decides, and who may: names on record, and a token for those who see what waits in everybody's sessions."""

import asyncio
import re
from urllib.parse import unquote

import httpx2
import pytest
from kit import photo
from starlette.testclient import TestClient
from web_kit import ABOUT, ScriptedSessions

from doubleread.core.errors import DataError
from doubleread.web._visibility import NAME_COOKIE
from doubleread.web.app import make_app
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules, chosen_token
from doubleread.web.serving import running

USERS, REVIEWERS = "a token of more than sixteen", "another token, of the reviewers"
HERE = "http://localhost:8000"
EVIL = '"><script>alert(1)</script>\x1b[2J'


@pytest.fixture
def leaf(tmp_path):
    return photo(tmp_path / "leaf.png", 0, 1)


@pytest.fixture
def app(tmp_path, leaf):
    sessions = ScriptedSessions(tmp_path, neighbours=(leaf,))
    rules = Rules(token=USERS, reviewer_token=REVIEWERS)
    return make_app(sessions, ABOUT, rules)


def client_of(app, token=None):
    client = TestClient(app, base_url=HERE, headers={"Origin": HERE}, follow_redirects=False)
    if token is not None:
        assert client.post("/enter", data={"token": token}).status_code == 303
        client.get("/")
    return client


def begin(client, leaf, name):
    sent = [("files", (name, leaf.read_bytes(), "image/png"))]
    return client.post("/new", files=sent).headers["location"]


def decision(**more):
    return {"reading": "reading1", "label": "scab", **more}


# -- the second token ---------------------------------------------------------------------------------------------


def test_a_reviewer_sees_what_waits_in_everybody_s_sessions_and_decides_it(app, leaf):
    user, reviewer = client_of(app, USERS), client_of(app, REVIEWERS)
    address = begin(user, leaf, "doubtful.png")
    work = reviewer.get("/waiting").text
    assert "doubtful.png" in work
    assert "somebody else's session" in work
    assert "Reviewing as" in work
    assert "<b>1</b>" in reviewer.get("/lists").text
    page = reviewer.get(address).text
    assert "for review" in page
    assert "doubtful.png" in page
    case = re.search(r"/picture/([0-9a-f]{64})", page)[1]
    assert reviewer.get(f"{address}/picture/{case}?side=96").status_code == 200
    assert reviewer.get(f"{address}/near/{case}?side=96").status_code == 200
    assert reviewer.get(f"{address}/export/html").status_code == 200
    assert reviewer.post(f"{address}/say", data={"text": "why"}).status_code == 303
    assert reviewer.post(f"{address}/decide", data=decision(reviewer="Grace")).status_code == 303
    assert "decided by Grace" in user.get(address).text
    assert "by Grace" in user.get("/waiting").text
    assert reviewer.get(address).status_code == 200
    assert "No image is waiting" in reviewer.get("/waiting").text


def test_a_reviewer_changes_nothing_else_of_others_and_is_offered_nothing_else(app, leaf):
    user, reviewer = client_of(app, USERS), client_of(app, REVIEWERS)
    address = begin(user, leaf, "doubtful.png")
    for what, data in (("rename", {"title": "mine now"}), ("delete", {}), ("images", {})):
        assert reviewer.post(f"{address}/{what}", data=data).status_code == 403
    page = reviewer.get(address).text
    assert not [form for form in ("/rename", "/delete", "/images") if f'action="{address}{form}"' in page]
    assert f'href="{address}"' not in reviewer.get("/").text
    assert f'action="{address}/delete"' in user.get(address).text


def test_a_session_in_which_nothing_was_referred_is_hidden_from_reviewers_too(app, leaf):
    user, reviewer = client_of(app, USERS), client_of(app, REVIEWERS)
    address = begin(user, leaf, "sure.png")
    looked = [reviewer.get(address), reviewer.get(f"{address}/events"), reviewer.get(f"{address}/export/html")]
    looked += [reviewer.post(f"{address}/{what}") for what in ("say", "decide", "delete", "again")]
    assert {answer.status_code for answer in looked} == {404}
    assert "sure.png" not in reviewer.get("/waiting").text + reviewer.get("/").text


def test_ordinary_users_and_a_reviewer_s_own_sessions_stay_apart(app, leaf):
    user, other, reviewer = client_of(app, USERS), client_of(app, USERS), client_of(app, REVIEWERS)
    theirs, hers = begin(user, leaf, "doubtful.png"), begin(reviewer, leaf, "doubtful too.png")
    for client, address in ((other, theirs), (other, hers), (user, hers)):
        assert client.get(address).status_code == 404
        assert client.post(f"{address}/decide", data=decision()).status_code == 404
    reviewer.post(f"{theirs}/decide", data=decision(reviewer="Grace"))
    assert "Grace" not in other.get("/waiting").text
    assert "doubtful" not in other.get("/").text + other.get("/waiting").text
    assert reviewer.post(f"{hers}/delete").status_code == 303


def test_a_user_becomes_a_reviewer_by_the_other_token_which_leaves_the_address(app, leaf):
    user = client_of(app, USERS)
    assert "Deciding as" in user.get("/").text
    answer = user.get("/waiting", params={"token": REVIEWERS, "x": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/waiting?x=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert not [secret for secret in (USERS, REVIEWERS) if secret in cookie]
    assert "Reviewing as" in user.get("/").text
    assert user.get("/enter").status_code == 401
    assert user.post("/enter", data={"token": USERS}).status_code == 303
    assert "Deciding as" in user.get("/").text


@pytest.mark.parametrize("said", ["", "x", USERS[:-1], REVIEWERS + " ", USERS + REVIEWERS, "é" * 20])
def test_anything_but_a_token_opens_nothing(app, said):
    client = client_of(app)
    assert client.post("/enter", data={"token": said}).status_code == 401
    assert client.get("/waiting", params={"token": said}).status_code == 401
    assert not client.cookies


@pytest.mark.parametrize("forged", ["", "0" * 64, USERS, REVIEWERS])
def test_a_cookie_that_was_not_made_of_a_token_opens_nothing(app, forged):
    client = client_of(app)
    client.cookies.set("doubleread-token", forged)
    assert client.get("/waiting").status_code == 401


def test_one_token_alone_lets_nobody_review(tmp_path, leaf):
    sessions = ScriptedSessions(tmp_path, neighbours=(leaf,))
    alone = make_app(sessions, ABOUT, Rules(token=USERS))
    address = begin(client_of(alone, USERS), leaf, "doubtful.png")
    assert client_of(alone).post("/enter", data={"token": REVIEWERS}).status_code == 401
    assert client_of(alone, USERS).get(address).status_code == 404


def test_tokens_are_checked_before_anything_is_served():
    assert chosen_token("127.0.0.1", USERS, REVIEWERS) == USERS
    assert len(chosen_token("127.0.0.1", None, REVIEWERS)) > 40
    with pytest.raises(DataError, match="the same token"):
        chosen_token("0.0.0.0", USERS, USERS)
    with pytest.raises(DataError, match=r"the reviewer-token has 5 characters; at least 16") as refused:
        chosen_token("0.0.0.0", None, "short")
    assert "short" not in str(refused.value)


def test_a_reviewer_follows_the_stream_of_a_session_that_waits(app, leaf):
    with running(app) as base:
        clients = [httpx2.Client(trust_env=False, base_url=base, headers={"Origin": base}) for _ in range(2)]
        for client, token in zip(clients, (USERS, REVIEWERS), strict=True):
            client.post("/enter", data={"token": token})
            client.get("/")
        user, reviewer = clients
        sent = [("files", ("doubtful.png", leaf.read_bytes(), "image/png"))]
        address = user.post("/new", files=sent).headers["location"]
        with reviewer.stream("GET", f"{address}/events") as stream:
            assert stream.status_code == 200
            assert any('class="decide"' in line for line in stream.iter_lines())
        for client in clients:
            client.close()


# -- names --------------------------------------------------------------------------------------------------------


def test_a_name_is_kept_until_the_browser_is_closed_and_goes_on_record(app, leaf):
    user = client_of(app, USERS)
    answer = user.post("/name", data={"reviewer": "  Ada Löwe\n"}, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "max-age" not in cookie
    assert "expires" not in cookie
    assert "httponly" in cookie
    assert unquote(user.cookies[NAME_COOKIE]) == "Ada Löwe"
    address = begin(user, leaf, "doubtful.png")
    for page in (address, "/waiting", "/"):
        assert 'value="Ada Löwe"' in user.get(page).text
    user.post(f"{address}/decide", data=decision())
    assert "decided by Ada Löwe" in user.get(address).text
    user.post(f"{address}/say", data={"text": "/undo"})
    assert "Taken back by Ada Löwe" in user.get(address).text
    assert 'value="Ada' not in client_of(app, USERS).get("/").text


def test_a_name_given_with_a_decision_is_remembered_and_one_may_decide_without(app, leaf):
    user = client_of(app, USERS)
    address = begin(user, leaf, "doubtful.png")
    user.post(f"{address}/decide", data=decision(reviewer="Ada"))
    assert 'value="Ada"' in user.get("/").text
    address = begin(user, leaf, "doubtful too.png")
    user.post(f"{address}/decide", data=decision(reviewer=""))
    page = user.get(address).text
    assert "<b>✓ scab</b>, decided" in page
    assert "decided by" not in page
    assert 'value="Ada"' not in user.get("/").text


def test_a_name_that_is_too_long_or_hostile_does_no_harm(app, leaf):
    user = client_of(app, USERS)
    address = begin(user, leaf, "doubtful.png")
    refused = user.post(f"{address}/decide", data=decision(reviewer="x" * 121), headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "at most 120 characters" in refused.text
    assert user.post("/name", data={"reviewer": "x" * 121}).status_code == 422
    assert "doubtful.png" in user.get("/waiting").text
    user.post(f"{address}/decide", data=decision(reviewer=EVIL))
    for page in (address, "/waiting", "/"):
        text = user.get(page).text
        assert "<script>alert" not in text
        assert "\x1b" not in text
    user.cookies.set(NAME_COOKIE, "x" * 500)
    assert user.get("/").status_code == 200


# -- hints --------------------------------------------------------------------------------------------------------


def test_the_form_for_hints_stands_where_somebody_reads_text(tmp_path, leaf):
    sessions = ScriptedSessions(tmp_path, neighbours=(leaf,))
    reading = PanelFacts(ABOUT.task, ABOUT.agents, taking_hints=("two",))
    for about, offered in ((ABOUT, False), (reading, True)):
        client = client_of(make_app(sessions, about, Rules()))
        address = begin(client, leaf, "leaf.png")
        assert (f'action="{address}/again"' in client.get(address).text) == offered
    assert client.post(f"{address}/again", data={"hint": "it was wet"}).status_code == 303
    said = [e.data["text"] for e in asyncio.run(sessions.events(address[3:])) if e.kind == "said"]
    assert said == ["/read-again look-again hint: it was wet"]
    for hint in ("", "x" * 401):
        assert client.post(f"{address}/again", data={"hint": hint}).status_code == 422
