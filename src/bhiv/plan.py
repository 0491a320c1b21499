"""RenderPlan: the one contract of command, flow and cache for what a video is made of."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NewType, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bhiv.errors import PlanError

#: A count of video frames at a plan's rate.
Frames = NewType("Frames", int)
#: A count of audio samples at `SAMPLE_RATE`.
Samples = NewType("Samples", int)

#: Every sound inside BHIV has this rate, in Hz.
SAMPLE_RATE = 48_000

_NAMED_SIZES = {"landscape": (1920, 1080), "portrait": (1080, 1920), "square": (1080, 1080)}
_SIZE = re.compile(r"([1-9][0-9]{2,3})x([1-9][0-9]{2,3})")
#: A plain check of the form; whether it may be reached is decided when it is.
CALLBACK = r"^https?://[!-~]+$"
_CLIP = re.compile(r"\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|3gp|ts)$", re.IGNORECASE)
_LANGUAGE = r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$"
_VOICE = r"^[a-z0-9_-]{1,32}(:[A-Za-z0-9_./+-]{1,64})?$"

Quality = Literal["draft", "standard", "high"]
Captions = Literal["karaoke", "phrase", "pop", "off"]
CaptionPosition = Literal["auto", "bottom", "middle", "top"]
EndCard = Literal["auto", "always", "never"]
Camera = Literal["auto", "still", "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down"]
Transition = Literal["auto", "cut", "crossfade", "dip", "slide"]
#: What is done to a clip's pictures, by MoviePy: the least, the usual and the most of its number; None has no number.
EFFECTS: Mapping[str, tuple[float, float, float] | None] = {
    "black_and_white": None,
    "invert_colors": None,
    "mirror_x": None,
    "mirror_y": None,
    "time_mirror": None,
    "fade_in": (0.05, 0.5, 5),
    "fade_out": (0.05, 0.5, 5),
    "multiply_color": (0.1, 1.2, 4),
    "gamma": (0.2, 1.2, 5),
    "lum_contrast": (-0.9, 0.2, 2),
}

Style = Literal["auto", "dawn", "dusk", "night", "ocean", "forest", "ember", "lotus", "slate"]


def _printable(text: str) -> str:
    """Refuse what no database, font or caption format takes: lone surrogates and control characters."""
    for character in text:
        if "\ud800" <= character <= "\udfff":
            raise ValueError("holds half of a surrogate pair, which is not a character")
        if character < " " and character not in "\n\t\r":
            raise ValueError(f"holds the control character {character!r}")
    return text


Text = Annotated[str, AfterValidator(_printable)]


class Contract(BaseModel):
    """Base of what crosses a border: unknown fields are refused, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Picture(Contract):
    """What a scene shows: words for it, a picture of the user's own, or both."""

    prompt: Text = Field("", max_length=1_000, description="What the picture should show, in the user's words.")
    file: Text | None = Field(
        None, min_length=1, max_length=1_000, description="An own picture, beside the plan; on the command line only."
    )
    url: str | None = Field(None, max_length=2_000, pattern=CALLBACK, description="An own picture on the public web.")
    object: str | None = Field(
        None, max_length=400, description="An own picture in the bucket: a key that begins with images/ or tmp/."
    )

    @model_validator(mode="before")
    @classmethod
    def _shows_something(cls, values: Any) -> Any:
        if isinstance(values, dict) and not cls.model_fields.keys() & values.keys():
            raise ValueError("needs a prompt, a file, a url or an object")
        return values

    @model_validator(mode="after")
    def _shows_one(self) -> "Picture":
        own = [name for name in (self.file, self.url, self.object) if name is not None]
        if len(own) > 1:
            raise ValueError("takes one of file, url and object")
        if own and _CLIP.search(own[0].partition("?")[0]):
            raise ValueError("is a video clip: name it as the scene's footage; a picture is a JPEG, PNG, WebP or GIF")
        return self


