"""``doubleread serve`` as a process: it says where, answers, and stops when it is told to."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx2
import pytest
from kit import photo
from postgres_kit import PASSWORD

pytestmark = pytest.mark.integration


def test_it_serves_until_it_is_interrupted(made, quick, tmp_path):
    settings = tmp_path / "s.toml"
    cache = str(quick.encoder.cache_dir).replace("\\", "/")
    settings.write_text(f'[encoder]\ncache_dir = "{cache}"\n[sessions]\nfolder = "{(tmp_path / "kept").as_posix()}"\n')
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", str(made), "--settings", str(settings)]
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        where = process.stdout.readline().strip().removeprefix("serving at ")
        with httpx2.Client(trust_env=False) as client:
            assert "No session yet" in client.get(where).text
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "carried on at the next start" in said
    assert (tmp_path / "kept" / "sessions.sqlite").exists()


@contextmanager
def serving(panel, settings, *more):
    """A server with an address of its own, and what it said when it has ended."""
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", str(panel), "--settings", str(settings)]
    with subprocess.Popen(
        [*command, "--port", "0", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:  # fmt: skip
        said = []
        while not (said and said[-1].startswith("serving at ")):
            said.append(process.stdout.readline())
            assert said[-1], "".join(said)
        yield said[-1].strip().removeprefix("serving at "), said
        process.send_signal(signal.SIGINT)
        said.append(process.communicate(timeout=120)[0])


def test_two_servers_share_a_database(made, quick, tmp_path, address):
    found = []
    for name in ("one", "two"):
        found.append(tmp_path / f"{name}.toml")
        folder, cache = ((tmp_path / name).as_posix(), quick.encoder.cache_dir.replace("\\", "/"))
        found[-1].write_text(
            f'[encoder]\ncache_dir = "{cache}"\n[sessions]\nfolder = "{folder}"\ndatabase = "{address}"\n'
        )
    leaf = photo(tmp_path / "leaf.png", 0, 5).read_bytes()
    with (
        serving(made, found[0]) as (one, first),
        serving(made, found[1]) as (two, second),
        httpx2.Client(trust_env=False, timeout=60) as client,
    ):
        sent = [("files", ("leaf.png", leaf, "image/png"))]
        path = client.post(f"{one}/new", files=sent, headers={"Origin": one}).headers["location"]
        with client.stream("GET", f"{two}{path}/events") as stream:
            assert any('class="dr-card"' in line for line in stream.iter_lines())
        page = client.get(two + path).text
        picture = re.search(rf"{path}/picture/[0-9a-f]{{64}}", page)[0]
        assert client.get(f"{two}{picture}?side=96").content[8:12] == b"WEBP"
        assert client.post(f"{two}{path}/delete", headers={"Origin": two}).status_code == 303
        assert client.get(one + path).status_code == 404
    assert PASSWORD not in "".join(first + second)


def test_a_token_that_could_be_guessed_is_refused_before_anything_is_loaded(tmp_path):
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", str(tmp_path), "--token", "short"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "at least 16" in ended.stderr
    assert "short" not in ended.stderr


def test_behind_a_proxy_it_answers_to_its_public_name_and_asks_for_a_token(made, quick, tmp_path):
    settings = tmp_path / "s.toml"
    cache = str(quick.encoder.cache_dir).replace("\\", "/")
    settings.write_text(f'[encoder]\ncache_dir = "{cache}"\n[sessions]\nfolder = "{(tmp_path / "kept").as_posix()}"\n')
    proxied = {"Host": "panel.example.org", "Origin": "https://panel.example.org", "X-Forwarded-Proto": "https"}
    with serving(made, settings, "--public-host", "panel.example.org") as (where, said):
        address, _, token = where.partition("/?token=")
        with httpx2.Client(trust_env=False) as client:
            assert client.get(address).status_code == 401
            entered = client.post(f"{address}/enter", data={"token": token}, headers=proxied)
            assert entered.status_code == 303
            assert "secure" in entered.headers["set-cookie"].lower()
            cookie = "; ".join(one.partition(";")[0] for one in entered.headers.get_list("set-cookie"))
            sent = [("files", ("leaf.png", photo(tmp_path / "leaf.png", 0, 6).read_bytes(), "image/png"))]
            made_ = client.post(f"{address}/new", files=sent, headers={**proxied, "Cookie": cookie})
            assert made_.status_code == 303
    assert "https://panel.example.org/?token=" in "".join(said)


def test_a_public_name_that_is_none_is_refused_before_anything_is_loaded(tmp_path):
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", str(tmp_path), "--public-host", "https://x.org"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "give only the name" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
