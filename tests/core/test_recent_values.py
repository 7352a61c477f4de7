"""Values that were made lately."""

from doubleread.core.recent_values import RecentValues


def test_the_longest_unused_go_first():
    held = RecentValues[str, str](2)
    held.keep("a", "1")
    held.keep("b", "2")
    assert held.find("a") == "1"
    held.keep("c", "3")
    assert (held.find("a"), held.find("b"), held.find("c")) == ("1", None, "3")


def test_a_value_that_is_too_large_is_not_held_unless_one_always_is():
    for least, found in ((0, None), (1, b"12345")):
        held = RecentValues[str, bytes](4, len, least=least)
        held.keep("a", b"12")
        held.keep("b", b"12345")
        assert held.find("b") == found
        assert held.find("a") is None


def test_who_makes_the_same_takes_turns():
    held = RecentValues[str, int](1)
    with held.making("a"):
        assert held.making("a").locked()
    assert not held.making("a").locked()
