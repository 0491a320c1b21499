"""A clean-up under the hardest rules beside a job that takes days, both real and each in a process of its own."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy
from pydantic import BaseModel

from bhiv import production, scoring
from bhiv.attempt import Attempt, attempted, deliver, store_storyboard
from bhiv.bucket.local import LocalBucket
from bhiv.cache import Made
from bhiv.catalog import ledger, open_catalog, views
from bhiv.catalog.models import Job
from bhiv.encoding import make_clip
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan, Scene
from bhiv.production import Frame
from bhiv.progress import Progress
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings, settings_environment
from bhiv.speech import choose_voices
from bhiv.video import camera
from bhiv.video.staging import stage_scenes
from bhiv.workplace import Workplace

T = TypeVar("T", bound=BaseModel)

ROOT = Path(__file__).parent.parent.parent
PLAN = RenderPlan(
    title="A river",
    size="144x144",
    quality="draft",
    scenes=(Scene(narration="A river runs."), Scene(narration="It meets the sea.")),
)
#: Of two pictures, two narrations, two clips, the sound, and the joined video with its subtitles.
OBJECTS = 2 + 2 + 2 + 1 + 3
#: The same with their records, and those of two captions.
REMADE = OBJECTS + 2 + 2 + 2 + 1 + 1 + 2


@dataclass
class Greedy:
    """The clean-up beside the job; `after` lets it go round twice more between two steps of the job."""

    process: "subprocess.Popen[str]"
    removed: int = 0
    rounds: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.news:
                self.removed += int(line.split()[0])
                self.rounds += 1
                self.news.notify_all()

    def go_round(self) -> None:
        with self.news:
            # The round that goes on may have passed the newest objects: the two after it can't have.
            wanted = self.rounds + 3
            assert self.news.wait_for(lambda: self.rounds >= wanted, 60), "the clean-up stands still"


@contextmanager
def greedy(settings: Settings) -> Iterator[Greedy]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.greedy"],
        cwd=ROOT, env={**os.environ, **settings_environment(settings)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        watched = Greedy(process)
        listener = threading.Thread(target=watched.listen)
        listener.start()
        try:
            yield watched
        finally:
            assert process.stdin is not None
            process.stdin.close()
            listener.join(60)
    assert process.returncode == 0


def make(workplace: Workplace, settings: Settings, request: RenderRequest, between: Callable[[], object]) -> Summary:
    """Make the video as the flow does, with something in `between` the steps."""

    def made(step: Made[T]) -> T:
        between()
        return step.result

    frame, voices = Frame.of(PLAN), choose_voices("auto", "en", settings)
    with attempted(workplace, settings, request, Progress()) as attempt:
        assert isinstance(attempt, Attempt)
        run = attempt.begun.run
        made(store_storyboard(workplace, request, settings))
        briefs = brief_scenes(PLAN, *camera.picture_size(frame.width, frame.height))
        drawn = [made(production.make_picture(workplace, run, brief)) for brief in briefs]
        told = [made(production.make_narration(workplace, run, scene, "en", voices, settings)) for scene in PLAN.scenes]
        shown = [
            made(production.make_captions(workplace, scene, one, production.CaptionLook.of(PLAN), frame))
            for scene, one in zip(PLAN.scenes, told, strict=True)
        ]
        sound = made(scoring.make_sound(workplace, run, told, shown, frame))
        clips = [
            made(make_clip(workplace, run, staging, drawn[at::-1][:2], shown[at::-1][:2], frame))
            for at, staging in enumerate(stage_scenes(PLAN))
        ]
        programme = production.programme_of(PLAN, shown, clips, sound)
        video = made(production.make_video(workplace, run, programme))
        verdict = made(production.check_video(workplace, video, production.expected_of(programme, frame)))
        delivered = deliver(workplace, settings, attempt.begun, PLAN, video, verdict, {})
    return delivered.result


def age(bucket: LocalBucket, days: float) -> None:
    """Have all objects been made and used so long ago, as if whatever makes them took days."""
    then = time.time() - days * 86_400
    for entry in bucket.list_page().entries:
        path = bucket.path(entry.key)
        if path.exists():
            os.utime(path, (then, then))


def enter(settings: Settings, request: RenderRequest, days: float) -> None:
    """Have the job been accepted so long ago."""
    with open_catalog(settings) as catalog:
        ledger.register(catalog, request)
        with catalog.writing() as connection:
            then = datetime.now(UTC) - timedelta(days=days)
            connection.execute(sqlalchemy.update(Job).where(Job.id == request.job_id).values(created_at=then))


def remade(bucket: LocalBucket) -> list[str]:
    """Return what is made again when it is gone.

    What was heard and seen is not, the gate then does it itself; voices are not while their sound is there.
    """
    keys = [entry.key for entry in bucket.list_page().entries]
    kept = [key for key in keys if key.startswith(("audio/", "images/", "clips/"))]
    return [key for key in kept if not key.split("/")[1].startswith(("heard-", "seen-", "voice-"))]


@pytest.fixture
def local(workplace: Workplace) -> LocalBucket:
    assert isinstance(workplace.bucket, LocalBucket)
    return workplace.bucket


def test_nothing_that_a_live_job_made_goes_however_long_it_takes(
    workplace: Workplace, settings: Settings, local: LocalBucket
) -> None:
    request = RenderRequest(plan=PLAN)
    enter(settings, request, days=3)
    held: list[str] = []

    with greedy(settings) as cleaner:

        def a_day_passes() -> None:
            nonlocal held
            age(local, days=1)
            cleaner.go_round()
            held = remade(local)
            assert cleaner.removed == 0

        summary = make(workplace, settings, request, a_day_passes)
    # Since the job has ended, all that can be made again may have gone.
    assert len(held) == REMADE
    content = request.content_id
    assert {entry.key for entry in local.list_page().entries} >= {
        f"scripts/{content}_script.txt",
        f"storyboards/{content}_storyboard.json",
        *(f"videos/{content}{end}" for end in (".mp4", ".srt", ".vtt", "_job_summary.json")),
        f"logs/{content}.json",
    }
    assert summary.duration_seconds > 1
    with open_catalog(settings) as catalog:
        job = views.get(catalog, request.job_id)
    assert job is not None
    assert job.state == "completed"


def test_a_job_finds_what_was_made_before_or_makes_it_again(
    workplace: Workplace, settings: Settings, local: LocalBucket
) -> None:
    make(workplace, settings, RenderRequest(plan=PLAN), lambda: None)
    age(local, days=30)

    with greedy(settings) as cleaner:
        request = RenderRequest(plan=PLAN)
        make(workplace, settings, request, lambda: None)
        cleaner.go_round()

    assert local.get_bytes(f"videos/{request.content_id}.mp4")
    # A record that was read a moment before its removal is all that may have gone: its objects are used, so they stay.
    assert len([key for key in remade(local) if not key.endswith(".json")]) == OBJECTS
    make(workplace, settings, RenderRequest(plan=PLAN), lambda: None)
    assert len(remade(local)) == REMADE
