"""RenderRequest: what is asked for, and the plan that comes of it."""

import secrets
import time
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from bhiv import fonts
from bhiv.errors import PlanError, ScriptError
from bhiv.languages import check_language, detect_language
from bhiv.plan import CALLBACK, Captions, Contract, Quality, RenderPlan, Scene, Style, Text, check_plan, refusal
from bhiv.record import StoryboardSource
from bhiv.script import parse_script
from bhiv.settings import Settings
from bhiv.speech import choose_voice
from bhiv.speech.pauses import without_pauses
from bhiv.storyboard import make_scenes

#: What can be said beside a script.
OPTIONS = ("title", "language", "voice", "size", "fps", "quality", "captions", "style", "uploader_id", "callback_url")
_ID = r"^[0-9a-f]{24}$"


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
    """One video to make: from a script, with the options beside it, or from a finished plan."""

    model_config = ConfigDict(json_schema_extra=_as_form)

    script: Text | None = Field(None, description="Text or Markdown; a blank line starts a new scene.")
    title: Text | None = Field(None, min_length=1, max_length=200, description="Empty takes the script's own.")
    language: str | None = Field(None, description="Code such as en or hi; empty reads it from the script's letters.")
    size: str | None = Field(None, description="landscape, portrait, square or WIDTHxHEIGHT.")
    quality: Quality | None = Field(None, description="draft: half the size, fast.")
    voice: str | None = Field(None, description="ENGINE or ENGINE:NAME, such as espeak:en-gb.")
    fps: int | None = Field(None, title="Frames a second", description="24 to 60.")
    captions: Captions | None = Field(None, description="What is burned in.")
    style: Style | None = Field(None, description="Palette of the pictures.")
    uploader_id: Text | None = Field(None, title="Uploader", max_length=200)
    callback_url: str | None = Field(
        None, title="Callback", max_length=2_000, pattern=CALLBACK, description="Told of the job's end."
    )
    plan: RenderPlan | None = Field(
        None, title="Plan", description="In place of a script: what `bhiv plan` prints. Options above replace its own."
    )
    name: Text = Field(
        "Untitled", title="Fallback title", max_length=200, description="When there is no other title anywhere."
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
        if (self.script is None) == (self.plan is None):
            raise ValueError("give either a script or a plan")
        return self

    @property
    def storyboard_source(self) -> StoryboardSource:
        """Who made the storyboard: the user's plan, or the rules."""
        return "plan" if self.plan else "rules"

    @property
    def callback(self) -> str | None:
        """Who is told of the job's end."""
        return self.callback_url or (self.plan.callback_url if self.plan else None)

    @property
    def shown_title(self) -> str:
        """The title that the video will have; of a script that can't be read, the fallback."""
        return self.title or (self.plan.title if self.plan else _title_in(self.script or "")) or self.name

    @property
    def spoken_language(self) -> str:
        """The code of the language that the video will be in."""
        return self.language or (self.plan.language if self.plan else _language_of(self.script or ""))


@lru_cache(maxsize=1)  # as the title
def _language_of(script: str) -> str:
    return detect_language(script)


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


def make_plan(request: RenderRequest, settings: Settings) -> RenderPlan:
    """Return the checked plan of what is asked for, the same for the same request.

    Raises:
        InputRefused: it can't be rendered; nothing has been started or written.
    """
    options = {name: value for name in OPTIONS if (value := getattr(request, name)) is not None}
    if request.plan is not None:
        plan = check_plan(request.plan.model_dump() | options)
    else:
        plan = _storyboard(request.script or "", options, request.name, settings)
    _check(plan, request.script, settings)
    return plan


def _storyboard(script: str, options: dict[str, Any], name: str, settings: Settings) -> RenderPlan:
    size = len(script.encode())
    if size > settings.max_script_bytes:
        raise ScriptError(f"the script has {size:,} bytes; at most {settings.max_script_bytes:,} are allowed")
    parsed = parse_script(script)
    found = {"title": parsed.title or name, "language": _language_of(script)}
    return check_plan(found | options | {"scenes": make_scenes(parsed, settings.max_scenes)})


def _check(plan: RenderPlan, script: str | None, settings: Settings) -> None:
    if len(plan.scenes) > settings.max_scenes:
        raise PlanError(f"has {len(plan.scenes)} scenes; at most {settings.max_scenes} are allowed", "scenes")
    said = [_said(scene, number) for number, scene in enumerate(plan.scenes)]
    check_language("\n".join(said), plan.language)
    choose_voice(plan.voice, plan.language)
    fonts.look_in(settings.font_dirs, settings.home)
    fonts.check_coverage(plan.title, "the title")
    if script is not None:
        fonts.check_coverage(script, "the script")
    for number, scene in enumerate(plan.scenes):
        fonts.check_coverage(f"{scene.narration}\n{scene.title or ''}", f"scenes.{number}")


def _said(scene: Scene, number: int) -> str:
    try:
        return without_pauses(scene.narration)
    except ValueError as error:
        raise PlanError(f"a pause {error}", f"scenes.{number}.narration") from None
