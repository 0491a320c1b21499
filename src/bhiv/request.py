"""RenderRequest: what is asked for, and the plan that comes of it."""

import secrets
import time
from typing import Any

from pydantic import Field, ValidationError, model_validator

from bhiv import fonts
from bhiv.errors import PlanError, ScriptError
from bhiv.languages import check_language, detect_language
from bhiv.plan import Captions, Contract, Quality, RenderPlan, Scene, Style, Text, check_plan, refusal
from bhiv.record import StoryboardSource
from bhiv.script import parse_script
from bhiv.settings import Settings
from bhiv.speech import choose_voice
from bhiv.speech.pauses import without_pauses
from bhiv.storyboard import make_scenes

_OPTIONS = ("title", "language", "voice", "size", "fps", "quality", "captions", "style", "uploader_id")
_ID = r"^[0-9a-f]{24}$"


def new_id() -> str:
    """Return a new identifier: 24 hex digits that sort by time and can't be guessed."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


class RenderRequest(Contract):
    """One video to make: from a script, with the options beside it, or from a finished plan."""

    script: Text | None = Field(None, description="Text or Markdown; a blank line starts a new scene.")
    plan: RenderPlan | None = Field(None, description="A finished plan; options that are given replace its own.")
    name: Text = Field("Untitled", max_length=200, description="Title when neither the script nor `title` has one.")
    title: Text | None = Field(None, min_length=1, max_length=200)
    language: str | None = Field(None, description="BCP-47 code; None reads it from the script's letters.")
    voice: str | None = None
    size: str | None = None
    fps: int | None = None
    quality: Quality | None = None
    captions: Captions | None = None
    style: Style | None = None
    uploader_id: Text | None = Field(None, max_length=200)
    job_id: str = Field(default_factory=new_id, pattern=_ID)
    content_id: str = Field(default_factory=new_id, pattern=_ID)

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
    def shown_title(self) -> str:
        """The title as far as it is known before the script is read."""
        return self.title or (self.plan.title if self.plan else self.name)


def make_request(values: dict[str, Any]) -> RenderRequest:
    """Build a request from its fields; raises PlanError for the first that is wrong."""
    try:
        return RenderRequest.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from None


def make_plan(request: RenderRequest, settings: Settings) -> RenderPlan:
    """Return the checked plan of what is asked for, the same for the same request.

    Raises:
        InputRefused: it can't be rendered; nothing has been started or written.
    """
    options = {name: value for name in _OPTIONS if (value := getattr(request, name)) is not None}
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
    found = {"title": parsed.title or name, "language": detect_language(script)}
    return check_plan(found | options | {"scenes": make_scenes(parsed, settings.max_scenes)})


def _check(plan: RenderPlan, script: str | None, settings: Settings) -> None:
    if len(plan.scenes) > settings.max_scenes:
        raise PlanError(f"has {len(plan.scenes)} scenes; at most {settings.max_scenes} are allowed", "scenes")
    said = [_said(scene, number) for number, scene in enumerate(plan.scenes)]
    check_language("\n".join(said), plan.language)
    choose_voice(plan.voice, plan.language)
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
