"""What becomes of a callback after each attempt to deliver it: a table, no clock and no network.

The schedule and the meaning of answers are those of https://www.standardwebhooks.com.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

#: Pauses before each attempt, in seconds: ten attempts in 75 h 35 min.
SCHEDULE_SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: The longest pause that a receiver may ask for.
MAX_RETRY_AFTER_SECONDS = 86_400.0
#: Pauses are longer by up to this share, so that a receiver that comes back isn't met by all senders at once.
JITTER = 0.1

_SECONDS = re.compile(r"[0-9]+", re.ASCII)
_GONE = 410
_MAY_NAME_A_PAUSE = frozenset({429, 503})


@dataclass(frozen=True)
class Done:
    """It is delivered."""


@dataclass(frozen=True)
class Again:
    """It is to be tried again, not before `at`."""

    #: UTC.
    at: datetime


@dataclass(frozen=True)
class Ended:
    """It is given up: the receiver wants no more of them (`gone`), or all attempts are used up (`exhausted`)."""

    reason: Literal["gone", "exhausted"]


Next = Done | Again | Ended


def after_attempt(
    attempts: int, status: int | None, now: datetime, *, jitter: float, retry_after: str | None = None
) -> Next:
    """Return what follows an attempt that has just ended.

    Args:
        attempts: how many were made, this one included; from 1.
        status: of the answer; None when there was none (no connection, too slow, an address that is refused).
            A redirect is a failure like others, because callbacks follow none.
        now: UTC.
        jitter: a random number from 0 to 1, from the caller.
        retry_after: the header, None without one; counts for 429 and 503, and makes a pause longer, never shorter, so
            that no receiver can use up the attempts.
    """
    if status is not None and 200 <= status < 300:
        return Done()
    if status == _GONE:
        return Ended("gone")
    if attempts >= len(SCHEDULE_SECONDS):
        return Ended("exhausted")
    pause = float(SCHEDULE_SECONDS[attempts])
    if status in _MAY_NAME_A_PAUSE:
        pause = max(pause, retry_after_seconds(retry_after, now) or 0)
    return Again(now + timedelta(seconds=pause * (1 + JITTER * jitter)))


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Return the pause that a Retry-After asks for, from 0 to a day; None without one that can be understood.

    Args:
        header: seconds or an HTTP date.
        now: with its time zone.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        # A number of thousands of digits is refused by int.
        return min(float(text[:400]), MAX_RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:  # "-0000": the sender does not know its zone, and HTTP knows UTC only
        at = at.replace(tzinfo=UTC)
    try:
        return min(max((at - now).total_seconds(), 0), MAX_RETRY_AFTER_SECONDS)
    except OverflowError:  # year 1 or 9999 in a zone that shifts it out of the calendar
        return None
