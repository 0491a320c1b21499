"""Briefs: what each scene's picture shows, chosen from the scene's own words."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from pydantic import Field

from bhiv.pictures.discourse import Sides, is_ending, listing, milestones, sides
from bhiv.pictures.icons import has_icon
from bhiv.pictures.reading import (
    Figure,
    count,
    first_named,
    forms,
    is_listed,
    named,
    phrase,
    plain,
    quotation,
    shortened,
    statement,
    words,
)
from bhiv.plan import Contract, RenderPlan, Scene, Style

LayoutName = Literal[
    "title", "headline", "number", "quote", "landscape", "lotus", "devotion", "list", "comparison", "timeline",
    "chapter", "end",
]  # fmt: skip
PaletteName = Literal["dawn", "dusk", "night", "ocean", "forest", "ember", "lotus", "slate"]
Motif = Literal[
    "", "mountains", "sunrise", "night", "sea", "forest", "river", "city", "hills", "rain",
    "desert", "space", "temple", "lamp", "flower", "seed", "sprout", "stem", "bud", "half", "bloom",
]  # fmt: skip

#: The motifs of a lotus's life; the others are places, the empty one is a plain backdrop.
LOTUS_STAGES = frozenset({"seed", "sprout", "stem", "bud", "half", "bloom"})
#: Motifs that devotional texts are given.
DEVOTIONAL = frozenset({"lamp", "flower"})

#: The light that suits a motif, where the text tells no mood.
_LIGHT: dict[str, PaletteName] = {
    "mountains": "dawn",
    "sunrise": "dusk",
    "night": "night",
    "sea": "ocean",
    "forest": "forest",
    "river": "forest",
    "city": "dusk",
    "hills": "ember",
    "rain": "ocean",
    "desert": "ember",
    "space": "night",
    "temple": "dusk",
    "lamp": "ember",
    "flower": "lotus",
    "seed": "ocean",
    "sprout": "ocean",
    "stem": "ocean",
    "bud": "dawn",
    "half": "dusk",
    "bloom": "lotus",
}
#: Motifs and palettes that are a time of day.
_HOURS = frozenset({"night", "sunrise"})
_HOURLY = frozenset({"night", "dawn", "dusk"})
#: Where no hour is seen.
_UNDER_WATER = frozenset({"seed", "sprout", "stem"})
#: Places that any mood suits.
_ANY_LIGHT = frozenset({"mountains", "city", "hills", "temple", "lamp", "flower"})
#: Words between two clauses that need not be two sides.
_JOINTS = frozenset({"but", "yet", "while", "लेकिन", "मगर", "किंतु", "किन्तु", "परंतु", "परन्तु", "पर"})
#: Layouts of which two may follow each other, when their motifs differ.
_PLACES = frozenset({"landscape", "lotus", "devotion"})


class Item(Contract):
    """One of several things in a picture."""

    label: str = Field("", description="The date or step that it belongs to.")
    text: str
    icon: str = Field("", description="Name of a Material Design icon.")


class Brief(Contract):
    """Everything that decides a picture's bytes; empty strings draw nothing."""

    layout: LayoutName
    palette: PaletteName
    motif: Motif = Field("", description="What the backdrop shows; empty for a plain one.")
    details: tuple[Literal["temple"], ...] = Field((), description="What else stands in the backdrop.")
    icon: str = Field("", description="Name of a Material Design icon.")
    kicker: str = Field("", description="Small line above the headline.")
    headline: str = ""
    lead: str = Field("", description="The sentence up to the number.")
    figures: tuple[Figure, ...] = ()
    follow: str = Field("", description="The sentence after the number.")
    items: tuple[Item, ...] = Field((), description="What a list, two sides, a line of time or credits hold.")
    quote: str = Field("", description="Words to set large; its newlines stay.")
    source: str = Field("", description="Who said it.")
    quoted: bool = Field(False, description="Whether the words stand in quotation marks.")
    language: str = "en"
    seed: int = Field(0, ge=0, lt=1 << 32, description="Decides what the words leave open, such as a mountain's form.")
    width: int = Field(ge=64, le=16_384, description="Pixels.")
    height: int = Field(ge=64, le=16_384, description="Pixels.")


def brief_scenes(plan: RenderPlan, width: int, height: int) -> tuple[Brief, ...]:
    """Choose a picture of this size in pixels for every scene of the plan.

    The first is the title, unless a card of its own shows it; the last an end card when it says so. Nothing is shown
    that the scene's words don't say. Neighbours differ in layout, or in motif where both are places. Scenes with an
    even index choose freely and those between them choose something else, so a changed scene changes no briefs but
    its own and its neighbours', unless it was the only one to name the lotus.
    """
    has_lotus = _has_lotus(plan)
    told = [_offers(plan, scene, has_lotus, width, height) for scene in plan.scenes]
    title = brief_title(plan, width, height)
    first = next((offer for offer in told[0] if not _alike(offer, title)), told[0][0]) if plan.title_card else title
    chosen = [first, *(offers[0] for offers in told[1:])]
    for index in range(1, len(chosen), 2):
        neighbours = (chosen[index - 1], *chosen[index + 1 : index + 2])
        chosen[index] = next(
            (offer for offer in told[index] if not any(_alike(offer, other) for other in neighbours)), told[index][0]
        )
    if chosen[-1].layout == "end":  # a video ends in the colours that it began with
        chosen[-1] = chosen[-1].model_copy(update={"palette": title.palette})
    return tuple(chosen)


