"""Music that a plan names, until it is heard under the voices."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, inputs, process, production, scoring
from bhiv.bucket.local import LocalBucket
from bhiv.cache import Made
from bhiv.errors import MusicError, PlanError
from bhiv.music import decode, find_music, keep_file
from bhiv.plan import SAMPLE_RATE, Music, RenderPlan, Samples, Scene, check_plan
from bhiv.production import Captioned, Frame, Narrated
from bhiv.request import RenderRequest, check_objects, check_request, make_plan, make_request
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video.bed import Recording
from bhiv.video.sound import Ambience, Mastered
from bhiv.workplace import Workplace
from tests.integration import media
from tests.servers import photos
from tests.servers.photos import PhotoServer, photo_server
from tests.servers.vendor import Said

HOSTS = ("127.0.0.1",)
CODECS = {"mp3": "libmp3lame", "m4a": "aac", "flac": "flac", "ogg": "libvorbis", "wav": "pcm_s16le"}


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three seconds of music in every format."""
    folder = tmp_path_factory.mktemp("tunes")
    media.write_stereo(folder / "raw", media.music(3))
    for ending, codec in CODECS.items():
        command = ffmpeg.command("-i", str(folder / "raw"), "-c:a", codec, str(folder / f"tune.{ending}"))
        process.run(command, timeout_seconds=60)
    return folder


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with photo_server(photos.openverse) as running:
        yield running


@pytest.mark.parametrize("ending", CODECS)
def test_music_of_every_format_is_kept_by_its_bytes_and_heard(
    tunes: Path, tmp_path: Path, settings: Settings, bucket: LocalBucket, ending: str
) -> None:
    key = keep_file(tunes / f"tune.{ending}", settings, "--music")

    found = find_music(bucket, Music(object=key), ())
    heard = Recording(decode(bucket.fetch(found), tmp_path / "music.wav", Samples(SAMPLE_RATE)))

    assert keep_file(tunes / f"tune.{ending}", settings, "--music") == key
    assert key.endswith(ending)
    assert heard.length == pytest.approx(3 * SAMPLE_RATE, abs=5_000)
    assert np.abs(heard.read(0, SAMPLE_RATE)).max() > 0.1


def test_no_more_is_decoded_than_the_programme_needs(tmp_path: Path) -> None:
    long = media.write_stereo(tmp_path / "long.wav", np.zeros((2, 40 * SAMPLE_RATE)))

    assert Recording(decode(long, tmp_path / "music.wav", Samples(5 * SAMPLE_RATE))).length == 15 * SAMPLE_RATE