def _effect(written: str) -> str:
    """Return an effect as `name` or `name:number`, the number within its bounds."""
    name, colon, number = written.partition(":")
    if name not in EFFECTS:
        raise ValueError(f"is no effect: there are {', '.join(EFFECTS)}")
    bounds = EFFECTS[name]
    if not colon:
        return written
    if bounds is None:
        raise ValueError(f"has no number: write {name}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not bounds[0] <= value <= bounds[2]:
        raise ValueError(f"takes a number from {bounds[0]:g} to {bounds[2]:g}, as {name}:{bounds[1]:g}")
    return f"{name}:{value:g}"


Effect = Annotated[str, Field(max_length=40), AfterValidator(_effect)]


class Focus(Contract):
    """What a picture is about: a place in it, in fractions from its left and its upper edge."""

    x: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    y: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)


class _OwnMedium(Contract):
    """Base of what is the user's own, at one of three places."""

    file: Text | None = Field(
        None, min_length=1, max_length=1_000, description="Beside the plan; on the command line only."
    )
    url: str | None = Field(None, max_length=2_000, pattern=CALLBACK, description="On the public web.")
    object: str | None = Field(None, max_length=400, description="In the bucket.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(name is not None for name in (self.file, self.url, self.object)) != 1:
            raise ValueError("takes one of file, url and object")
        return self


class Footage(_OwnMedium):
    """A video clip of the user's own, which a scene shows in place of a picture."""

    object: str | None = Field(
        None, max_length=400, description="A clip in the bucket: a key that begins with clips/ or tmp/."
    )
    start_seconds: float = Field(0, ge=0, le=3_600, allow_inf_nan=False, description="Where in the clip it begins.")
    end_seconds: float | None = Field(
        None, gt=0, le=3_600, allow_inf_nan=False, description="Where in the clip it ends; None: at the clip's end."
    )
    speed: float = Field(1, ge=0.25, le=4, allow_inf_nan=False, description="2 is twice as fast.")
    fit: Literal["crop", "blur", "pad"] = Field(
        "crop", description="A clip of another shape: cut to fill, or whole between blurred or black bars."
    )
    focus: Focus = Field(Focus(), description="Where the cut has its centre.")
    sound: Literal["keep", "drop"] = Field("drop", description="keep: its own sound, low under the voice.")
    when_short: Literal["loop", "hold"] = Field(
        "loop", description="A clip shorter than its scene begins again, or its last frame stays."
    )
    effects: tuple[Effect, ...] = Field(
        (),
        max_length=8,
        description=f"What is done to it, in order, as `mirror_x` or `fade_in:1`: {', '.join(EFFECTS)}.",
    )

    @model_validator(mode="after")
    def _is_one_stretch(self) -> Self:
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise ValueError("end_seconds is not after start_seconds")
        return self


class Music(_OwnMedium):
    """What is played under the voices, again and again, and steps back while they speak."""

    object: str | None = Field(
        None, max_length=400, description="A sound file in the bucket: a key that begins with audio/ or tmp/."
    )
    level_db: float = Field(
        -20, ge=-40, le=0, allow_inf_nan=False, description="Loudness while somebody speaks, against the voice, in LU."
    )


class Scene(Contract):
    """One picture with the words spoken over it."""

    narration: Text = Field(
        "",
        max_length=20_000,
        description="Spoken text; `[pause 2s]` inside it is silence. Empty needs a duration or footage.",
    )
    title: Text | None = Field(None, max_length=200, description="Shown in the picture; None takes words of the text.")
    on_screen: Text | None = Field(
        None, max_length=200, description="Words for the picture that name no chapter; None takes words of the text."
    )
    picture: Picture | None = Field(None, description="None lets the words choose.")
    footage: Footage | None = Field(None, description="A clip of the user's own; it takes the picture's place.")
    duration_seconds: float | None = Field(
        None, ge=1, le=10, allow_inf_nan=False, description="The least length; narration may need more. None: no least."
    )
    camera: Camera = "auto"
    focus: Focus | None = Field(None, description="What the camera closes in on; None is the middle.")
    transition: Transition | None = Field(None, description="How the scene begins; None is as the plan says.")

    @model_validator(mode="after")
    def _has_length(self) -> "Scene":
        if not self.narration.strip() and self.duration_seconds is None and self.footage is None:
            raise ValueError("a scene without narration needs duration_seconds, or footage")
        return self


class RenderPlan(Contract):
    """Everything that decides what a video looks and sounds like."""

    version: Literal[1] = Field(1, description="Version of this format.")
    title: Text = Field(min_length=1, max_length=200)
    language: str = Field("en", max_length=35, pattern=_LANGUAGE, description="BCP-47 code of narration and captions.")
    voice: str = Field("auto", max_length=100, pattern=_VOICE, description="`auto` or `ENGINE[:NAME]`.")
    size: str = Field("landscape", description="landscape, portrait, square or WIDTHxHEIGHT, even, 144-4096.")
    fps: int = Field(30, ge=24, le=60, description="Frames a second.")
    quality: Quality = "standard"
    captions: Captions = Field("karaoke", description="What is burned in; the soft track is always there.")
    caption_position: CaptionPosition = Field(
        "auto", description="Where they are; auto: at the bottom, above the buttons of apps in upright videos."
    )
    style: Style = Field("auto", description="Palette of the offline pictures.")
    transition: Transition = Field(
        "auto", description="How scenes begin: auto crossfades, and dips to black before a chapter."
    )
    title_card: bool = Field(False, description="Whether a silent card with the title stands before the first scene.")
    end_card: EndCard = Field("auto", description="Card behind the last scene; auto: when photographs have credits.")
    music: Music | None = Field(None, description="None for voices alone.")
    scenes: tuple[Scene, ...] = Field(min_length=1, max_length=10_000)
    uploader_id: Text = Field("local", min_length=1, max_length=200)
    callback_url: str | None = Field(
        None, max_length=2_000, pattern=CALLBACK, description="Told of the job's end by a signed POST. None: nobody is."
    )

    @field_validator("title")
    @classmethod
    def _title_has_words(cls, title: str) -> str:
        if not title.strip():
            raise ValueError("is blank")
        return " ".join(title.split())

    @field_validator("size")
    @classmethod
    def _size_is_known(cls, size: str) -> str:
        if size not in _NAMED_SIZES:
            match = _SIZE.fullmatch(size)
            if match is None:
                raise ValueError("is not landscape, portrait, square or WIDTHxHEIGHT such as 1280x720")
            if any(int(side) % 2 or not 144 <= int(side) <= 4096 for side in match.groups()):
                raise ValueError("needs even sides between 144 and 4096")
        return size

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of the finished video; a draft has half of each, rounded to even."""
        if self.size in _NAMED_SIZES:
            width, height = _NAMED_SIZES[self.size]
        else:
            width, height = (int(side) for side in self.size.split("x"))
        if self.quality != "draft":
            return width, height
        return max(width // 4 * 2, 72), max(height // 4 * 2, 72)


def parse_plan(data: bytes | str) -> RenderPlan:
    """Read a plan from JSON.

    Raises:
        PlanError: it is no JSON or breaks the contract. The message names the first field that is wrong and says how
            many more are.
    """
    try:
        return RenderPlan.model_validate_json(data)
    except ValidationError as error:
        raise refusal(error) from None


def check_plan(values: dict[str, Any]) -> RenderPlan:
    """Build a plan from its fields; raises PlanError as `parse_plan` does."""
    try:
        return RenderPlan.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from None


def refusal(error: ValidationError) -> PlanError:
    """Return the one sentence that says which field is wrong first, and how many more are."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = errors[0]
    message = first["msg"].removeprefix("Value error, ")
    match first["type"]:
        case "extra_forbidden":
            message = "is not a field here; remove it or check the spelling"
        case "missing":
            message = "is missing"
        case "json_invalid":
            message = f"is not JSON ({message.removeprefix('Invalid JSON: ')})"
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more)"
    return PlanError(message, ".".join(str(part) for part in first["loc"]))