def brief_end(plan: RenderPlan, lines: Sequence[str], width: int, height: int) -> Brief:
    """Return the picture of a card behind the last scene: the title once more, and lines of credits below it."""
    return Brief(
        layout="end",
        palette=brief_title(plan, width, height).palette,
        headline=plan.title,
        items=_items(lines, icons=False),
        language=plan.language,
        seed=_seed(plan.title),
        width=width,
        height=height,
    )


def _alike(first: Brief, second: Brief) -> bool:
    if first.motif and first.motif == second.motif:
        return True
    return first.layout == second.layout and first.layout not in _PLACES


def brief_title(plan: RenderPlan, width: int, height: int) -> Brief:
    """Return the picture with the title, over what it and the first scene speak of."""
    opening = plan.scenes[0]
    about = f"{plan.title}\n{_said(opening)}"
    motif: Motif = "bloom" if _has_lotus(plan) else _motif(plan.title, False) or _motif(about, False)
    return Brief(
        layout="title",
        palette=_palette(plan, plan.title, motif),
        motif=motif,
        details=("temple",) if _has_temple(about) else (),
        icon="" if motif else _icon(about),
        headline=plan.title,
        language=plan.language,
        seed=_seed(plan.title),
        width=width,
        height=height,
    )


def _offers(plan: RenderPlan, scene: Scene, has_lotus: bool, width: int, height: int) -> Sequence[Brief]:
    """Return the pictures that fit a scene, the best first; there are always three that differ from each other."""
    said, spoken = _said(scene), plain(scene.narration)
    motif = _motif(said, has_lotus)
    heading = (scene.title or "").strip()
    shown = heading or (scene.on_screen or "").strip()
    common = Brief(
        layout="headline", palette=_palette(plan, said, ""), language=plan.language, seed=_seed(said), width=width,
        height=height,
    )  # fmt: skip
    offers = [*_endings(plan, scene, common, heading, spoken), *_built(common, spoken, heading)]
    if heading:
        offers.append(_chapter(plan, common, said, motif, heading))
    else:
        offers += _struck(common, said, spoken)
    if motif:
        offers.append(_place(plan, common, said, motif, shown))
    if not heading and (compared := sides(spoken)):
        offers.append(_compared(common, compared, ""))
    headline = shown or phrase(spoken) or phrase(said) or plan.title
    kicker = _kicker(plan, headline)
    offers.append(
        common.model_copy(update={"headline": headline, "kicker": kicker, "icon": _icon(headline) or _icon(said)})
    )
    offers.append(_quote(common, shown or statement(spoken) or headline, "", marked=False))
    spare: Motif = "hills" if motif != "hills" else "mountains"
    return [*offers, _place(plan, common, said, spare, shown)]


def _kicker(plan: RenderPlan, headline: str) -> str:
    return plan.title if len(plan.title) <= 44 and plan.title != headline else ""


def _endings(plan: RenderPlan, scene: Scene, common: Brief, heading: str, spoken: str) -> Sequence[Brief]:
    """Return the end card, when this is the last scene and says by its heading, or by all its words, that it is."""
    if scene is not plan.scenes[-1] or not is_ending(heading or spoken):
        return ()
    lines = [shortened(line, 8) for line in spoken.split("\n") if line] if heading else []
    if is_ending(" ".join(lines)) or any(line.endswith("…") for line in lines):
        lines = []
    headline = (heading or spoken).rstrip(".!।")
    return (common.model_copy(update={"layout": "end", "headline": headline, "items": _items(lines, icons=False)}),)


def _built(common: Brief, spoken: str, heading: str) -> Iterator[Brief]:
    """Yield what the text's own form asks for: a line of time, a list, two sides that it names as such."""
    if stones := milestones(spoken):
        items = tuple(Item(label=stone.when, text=stone.what) for stone in stones)
        yield common.model_copy(update={"layout": "timeline", "items": items, "headline": heading})
    if listed := listing(spoken):
        lead = listed.lead if len(words(listed.lead)) > 1 else ""
        # The words before a list say what it lists, which the scene's title need not do.
        told = {
            "items": _items(listed.items, icons=True),
            "headline": lead or heading,
            "kicker": heading if lead else "",
        }
        yield common.model_copy(update={"layout": "list", **told})
    if (compared := sides(spoken)) and compared.word and compared.word.casefold() not in _JOINTS:
        yield _compared(common, compared, heading)


