"""Encoders are proved by a trial on this machine, which has no graphics hardware: candidates of x264 stand for it."""

import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from bhiv import captions, ffmpeg
from bhiv.encoding import make_clip
from bhiv.errors import ToolFailed
from bhiv.plan import SAMPLE_RATE, Quality, RenderPlan, Scene
from bhiv.production import Captioned, Drawn, Frame
from bhiv.settings import Settings
from bhiv.video import encoder
from bhiv.video.encoder import CANDIDATES, SOFTWARE, X264, Encoder, choose, distrust, try_out
from bhiv.video.staging import Movement, Staging
from bhiv.workplace import Workplace
from tests.integration import media

PLAIN = ("-preset", "veryfast", "-crf", "22", "-x264-params", "8x8dct=1")


def candidate(*settings: str, name: str = X264) -> Encoder:
    return Encoder(name, dict.fromkeys(SOFTWARE.settings, settings))


def test_an_encoder_that_gives_the_same_kind_of_stream_passes() -> None:
    assert try_out(candidate(*PLAIN)) == ""


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (candidate("-qscale:v", "2", "-sc_threshold", "1000000000", name="mpeg4"), "gives 'mpeg4 .*', not h264 (High)"),
        (candidate("-preset", "ultrafast", "-crf", "18"), "gives 'h264 (Main).*, not h264 (High)"),
        (candidate(*PLAIN[:-1], "8x8dct=1:keyint=250:no-scenecut=1"), "begin at frames 0 instead of 0 and 48"),
        (candidate("-preset", "veryfast", "-x264-params", "open-gop=1"), "instead of 0 and 48|groups of pictures are"),
        (
            candidate("-preset", "veryfast", "-crf", "45", "-x264-params", "8x8dct=1"),
            "its pictures have .* dB, those of libx264 .* dB",
        ),
        (candidate(*PLAIN[:-1], "8x8dct=1:qp=2"), "it takes .* bytes where libx264 takes"),
        (candidate(*PLAIN, "-r", "12"), "frames on another grid of time instead of 54 at 24 a second|not 24 fps"),
        (replace(candidate(*PLAIN), filters=("no_such_filter",)), "No such filter"),
        (candidate(name="h264_of_nobody"), "this ffmpeg is built without it"),
    ],
    ids=["mpeg4", "profile", "long groups", "open groups", "poor", "large", "another rate", "broken", "absent"],
)
def test_an_encoder_that_gives_something_else_is_refused_with_the_reason(unfit: Encoder, reason: str) -> None:
    found = try_out(unfit)

    assert any(all(part in found for part in one.split(".*")) for one in reason.split("|")), found


def test_an_encoder_that_hangs_is_ended() -> None:
    slow = replace(candidate(*PLAIN), filters=("realtime=speed=0.01",))

    assert try_out(slow, seconds=1.5) == "it took more than 1.5 s"


@pytest.mark.parametrize("hardware", CANDIDATES, ids=lambda one: one.name)
def test_hardware_that_is_not_there_is_refused_with_what_its_driver_says(hardware: Encoder) -> None:
    if Path("/dev/dri").exists() or Path("/dev/nvidia0").exists():
        pytest.skip("this machine may have such hardware")

    assert len(try_out(hardware)) > 10


def test_x264_is_taken_without_a_trial_unless_hardware_is_asked_for(settings: Settings) -> None:
    assert choose(settings) == encoder.Choice(X264, {})
    assert not (settings.home / "encoders.json").exists()


