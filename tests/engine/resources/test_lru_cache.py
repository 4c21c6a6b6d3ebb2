from __future__ import annotations

from mockserver.engine.resources.render import LruCache


def test_the_least_recently_used_goes_first() -> None:
    recent: LruCache[str, int] = LruCache(entries=2, size=100)
    recent.keep("a", 1, 1)
    recent.keep("b", 2, 1)
    assert recent.get("a") == 1
    recent.keep("c", 3, 1)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_the_oldest_go_when_the_bytes_are_too_many() -> None:
    recent: LruCache[str, int] = LruCache(entries=10, size=100)
    recent.keep("a", 1, 60)
    recent.keep("b", 2, 60)
    assert [recent.get(key) for key in "ab"] == [None, 2]


def test_what_is_too_large_is_not_kept_and_drives_nothing_out() -> None:
    recent: LruCache[str, int] = LruCache(entries=10, size=100)
    recent.keep("a", 1, 100)
    recent.keep("large", 2, 101)
    assert [recent.get(key) for key in ("a", "large")] == [1, None]


def test_replacing_frees_what_was_there() -> None:
    recent: LruCache[str, int] = LruCache(entries=10, size=100)
    for value in range(5):
        recent.keep("a", value, 90)
    recent.keep("b", 1, 10)
    assert (recent.get("a"), recent.get("b"), len(recent)) == (4, 1, 2)
