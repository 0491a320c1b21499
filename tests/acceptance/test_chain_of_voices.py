"""A render whose voice is a service: what it refuses is spoken by espeak, and asked for again by the next render."""

from dataclasses import replace

from tests.acceptance.conftest import Shop
from tests.servers import voices
from tests.servers.vendor import vendor_server

SCRIPT = "A Small Story\n\nThe bud broke the surface. A petal opened.\n\nThe sun was warm."
SMALL = ("--size", "144x144", "--fps", "24", "--json")


def test_what_a_service_refuses_is_spoken_by_espeak_until_it_takes_it(shop: Shop) -> None:
    shop.write("story.txt", SCRIPT)
    with vendor_server(voices.openai) as server:
        chain = {
            "BHIV_VOICES": "openai:nova",
            "BHIV_TTS_BASE_URL": f"{server.url}/v1",
            "BHIV_TTS_API_KEY": "sk-speech",
        }
        shop = replace(shop, environment={**shop.environment, **chain})
        server.faults = [None, "400"]
        first = shop.bhiv("render", "story.txt", *SMALL)
        asked_first = len(server.requests)
        second = shop.bhiv("render", "story.txt", *SMALL)
        asked_second = len(server.requests)
        third = shop.bhiv("render", "story.txt", *SMALL)

    assert (first.code, second.code, third.code) == (0, 0, 0), first.err
    assert len(first.summary["notes"]) == 1
    assert "the voice of openai answered 400" in first.err
    assert "espeak spoke in its place" in first.err
    assert (second.summary["notes"], third.summary["notes"]) == ([], [])
    assert (asked_first, asked_second, len(server.requests)) == (3, 4, 4)
    assert third.summary["stages"]["tts"]["cached"] == 2


def test_the_voices_of_a_language_are_listed_with_what_the_others_lack(shop: Shop) -> None:
    ended = shop.bhiv("voices", "--language", "hi", BHIV_VOICES="elevenlabs:Rachel1", BHIV_ELEVENLABS_API_KEY="xi")

    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in ended.out.splitlines()}
    assert ended.code == 0
    assert (listed["espeak"], listed["gtts"], listed["elevenlabs"]) == ("hi", "hi", "Rachel1")
    assert listed["openai"] == "no: openai has no address: set BHIV_TTS_BASE_URL"
    assert listed["piper"].startswith("no: ")
