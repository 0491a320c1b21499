"""RenderRequest: what is asked for, and the plan that comes of it by rules."""

import secrets
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from bhiv import fonts
from bhiv.access import language_model_access
from bhiv.bucket import Bucket
from bhiv.bucket.keys import is_key
from bhiv.errors import (
    InputRefused,
    ObjectMissing,
    PlanError,
    ScriptError,
    StorageMisconfigured,
    StorageUnavailable,
)
from bhiv.languages import check_language, detect_language
from bhiv.plan import (
    CALLBACK,
    CaptionPosition,
    Captions,
    Contract,
    EndCard,
    Footage,
    Music,
    Picture,
    Quality,
    RenderPlan,
    Scene,
    Style,
    Text,
    Transition,
    check_plan,
    refusal,
)
from bhiv.record import StoryboardSource
from bhiv.script import parse_script
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.speech.lexicon import read_lexicon
from bhiv.speech.pauses import without_pauses
from bhiv.storyboard import make_scenes, opening

#: What can be said beside a script.
OPTIONS = (
    *("title", "language", "voice", "size", "fps", "quality", "captions", "caption_position", "style", "transition"),
    *("title_card", "end_card", "uploader_id", "callback_url"),
)
#: Where pictures of the user's own may be.
_PICTURES = ("images/", "tmp/")
_MUSIC = ("audio/", "tmp/")
_CLIPS = ("clips/", "tmp/")
_ID = r"^[0-9a-f]{24}$"
_MOST_TITLE = 200
_NO_NAME = "Untitled"


def new_id() -> str:
    """Return a new identifier: 24 hex digits that sort by time and can't be guessed."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def _as_form(schema: dict[str, Any]) -> None:
    """Offer optional fields as plain ones: a form shows `str or null` as a switch; who leaves one out has said None."""
    for field in schema["properties"].values():
        plain = [option for option in field.get("anyOf", ()) if option.get("type") not in {"null", None}]
        if plain:
            del field["anyOf"], field["default"]
            field.update(plain[0])


class RenderRequest(Contract):
    """One video to make: from a script, with the options beside it, from a finished plan, or about a topic."""

    model_config = ConfigDict(json_schema_extra=_as_form)

    script: Text | None = Field(None, description="Text or Markdown; a blank line starts a new scene.")
    topic: Text | None = Field(
        None, max_length=2_000, description="In place of a script: what a language model writes one about."
    )
    minutes: float | None = Field(
        None, ge=0.2, le=20, allow_inf_nan=False, description="Length of a topic's video, about; empty: one."
    )
    title: Text | None = Field(None, min_length=1, max_length=200, description="Empty takes the script's own.")
    language: str | None = Field(None, description="Code such as en or hi; empty reads it from the script's letters.")
    size: str | None = Field(None, description="landscape, portrait, square or WIDTHxHEIGHT.")
    quality: Quality | None = Field(None, description="draft: half the size, fast.")
    voice: str | None = Field(None, description="ENGINE or ENGINE:NAME, such as espeak:en-gb.")
    fps: int | None = Field(None, title="Frames a second", description="24 to 60.")
    captions: Captions | None = Field(None, description="What is burned in.")
    caption_position: CaptionPosition | None = Field(None, description="Where captions are; auto: at the bottom.")
    style: Style | None = Field(None, description="Palette of the pictures.")
    transition: Transition | None = Field(None, description="How scenes begin.")
    title_card: bool | None = Field(None, description="A silent card with the title before the first scene.")
    end_card: EndCard | None = Field(None, description="Card behind the last scene; auto: when there are credits.")
    music: Music | None = Field(None, description="Played under the voices: a `url`, or an `object` of the bucket.")
    uploader_id: Text | None = Field(None, title="Uploader", max_length=200)
    callback_url: str | None = Field(
        None, title="Callback", max_length=2_000, pattern=CALLBACK, description="Told of the job's end."
    )
    plan: RenderPlan | None = Field(
        None, title="Plan", description="In place of a script: what `bhiv plan` prints. Options above replace its own."
    )
    name: Text = Field(
        _NO_NAME,
        title="Fallback title",
        max_length=200,
        description="When there is no other title anywhere; left out: the script's first words.",
    )
    job_id: str = Field(default_factory=new_id, title="Job", pattern=_ID, description="Leave empty for a new one.")
    content_id: str = Field(
        default_factory=new_id, title="Content", pattern=_ID, description="Leave empty for a new one."
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_empty(cls, values: Any) -> Any:
        """A form sends a field that was cleared as an empty text."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value != "" or name == "script"}

    @model_validator(mode="after")
    def _has_one_source(self) -> "RenderRequest":
        if sum(source is not None for source in (self.script, self.plan, self.topic)) != 1:
            raise ValueError("give either a script or a plan or a topic")
        if self.topic is not None and not any(map(str.isalnum, self.topic)):
            raise ValueError("the topic has no words")
        if self.minutes is not None and self.topic is None:
            raise ValueError("minutes go with a topic; a script has the length of its words")
        return self

    @property
    def storyboard_source(self) -> StoryboardSource:
        """Who makes the storyboard, as far as it is known before: of a script, the rules."""
        return "plan" if self.plan else "rules" if self.topic is None else "lm"

    @property
    def callback(self) -> str | None:
        """Who is told of the job's end."""
        return self.callback_url or (self.plan.callback_url if self.plan else None)

    @property
    def shown_title(self) -> str:
        """The title that the video will have; of a script that can't be read, the fallback."""
        own = self.plan.title if self.plan else _title_in(self.script or "")
        about = " ".join((self.topic or "").split())[:_MOST_TITLE].rstrip()
        return self.title or own or about or _fallback(self.name, self.script or "")

    @property
    def has_own_title(self) -> bool:
        """Whether the user, or the script, says how the video is called."""
        return bool(self.title or self.plan or _title_in(self.script or ""))

    @property
    def spoken_language(self) -> str:
        """The code of the language that the video will be in."""
        return self.language or (self.plan.language if self.plan else _language_of(self.script or self.topic or ""))


