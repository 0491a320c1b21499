import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bhiv.errors import InputRefused, SignatureRefused
from bhiv.webhook_signing import new_secret, sign, signed_headers, verify

#: The example of the standard's own libraries.
KNOWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KNOWN_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
KNOWN_TIME = 1_614_265_330
KNOWN_BODY = b'{"test": 2432232314}'
KNOWN_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SECRET, OTHER = new_secret(), new_secret()
BODY = json.dumps({"job": "अ"}).encode()
NOW = 1_800_000_000

HOSTILE = st.one_of(
    st.text(),
    st.text(st.characters(exclude_categories=[])),  # lone surrogates too
    st.sampled_from(
        [
            "",
            "v1",
            "v1,",
            "v1,a",
            ",,,",
            "abc",
            "v1," + "é",
            "sha256=",
            "sha256=ü",
            "9" * 5000,
            "-1",
            "1e3",
            "١٢٣",
            "nan",
        ]
    ),
)


def github(secret: str, body: bytes) -> dict[str, str]:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    assert sign([KNOWN_SECRET], KNOWN_ID, KNOWN_TIME, KNOWN_BODY) == KNOWN_SIGNATURE


@given(body=st.text().map(lambda text: json.dumps(text).encode()), webhook_id=st.from_regex(r"\A[a-zA-Z0-9_-]{1,64}\Z"))
def test_an_independent_receiver_takes_what_is_signed(body: bytes, webhook_id: str) -> None:
    headers = signed_headers([OTHER, SECRET], webhook_id, int(datetime.now(UTC).timestamp()), body)

    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


def test_what_an_independent_sender_signs_is_taken() -> None:
    signature = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    headers = {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(NOW), "Webhook-Signature": signature}

    assert verify([SECRET], headers, BODY, NOW) == "msg_1"


@given(body=st.binary(), late=st.integers(-300, 300))
def test_what_was_signed_is_verified(body: bytes, late: int) -> None:
    assert verify([SECRET], signed_headers([SECRET], "msg_1", NOW, body), body, NOW + late) == "msg_1"


def test_old_and_new_secret_are_good_while_they_change() -> None:
    assert verify([OTHER], signed_headers([SECRET, OTHER], "msg_1", NOW, BODY), BODY, NOW) == "msg_1"
    assert verify([SECRET, OTHER], signed_headers([OTHER], "msg_1", NOW, BODY), BODY, NOW) == "msg_1"
    with pytest.raises(SignatureRefused):
        verify([SECRET], signed_headers([OTHER], "msg_1", NOW, BODY), BODY, NOW)


@pytest.mark.parametrize("off", [-301, 301, 600, -600])
def test_a_clock_that_is_far_off_refuses(off: int) -> None:
    with pytest.raises(SignatureRefused, match="ago"):
        verify([SECRET], signed_headers([SECRET], "msg_1", NOW, BODY), BODY, NOW + off)


@pytest.mark.parametrize("change", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_counts(change: str) -> None:
    headers = signed_headers([SECRET], "msg_1", NOW, BODY)

    with pytest.raises(SignatureRefused):
        verify([SECRET], headers | {change: sign([SECRET], "msg_2", NOW + 1, BODY)}, BODY, NOW)
    with pytest.raises(SignatureRefused):
        verify([SECRET], {name: value for name, value in headers.items() if name != change}, BODY, NOW)


def test_an_id_can_not_be_cut_to_make_an_old_webhook_new() -> None:
    with pytest.raises(InputRefused, match="full stop"):
        sign([SECRET], f"msg.{NOW}", 1, BODY)


def test_github_is_verified_by_its_own_header() -> None:
    assert verify(["any text, äöü"], github("any text, äöü", BODY), BODY, NOW).startswith("72d3162e-")
    for headers, body in (
        (github("other", BODY), BODY),
        (github("any text, äöü", BODY), b"other"),
        ({"X-Hub-Signature-256": github("any text, äöü", BODY)["X-Hub-Signature-256"]}, BODY),
    ):
        with pytest.raises(SignatureRefused):
            verify(["any text, äöü"], headers, body, NOW)


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nobody_is_believed(secrets: list[str]) -> None:
    for headers in (signed_headers([SECRET], "msg_1", NOW, BODY), github("", BODY), {}):
        with pytest.raises(SignatureRefused):
            verify(secrets, headers, BODY, NOW)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "Webhook-Id",
                "webhook-timestamp",
                "webhook-signature",
                "x-hub-signature-256",
                "x-github-delivery",
                "Accept",
            ]
        ),
        HOSTILE,
    ),
    body=st.binary(max_size=64),
    genuine=st.booleans(),
)
def test_hostile_headers_are_refused_and_nothing_else(headers: dict[str, str], body: bytes, genuine: bool) -> None:
    base = signed_headers([OTHER], "msg_1", NOW, body) | github("x", body) if genuine else {}

    with pytest.raises(SignatureRefused):
        verify([SECRET, "plain"], base | headers, body, NOW)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!!!", "garbage", "whsec_" + b64encode(b"x" * 23).decode(), "é"]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(InputRefused) as refused:
        sign([secret], "msg_1", NOW, BODY)

    assert not secret.removeprefix("whsec_") or secret not in str(refused.value)


def test_secrets_are_long_and_never_the_same() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == len("whsec_") + 44
