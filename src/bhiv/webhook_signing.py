"""Who sent a webhook: signatures of Standard Webhooks, for sending and receiving, and those of GitHub for receiving.

The scheme is that of https://www.standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`.
"""

import binascii
import hashlib
import hmac
import re
import secrets as randomness
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from bhiv.errors import InputRefused, SignatureRefused

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"
#: The least and the most that the standard allows a key to be.
_LEAST_BYTES, _MOST_BYTES = 24, 64
#: No full stop: it separates what is signed, so that `a.1` at the time 2 would be signed like `a` at the time 1.
_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def new_secret() -> str:
    """Return a new secret to sign with, `whsec_…`."""
    return _PREFIX + b64encode(randomness.token_bytes(32)).decode()


def sign(secrets: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`.

    Args:
        secrets: all that are valid now; one usually, two while the receiver changes from the old one to the new.
        webhook_id: the same for every attempt to deliver the same thing.
        timestamp: of this attempt, in seconds since 1970.
        body: the bytes as they are sent.

    Raises:
        InputRefused: there is no secret, one is not of the standard, or the id holds a full stop or no ASCII.
    """
    if not secrets:
        raise InputRefused("a webhook needs a secret to be signed with: make one with `new_secret`")
    if not _ID.fullmatch(webhook_id):
        raise InputRefused(f"{webhook_id!r} is no webhook id: use 1 to 255 ASCII characters without space or full stop")
    return " ".join(_signature(_key(secret), webhook_id, str(timestamp), body) for secret in secrets)


def signed_headers(secrets: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a webhook; otherwise as `sign`."""
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, webhook_id, timestamp, body),
    }


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> str:
    """Return the id of a webhook that is signed with one of `secrets`.

    The caller must refuse an id that it has seen: within the tolerance a copy of a webhook is as good as the first.
    GitHub signs neither id nor time, so who has seen one of its deliveries can send it again under another id.

    Args:
        secrets: `whsec_…` for Standard Webhooks; GitHub may share any text.
        headers: in any case; other headers are not looked at.
        body: the bytes as they came.
        now: in seconds since 1970.
        tolerance: how far `now` may be from the time of signing, in seconds and in both directions.

    Raises:
        SignatureRefused: a header is missing or malformed, nothing matches, or the time is too far off.
        InputRefused: one of `secrets` begins with `whsec_` and is malformed behind it.
    """
    told = {name.lower(): value for name, value in headers.items()}
    if "webhook-signature" in told:
        return _verify_standard(secrets, told, body, now, tolerance)
    if "x-hub-signature-256" in told:
        return _verify_github(secrets, told, body)
    raise SignatureRefused("the webhook is not signed: it needs webhook-signature or x-hub-signature-256")


def _verify_standard(secrets: Sequence[str], told: Mapping[str, str], body: bytes, now: float, tolerance: float) -> str:
    webhook_id, timestamp = _id_of(told, "webhook-id"), told.get("webhook-timestamp", "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureRefused("webhook-timestamp is missing or is not a number of seconds")
    expected = [
        _signature(_key(secret), webhook_id, timestamp, body) for secret in secrets if secret.startswith(_PREFIX)
    ]
    _match(expected, told["webhook-signature"].split(" "))
    # Asked last, so that only who knows the secret learns what this clock says.
    if not abs(now - int(timestamp)) <= tolerance:
        raise SignatureRefused(
            f"the webhook was signed {now - int(timestamp):+.0f} s ago: send it again, or set the clock"
        )
    return webhook_id


def _verify_github(secrets: Sequence[str], told: Mapping[str, str], body: bytes) -> str:
    delivery = _id_of(told, "x-github-delivery")
    expected = ["sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets if secret]
    _match(expected, [told["x-hub-signature-256"]])
    return delivery


def _id_of(told: Mapping[str, str], header: str) -> str:
    value = told.get(header, "")
    if not _ID.fullmatch(value):
        raise SignatureRefused(f"{header} is missing or is not 1 to 255 ASCII characters without space or full stop")
    return value


def _match(expected: Sequence[str], given: Sequence[str]) -> None:
    """Compare all with all: the time taken tells nothing of where they differ."""
    bytes_given = [one.encode(errors="surrogatepass") for one in given]
    matches = [hmac.compare_digest(one.encode(), other) for one in expected for other in bytes_given]
    if not any(matches):
        raise SignatureRefused("the webhook's signature does not match: check that both sides have the same secret")


def _signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    """Return the key behind a secret; errors never repeat the secret."""
    text = secret.removeprefix(_PREFIX)
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if text == secret or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise InputRefused("a webhook's secret is whsec_ and the base64 of 24 to 64 bytes: make one with `new_secret`")
    return key
