"""Services that speak, each by its own protocol over a socket: the speech is espeak's, by a voice that is not ours."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.etree import ElementTree

import numpy as np

from bhiv import ffmpeg, process
from bhiv.speech.espeak import synthesize
from bhiv.speech.spoken import Token
from tests.servers.vendor import Asked, Said

#: Silence before and after what is said, as such services answer.
LEAD_SECONDS = 0.25
_TICKS = 10_000_000

EdgeFault = Literal["403", "500", "no audio", "cut", "silence", "garbage", "closes"]
EDGE_FAULTS: tuple[EdgeFault, ...] = ("403", "500", "no audio", "cut", "silence", "garbage", "closes")


@dataclass(frozen=True)
class Reading:
    """A text as a service says it."""

    wav: bytes
    mp3: bytes
    #: Word, start and end in seconds.
    words: tuple[tuple[str, float, float], ...]


@lru_cache
def reading(text: str, voice: str = "en-us+f3", gain: float = 0.3) -> Reading:
    """Say a text; `gain` makes it as quiet or loud as the service likes."""
    words = text.split()
    spoken = synthesize([Token(word, word) for word in words], voice)
    silence = np.zeros(round(LEAD_SECONDS * spoken.rate), np.int16)
    samples = np.concatenate([silence, (spoken.samples * gain).astype(np.int16), silence]).tobytes()
    raw = ("-f", "s16le", "-ar", str(spoken.rate), "-ac", "1", "-i", "pipe:0")

    def encoded(*arguments: str) -> bytes:
        return process.run(ffmpeg.command(*raw, *arguments, "pipe:1"), timeout_seconds=60, stdin=samples).stdout

    times = [(start / spoken.rate + LEAD_SECONDS, end / spoken.rate + LEAD_SECONDS) for start, end in spoken.times]
    return Reading(
        encoded("-f", "wav"),
        encoded("-c:a", "libmp3lame", "-b:a", "48k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"),
        tuple((word, start, end) for word, (start, end) in zip(words, times, strict=True)),
    )


def openai(asked: Asked) -> Said:
    """POST /v1/audio/speech."""
    assert asked.path == "/v1/audio/speech"
    assert asked.headers["authorization"] == "Bearer sk-speech"
    assert asked.json.keys() == {"model", "voice", "input", "response_format"}
    return Said(reading(asked.json["input"]).wav, "audio/wav")


def elevenlabs(asked: Asked) -> Said:
    """POST /v1/text-to-speech/{voice}/with-timestamps."""
    assert asked.path == "/v1/text-to-speech/Rachel1/with-timestamps"
    assert asked.headers["xi-api-key"] == "xi-secret"
    said = reading(asked.json["text"])
    characters: list[str] = []
    starts: list[float] = []
    ends: list[float] = []
    for number, (word, start, end) in enumerate(said.words):
        if number:
            characters.append(" ")
            starts.append(ends[-1])
            ends.append(start)
        for index, letter in enumerate(word):
            characters.append(letter)
            starts.append(start + (end - start) * index / len(word))
            ends.append(start + (end - start) * (index + 1) / len(word))
    alignment = {
        "characters": characters,
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }
    sound = base64.b64encode(said.mp3).decode()
    return Said.of({"audio_base64": sound, "alignment": alignment, "normalized_alignment": alignment})


def gtts(asked: Asked) -> Said:
    """POST /_/TranslateWebserverUi/data/batchexecute, as the page of Google Translate does."""
    assert asked.path == "/_/TranslateWebserverUi/data/batchexecute"
    [[[name, told, *_]]] = json.loads(parse_qs(asked.body.decode())["f.req"][0])
    text, language, _, _ = json.loads(told)
    assert (name, len(text) <= 100) == ("jQ1olc", True)
    sound = json.dumps([base64.b64encode(reading(text, "hi" if language == "hi" else "en-us+f3").mp3).decode()])
    answer = json.dumps([["wrb.fr", "jQ1olc", sound.replace(" ", ""), None, None, None, "generic"]])
    return Said(f")]}}'\n\n{len(answer)}\n{answer}\n".replace(": ", ":").replace(", ", ",").encode())


@dataclass
class EdgeServer:
    """How it was asked, and what goes wrong."""

    url: str = ""
    fault: EdgeFault | None = None
    texts: list[str] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)
    connections: int = 0


@contextmanager
def edge_server() -> Iterator[EdgeServer]:
    """Run the websocket service of Edge until the block is left."""
    from websockets.sync.server import Server, ServerConnection, serve

    edge, released = EdgeServer(), threading.Event()

    def refuse(connection: ServerConnection, _request: Any) -> Any:
        edge.connections += 1
        return connection.respond(int(edge.fault), "no\n") if edge.fault in {"403", "500"} else None

    def speak(connection: ServerConnection) -> None:
        config, ssml = str(connection.recv()), str(connection.recv())
        assert '"wordBoundaryEnabled":"true"' in config
        root = ElementTree.fromstring(ssml.partition("\r\n\r\n")[2])
        [voice] = root.iter("{http://www.w3.org/2001/10/synthesis}voice")
        edge.texts.append("".join(root.itertext()))
        edge.voices.append(voice.attrib["name"])
        if edge.fault == "silence":
            released.wait(10)
        elif edge.fault == "garbage":
            connection.send("<html>We are moving house.</html>\r\n\r\n")
        elif edge.fault != "closes":
            _answer(connection, edge)

    server: Server = serve(speak, "127.0.0.1", 0, process_request=refuse)
    edge.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/edge/v1?TrustedClientToken=x"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield edge
    finally:
        released.set()
        server.shutdown()
        thread.join(5)


def _answer(connection: Any, edge: EdgeServer) -> None:
    said = reading(edge.texts[-1])
    connection.send("X-RequestId:1\r\nPath:turn.start\r\n\r\n{}")
    if edge.fault != "no audio":
        head = b"X-RequestId:1\r\nContent-Type:audio/mpeg\r\nPath:audio\r\n"
        sound = said.mp3[: len(said.mp3) // 4] if edge.fault == "cut" else said.mp3
        for at in range(0, len(sound), 720):
            connection.send(len(head).to_bytes(2, "big") + head + sound[at : at + 720])
        if edge.fault == "cut":
            time.sleep(0.01)
            return
        for word, start, end in said.words:
            # Words come without their punctuation.
            told = {"Offset": int(start * _TICKS), "Duration": int((end - start) * _TICKS)}
            text = {"Text": word.strip(",.;:!?"), "Length": len(word), "BoundaryType": "WordBoundary"}
            metadata = {"Metadata": [{"Type": "WordBoundary", "Data": told | {"text": text}}]}
            connection.send("X-RequestId:1\r\nPath:audio.metadata\r\n\r\n" + json.dumps(metadata))
    connection.send("X-RequestId:1\r\nPath:turn.end\r\n\r\n{}")