@lru_cache(maxsize=1)  # as the title
def _language_of(script: str) -> str:
    return detect_language(script)


def _fallback(name: str, script: str) -> str:
    """Return the name that was given, else the script's first words; such a script can't be read when it has none."""
    return name if name != _NO_NAME else _first_words(script) or name


@lru_cache(maxsize=1)  # as the title
def _first_words(script: str) -> str:
    try:
        return opening(parse_script(script).passages[0].narration)
    except ScriptError:
        return ""


@lru_cache(maxsize=1)  # it is asked for several times in a run, and a script of a megabyte takes a second
def _title_in(script: str) -> str | None:
    try:
        return parse_script(script).title
    except ScriptError:
        return None


def make_request(values: dict[str, Any]) -> RenderRequest:
    """Build a request from its fields; raises PlanError for the first that is wrong."""
    for name, value in values.items():
        if value == "" and name != "script":
            raise PlanError("is empty", name)
    try:
        return RenderRequest.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from None


def check_request(request: RenderRequest, settings: Settings) -> None:
    """Refuse what can't be rendered, by rules alone: no language model is asked, nothing is started or written.

    Raises:
        InputRefused: a script or a plan can't be rendered, or there is no language model to write about a topic.
    """
    if request.topic is None:
        make_plan(request, settings)
        return
    if language_model_access(settings) is None:
        raise InputRefused(
            "a topic takes a language model to write about it: set BHIV_LM_BASE_URL and BHIV_LM_MODEL, and for a "
            "deployment's runs the block bhiv-language-model/default; or give a script"
        )
    language = request.spoken_language
    options = _options(request)
    # The words aren't there yet; all that is beside them is.
    plan = check_plan({"title": "A topic"} | options | {"language": language, "scenes": [{"duration_seconds": 1}]})
    _check_music(plan)
    choose_voices(plan.voice, language, settings)
    fonts.look_in(settings.font_dirs, settings.home)
    fonts.check_coverage(plan.title, "the title")


def make_plan(request: RenderRequest, settings: Settings) -> RenderPlan:
    """Return the checked plan of a plan or, by rules, of a script; the same for the same request.

    Raises:
        InputRefused: it can't be rendered; nothing has been started or written.
    """
    options = _options(request)
    if request.plan is not None:
        plan = check_plan(request.plan.model_dump() | options)
    else:
        plan = _storyboard(request.script or "", options, request.name, settings)
    _check(plan, request.script, settings)
    return plan