def _items(texts: Iterable[str], *, icons: bool) -> tuple[Item, ...]:
    items: list[Item] = []
    for text in texts:
        name = _icon(text) if icons else ""
        # The same sign twice says nothing of what differs.
        items.append(Item(text=text, icon="" if any(name == item.icon for item in items) else name))
    return tuple(items)


def _compared(common: Brief, compared: Sides, heading: str) -> Brief:
    word = compared.word if len(compared.word) <= 9 else ""
    items = _items((compared.first, compared.second), icons=True)
    if not all(item.icon for item in items):
        items = tuple(item.model_copy(update={"icon": ""}) for item in items)
    joint = word if not compared.leads_on else ""
    return common.model_copy(update={"layout": "comparison", "items": items, "follow": joint, "headline": heading})


def _chapter(plan: RenderPlan, common: Brief, said: str, motif: Motif, heading: str) -> Brief:
    return common.model_copy(
        update={
            "layout": "chapter",
            "palette": _palette(plan, said, motif),
            "motif": motif,
            "details": ("temple",) if _has_temple(said) else (),
            "icon": "" if motif else _icon(heading) or _icon(said),
            "kicker": _kicker(plan, heading),
            "headline": heading,
        }
    )


def _struck(common: Brief, said: str, spoken: str) -> Iterator[Brief]:
    if struck := count(spoken):
        told = {"lead": struck.lead, "figures": struck.figures, "follow": struck.follow}
        yield common.model_copy(update={"layout": "number", "icon": _icon(said), **told})
    if quoted := quotation(spoken):
        yield _quote(common, quoted.text, quoted.source, quoted.marked)


def _quote(common: Brief, text: str, source: str, marked: bool) -> Brief:
    return common.model_copy(update={"layout": "quote", "quote": text, "source": source, "quoted": marked})


def _place(plan: RenderPlan, common: Brief, said: str, motif: Motif, heading: str) -> Brief:
    return common.model_copy(
        update={
            "layout": _scenic(motif),
            "palette": _palette(plan, said, motif),
            "motif": motif,
            "details": ("temple",) if _has_temple(said) else (),
            "headline": heading,
        }
    )


def _scenic(motif: str) -> LayoutName:
    return "lotus" if motif in LOTUS_STAGES else "devotion" if motif in DEVOTIONAL else "landscape"


def _said(scene: Scene) -> str:
    """Return the scene's words, those about its picture first."""
    prompt = scene.picture.prompt if scene.picture else ""
    return "\n".join(filter(None, (prompt, scene.title or "", plain(scene.narration))))


def _motif(text: str, has_lotus: bool) -> Motif:
    """Return the place that a text names, or the lotus's stage where the script is about one; empty for none."""
    if has_lotus:
        stages = named(text, "lotus")
        if stages:
            return _motif_named(stages[-1])
        if "lotus" in named(text, "subject"):
            return "bloom"
    # A sea at dawn is a sea, in dawn's colours; only where no place is named is the hour itself the picture.
    places = first_named(text, "places") or first_named(text, "devotion")
    return _motif_named(min(places, key=_HOURS.__contains__, default=""))


def _motif_named(name: str) -> Motif:
    assert name in get_args(Motif), f"vocabulary.toml names the motif {name!r}, which can't be drawn"
    motif: Motif = name  # type: ignore[assignment]  # just asserted
    return motif


def _has_temple(text: str) -> bool:
    return "temple" in named(text, "subject")


def _has_lotus(plan: RenderPlan) -> bool:
    return any("lotus" in named(text, "subject") for text in (plan.title, *map(_said, plan.scenes)))


def _palette(plan: RenderPlan, text: str, motif: str) -> PaletteName:
    if plan.style != "auto":
        return _palette_named(plan.style)
    moods = first_named(text, "moods")
    hours = [mood for mood in moods if mood in _HOURLY]
    if motif and hours and motif not in _UNDER_WATER:
        return _palette_named(hours[0])
    if motif in _LIGHT and not (moods and motif in _ANY_LIGHT):
        return _LIGHT[motif]
    moods += first_named(plan.title, "moods")
    if moods:
        return _palette_named(moods[0])
    names: tuple[PaletteName, ...] = get_args(PaletteName)
    return names[_seed(plan.title) % len(names)]


def _palette_named(name: Style | str) -> PaletteName:
    assert name in get_args(PaletteName), f"there is no palette {name!r}"
    palette: PaletteName = name  # type: ignore[assignment]  # just asserted
    return palette


def _icon(text: str) -> str:
    """Return the icon of the first word that has one; empty when none has."""
    for word in words(text):
        meant = first_named(word, "icons")
        if meant:
            return meant[0]
        if len(word) > 2 and not is_listed(word, "stop") and not is_listed(word, "not_icons"):
            drawn = next((form for form in forms(word) if has_icon(form)), "")
            if drawn:
                return drawn
    return ""


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
