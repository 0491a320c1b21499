"""The program that speaks texts with espeak-ng: started by `bhiv.speech.espeak` for the sentences of a narration.

A process of its own, because the library keeps global state, and because its licence (GPL) is then at arm's length. A
second call within one process gives other bytes, so each text is spoken by a fork of the process that has only loaded
the voice; the last one, or the only one, by that process itself. It imports as little as it can, so as to start in
milliseconds.

    python -I -S espeak_child.py LIBRARY DATA VOICE WORDS_A_MINUTE
    stdin   the texts, with NUL between them
    stdout  for each text in order: rate, number of words, bytes of sound; then character and sample of each word; then
            the sound: 16 bit, mono; all numbers little endian, of 32 bit before the sound
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

TYPE_CHECKING = False  # as in typing, whose import takes a quarter of the start
if TYPE_CHECKING:
    from typing import Any

# Names and numbers are those of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE = 1
_POSITION_IN_CHARACTERS = 1
_UTF8 = 1
_END_OF_LIST = 0
_WORD = 1


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def _main(library: str, data: str, voice: str, words_a_minute: str) -> None:
    texts = sys.stdin.buffer.read().split(b"\0")
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
    if rate <= 0:
        raise SystemExit(f"espeak-ng can't start with the data in {data}")
    if espeak.espeak_SetVoiceByName(voice.encode()):
        raise SystemExit(f"espeak-ng has no voice {voice!r}")
    espeak.espeak_SetParameter(_RATE, int(words_a_minute), 0)
    for text in texts[:-1]:
        forked = os.fork()
        if not forked:
            texts = [text]
            break
        if os.waitpid(forked, 0)[1]:  # it has said why
            raise SystemExit(1)
    sound, words = _speak(espeak, texts[-1])
    if sys.byteorder == "big":
        sound[0::2], sound[1::2] = sound[1::2], sound[0::2]
    header = struct.pack("<iii", rate, len(words), len(sound))
    told = b"".join(struct.pack("<ii", *word) for word in words)
    sys.stdout.buffer.write(header + told + sound)
    sys.stdout.buffer.flush()
    os._exit(0)  # a tidy end takes as long as a short text


def _speak(espeak: ctypes.CDLL, text: bytes) -> tuple[bytearray, list[tuple[int, int]]]:
    sound = bytearray()
    words: list[tuple[int, int]] = []

    def take(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, count * 2))
        index = 0
        while events[index].type != _END_OF_LIST:
            if events[index].type == _WORD:
                words.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    callback = _Callback(take)  # the library keeps only its address, so the name must live until the end
    espeak.espeak_SetSynthCallback(callback)
    # A size_t that ctypes would otherwise pass as an int.
    size = ctypes.c_size_t(len(text) + 1)
    if espeak.espeak_Synth(text, size, 0, _POSITION_IN_CHARACTERS, 0, _UTF8, None, None):
        raise SystemExit("espeak-ng refuses the text")
    espeak.espeak_Synchronize()
    return sound, words


if __name__ == "__main__":
    _main(*sys.argv[1:])
