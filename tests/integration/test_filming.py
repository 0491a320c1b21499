import wave
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.encoding import make_clip
from bhiv.errors import PictureError, PlanError
from bhiv.photos import Collection, wish_pictures
from bhiv.pictures import brief_scenes
from bhiv.plan import Footage, Frames, RenderPlan, Scene, check_plan
from bhiv.production import (
    Captioned,
    CaptionLook,
    Drawn,
    Frame,
    make_captions,
    make_narration,
    show_picture,
)
from bhiv.request import check_objects, make_plan, make_request
from bhiv.scoring import make_footage_sound
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.timeline import sample_at
from bhiv.video import camera, filming
from bhiv.video.own_clips import keep_clips
from bhiv.video.own_sound import LEVEL_LUFS
from bhiv.video.staging import Movement, Staging
from bhiv.workplace import Workplace
from tests.integration import media, reels
from tests.servers.vendor import Said, vendor_server

RUN = "run"


@pytest.fixture
def place(workplace: Workplace) -> Workplace:
    (workplace.runs / RUN).mkdir(parents=True)
    return workplace


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds: numbered greys, silence and then a tone of 440 Hz from the second second on."""
    folder = tmp_path_factory.mktemp("clips")
    shown = reels.write(folder / "shown.mp4", reels.counter, 60)
    tone = ("-f", "lavfi", "-i", "sine=f=440:d=2:r=44100,volume=eval=frame:volume='0.5*gte(t,1)'")
    reels.run("-i", str(shown), *tone, "-c:v", "copy", "-c:a", "aac", str(folder / "clip.mp4"))
    return folder / "clip.mp4"


STILL = Staging(movement=Movement(move="still"))


def plan_of(*scenes: dict[str, object]) -> RenderPlan:
    return check_plan({"title": "Clips", "size": "320x180", "captions": "off", "scenes": list(scenes)})


def drawn(place: Workplace, plan: RenderPlan, settings: Settings) -> list[Drawn]:
    briefs = brief_scenes(plan, *camera.picture_size(*plan.pixels))
    wishes = wish_pictures(plan, briefs)
    return [show_picture(place, RUN, wish, (), Collection.of(settings)).result for wish in wishes]


def captioned(place: Workplace, plan: RenderPlan, scene: Scene, shown: Drawn, settings: Settings) -> Captioned:
    voices = choose_voices(plan.voice, plan.language, settings)
    spoken = make_narration(place, RUN, scene, plan.language, voices, settings).result
    return make_captions(place, scene, spoken, CaptionLook.of(plan), Frame.of(plan), shown).result


def test_a_scene_shows_a_clip_beside_the_plan(place: Workplace, clip: Path, settings: Settings) -> None:
    written = plan_of({"footage": {"file": clip.name, "start_seconds": 0.5}})

    plan = keep_clips(written, clip.parent, settings)
    check_objects(plan, place.bucket, use=True)
    [shown] = drawn(place, plan, settings)
    length = captioned(place, plan, plan.scenes[0], shown, settings)
    first = make_clip(place, RUN, STILL, [shown], [length], Frame.of(plan))
    second = make_clip(place, RUN, STILL, [shown], [length], Frame.of(plan))

    assert plan.scenes[0].footage is not None
    assert str(plan.scenes[0].footage.object).startswith("clips/own-")
    assert (length.frames, first.cached, second.cached) == (45, False, True)
    seen = media.grab(place.bucket.fetch(first.result.chunks[0].video), 1.0, 320, 180)
    assert abs(float(seen.mean()) - (20 + 2 * 45)) < 3


def test_narration_decides_the_length_where_there_is_some(place: Workplace, clip: Path, settings: Settings) -> None:
    spoken = "The seed slept for a thousand years, in the mud of a lake that was dry."
    plan = keep_clips(plan_of({"narration": spoken, "footage": {"file": clip.name}}), clip.parent, settings)
    [shown] = drawn(place, plan, settings)

    assert captioned(place, plan, plan.scenes[0], shown, settings).frames > 90


def test_another_stretch_of_the_same_clip_is_another_clip(place: Workplace, clip: Path, settings: Settings) -> None:
    def made(**fields: object) -> str:
        plan = keep_clips(plan_of({"footage": {"file": clip.name, **fields}}), clip.parent, settings)
        [shown] = drawn(place, plan, settings)
        length = Captioned(cues=(), layer=None, frames=Frames(5))
        return make_clip(place, RUN, STILL, [shown], [length], Frame.of(plan)).result.chunks[0].video.key

    assert len({made(), made(start_seconds=1), made(speed=2), made(fit="pad"), made(effects=["mirror_x"])}) == 5
    assert made() == made(end_seconds=None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file": "none.mp4"}, "scenes.0.footage.file: there is no file "),
        ({"file": "."}, "scenes.0.footage.file: there is no file "),
        ({"file": "cut.mp4"}, "scenes.0.footage.file: "),
        ({"file": "clip.mp4", "start_seconds": 3}, "scenes.0.footage.file: "),
    ],
)
def test_a_file_that_cant_be_shown_is_refused_before_anything_is_stored(
    clip: Path, settings: Settings, fields: dict[str, object], said: str
) -> None:
    (clip.parent / "cut.mp4").write_bytes(clip.read_bytes()[:4000])

    with pytest.raises(PlanError) as refused:
        keep_clips(plan_of({"footage": fields}), clip.parent, settings)

    assert str(refused.value).startswith(said)
    assert not settings.bucket_dir.exists() or not [*settings.bucket_dir.rglob("own-*")]


def test_the_service_takes_clips_from_the_bucket_and_the_web_only(settings: Settings) -> None:
    def refusal(**footage: str) -> str:
        with pytest.raises(PlanError) as refused:
            make_plan(make_request({"plan": plan_of({"footage": footage}).model_dump()}), settings)
        return str(refused.value)

    assert refusal(file="a.mp4").startswith("scenes.0.footage.file: is for `bhiv render`")
    assert "is no key of a clip: one begins with clips/ or tmp/" in refusal(object="videos/a.mp4")


def test_a_clip_comes_from_its_address_once(place: Workplace, clip: Path, settings: Settings) -> None:
    with vendor_server(lambda _: Said(clip.read_bytes(), "video/mp4")) as server:
        allowed = settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)})
        plan = plan_of({"footage": {"url": f"{server.url}/a.mp4"}})
        first, second = drawn(place, plan, allowed)[0], drawn(place, plan, allowed)[0]
        refused = drawn(place, plan_of({"footage": {"url": f"{server.url}/b.mp4"}}), settings)[0]

    assert first == second
    assert first.footage is not None
    assert refused.footage is None, "who is not allowed is not asked"
    assert [one.path for one in server.requests] == ["/a.mp4"]


def test_more_than_agreed_is_not_read(place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "MAX_FETCHED_BYTES", 1_000)

    with vendor_server(lambda _: Said(bytes(100_000), "video/mp4")) as server:
        wanted = Footage(url=f"{server.url}/a.mp4")
        with pytest.raises(PictureError, match=r"scene 3: the clip at .* can't be had: .* more than 1000 bytes"):
            filming.film(place.bucket, wanted, 3, ("127.0.0.1",), tmp_path)


def sound_of(place: Workplace, shown: Drawn, frames: int) -> NDArray[np.int16] | None:
    made = make_footage_sound(place, RUN, shown, Frames(frames), 30).result.sound
    if made is None:
        return None
    with closing(wave.open(str(place.bucket.fetch(made)), "rb")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def loudness(sound: NDArray[np.int16]) -> float:
    raw = ("-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "pipe:0")
    argv = ffmpeg.command(*raw, "-af", "ebur128=framelog=quiet", "-f", "null", "-")
    return ffmpeg.parse_loudness(process.run(argv, timeout_seconds=60, stdin=sound.tobytes()).stderr).integrated


def pitch(sound: NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / 48_000)[spectrum.argmax()])


@pytest.mark.parametrize("speed", [1, 2, 0.4])
def test_a_clips_own_sound_is_low_in_step_and_at_its_pitch(
    place: Workplace, clip: Path, settings: Settings, speed: float
) -> None:
    footage = {"file": clip.name, "sound": "keep", "speed": speed}
    plan = keep_clips(plan_of({"footage": footage}), clip.parent, settings)
    [shown] = drawn(place, plan, settings)

    frames = round(60 / speed) + 10
    sound = sound_of(place, shown, frames)

    assert sound is not None
    assert len(sound) == sample_at(Frames(frames), 30)
    assert abs(loudness(sound) - LEVEL_LUFS) < 0.3
    begins = np.flatnonzero(np.abs(sound[:, 0]) > np.abs(sound[:, 0]).max() / 4)[0]
    assert abs(begins / 48_000 - 1 / speed) < 0.06
    assert abs(pitch(sound[begins : begins + 16_000]) - 440) < 6


def test_what_is_dropped_or_silent_has_no_sound(place: Workplace, clip: Path, settings: Settings) -> None:
    def kept(**fields: object) -> NDArray[np.int16] | None:
        plan = keep_clips(plan_of({"footage": {"file": clip.name, **fields}}), clip.parent, settings)
        return sound_of(place, drawn(place, plan, settings)[0], 30)

    assert kept() is None
    assert kept(sound="keep", end_seconds=0.9) is None
    assert kept(sound="keep", start_seconds=1) is not None


def test_in_place_of_a_clip_that_is_gone_a_picture_is_shown(place: Workplace, settings: Settings) -> None:
    plan = plan_of({"footage": {"object": "clips/gone.mp4"}})
    [wish] = wish_pictures(plan, brief_scenes(plan, *camera.picture_size(*plan.pixels)))

    made = show_picture(place, RUN, wish, (), Collection.of(settings))

    assert made.result.source == "offline"
    assert made.notes[0].startswith("scene 1: the clip clips/gone.mp4 can't be read: ")
    assert made.notes[0].endswith("; a picture takes its place")
    assert captioned(place, plan, plan.scenes[0], made.result, settings).frames == 150
