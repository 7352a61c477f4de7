"""Entering and leaving, wrong tokens, links from other sites, and a proxy in front."""

import re
from datetime import timedelta

import pytest
from kit import photo
from starlette.testclient import TestClient
from web_kit import ABOUT, ScriptedSessions

from doubleread.core.errors import DataError
from doubleread.sessions import login_store as times
from doubleread.sessions._sqlite_database import SqliteDatabase
from doubleread.sessions.login_store import LoginTable
from doubleread.web._access import LOGIN_COOKIE
from doubleread.web._logins import TRIES
from doubleread.web.app import make_app
from doubleread.web.rules import Rules, chosen_token, public_host

TOKEN = "a token of more than sixteen"
HERE = "http://localhost:8000"
NAME = "panel.example.org"


@pytest.fixture
def sessions(tmp_path):
    return ScriptedSessions(tmp_path, neighbours=(photo(tmp_path / "leaf.png", 0, 1),))


def client_of(sessions, base=HERE, **rules):
    app = make_app(sessions, ABOUT, Rules(**{"token": TOKEN, **rules}))
    return TestClient(app, base_url=base, headers={"Origin": base}, follow_redirects=False)


# -- the cookie ---------------------------------------------------------------------------------------------------


def test_every_browser_gets_a_key_of_its_own_and_only_its_hash_is_kept(sessions):
    keys = set()
    for _ in range(2):
        client = client_of(sessions)
        client.post("/enter", data={"token": TOKEN})
        keys.add(client.cookies[LOGIN_COOKIE])
    assert len(keys) == 2
    assert len(sessions.logins) == 2
    assert not any(key in login for key in keys for login in sessions.logins)


def test_who_leaves_has_to_enter_again_even_with_the_old_cookie(sessions):
    client = client_of(sessions)
    client.post("/enter", data={"token": TOKEN})
    key = client.cookies[LOGIN_COOKIE]
    assert "Log out" in client.get("/").text
    left = client.post("/leave")
    assert "You are logged out" in left.text
    assert "cache" in left.headers["clear-site-data"]
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Cookie": f"{LOGIN_COOKIE}={key}"}).status_code == 401
    assert sessions.logins == set()


