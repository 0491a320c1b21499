"""What is kept about a run: its metadata, for success and for every kind of failure, and the time of every stage."""

import time
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import Field

from bhiv.bucket import Bucket
from bhiv.plan import Contract
from bhiv.tokens import Usage

#: The steps of a job, under the names and in the order that a person sees everywhere.
StepName = Literal["storyboard", "images", "tts", "subtitles", "render", "stitch", "upload"]
STEPS: tuple[StepName, ...] = get_args(StepName)

#: Who made the storyboard: the user's plan, a language model, or the rules.
StoryboardSource = Literal["plan", "lm", "rules"]

#: What kind of error a failing step has.
_CATEGORIES: dict[StepName, str] = {
    "storyboard": "lm",
    "images": "image",
    "tts": "tts",
    "subtitles": "subtitle",
    "render": "render",
    "stitch": "stitch",
    "upload": "upload",
}


class Paths(Contract):
    """Bucket keys of a job's results; None for what was not made."""

    script: str | None = None
    storyboard: str | None = None
    video: str | None = None


class StoryboardStats(Contract):
    """Size of the storyboard; None for what was not known when the run ended."""

    total_scenes: int | None = None
    total_duration: float | None = Field(None, description="Seconds.")
    version: int | None = None


class Failure(Contract):
    """Why a run failed."""

    category: str
    message: str
    step: str


class Metadata(Contract):
    """Everything that is kept of an attempt, in `logs/<content_id>.json`."""

    content_id: str
    job_id: str
    uploader_id: str
    title: str
    timestamp: float = Field(description="Start, in seconds since the epoch.")
    created_at: datetime
    paths: Paths = Paths()
    storyboard_stats: StoryboardStats = StoryboardStats()
    storyboard_source: StoryboardSource
    processing_status: Literal["completed", "failed"]
    error: Failure | None = None


class Stage(Contract):
    """How long the runs of a step took together, and how many of them found their result made before."""

    seconds: float
    cached: int
    total: int


class Summary(Contract):
    """What a run did, in `videos/<content_id>_job_summary.json` and on stdout with `--json`."""

    job_id: str
    content_id: str
    video: str = Field(description="Bucket key of the MP4; on stdout the path of the delivered file.")
    duration_seconds: float
    storyboard_source: StoryboardSource
    stages: dict[StepName, Stage]
    loudness_lufs: float | None = Field(None, description="None for a silent video.")
    true_peak_dbtp: float | None = None
    lm: Usage | None = Field(None, description="What the language model was asked; null when it was not.")
    credits: str | None = Field(None, description="Bucket key of the pictures' credits.")
    notes: tuple[str, ...] = Field((), description="What a person should know, such as a service that was away.")


def category(step: StepName, error: BaseException) -> str:
    """Return the category under which a failure of `step` is counted."""
    return "interrupted" if not isinstance(error, Exception) else _CATEGORIES[step]


def started_now() -> tuple[float, datetime]:
    """Return the present as epoch seconds and as UTC date and time."""
    now = time.time()
    return now, datetime.fromtimestamp(now, UTC)


def log_key(content_id: str) -> str:
    """Return the key of the log of a content's last attempt."""
    return f"logs/{content_id}.log"


def write_metadata(bucket: Bucket, metadata: Metadata) -> None:
    """Store the metadata of an attempt; a later state of the same attempt takes its place."""
    bucket.put_bytes(
        f"logs/{metadata.content_id}.json", metadata.model_dump_json(indent=2).encode(), "application/json"
    )
