"""``doubleread models``: what was learned about servers is shown in words, and forgotten on request."""

import pytest

from doubleread.agents.wire.answers import AnswerCache
from doubleread.panel.models import answer_file
from doubleread.settings import load_settings


@pytest.fixture
def learned(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", str(tmp_path))
    cache = AnswerCache(answer_file(load_settings()))
    cache.lessons.worked("http://localhost:11434/v1 qwen", {"temperature"})
    cache.lessons.worked("https://api.openai.com/v1 o9", {"max_tokens"})
    cache.close()


def test_what_was_learned_is_told_in_words_and_forgotten_by_name(doubleread, learned):
    shown = doubleread("models", "show")
    assert shown.code == 0
    assert "qwen" in shown.out
    assert "the temperature" in shown.out
    assert "Forgot 1 entry" in doubleread("models", "forget", "qwen").out
    assert "qwen" not in doubleread("models", "show").out
    assert "Nothing was learned about zebra" in doubleread("models", "forget", "zebra").out
    assert "Forgot 1 entry" in doubleread("models", "forget").out
    assert "every server is sent every field" in doubleread("models", "show").out
