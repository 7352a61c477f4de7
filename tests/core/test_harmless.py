"""Text that steers nothing."""

import pytest

from doubleread.core.terminal_text import harmless, harmless_lines, tamed

STEERING = "\x1b\x9b\r\x07\x08\u202e\u2028"


@pytest.mark.parametrize("sign", STEERING)
def test_what_would_steer_a_terminal_is_marked(sign):
    assert harmless(f"a{sign}b") == "a�b"
    assert harmless_lines(f"a\n{sign}b") == "a\n�b"


def test_what_is_shown_stays():
    assert harmless("80.0\u00a0% – “Schorf”, さび病") == "80.0\u00a0% – “Schorf”, さび病"


def test_json_is_tamed_in_keys_too_and_numbers_stay():
    assert tamed({"a\x1b": ["one\r\ntwo", 3, None]}) == {"a�": ["one two", 3, None]}
