"""Wishes: for each scene, what an image model or a library of photographs is asked for, or the user's own picture."""

from collections.abc import Sequence

from pydantic import Field

from bhiv.pictures import Brief
from bhiv.pictures.icons import has_icon
from bhiv.pictures.reading import first_named, is_listed, phrase, plain, quotation, vocabulary, words
from bhiv.plan import Contract, Footage, RenderPlan, Scene

#: Libraries find less the more words they are given.
_MOST_DESCRIBED, _MOST_NAMED, _FEWER = 6, 3, 2
_LEAST_LETTERS = 4
_MOST_SPOKEN = 600


class Wish(Contract):
    """What a scene should show."""

    scene: int = Field(description="From 1.")
    brief: Brief = Field(description="The designed picture, which is always there, and the size.")
    prompt: str = Field("", description="For an image model; empty when the designed picture is the best.")
    queries: tuple[str, ...] = Field((), description="English words for a library, then fewer; none: it has no such.")
    url: str | None = Field(None, description="The user's own picture on the web.")
    object: str | None = Field(None, description="The user's own picture in the bucket.")
    footage: Footage | None = Field(None, description="The user's own clip; all else is in case it can't be shown.")


def wish_pictures(plan: RenderPlan, briefs: Sequence[Brief]) -> tuple[Wish, ...]:
    """Return what each scene of a plan should show; `briefs` are those of its designed pictures.

    A title, a big number and a quotation are told best by the designed picture, and keep it unless the plan says what
    the scene shows.
    """
    scenes = enumerate(zip(plan.scenes, briefs, strict=True), 1)
    return tuple(_wish(plan, scene, brief, number) for number, (scene, brief) in scenes)


def _wish(plan: RenderPlan, scene: Scene, brief: Brief, number: int) -> Wish:
    picture = scene.picture
    prompt = picture.prompt.strip() if picture else ""
    url, key = (picture.url, picture.object) if picture else (None, None)
    if not prompt and not url and not key and _is_told_by_its_words(scene, brief):
        return Wish(scene=number, brief=brief, footage=scene.footage)
    spoken = plain(scene.narration)
    text = "\n".join(filter(None, (scene.title, spoken)))
    return Wish(
        scene=number,
        brief=brief,
        prompt=prompt or _described(plan, text),
        queries=_queries(plan, prompt, text),
        url=url,
        object=key,
        footage=scene.footage,
    )


def _queries(plan: RenderPlan, prompt: str, text: str) -> tuple[str, ...]:
    if prompt:
        return queries_of(prompt)
    return queries_of(text, described=False) or queries_of(plan.title, described=False)


def _is_told_by_its_words(scene: Scene, brief: Brief) -> bool:
    # A sentence without anything to see is set as a quotation too, for a change; a photograph is one as well.
    is_quotation = brief.layout == "quote" and quotation(plain(scene.narration)) is not None
    return brief.layout in {"title", "number"} or is_quotation


def _described(plan: RenderPlan, text: str) -> str:
    """Return a prompt for a scene for which the user wrote none."""
    told = " ".join(text.split())[:_MOST_SPOKEN]
    return f"A picture without any lettering, for a video named “{plan.title}”, to these words: {told or plan.title}"


def queries_of(text: str, *, described: bool = True) -> tuple[str, ...]:
    """Return English words to search photographs by, then fewer of them; none when the text names nothing to see.

    Hindi is translated as far as the vocabulary goes. A description of a picture counts with all its words, a text that
    is none by what it names.
    """
    things = _things(text)
    spoken = words(text)
    if described and all(map(str.isascii, spoken)):
        whole = [word for word in dict.fromkeys(spoken) if not is_listed(word, "stop")][:_MOST_DESCRIBED]
    else:
        whole = things[:_MOST_NAMED] or _long(words(phrase(text)))
    found = (" ".join(whole), " ".join(things[: min(_FEWER, max(1, len(whole) - 1))]))
    return tuple(dict.fromkeys(filter(None, found)))


def _things(text: str) -> list[str]:
    """Return what the words stand for that can be seen, in English, in the order of the words."""
    return list(dict.fromkeys(filter(None, map(_thing, words(text)))))


def _thing(word: str) -> str:
    for table in ("subject", "places", "icons"):
        for entry in first_named(word, table):
            if word.isascii():
                return word
            members: list[str] = vocabulary()[table][entry]
            return entry if table != "icons" else next((member for member in members if member.isascii()), "")
    named = word.isascii() and len(word) > 2 and has_icon(word)
    return word if named and not is_listed(word, "stop") and not is_listed(word, "not_icons") else ""


def _long(spoken: list[str]) -> list[str]:
    plain_words = (word for word in spoken if word.isascii() and word.isalpha() and not is_listed(word, "stop"))
    return [word for word in dict.fromkeys(plain_words) if len(word) >= _LEAST_LETTERS][:_MOST_NAMED]
