"""``doubleread serve`` as a process: it says where, answers, and stops when it is told to."""

import signal
import subprocess
import sys

import httpx2


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
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        where = process.stdout.readline().strip().removeprefix("serving at ")
        with httpx2.Client(trust_env=False) as client:
            assert "No session yet" in client.get(where).text
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "carried on at the next start" in said
    assert (tmp_path / "kept" / "sessions.sqlite").exists()


def test_a_token_that_could_be_guessed_is_refused_before_anything_is_loaded(tmp_path):
    command = [sys.executable, "-m", "doubleread", "serve", "--panel", str(tmp_path), "--token", "short"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "at least 16" in ended.stderr
    assert "short" not in ended.stderr