BROKEN = {
    "nothing.mp3": (None, "there is no file"),
    "empty.mp3": (b"", "is no music that can be heard"),
    "story.mp3": (b"Once upon a time.", "is no music that can be heard"),
    "picture.mp3": (b"\x89PNG\r\n\x1a\n" + bytes(90), "is no music that can be heard"),
    "torn.mp3": (b"ID3" + bytes(90), "can't be heard"),
    "list.mp3": (b"#EXTM3U\n/etc/passwd\n", "is no music that can be heard"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_music_is_refused_with_the_reason_and_not_stored(
    tmp_path: Path, settings: Settings, name: str
) -> None:
    data, reason = BROKEN[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)

    with pytest.raises(PlanError, match=f"^--music: .*{reason}"):
        keep_file(tmp_path / name, settings, "--music")

    assert not (settings.bucket_dir / "audio").exists()


def test_music_that_is_too_short_to_go_round_is_refused(tmp_path: Path, settings: Settings) -> None:
    path = media.write_stereo(tmp_path / "short.wav", media.music(0.5))

    with pytest.raises(PlanError, match="shorter than a second"):
        keep_file(path, settings, "--music")


def test_a_film_has_no_music_of_its_own(tmp_path: Path, settings: Settings) -> None:
    film = tmp_path / "film.m4a"
    process.run(ffmpeg.command("-f", "lavfi", "-i", "color=d=2:s=64x64", "-f", "mp4", str(film)), timeout_seconds=60)

    with pytest.raises(PlanError, match="can't be heard"):
        keep_file(film, settings, "--music")


def test_music_from_an_address_is_fetched_once(tunes: Path, server: PhotoServer, bucket: LocalBucket) -> None:
    server.files["tune"] = Said((tunes / "tune.mp3").read_bytes(), "audio/mpeg")
    wished = Music(url=f"{server.url}/files/tune")

    first = find_music(bucket, wished, HOSTS)
    asked = len(server.asked())

    assert find_music(bucket, wished, HOSTS) == first
    assert len(server.asked()) == asked


def test_an_address_in_the_own_network_is_not_asked(server: PhotoServer, bucket: LocalBucket) -> None:
    with pytest.raises(MusicError, match=r"the music at 127.0.0.1/files/tune can't be had: 127.0.0.1 may not"):
        find_music(bucket, Music(url=f"{server.url}/files/tune"), ())

    assert server.asked() == []


@pytest.mark.parametrize(
    ("music", "reason"),
    [
        ({}, "takes one of file, url and object"),
        ({"file": "a.mp3", "object": "audio/a.mp3"}, "takes one of file, url and object"),
        ({"object": "audio/a.mp3", "level_db": 3}, "music.level_db"),
        ({"object": "audio/a.mp3", "level_db": float("nan")}, "music.level_db"),
        ({"file": "a.mp3"}, "music.file: is for `bhiv render`"),
        ({"object": "images/a.mp3"}, "music.object: is no key of a sound"),
        ({"object": "audio/../a.mp3"}, "music.object: is no key of a sound"),
    ],
)
def test_a_request_for_music_that_can_not_be_is_refused(
    settings: Settings, music: dict[str, object], reason: str
) -> None:
    for source in ({"script": "A day."}, {"plan": {"title": "A day", "scenes": [{"narration": "A day."}]}}):
        with pytest.raises(PlanError, match=reason):
            check_request(make_request({**source, "music": music}), settings)


def test_music_that_is_not_in_the_bucket_is_named(settings: Settings, bucket: LocalBucket) -> None:
    request = make_request({"script": "A day.", "music": {"object": "audio/gone.mp3"}})

    with pytest.raises(PlanError, match=r"music\.object: is not in the bucket"):
        check_objects(make_plan(request, settings), bucket)


def test_a_plan_names_music_beside_itself_and_the_option_comes_before_it(tunes: Path, settings: Settings) -> None:
    plan = {"title": "A", "music": {"file": "tune.mp3", "level_db": -12}, "scenes": [{"narration": "A day."}]}
    (tunes / "plan.json").write_text(RenderPlan.model_validate(plan).model_dump_json())

    own = inputs.read_request(str(tunes / "plan.json"), {}, settings)
    other = inputs.read_request(str(tunes / "plan.json"), {"music": str(tunes / "tune.ogg")}, settings)

    told = [make_plan(request, settings).music for request in (own, other)]
    assert [music and (music.object or "")[-3:] for music in told] == ["mp3", "ogg"]
    assert [music and music.level_db for music in told] == [-12, -20]
    assert isinstance(own, RenderRequest)


FRAME = Frame(width=320, height=180, fps=25, quality="draft")
LOOK = production.CaptionLook(style="off", position="auto", language="en")


@pytest.fixture
def scenes(workplace: Workplace, settings: Settings) -> tuple[list[Narrated], list[Captioned]]:
    """Two scenes that were spoken, with a rest between them."""
    (workplace.runs / "run").mkdir(parents=True)
    told = [Scene(narration="The river runs."), Scene(narration="It meets the sea.", duration_seconds=5)]
    voices = choose_voices("espeak", "en", settings)
    narrated = [production.make_narration(workplace, "run", one, "en", voices, settings).result for one in told]
    captioned = [
        production.make_captions(workplace, one, spoken, LOOK, FRAME).result
        for one, spoken in zip(told, narrated, strict=True)
    ]
    return narrated, captioned


def decoded(workplace: Workplace, made: Made[Mastered]) -> NDArray[np.float32]:
    return media.heard(workplace.bucket.fetch(made.result.sound))


def test_music_is_heard_under_a_programme_and_found_again(
    tunes: Path, settings: Settings, workplace: Workplace, scenes: tuple[list[Narrated], list[Captioned]]
) -> None:
    wished = Music(object=keep_file(tunes / "tune.mp3", settings, "--music"))
    plain = scoring.make_sound(workplace, "run", *scenes, FRAME)

    made = scoring.make_sound(workplace, "run", *scenes, FRAME, wished=wished)
    again = scoring.make_sound(workplace, "run", *scenes, FRAME, wished=wished)
    louder = scoring.make_sound(workplace, "run", *scenes, FRAME, wished=wished.model_copy(update={"level_db": -10.0}))

    # The second scene's words are over before its fourth second.
    rest = slice(-120_000, -96_000)
    levels = [float(decoded(workplace, one)[:, rest].std()) for one in (plain, made, louder)]
    assert levels[0] < levels[1] / 20 < levels[2] / 40
    assert (made.cached, again.cached, again.result) == (False, True, made.result)
    assert made.notes == ()


def test_without_music_that_can_not_be_had_the_video_is_made_and_says_so(
    tunes: Path, server: PhotoServer, workplace: Workplace, scenes: tuple[list[Narrated], list[Captioned]]
) -> None:
    wished = Music(url=f"{server.url}/files/tune")
    plain = scoring.make_sound(workplace, "run", *scenes, FRAME)
    server.files["tune"] = Said(b"<html>", "text/html")

    without = scoring.make_sound(workplace, "run", *scenes, FRAME, wished=wished, allowed_hosts=HOSTS)
    server.files["tune"] = Said((tunes / "tune.ogg").read_bytes(), "audio/ogg")
    later = scoring.make_sound(workplace, "run", *scenes, FRAME, wished=wished, allowed_hosts=HOSTS)

    assert without.result == plain.result
    assert "is no music that can be heard" in without.notes[0]
    assert without.notes[0].endswith("; the video has no music")
    assert (later.result == plain.result, later.notes) == (False, ())


def test_the_sound_of_a_scene_is_heard(
    tmp_path: Path, workplace: Workplace, scenes: tuple[list[Narrated], list[Captioned]]
) -> None:
    path = media.write_stereo(tmp_path / "footage.wav", media.music(2))
    stored = workplace.bucket.put_file("audio/footage.wav", path, "audio/wav")
    frames = scenes[1][0].frames + scenes[1][1].frames
    start = Samples(frames * SAMPLE_RATE // FRAME.fps - 2 * SAMPLE_RATE)

    made = scoring.make_sound(
        workplace, "run", *scenes, FRAME, ambience=(Ambience(sound=stored, start=start, gain_db=0),)
    )

    heard = decoded(workplace, made)
    assert heard[:, -SAMPLE_RATE:].std() > 0.01
    assert heard[:, -3 * SAMPLE_RATE : -2 * SAMPLE_RATE - 2_400].std() < 0.002


def test_the_plan_of_music_is_read_from_json() -> None:
    plan = check_plan({"title": "A", "music": {"url": "https://example.com/a.mp3"}, "scenes": [{"narration": "A."}]})

    assert plan.music == Music(url="https://example.com/a.mp3", level_db=-20)