def test_leaving_takes_a_page_of_the_server(sessions):
    client = client_of(sessions)
    client.post("/enter", data={"token": TOKEN})
    assert client.get("/leave").status_code == 404
    assert client.post("/leave", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/").status_code == 200


def test_another_token_ends_the_logins_of_the_old_one(sessions):
    client = client_of(sessions)
    client.post("/enter", data={"token": TOKEN})
    moved = client_of(sessions, token="another token of more than sixteen")
    moved.cookies = client.cookies
    assert moved.get("/").status_code == 401


def test_a_shared_link_works_from_another_site_and_leaves_the_address(sessions):
    client = client_of(sessions)
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": ""}
    came = client.get("/", params={"token": TOKEN}, headers=cross)
    assert (came.status_code, came.headers["location"]) == (303, "/")
    assert all("samesite=lax" in one.lower() for one in came.headers.get_list("set-cookie"))
    assert came.headers["referrer-policy"] == "same-origin"
    assert came.headers["cache-control"] == "no-store"
    assert client.get("/", headers=cross).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_post_from_elsewhere_changes_nothing(sessions, site):
    client = client_of(sessions)
    client.post("/enter", data={"token": TOKEN})
    assert client.post("/new", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_part_of_a_page_is_not_replaced_by_the_question_for_the_token(sessions):
    asked = client_of(sessions).get("/lists", headers={"HX-Request": "true"})
    assert (asked.status_code, asked.headers["hx-reswap"]) == (401, "none")


def test_wrong_tokens_are_counted_by_address(sessions):
    client = client_of(sessions)
    answers = [client.post("/enter", data={"token": f"wrong {i}"}).status_code for i in range(TRIES + 1)]
    assert answers == [401] * TRIES + [429]
    assert client.post("/enter", data={"token": TOKEN}).status_code == 429
    assert "Wait a minute" in client.get("/", params={"token": TOKEN}).text


def test_a_login_ends_when_it_is_old_or_was_not_used(tmp_path):
    database = SqliteDatabase(tmp_path / "sessions.sqlite")
    table = LoginTable(database)
    table.enter("one")
    assert table.entered("one")
    assert not table.entered("two")
    for column, age in (("used", times.IDLE), ("began", times.LIFE)):
        table.enter(column)
        with database.writing() as db:
            (then,) = db.execute(f"select {column} from logins where id = ?", (column,)).fetchone()
            old = times._text(times.datetime.fromisoformat(then + "+00:00") - age - timedelta(seconds=1))
            db.execute(f"update logins set {column} = ? where id = ?", (old, column))
        assert not table.entered(column)
    table.leave("one")
    assert not table.entered("one")
    database.close()


# -- behind a proxy -----------------------------------------------------------------------------------------------


def test_without_the_option_no_other_name_and_no_forwarded_header_counts(sessions):
    client = client_of(sessions)
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1", "X-Forwarded-Host": NAME}
    assert client.get("/", headers={"Host": NAME, **forwarded}).status_code == 421
    assert client.post("/enter", data={"token": TOKEN}, headers={"Origin": f"https://{NAME}"}).status_code == 403
    entered = client.post("/enter", data={"token": TOKEN}, headers=forwarded)
    assert "secure" not in entered.headers["set-cookie"].lower()
    for i in range(TRIES):
        client.post("/enter", data={"token": "wrong"}, headers={"X-Forwarded-For": f"10.0.0.{i}"})
    assert client.post("/enter", data={"token": TOKEN}).status_code == 429


@pytest.mark.parametrize("host", [NAME, f"{NAME}:443", "127.0.0.1:8000"])
def test_a_public_name_is_answered_however_the_proxy_passes_it_on(sessions, host):
    client = client_of(sessions, public_hosts=(NAME,))
    headers = {"Host": host, "Origin": f"https://{NAME}", "X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"}
    entered = client.post("/enter", data={"token": TOKEN}, headers=headers)
    assert entered.status_code == 303
    assert all("secure" in one.lower() for one in entered.headers.get_list("set-cookie"))


@pytest.mark.parametrize("origin", ["https://evil.example", f"https://{NAME}.evil.example", f"https://{NAME}:8443",
                                    f"ftp://{NAME}", f"https://evil.example/{NAME}", "https://[", "null"])  # fmt: skip
def test_other_names_stay_out(sessions, origin):
    client = client_of(sessions, public_hosts=(NAME,))
    assert client.post("/enter", data={"token": TOKEN}, headers={"Host": NAME, "Origin": origin}).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_a_public_name_may_have_a_port(sessions):
    client = client_of(sessions, public_hosts=(f"{NAME}:8443",))
    for host in (NAME, f"{NAME}:8443"):
        headers = {"Host": host, "Origin": f"https://{NAME}:8443"}
        assert client.post("/enter", data={"token": TOKEN}, headers=headers).status_code == 303
    assert client.post("/enter", data={"token": TOKEN}, headers={"Origin": f"https://{NAME}"}).status_code == 403


def test_behind_a_proxy_wrong_tokens_are_counted_by_the_address_it_saw(sessions):
    client = client_of(sessions, public_hosts=(NAME,))
    for i in range(TRIES):
        client.post("/enter", data={"token": "wrong"}, headers={"X-Forwarded-For": f"6.6.6.{i}, 10.0.0.1"})
    one, other = ({"X-Forwarded-For": f"1.2.3.4, {address}"} for address in ("10.0.0.1", "10.0.0.2"))
    assert client.post("/enter", data={"token": TOKEN}, headers=one).status_code == 429
    assert client.post("/enter", data={"token": TOKEN}, headers=other).status_code == 303


def test_a_public_server_asks_for_a_token():
    assert chosen_token("127.0.0.1", None, public=True)


@pytest.mark.parametrize("name", ["https://panel.example.org", "a b", "", "panel.example.org/x", "x:99999", "-x", "*"])
def test_a_public_name_is_only_a_name(name):
    with pytest.raises(DataError, match="give only the name"):
        public_host(name)


def test_a_public_name_is_taken_in_lower_case():
    assert public_host("Panel.Example.org:8443") == "panel.example.org:8443"
    assert not re.search("[A-Z]", public_host("A.example"))
