from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bhiv.bucket import Entry
from bhiv.cleaning import CleanUpRules, Sizes, choose

NOW = datetime(2026, 1, 31, tzinfo=UTC)
NONE = CleanUpRules(tmp_hours=None, unused_days=None)


def entry(key: str, days: float, used: float | None = None, size: int = 1_000_000) -> Entry:
    changed = NOW - timedelta(days=days)
    return Entry(
        key=key, size=size, changed_at=changed, used_at=changed if used is None else NOW - timedelta(days=used)
    )


def chosen(rules: CleanUpRules, *held: Entry) -> dict[str, str]:
    return {found.key: rule for rule, found in choose(listing(held), rules, NOW, Sizes())}


def listing(held: Iterable[Entry]) -> Callable[[Sequence[str]], Iterator[Entry]]:
    return lambda segments: (one for one in held if one.key.split("/")[0] in segments)


def test_an_empty_rule_removes_nothing() -> None:
    assert chosen(NONE, entry("tmp/a", 900), entry("clips/a", 900), entry("videos/a", 900)) == {}


def test_old_temporary_objects_go() -> None:
    assert chosen(CleanUpRules(), entry("tmp/new", 0.5), entry("tmp/old", 2)) == {"tmp/old": "tmp"}


def test_what_can_be_made_again_goes_when_it_is_not_used() -> None:
    held = [entry("clips/used", 90, used=1), entry("clips/unused", 90), entry("images/new", 1)]

    assert chosen(CleanUpRules(), *held) == {"clips/unused": "unused"}


def test_where_uses_are_not_noted_the_last_change_counts() -> None:
    old = Entry(key="clips/a", size=1, changed_at=NOW - timedelta(days=31), used_at=None)

    assert chosen(CleanUpRules(), old) == {"clips/a": "unused"}


def test_what_can_not_be_made_again_goes_by_its_own_rule_only() -> None:
    held = [entry(key, 400) for key in ("videos/a.mp4", "scripts/a.txt", "storyboards/a.json", "logs/a.json")]

    assert chosen(CleanUpRules(), *held) == {}
    assert set(chosen(CleanUpRules(video_days=365), *held).values()) == {"videos"}


def test_above_the_cap_the_least_recently_used_go_first() -> None:
    held = [
        entry("clips/a", 9, used=3),
        entry("audio/b", 9, used=5),
        entry("images/c", 9, used=1),
        entry("videos/d", 9),
    ]

    assert chosen(CleanUpRules(cap_gigabytes=0.0025), *held) == {"audio/b": "cap", "clips/a": "cap"}


def test_what_age_removes_counts_towards_the_cap() -> None:
    held = [entry("clips/old", 40), entry("clips/new", 1)]

    assert chosen(CleanUpRules(cap_gigabytes=0.001), *held) == {"clips/old": "unused"}


def test_of_one_hour_only_so_much_goes_as_the_cap_asks_for() -> None:
    held = [entry(f"clips/{name}", 9, used=3) for name in "abc"]

    assert len(chosen(CleanUpRules(cap_gigabytes=0.0015), *held)) == 2


def test_a_cap_of_nothing_takes_all_that_can_be_made_again() -> None:
    held = [entry("clips/a", 9, used=3), entry("audio/b", 9, used=5), entry("videos/d", 9)]

    assert chosen(CleanUpRules(cap_gigabytes=0), *held) == {"audio/b": "cap", "clips/a": "cap"}
