"""The voice of Google Translate: one a language, without a key and without a promise.

The protocol is that of the gTTS package, which itself is not used: it pins an older click than Prefect's, and asks
without looking at the server's certificate.
"""

import base64
import binascii
import json
import re
from importlib import resources
from itertools import pairwise

from bhiv.errors import Inarticulate, SpeechError, VoiceError
from bhiv.speech.asking import MOST_BYTES, PATIENCE, post
from bhiv.speech.engine import base_of
from bhiv.speech.recordings import Recording
from bhiv.speech.sentences import clause_cuts, closes_clause
from bhiv.vendors import Patience, Vendor

_RPC = "jQ1olc"
#: Longer texts are refused.
_LONGEST = 100
_SOUND = re.compile(rb'jQ1olc","\[\\"([^"\\]*)\\"')
_LANGUAGES = frozenset((resources.files("bhiv.speech") / "gtts_languages.txt").read_text(encoding="ascii").split())
#: Google's own codes, where they are not those of BCP-47 today.
_OTHER_CODES = {"he": "iw", "jv": "jw", "zh": "zh-CN", "fil": "tl", "nb": "no", "zh-HK": "yue", "zh-Hant": "zh-TW"}
_HEADERS = {
    "Referer": "https://translate.google.com/",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/47.0.2526.106",
}


class GoogleTranslate:
    """The service; it gives no times."""

    name = "gtts"
    identity = "gtts 1"

    def __init__(self, base_url: str, patience: Patience = PATIENCE) -> None:
        self._vendor = Vendor("the voice of gtts", base_url, SpeechError, _HEADERS, patience, MOST_BYTES)

    def voice_for(self, name: str, language: str) -> str:
        """Return the service's own code of the language."""
        spoken = next(filter(None, map(_code, (language, base_of(language)))), None)
        if spoken is None:
            raise Inarticulate(f"gtts does not speak {language!r}")
        if name and base_of(_code(name) or name) != base_of(spoken):
            raise VoiceError(f"gtts has one voice a language, named by its code; {name!r} does not speak {language!r}")
        return (name and _code(name)) or spoken

    def record(self, text: str, voice: str, language: str) -> Recording:  # noqa: ARG002 - the voice is the language
        """Say a text, in as many requests as it needs; MPEG frames may follow one another."""
        return Recording(b"".join(self._said(part, voice) for part in _parts(text)))

    def _said(self, text: str, voice: str) -> bytes:
        asked = json.dumps([text, voice, None, "null"], separators=(",", ":"))
        form = {"f.req": json.dumps([[[_RPC, asked, None, "generic"]]], separators=(",", ":"))}
        found = _SOUND.search(post(self._vendor, "_/TranslateWebserverUi/data/batchexecute", form=form))
        try:
            return base64.b64decode(found[1], validate=True) if found else b""
        except binascii.Error:
            raise SpeechError("the voice of gtts answered a sound that breaks off") from None


def _code(language: str) -> str | None:
    own = _OTHER_CODES.get(language, language)
    return next((code for code in _LANGUAGES if code.lower() == own.lower()), None)


def _parts(text: str) -> list[str]:
    """Cut a text behind its clauses, else between words, and a word that is too long anywhere."""
    words = [word[at : at + _LONGEST] for word in text.split() for at in range(0, len(word), _LONGEST)]
    cuts = clause_cuts([len(word) for word in words], [closes_clause(word) for word in words], _LONGEST)
    bounds = [0, *cuts, len(words)]
    return [" ".join(words[start:end]) for start, end in pairwise(bounds)]