@pytest.fixture
def auto(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings under which two candidates are tried, of which the second is fit."""
    unfit, fit = candidate("-qscale:v", "2", name="mpeg4"), candidate(*PLAIN, name="libx264rgb")
    monkeypatch.setattr(encoder, "CANDIDATES", (unfit, fit))
    monkeypatch.setattr(encoder, "try_out", lambda one: "unfit" if one is unfit else "")
    return settings.model_copy(update={"hardware_encoder": "auto"})


def test_the_first_encoder_that_passes_is_taken_and_tried_once(auto: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = choose(auto)
    monkeypatch.setattr(encoder, "try_out", lambda one: pytest.fail(f"{one.name} was tried again"))

    assert first == choose(auto) == encoder.Choice("libx264rgb", {"mpeg4": "unfit"})


def test_another_driver_has_another_trial(auto: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(auto)
    monkeypatch.setattr(encoder, "_identity", lambda: "another driver")
    monkeypatch.setattr(encoder, "try_out", lambda one: f"{one.name} has gone")

    assert choose(auto).name == X264


@pytest.mark.parametrize("kept", ["", "[]", '{"a": ', '{"x": 3}'])
def test_a_note_that_can_not_be_read_counts_as_none(auto: Settings, kept: str) -> None:
    auto.home.mkdir(parents=True)
    (auto.home / "encoders.json").write_text(kept)

    assert choose(auto).name == "libx264rgb"


def test_an_encoder_that_failed_in_use_is_not_taken_by_the_next_run(auto: Settings) -> None:
    before = choose(auto).name
    distrust(auto.home, before, "the device was lost")

    after = choose(auto)

    assert (before, after.name) == ("libx264rgb", X264)
    assert after.refused["libx264rgb"] == "it failed in use: the device was lost"


STILL = Staging(movement=Movement(move="still"))


@pytest.fixture
def scene(workplace: Workplace, tmp_path: Path) -> tuple[Drawn, Captioned, Frame]:
    """A picture and a length for a small clip."""
    (workplace.runs / "run").mkdir(parents=True)
    picture = media.write_picture(tmp_path / "a.png")
    drawn = Drawn(image=workplace.bucket.put_file("images/a.png", picture, "image/png"))
    frame = Frame(width=media.WIDTH, height=media.HEIGHT, fps=media.FPS, quality="standard")
    return drawn, Captioned(cues=(), layer=None, frames=25), frame


def test_clips_of_another_encoder_are_other_clips(
    workplace: Workplace, scene: tuple[Drawn, Captioned, Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, captioned, frame = scene
    plain = make_clip(workplace, "run", STILL, [drawn], [captioned], frame)
    monkeypatch.setattr(encoder, "CANDIDATES", (candidate(*PLAIN),))

    other = make_clip(workplace, "run", STILL, [drawn], [captioned], frame, X264)

    assert not other.cached
    assert other.result.chunks[0].video.key != plain.result.chunks[0].video.key
    assert make_clip(workplace, "run", STILL, [drawn], [captioned], frame, X264).cached


def test_an_encoder_that_fails_in_use_is_noted(
    workplace: Workplace, scene: tuple[Drawn, Captioned, Frame], settings: Settings
) -> None:
    drawn, captioned, frame = scene
    with pytest.raises(ToolFailed):
        make_clip(workplace, "run", STILL, [drawn], [captioned], frame, "h264_nvenc")

    told = json.loads((settings.home / "encoders.json").read_text())

    assert [reasons["h264_nvenc"][:16] for reasons in told.values()] == ["it failed in use"]


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def test_a_draft_takes_a_quarter_of_the_work_for_the_same_frames_and_cues(workplace: Workplace, tmp_path: Path) -> None:
    words = media.words("Seven tall white swans swam slowly past.", SAMPLE_RATE * 2)
    qualities: tuple[Quality, ...] = ("standard", "draft")

    def made(quality: Quality, number: int) -> tuple[float, int, list[str]]:
        plan = RenderPlan(title="T", size="1280x720", quality=quality, scenes=(Scene(narration="x"),))
        cues = captions.make_cues(words, captions.line_length(*plan.pixels))
        before = cpu_seconds()
        clip = media.write_clip(
            tmp_path,
            f"{quality}{number}.mp4",
            60,
            media.layer_of(cues, "karaoke"),
            move="pan_left",
            quality=quality,
            size=plan.pixels,
        )
        spent = cpu_seconds() - before
        return spent, ffmpeg.inspect(clip).all[0].packets, captions.to_srt(cues).splitlines()

    runs = {quality: [made(quality, number) for number in range(3)] for quality in qualities}

    least = {quality: min(spent for spent, _, _ in told) for quality, told in runs.items()}
    assert least["standard"] >= 4 * least["draft"], least
    assert runs["standard"][0][1:] == runs["draft"][0][1:]
