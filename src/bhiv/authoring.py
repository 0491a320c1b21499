"""Authoring: what a language model writes for a video: a script about a topic, and what is seen with a script's words.

Words that are spoken come from the user or from the script that was written; directions never touch them. What a model
says of a scene is looked at before it is shown: a number that the narration does not hold is not told to viewers.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bhiv import fonts
from bhiv.chat_model import LanguageModel, Shape
from bhiv.errors import FontError, VoiceError
from bhiv.languages import check_language
from bhiv.plan import Picture, Scene, Text
from bhiv.prompts import load_prompt
from bhiv.speech.pauses import without_pauses
from bhiv.storyboard import word_count

#: As a voice speaks.
WORDS_A_MINUTE = 150
#: Of a script, so much is shown to find a title and a mood; a change further on leaves both as they are.
BEGINNING = 3_000
_BEFORE = 300
_MOST_PROMPT = 1_000
_MOST_SHOWN = 80

#: What would be read as a heading, a list or a quotation at the beginning of a paragraph.
_MARKS = re.compile(r"^(?:[#>*•·–—-]+\s+|\d+[.)]\s+)+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}")


def _one_line(text: object) -> object:
    return " ".join(text.split()) if isinstance(text, str) else text


def _or_none(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else text


def _spoken(text: str) -> str:
    """Take out of a paragraph what a script's reader would not speak."""
    said = _MARKS.sub("", text.replace("[", "(").replace("]", ")").replace("`", "'").replace("**", ""))
    if not any(map(str.isalnum, said)):
        raise ValueError("a paragraph has no words")
    return said


Line = Annotated[Text, BeforeValidator(_one_line)]
Shown = Annotated[Annotated[Line, Field(max_length=_MOST_SHOWN)] | None, BeforeValidator(_or_none)]
Paragraph = Annotated[Line, AfterValidator(_spoken)]


class _Section(Shape):
    heading: Shown
    paragraphs: list[Annotated[Paragraph, Field(max_length=5_000)]] = Field(min_length=1, max_length=200)


class _WrittenScript(Shape):
    title: Annotated[Paragraph, Field(min_length=1, max_length=150)]
    sections: list[_Section] = Field(min_length=1, max_length=60)

    @property
    def markdown(self) -> str:
        """The script as a person would write it into a file."""
        parts = [f"# {self.title}"]
        for section in self.sections:
            parts += [f"## {_MARKS.sub('', section.heading)}"] if section.heading else []
            parts += section.paragraphs
        return "\n\n".join(parts) + "\n"


class Whole(Shape):
    """What holds for a whole video."""

    title: Annotated[Line, Field(min_length=1, max_length=150)]
    style: Literal["dawn", "dusk", "night", "ocean", "forest", "ember", "lotus", "slate"] | None = Field(
        description="None: each scene has its own."
    )


class Direction(Shape):
    """What is seen with a scene's words, as the model said it."""

    picture: Annotated[Line, Field(min_length=1, max_length=_MOST_PROMPT)]
    mood: Shown
    on_screen: Shown
    chapter: Shown


class _Numbered(Shape):
    scene: int


class _Entry(Direction, _Numbered):
    """A direction with the number of its scene before it."""


class _Directions(Shape):
    scenes: list[_Entry]


async def write_script(
    model: LanguageModel, topic: str, language: str, words: int, check: Callable[[str], object]
) -> str:
    """Return a script about a topic, in Markdown; `check` raises a ValueError about one that can't be rendered.

    Raises:
        LMError: there is none, or none that can be used.
    """

    def is_usable(written: _WrittenScript) -> None:
        said = " ".join(paragraph for section in written.sections for paragraph in section.paragraphs)
        check_language(said, language)
        count = word_count(said)
        if not words / 3 <= count <= words * 3:
            raise ValueError(f"it has {count} words; write about {words}")
        check(written.markdown)

    instructions = load_prompt("script").filled(fence=_fence(topic), language=language, words=words)
    return (await model.answer(instructions, _fenced(topic), _WrittenScript, is_usable)).markdown


async def see_whole(model: LanguageModel, beginning: str, language: str) -> Whole:
    """Return a title and a style for a script that begins so; raises LMError."""
    material = json.dumps({"narration": beginning}, ensure_ascii=False)
    instructions = load_prompt("whole").filled(fence=_fence(material), language=language)
    return await model.answer(instructions, _fenced(material), Whole)


async def direct(model: LanguageModel, title: str, language: str, scenes: Sequence[tuple[str, str]]) -> list[Direction]:
    """Return what is seen with each scene, given as its narration and what is said before it; raises LMError."""

    def is_complete(answer: _Directions) -> None:
        numbers = [entry.scene for entry in answer.scenes]
        if numbers != list(range(1, len(scenes) + 1)):
            raise ValueError(f"scenes: must be the {len(scenes)} scenes that were sent, by number, in order")

    told = [
        {"scene": number, "before": without_pauses(before)[-_BEFORE:], "narration": without_pauses(narration)}
        for number, (narration, before) in enumerate(scenes, 1)
    ]
    material = json.dumps({"title": title, "scenes": told}, ensure_ascii=False)
    instructions = load_prompt("scenes").filled(fence=_fence(material), language=language)
    answer = await model.answer(instructions, _fenced(material), _Directions, is_complete)
    return [Direction.model_validate(entry.model_dump(exclude={"scene"})) for entry in answer.scenes]


def directed(scene: Scene, direction: Direction, language: str, *, chapters: bool) -> Scene:
    """Return a scene as it was directed: what the user said of it stays, and what can't be shown is left out.

    Its narration, and when it is silent its length, are not touched. `chapters`: whether the model names chapters.
    """
    said = without_pauses(scene.narration)
    prompt = ", ".join(filter(None, (direction.picture, direction.mood)))[:_MOST_PROMPT]
    return scene.model_copy(
        update={
            "title": scene.title or (showable(direction.chapter, said, language) if chapters else None),
            "on_screen": scene.on_screen or showable(direction.on_screen, said, language),
            "picture": scene.picture or Picture(prompt=prompt),
        }
    )


def showable(text: str | None, said: str, language: str) -> str | None:
    """Return the text where it can be shown with the words `said`, else None.

    It can when every number in it is among the words, and its letters are the language's and can be drawn.
    """
    if text is None or not _numbers(text) <= _numbers(said):
        return None
    try:
        check_language(text, language)
        fonts.check_coverage(text, "the text")
    except (VoiceError, FontError):
        return None
    return text


def _numbers(text: str) -> set[str]:
    """Return the numbers written in digits, the same however their thousands are grouped and whatever their script."""
    digits = "".join(str(unicodedata.digit(sign, "")) or sign if sign.isdigit() else sign for sign in text)
    found = _NUMBER.findall(digits)
    return {number.replace(",", "") if _GROUPED.fullmatch(number) else number for number in found}


def _fence(material: str) -> str:
    """Return a mark that the material can't hold, because it is made of the whole of it."""
    return f"material-{hashlib.sha256(material.encode()).hexdigest()[:16]}"


def _fenced(material: str) -> str:
    fence = _fence(material)
    return f"--- {fence} ---\n{material}\n--- {fence} ---"
