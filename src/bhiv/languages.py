"""Which language a text is written in, as far as its script tells, and whether a language is written that way."""

from bisect import bisect_right
from collections import Counter

from bhiv.errors import VoiceError

#: First and last code point, the script's name, and the language meant when nothing else is said.
_SCRIPTS = sorted(
    [
        (0x0041, 0x024F, "Latin", "en"),
        (0x1E00, 0x1EFF, "Latin", "en"),
        (0x0370, 0x03FF, "Greek", "el"),
        (0x1F00, 0x1FFF, "Greek", "el"),
        (0x0400, 0x052F, "Cyrillic", "ru"),
        (0x0531, 0x058F, "Armenian", "hy"),
        (0x0590, 0x05FF, "Hebrew", "he"),
        (0x0600, 0x06FF, "Arabic", "ar"),
        (0x0750, 0x077F, "Arabic", "ar"),
        (0xFB50, 0xFDFF, "Arabic", "ar"),
        (0xFE70, 0xFEFC, "Arabic", "ar"),
        (0x0900, 0x097F, "Devanagari", "hi"),
        (0xA8E0, 0xA8FF, "Devanagari", "hi"),
        (0x0980, 0x09FF, "Bengali", "bn"),
        (0x0A00, 0x0A7F, "Gurmukhi", "pa"),
        (0x0A80, 0x0AFF, "Gujarati", "gu"),
        (0x0B00, 0x0B7F, "Odia", "or"),
        (0x0B80, 0x0BFF, "Tamil", "ta"),
        (0x0C00, 0x0C7F, "Telugu", "te"),
        (0x0C80, 0x0CFF, "Kannada", "kn"),
        (0x0D00, 0x0D7F, "Malayalam", "ml"),
        (0x0D80, 0x0DFF, "Sinhala", "si"),
        (0x0E00, 0x0E7F, "Thai", "th"),
        (0x0E80, 0x0EFF, "Lao", "lo"),
        (0x1000, 0x109F, "Burmese", "my"),
        (0x10A0, 0x10FF, "Georgian", "ka"),
        (0x1200, 0x139F, "Ethiopic", "am"),
        (0x1780, 0x17FF, "Khmer", "km"),
        (0x3040, 0x30FF, "Japanese", "ja"),
        (0x3400, 0x4DBF, "Chinese", "zh"),
        (0x4E00, 0x9FFF, "Chinese", "zh"),
        (0x20000, 0x3FFFF, "Chinese", "zh"),
        (0x1100, 0x11FF, "Korean", "ko"),
        (0x3130, 0x318F, "Korean", "ko"),
        (0xAC00, 0xD7AF, "Korean", "ko"),
    ]
)
_FIRST = [script[0] for script in _SCRIPTS]
_LANGUAGE = {name: language for _, _, name, language in _SCRIPTS}
#: The other languages of each script; one that is nowhere in this module is written in Latin letters.
_ALSO = {
    "Latin": ["sr", "kk", "uz", "tt", "az", "tk", "bs", "ku"],
    "Greek": ["grc"],
    "Cyrillic": ["uk", "be", "bg", "mk", "ky", "ba", "cv", "nog", "sr", "kk", "uz", "tt", "az", "tk", "bs"],
    "Hebrew": ["yi"],
    "Arabic": ["ur", "fa", "ug", "ps", "sd", "ku"],
    "Devanagari": ["mr", "ne", "sa", "kok", "bho", "mai", "sd"],
    "Bengali": ["as", "bpy"],
    "Ethiopic": ["ti"],
    "Chinese": ["yue", "cmn", "hak", "ja", "ko"],
}
_NO_LETTERS = "en"


def detect_language(text: str) -> str:
    """Return the code of the language that the script of most letters stands for: `hi` for Devanagari, `en` for Latin.

    One script writes many languages, so this is a first guess that a person may overrule. A text without letters, or
    in a script that is not known here, is `en`.
    """
    script = _main_script(text)
    return _NO_LETTERS if script is None else _LANGUAGE[script]


def check_language(text: str, language: str) -> None:
    """Refuse a text that is not written the way `language`, a BCP-47 code, is; one without letters passes.

    Raises:
        VoiceError: most letters are of another script; the message says which language to ask for.
    """
    script = _main_script(text)
    written = _scripts_of(language.split("-")[0].lower())
    if script is not None and script not in written:
        raise VoiceError(
            f"the script is in {script} letters, but {language!r} is written in {' or '.join(sorted(written))}; "
            f"use --language {_LANGUAGE[script]}"
        )


def _scripts_of(language: str) -> set[str]:
    own = {name for name, code in _LANGUAGE.items() if code == language}
    return own | {name for name, codes in _ALSO.items() if language in codes} or {"Latin"}


def _main_script(text: str) -> str | None:
    letters: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if character.isalpha() and (script := _script_of(character)):
            letters[script] += count
    if letters["Japanese"]:  # kana stand only in Japanese, where most letters may still be Chinese ones
        letters["Japanese"] += letters.pop("Chinese", 0)
    return max(letters, key=lambda script: letters[script], default=None) if letters.total() else None


def _script_of(character: str) -> str | None:
    _, last, name, _ = _SCRIPTS[max(bisect_right(_FIRST, ord(character)) - 1, 0)]
    return name if ord(character) <= last else None
