"""Storyboard by rules: passages become scenes of a length that one picture can carry."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from textwrap import shorten

from bhiv.errors import ScriptError
from bhiv.plan import Picture, Scene
from bhiv.script import Passage, Script
from bhiv.speech.pauses import without_pauses
from bhiv.speech.sentences import sentence_spans, split_sentences

#: About 22 seconds of speech; a picture that stays longer tires.
_SCENE_WORDS = 60
#: A sentence longer than this may be parted inside.
_SENTENCE_WORDS = 120
_MAX_CHARACTERS = 20_000
#: A clause shorter than this says too little.
_LEAST_NAME = 12

_CLAUSE_END = re.compile(r"[,;:،、，；：—–]\s+|[、，；：]")
_WORD = re.compile(r"\S+")
#: Letters of scripts that put no space between words; two of them count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class _Draft:
    """A scene before it is part of a plan; fields as in `Passage`."""

    narration: str
    title: str | None
    prompt: str | None


def make_scenes(script: Script, max_scenes: int) -> tuple[Scene, ...]:
    """Return the scenes of a script: every word once, in order, in at most `max_scenes` scenes.

    A passage longer than a picture can carry is split at sentence ends into scenes of like length; all of them show
    its picture, the first has its title. Too many scenes are merged with their neighbours, evenly.

    Raises:
        ScriptError: the script does not fit into `max_scenes` scenes.
    """
    words = sum(word_count(passage.narration) for passage in script.passages)
    length = max(_SCENE_WORDS, -(-words // max_scenes))
    drafts = [draft for passage in script.passages for draft in _split(passage, length)]
    return tuple(_scene(draft, max_scenes) for draft in _merge(drafts, max_scenes))


def opening(narration: str, most: int = 48) -> str:
    """Return the words that a narration may be named by: its first sentence, or what makes sense of it by itself.

    At most `most` characters; empty for a narration without words. A closing full stop is left out.
    """
    sentence = " ".join(next(iter(split_sentences(without_pauses(narration))), "").split())
    if len(sentence) - 1 > most:
        clause = max((mark.start() for mark in _CLAUSE_END.finditer(sentence, 0, most)), default=0)
        whole = clause >= _LEAST_NAME and sentence[:clause].count("“") == sentence[:clause].count("”")
        sentence = sentence[:clause] if whole else shorten(sentence, most, placeholder=" …")
    return sentence.rstrip(".।。")


def _scene(draft: _Draft, max_scenes: int) -> Scene:
    if len(draft.narration) > _MAX_CHARACTERS:
        raise ScriptError(
            f"the script is too long for {max_scenes} scenes: one would have {len(draft.narration):,} characters, at "
            f"most {_MAX_CHARACTERS:,} fit; split the script, or raise BHIV_MAX_SCENES"
        )
    picture = Picture(prompt=draft.prompt) if draft.prompt else None
    return Scene(narration=draft.narration, title=draft.title, picture=picture)


def _split(passage: Passage, length: int) -> Iterator[_Draft]:
    text = passage.narration
    spans = [piece for start, end in sentence_spans(text) for piece in _pieces(text, start, end)]
    weights = [word_count(text[start:end]) for start, end in spans]
    for first, last in _groups(weights, -(-sum(weights) // length)):
        narration = text[spans[first][0] : spans[last - 1][1]].strip()
        yield _Draft(narration, passage.title if first == 0 else None, passage.picture_prompt)


def _merge(drafts: list[_Draft], most: int) -> Iterator[_Draft]:
    if len(drafts) <= most:
        yield from drafts
        return
    for first, last in _groups([word_count(draft.narration) for draft in drafts], most):
        merged = drafts[first:last]
        yield _Draft(
            # A line end parts sentences even where no mark does.
            "\n".join(draft.narration for draft in merged),
            next((draft.title for draft in merged if draft.title), None),
            next((draft.prompt for draft in merged if draft.prompt), None),
        )


def word_count(text: str) -> int:
    """Return how many words a text has; where no space parts them, two letters count as one."""
    said = without_pauses(text)
    return max(len(said.split()), len(_UNSPACED.findall(said)) // 2)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence whole, or, when it is very long, its clauses, and a very long clause in words."""
    if word_count(text[start:end]) <= _SENTENCE_WORDS:
        yield start, end
        return
    cuts = [start, *(mark.end() for mark in _CLAUSE_END.finditer(text, start, end)), end]
    for left, right in pairwise(cuts):
        if word_count(text[left:right]) <= _SENTENCE_WORDS:
            if left < right:
                yield left, right
        else:
            yield from (word.span() for word in _WORD.finditer(text, left, right))


def _groups(weights: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Part a sequence into at most `most` runs of like weight; each run but the last ends where weight is left."""
    ends = list(accumulate(weights))
    total = ends[-1]
    cuts = {0, len(weights)}
    for group in range(1, most):
        after = bisect_left(ends, total * group / most)
        near = min((after - 1, after), key=lambda index: abs(ends[max(index, 0)] * most - total * group))
        if near >= 0 and ends[near] < total:
            cuts.add(near + 1)
    return list(pairwise(sorted(cuts)))
