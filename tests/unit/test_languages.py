import pytest

from bhiv.errors import VoiceError
from bhiv.languages import check_language, detect_language

TEXTS = [
    ("The lotus grows.", "en"),
    ("Über die Brücke", "en"),
    ("कमल खिलता है।", "hi"),
    ("পদ্ম ফোটে", "bn"),
    ("தாமரை மலர்கிறது", "ta"),
    ("కమలం", "te"),
    ("કમળ", "gu"),
    ("ಕಮಲ", "kn"),
    ("താമര", "ml"),
    ("ਕਮਲ", "pa"),
    ("زهرة اللوتس", "ar"),
    ("Цветок лотоса", "ru"),
    ("Λωτός", "el"),
    ("לוטוס", "he"),
    ("ดอกบัว", "th"),
    ("莲花", "zh"),
    ("蓮の花が咲く", "ja"),
    ("연꽃", "ko"),
    ("", "en"),
    ("123 … ?!", "en"),
    ("कमल यानी lotus का फूल खिला", "hi"),
    ("The word कमल means lotus.", "en"),
]


@pytest.mark.parametrize(("text", "language"), TEXTS)
def test_the_script_of_most_letters_tells_the_language(text: str, language: str) -> None:
    assert language == detect_language(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("कमल", "hi-IN"),
        ("कमल", "mr"),
        ("lotus", "fr"),
        ("lotus", "en-GB"),
        ("蓮花", "ja"),
        ("лотос", "sr"),
        ("lotos", "sr"),
        ("123", "hi"),
    ],
)
def test_a_text_in_the_languages_own_letters_passes(text: str, language: str) -> None:
    check_language(text, language)


@pytest.mark.parametrize(
    ("text", "language", "advice"),
    [("कमल खिला", "en", "--language hi"), ("The lotus", "hi", "--language en"), ("лотос", "ar", "--language ru")],
)
def test_a_text_in_other_letters_is_refused_with_what_to_do(text: str, language: str, advice: str) -> None:
    with pytest.raises(VoiceError, match=advice):
        check_language(text, language)
