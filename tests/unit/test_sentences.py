from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.speech.pauses import read_pause, split_pauses, without_pauses
from bhiv.speech.sentences import sentence_spans, split_sentences

SENTENCES = [
    ("One. Two.", ["One.", "Two."]),
    ("Is it? It is! Good.", ["Is it?", "It is!", "Good."]),
    ("No end", ["No end"]),
    ("", []),
    ("  \n ", []),
    ("Dr. Rao met Mrs. Iyer. They spoke.", ["Dr. Rao met Mrs. Iyer.", "They spoke."]),
    ("St. Mark and Prof. Ada sat. He rose.", ["St. Mark and Prof. Ada sat.", "He rose."]),
    ("Use a lamp, e.g. a diya. Light it.", ["Use a lamp, e.g. a diya.", "Light it."]),
    ("One star, i.e. The Sun. Warm.", ["One star, i.e. The Sun.", "Warm."]),
    ("It came at 5 a.m. and left.", ["It came at 5 a.m. and left."]),
    ("It came at 5 a.m. The sun rose.", ["It came at 5 a.m.", "The sun rose."]),
    ("Rice, dal, etc. were served.", ["Rice, dal, etc. were served."]),
    ("Rice, dal, etc. We ate.", ["Rice, dal, etc.", "We ate."]),
    ("Pi is 3.14 or so. Yes.", ["Pi is 3.14 or so.", "Yes."]),
    ("It grew 0.5. Then 0.7.", ["It grew 0.5.", "Then 0.7."]),
    ("C. V. Raman saw it. Blue.", ["C. V. Raman saw it.", "Blue."]),
    ("The U.S. Army came. They left.", ["The U.S. Army came.", "They left."]),
    ("It was I. He knew.", ["It was I.", "He knew."]),
    ("Did he? No. He slept.", ["Did he?", "No.", "He slept."]),
    ("See no. 5 and fig. 2 here. Done.", ["See no. 5 and fig. 2 here.", "Done."]),
    ("It ended in 1999. Then peace.", ["It ended in 1999.", "Then peace."]),
    ("1. Water the seed. 2. Wait.", ["1. Water the seed.", "2. Wait."]),
    ('"Why?" she asked. "Look."', ['"Why?" she asked.', '"Look."']),
    ("“Stay here.” The mud sighed.", ["“Stay here.”", "The mud sighed."]),
    ("(It was cold.) We left.", ["(It was cold.)", "We left."]),
    ("Well... maybe not. Fine…", ["Well... maybe not.", "Fine…"]),
    ("Well... Maybe. So…  Yes.", ["Well...", "Maybe.", "So…", "Yes."]),
    ("What?! Really?!! Yes.", ["What?!", "Really?!!", "Yes."]),
    ("Read node.js or a.b.c today. Go.", ["Read node.js or a.b.c today.", "Go."]),
    ("Wait. … Go.", ["Wait. …", "Go."]),
    ("— — Start here. End.", ["— — Start here.", "End."]),
    ("It fell. [pause 2s] Then it rose.", ["It fell.", "[pause 2s] Then it rose."]),
    ("Go [pause 0.5s] now. Yes.", ["Go [pause 0.5s] now.", "Yes."]),
    ("one line\nand the next\nends here.", ["one line", "and the next", "ends here."]),
    ("वह आया। वह गया। क्या?", ["वह आया।", "वह गया।", "क्या?"]),
    ("राम॥ सीता।श्याम", ["राम॥", "सीता।", "श्याम"]),
    ("डॉ. शर्मा आए। सब हँसे!", ["डॉ. शर्मा आए।", "सब हँसे!"]),
    ("उसने कहा, “चलो।” फिर गया।", ["उसने कहा, “चलो।”", "फिर गया।"]),
    ("水。火！木？", ["水。", "火！", "木？"]),
    ("هل جاء؟ نعم. ذهب۔ عاد", ["هل جاء؟", "نعم.", "ذهب۔", "عاد"]),
    ("Он ушёл. Она осталась.", ["Он ушёл.", "Она осталась."]),
]


@pytest.mark.parametrize(("text", "sentences"), SENTENCES)
def test_sentences_end_where_a_reader_would_pause(text: str, sentences: list[str]) -> None:
    assert sentences == split_sentences(text)


@given(st.text(alphabet="aB1. !?।…\"'“”()\n—[]", max_size=60))
def test_every_mark_is_in_one_sentence(text: str) -> None:
    spans = list(sentence_spans(text))

    assert "".join(text.split()) == "".join("".join(text[start:end].split()) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("2s", "[pause 2s]"),
        (" 2 ", "[pause 2s]"),
        (": 1.50 seconds", "[pause 1.5s]"),
        ("500 ms", "[pause 0.5s]"),
        ("10S", "[pause 10s]"),
        ("0.1s", "[pause 0.1s]"),
    ],
)
def test_a_pause_has_one_normal_form(written: str, normal: str) -> None:
    assert normal == read_pause(written)


@pytest.mark.parametrize("written", ["", "x", "-1s", "2 minutes", "0s", "0.05s", "10.1s", "1e9", "1,5s"])
def test_a_length_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"has the length|lasts"):
        read_pause(written)


def test_pauses_part_the_words_around_them() -> None:
    parts = list(split_pauses("[pause 1s] One [pause 0.5s][pause 2s] two"))

    assert [str(part) for part in parts] == ["1", "One", "1/2", "2", "two"]
    assert without_pauses("[pause 1s] One [pause 0.5s][pause 2s] two") == "One two"