def _options(request: RenderRequest) -> dict[str, Any]:
    return {name: value for name in (*OPTIONS, "music") if (value := getattr(request, name)) is not None}


def _storyboard(script: str, options: dict[str, Any], name: str, settings: Settings) -> RenderPlan:
    size = len(script.encode())
    if size > settings.max_script_bytes:
        raise ScriptError(f"the script has {size:,} bytes; at most {settings.max_script_bytes:,} are allowed")
    parsed = parse_script(script)
    found = {"title": parsed.title or _fallback(name, script), "language": _language_of(script)}
    return check_plan(found | options | {"scenes": make_scenes(parsed, settings.max_scenes)})


def _check(plan: RenderPlan, script: str | None, settings: Settings) -> None:
    if len(plan.scenes) > settings.max_scenes:
        raise PlanError(f"has {len(plan.scenes)} scenes; at most {settings.max_scenes} are allowed", "scenes")
    _check_music(plan)
    said = [_said(scene, number) for number, scene in enumerate(plan.scenes)]
    check_language("\n".join(said), plan.language)
    choose_voices(plan.voice, plan.language, settings)
    read_lexicon(settings.lexicon_file)
    fonts.look_in(settings.font_dirs, settings.home)
    fonts.check_coverage(plan.title, "the title")
    if script is not None:
        fonts.check_coverage(script, "the script")
    for number, scene in enumerate(plan.scenes):
        shown = f"{scene.narration}\n{scene.title or ''}\n{scene.on_screen or ''}"
        fonts.check_coverage(shown, f"scenes.{number}")
        _check_own(scene.picture, f"scenes.{number}.picture", "a picture", _PICTURES)
        _check_own(scene.footage, f"scenes.{number}.footage", "a clip", _CLIPS)


def _check_own(own: Picture | Footage | None, field: str, what: str, folders: tuple[str, ...]) -> None:
    if own is None:
        return
    if own.file is not None:
        raise PlanError("is for `bhiv render` and `bhiv plan`, which read it beside the plan", f"{field}.file")
    if own.object is not None and not (is_key(own.object) and own.object.startswith(folders)):
        raise PlanError(f"is no key of {what}: one begins with {' or '.join(folders)}", f"{field}.object")


def _check_music(plan: RenderPlan) -> None:
    if plan.music is None:
        return
    if plan.music.file is not None:
        raise PlanError("is for `bhiv render` and `bhiv plan`, which read it beside the plan", "music.file")
    key = plan.music.object
    if key is not None and not (is_key(key) and key.startswith(_MUSIC)):
        raise PlanError("is no key of a sound: one begins with audio/ or tmp/", "music.object")


def check_objects(plan: RenderPlan, bucket: Bucket, *, use: bool = False) -> None:
    """Look whether the pictures, clips and music that the plan names are in the bucket; one that is away is not asked.

    With `use` they count as used, also where what was made of them is found again, so that no clean-up takes them.

    Raises:
        PlanError: one of them is not there.
    """
    for field, key in named_objects(plan):
        try:
            stored = bucket.stat(key)
            if use:
                bucket.holds(stored.artifact)
        except ObjectMissing:
            raise PlanError("is not in the bucket", field) from None
        except (StorageUnavailable, StorageMisconfigured):
            return


def named_objects(plan: RenderPlan) -> Iterator[tuple[str, str]]:
    """Yield the fields in which the plan names objects of the bucket, each with the key."""
    for number, scene in enumerate(plan.scenes):
        for name, own in (("picture", scene.picture), ("footage", scene.footage)):
            if own is not None and own.object is not None:
                yield f"scenes.{number}.{name}.object", own.object
    if plan.music is not None and plan.music.object is not None:
        yield "music.object", plan.music.object


def _said(scene: Scene, number: int) -> str:
    try:
        return without_pauses(scene.narration)
    except ValueError as error:
        raise PlanError(f"a pause {error}", f"scenes.{number}.narration") from None
