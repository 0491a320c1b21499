"""Planning: what is asked for becomes the plan that is rendered, by a language model where there is one, else by rules.

What the model has said is kept scene by scene, under the scene's own words. So an identical run asks nothing, and a
changed sentence has its own scene directed again and no other: a model never says the same thing twice.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice
from time import monotonic
from typing import TypeVar

from pydantic import BaseModel

from bhiv import authoring
from bhiv.access import language_model_access
from bhiv.authoring import BEGINNING, WORDS_A_MINUTE, Direction, Whole
from bhiv.bucket import Bucket
from bhiv.cache import Made, Step, find, keep
from bhiv.chat_model import LanguageModel
from bhiv.errors import LMError
from bhiv.plan import Contract, RenderPlan, Scene
from bhiv.prompts import load_prompt
from bhiv.record import StoryboardSource
from bhiv.request import RenderRequest, check_request, make_plan
from bhiv.settings import Settings
from bhiv.speech.pauses import without_pauses
from bhiv.tokens import Usage
from bhiv.vendors import Patience, wait_for

T = TypeVar("T", bound=BaseModel)

#: Few enough that an answer comes in time; enough that the model sees how one scene follows another.
_BATCH = 8
_AT_ONCE = 4


class Storyboard(Contract):
    """The plan that is rendered, and how it came about."""

    plan: RenderPlan
    source: StoryboardSource
    #: What the model wrote about a topic; None where the words are the user's.
    script: str | None = None
    #: None when no model was asked.
    lm: Usage | None = None


class _Written(Contract):
    script: str


SCRIPT = Step("script", 1, "scripts", _Written)
WHOLE = Step("whole", 1, "storyboards", Whole)
DIRECTION = Step("direction", 1, "storyboards", Direction)


def plan_video(
    request: RenderRequest, settings: Settings, bucket: Bucket, patience: Patience | None = None
) -> Made[Storyboard]:
    """Return the plan of what is asked for; a user's plan stays as it is.

    A model that fails, asked with `patience` or else its usual one, leaves a script to the rules, and a note says so.

    Raises:
        InputRefused: it can't be rendered, or is a topic and there is no model.
        LMError: it is a topic, and no script about it could be had.
    """
    started = monotonic()
    access = language_model_access(settings)
    if request.topic is not None:
        check_request(request, settings)
    if request.plan is not None or access is None:
        board = Storyboard(plan=make_plan(request, settings), source=request.storyboard_source)
        return Made(board, monotonic() - started, cached=False)
    board, notes = wait_for(_by_model(request, settings, bucket, LanguageModel(access, patience)))
    cached = board.source == "lm" and board.lm is None
    return Made(board, monotonic() - started, cached, notes)


async def _by_model(
    request: RenderRequest, settings: Settings, bucket: Bucket, model: LanguageModel
) -> tuple[Storyboard, tuple[str, ...]]:
    async with model:
        script = None
        if request.topic is not None:
            script = await _script(model, request, settings, bucket)
            request = _about(request, script)
        plan, source = make_plan(request, settings), request.storyboard_source
        notes: tuple[str, ...] = ()
        try:
            plan, source = await _directed(model, request, plan, bucket), "lm"
        except LMError as error:
            notes = (f"{error}; the storyboard was made by rules",)
        return Storyboard(plan=plan, source=source, script=script, lm=model.usage), notes


async def _script(model: LanguageModel, request: RenderRequest, settings: Settings, bucket: Bucket) -> str:
    topic, language = request.topic or "", request.spoken_language
    words = round((request.minutes or 1) * WORDS_A_MINUTE)
    key = SCRIPT.key(topic, language, words, model.identity, load_prompt("script").identity)
    if (kept := find(bucket, SCRIPT, key)) is not None:
        return kept.script

    def check(script: str) -> None:
        make_plan(_about(request, script), settings)

    script = await authoring.write_script(model, topic, language, words, check)
    keep(bucket, key, _Written(script=script))
    return script


def _about(request: RenderRequest, script: str) -> RenderRequest:
    """Return the request as that of a script which was written about its topic."""
    update = {"topic": None, "minutes": None, "script": script, "language": request.spoken_language}
    return request.model_copy(update=update)


async def _directed(model: LanguageModel, request: RenderRequest, plan: RenderPlan, bucket: Bucket) -> RenderPlan:
    """Return the plan as the model directs it: the same words in the same scenes."""
    title, style = plan.title, plan.style
    if not (request.has_own_title and request.style):
        whole = await _whole(model, plan, bucket)
        style = request.style or whole.style or "auto"
        if not request.has_own_title:
            said = "\n".join(without_pauses(scene.narration) for scene in plan.scenes)
            title = authoring.showable(whole.title, said, plan.language) or title
    directions = await _directions(model, title, plan, bucket)
    chapters = not any(scene.title for scene in plan.scenes)
    scenes = tuple(
        authoring.directed(scene, direction, plan.language, chapters=chapters)
        for scene, direction in zip(plan.scenes, directions, strict=True)
    )
    return plan.model_copy(update={"title": title, "style": style, "scenes": scenes})


async def _whole(model: LanguageModel, plan: RenderPlan, bucket: Bucket) -> Whole:
    beginning = "\n".join(without_pauses(scene.narration) for scene in islice(plan.scenes, 20))[:BEGINNING]
    key = WHOLE.key(beginning, plan.language, model.identity, load_prompt("whole").identity)
    if (kept := find(bucket, WHOLE, key)) is not None:
        return kept
    whole = await authoring.see_whole(model, beginning, plan.language)
    keep(bucket, key, whole)
    return whole


async def _directions(model: LanguageModel, title: str, plan: RenderPlan, bucket: Bucket) -> list[Direction]:
    """Return the direction of every scene in order; those that are kept are not asked for.

    What a batch gave is kept though another fails, so that the next run asks for the rest.
    """
    prompt = load_prompt("scenes").identity
    # What is around a scene is no part of its key: it helps the model, and a change of it leaves the scene as it is.
    keys = [DIRECTION.key(scene.narration, plan.language, model.identity, prompt) for scene in plan.scenes]
    known = {key: found for key in set(keys) if (found := find(bucket, DIRECTION, key)) is not None}
    places = {key: number for number, key in enumerate(keys)}
    missing = [number for key, number in places.items() if key not in known]
    gate, failures = asyncio.Semaphore(_AT_ONCE), list[LMError]()

    async def ask(numbers: Sequence[int]) -> None:
        async with gate:
            if failures:
                return
            try:
                told = await authoring.direct(model, title, plan.language, [_heard(plan.scenes, n) for n in numbers])
            except LMError as error:
                failures.append(error)
                return
        for number, direction in zip(numbers, told, strict=True):
            keep(bucket, keys[number], direction)
            known[keys[number]] = direction

    await asyncio.gather(*(ask(missing[start : start + _BATCH]) for start in range(0, len(missing), _BATCH)))
    if failures:
        raise failures[0]
    return [known[key] for key in keys]


def _heard(scenes: Sequence[Scene], number: int) -> tuple[str, str]:
    """Return what is said in a scene and what is said before it."""
    return scenes[number].narration, scenes[number - 1].narration if number else ""
