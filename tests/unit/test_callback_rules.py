from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.callback_rules import (
    SCHEDULE_SECONDS,
    Again,
    Done,
    Ended,
    Next,
    after_attempt,
    retry_after_seconds,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = 86_400.0


def in_seconds(seconds: float) -> Again:
    return Again(NOW + timedelta(seconds=seconds))


def test_ten_attempts_take_75_hours_and_35_minutes() -> None:
    assert len(SCHEDULE_SECONDS) == 10
    assert sum(SCHEDULE_SECONDS) == 75 * 3600 + 35 * 60 + 5


@pytest.mark.parametrize(
    ("attempts", "status", "retry_after", "expected"),
    [
        (1, 200, None, Done()),
        (10, 204, "60", Done()),
        (1, 410, None, Ended("gone")),
        (1, 301, None, in_seconds(5)),
        (2, 308, None, in_seconds(300)),
        (3, 400, None, in_seconds(1800)),
        (4, 404, None, in_seconds(7200)),
        (5, 500, None, in_seconds(18_000)),
        (6, None, None, in_seconds(36_000)),
        (7, 100, None, in_seconds(50_400)),
        (8, 199, None, in_seconds(72_000)),
        (9, 599, None, in_seconds(86_400)),
        (10, 500, None, Ended("exhausted")),
        (10, None, None, Ended("exhausted")),
        (10, 429, "60", Ended("exhausted")),
        (1, 429, "60", in_seconds(60)),
        (1, 503, "Sat, 31 Jan 2026 12:02:00 GMT", in_seconds(120)),
        (1, 503, "Sat, 31 Jan 2026 11:00:00 GMT", in_seconds(5)),
        (1, 429, "999999999", in_seconds(DAY)),
        (1, 429, "0", in_seconds(5)),
        (1, 429, "soon", in_seconds(5)),
        (3, 503, "60", in_seconds(1800)),
        (1, 500, "60", in_seconds(5)),
    ],
)
def test_what_follows_an_answer(attempts: int, status: int | None, retry_after: str | None, expected: Next) -> None:
    assert after_attempt(attempts, status, NOW, jitter=0, retry_after=retry_after) == expected


@given(attempts=st.integers(1, 9), jitter=st.floats(0, 1), retry_after=st.text(), status=st.integers(100, 599))
def test_pauses_are_never_shorter_than_the_schedule_nor_much_longer_than_a_day(
    attempts: int, jitter: float, retry_after: str, status: int
) -> None:
    following = after_attempt(attempts, status, NOW, jitter=jitter, retry_after=retry_after)

    if isinstance(following, Again):
        assert SCHEDULE_SECONDS[attempts] <= (following.at - NOW).total_seconds() <= 1.1 * DAY


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("١٢", None),
        (" 7 ", 7),
        ("9" * 5000, DAY),
        ("Sat, 31 Jan 2026 12:00:30 -0000", 30),
        ("Sat, 31 Jan 2026 13:00:30 +0100", 30),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Sat, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_a_pause_is_read_from_seconds_and_dates(header: str | None, expected: float | None) -> None:
    assert retry_after_seconds(header, NOW) == expected


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_every_date_is_a_pause_of_at_most_a_day(at: datetime) -> None:
    seconds = retry_after_seconds(format_datetime(at.replace(tzinfo=UTC), usegmt=True), NOW)

    assert seconds is not None
    assert 0 <= seconds <= DAY


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    retry_after_seconds(text, NOW)
