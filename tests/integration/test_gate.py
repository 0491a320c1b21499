"""The gate: every way a video may be broken is refused with a sentence, and every good one passes."""

import itertools
import re
import tracemalloc
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bhiv import ffmpeg, process, timeline
from bhiv.errors import GateRejected
from bhiv.plan import Camera, Frames, Samples
from bhiv.settings import Settings
from bhiv.video import gate_pictures, gate_sound, mp4_boxes
from bhiv.video.gate import Expected, Memory, Shown, check, stretches
from bhiv.video.gate_pictures import Key, Seen
from bhiv.workplace import open_workplace
from tests.integration import media

TEXTS = ["A good video has its sound in time with it.", "And it has many pictures too, that all move."]
KEEP = ("-map", "0", "-c", "copy")
PICTURE = ("-c:v", "libx264", "-g", "50", "-preset", "ultrafast", "-x264-params", "8x8dct=1", "-pix_fmt", "yuv420p")
TAGS = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
#: Samples at full scale, too few to change the loudness.
CLICKS = "aeval=if(lt(mod(n\\,9600)\\,3)\\,0.999\\,val(0))|val(1):c=same"
FAST = ("-movflags", "+faststart")


@dataclass(frozen=True)
class Made:
    """A finished video, what it was to be, and where broken ones may be written."""

    video: Path
    expected: Expected
    folder: Path

    def remade(self, *arguments: str, source: Path | None = None, more: tuple[Path, ...] = ()) -> Path:
        """Return the video as ffmpeg makes it by these arguments."""
        target = self.folder / f"broken-{next(_numbers)}.mp4"
        inputs = [part for path in (source or self.video, *more) for part in ("-i", str(path))]
        process.run(ffmpeg.command(*inputs, *arguments, str(target)), timeout_seconds=60)
        return target

    def pictures(self, filters: str, *arguments: str) -> Path:
        """Return the video with its pictures encoded again, changed; a key picture begins each scene as before."""
        starts = ",".join(f"{scene.start / self.expected.fps:.6f}" for scene in self.expected.scenes)
        return self.remade(
            *KEEP, *PICTURE, "-force_key_frames", starts, "-video_track_timescale", str(media.FPS * 512),
            "-vf", f"{filters},{TAGS}", *FAST, *arguments,
        )  # fmt: skip

    def sound(self, filters: str, *arguments: str) -> Path:
        """Return the video with its sound encoded again, changed; it stays as long as it was."""
        whole = f"apad,atrim=end_sample={timeline.sample_at(self.expected.frames, media.FPS)}"  # type: ignore[arg-type]
        return self.remade(
            *KEEP, "-c:a", "aac", "-b:a", "256k", "-ar", "48000", "-af", f"{filters},{whole}", *FAST, *arguments
        )

    def bytes(self, change: Callable[[bytes], bytes]) -> Path:
        """Return a copy of the video with its bytes changed."""
        target = self.folder / f"broken-{next(_numbers)}.mp4"
        target.write_bytes(change(self.video.read_bytes()))
        return target


_numbers = itertools.count()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A finished video of two scenes that move, to be looked at only."""
    folder = tmp_path_factory.mktemp("gate")
    open_workplace(Settings(home=folder / "home", bucket_dir=folder / "bucket"))
    work = folder / "work"
    work.mkdir()
    programme = media.programme(work, TEXTS, least_seconds=3)
    return Made(media.join_all(work, programme), media.expected(programme), work)


def zeroed(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes(2_000) + whole[middle + 2_000 :]


def png(made: Made) -> Path:
    target = made.folder / "png.mp4"
    target.write_bytes(media.write_picture(made.folder / "named.png").read_bytes())
    return target


def delayed_stream(made: Made) -> Path:
    target = made.folder / "delayed.mp4"
    command = ("-i", str(made.video), "-itsoffset", "0.5", "-i", str(made.video), "-map", "0:v", "-map", "1:a")
    process.run(ffmpeg.command(*command, "-map", "0:s", "-c", "copy", *FAST, str(target)), timeout_seconds=60)
    return target


def two_pictures(made: Made) -> Path:
    return made.remade("-map", "0", "-map", "0:v", "-c", "copy", *FAST)


def cued(made: Made, count: int) -> Path:
    captions = made.folder / f"{count}.srt"
    captions.write_text(
        "".join(f"{n + 1}\n00:00:0{n},100 --> 00:00:0{n},900\nOne\n\n" for n in range(count)), encoding="utf-8"
    )
    return made.remade("-map", "0:v", "-map", "0:a", "-map", "1:s", "-c", "copy", "-c:s", "mov_text", *FAST,
                       more=(captions,))  # fmt: skip


def chaptered(made: Made, starts: list[float]) -> Path:
    names = made.folder / "chapters.txt"
    rows = [f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={int(at * 1000)}\nEND={int(at * 1000) + 900}\ntitle=x" for at in starts]
    names.write_text("\n".join([";FFMETADATA1", *rows]), encoding="utf-8")
    return made.remade(*KEEP, "-map_chapters", "1", *FAST, more=(names,))


BROKEN: list[tuple[str, Callable[[Made], Path], str]] = [
    ("of 0 bytes", lambda made: made.bytes(lambda _: b""), r"the file, 0 bytes, is no MP4"),
    ("a PNG named mp4", png, r"is no MP4: it begins with b'\\x89PNG.* instead of an 'ftyp' box"),
    ("cut off", lambda made: made.bytes(lambda whole: whole[:20_000]), r"has 20,000 bytes instead of [\d,]+: it was"),
    ("cut off by a byte", lambda made: made.bytes(lambda whole: whole[:-1]), r"has [\d,]+ bytes instead of [\d,]+: it"),
    (
        "of zeros in the middle",
        lambda made: made.bytes(zeroed),
        r"512 bytes from byte [\d,]+ are all 0 instead of media",
    ),
    ("without an index first", lambda made: made.remade(*KEEP), r"index is at byte [\d,]+, behind the media at byte"),
    (
        "without pictures",
        lambda made: made.remade("-map", "0:a", "-c", "copy", *FAST),
        "0 picture streams instead of 1",
    ),
    ("with pictures twice", two_pictures, "2 picture streams instead of 1"),
    ("another size", lambda made: made.pictures("scale=640:360"), "size is 640x360 instead of 320x180"),
    (
        "another pixel format",
        lambda made: made.pictures("null", "-pix_fmt", "yuv444p"),
        r"codec is h264 \(High 4:4:4 Predictive\) instead of h264 \(High\)",
    ),
    (
        "a lesser profile",
        lambda made: made.pictures("null", "-x264-params", "8x8dct=0"),
        r"codec is h264 \(Constrained Baseline\) instead of",
    ),
    (
        "the colours of another standard",
        lambda made: made.pictures("null", "-colorspace", "smpte170m", "-bsf:v", "h264_metadata=matrix_coefficients=6"),
        r"format is yuv420p\(tv, smpte170m/bt709/bt709, progressive\) instead of yuv420p\(tv, bt709, progressive\)",
    ),
    (
        "pictures that are not H.264",
        lambda made: made.remade(*KEEP, "-c:v", "mpeg4", *FAST),
        "codec is mpeg4 .* instead of h264",
    ),
    ("another rate", lambda made: made.pictures("fps=24"), "24 frames a second instead of 25"),
    ("cut short", lambda made: made.remade(*KEEP, "-t", "1.5", *FAST), r"has \d+ frames instead of 150"),
    (
        "with dropped frames",
        lambda made: made.pictures("select='mod(n+1,40)'", "-fps_mode", "passthrough"),
        "24.50 frames a second",
    ),
    (
        "with frames twice",
        lambda made: made.pictures("loop=loop=5:size=1:start=30,setpts=N/25/TB"),
        "155 frames instead of 150",
    ),
    (
        "shown out of time",
        lambda made: made.remade(*KEEP, "-bsf:v", "setts=pts=PTS+256*gt(N\\,60):dts=DTS", *FAST),
        r"frame \d+ is shown at \d\.\d+ s instead of \d\.\d+ s",
    ),
    (
        "a scene that can't be sought",
        lambda made: made.remade(
            *KEEP, *PICTURE, "-g", "500", "-sc_threshold", "0", "-vf", TAGS, "-video_track_timescale", "12800", *FAST
        ),
        "a scene's first key picture is at no time instead of 3.00 s",
    ),
    (
        "black in its second half",
        lambda made: made.pictures("drawbox=c=black:t=fill:enable='gte(n,75)'"),
        r"black from 3\.00 s to \d\.\d\d s",
    ),
    ("black", lambda made: made.pictures("drawbox=c=black:t=fill"), r"black from 0\.00 s to 2\.00 s"),
    (
        "frozen",
        lambda made: made.pictures("loop=loop=-1:size=1:start=0,trim=end_frame=150,setpts=N/25/TB"),
        r"stands still from \d\.00 s to \d\.00 s: it changes by \d\.\d+ instead of \d\.\d+ or more",
    ),
    (
        "without sound",
        lambda made: made.remade("-map", "0:v", "-map", "0:s", "-c", "copy", *FAST),
        "0 sound streams in",
    ),
    ("mono", lambda made: made.sound("anull", "-ac", "1"), "48000 Hz, mono.* instead of AAC at 48000 Hz in stereo"),
    (
        "another rate of sound",
        lambda made: made.remade(*KEEP, "-c:a", "aac", "-ar", "44100", *FAST),
        "44100 Hz, stereo.* instead of AAC at 48000 Hz",
    ),
    (
        "another codec of sound",
        lambda made: made.remade(*KEEP, "-c:a", "libmp3lame", *FAST),
        "mp3.* instead of AAC at 48000 Hz",
    ),
    (
        "sound a second short",
        lambda made: made.remade(*KEEP, "-c:a", "aac", "-af", "atrim=end=5", *FAST),
        r"sound lasts 5\.0\d+ s instead of 6\.000 s",
    ),
    ("sound that begins late", delayed_stream, r"the sound begins at 0\.\d+ s instead of 0 s"),
    (
        "sound that is late",
        lambda made: made.sound("adelay=500:all=1"),
        r"is heard \+0\.50 s from its words instead of within 0\.20 s",
    ),
    (
        "sound that is early",
        lambda made: made.sound("atrim=start=0.26,asetpts=N/SR/TB"),
        r"is heard -0\.\d+ s from its words",
    ),
    ("silent", lambda made: made.sound("volume=0"), r"nothing is heard for 1\.\d+ s from 0\.30 s"),
    (
        "silent in a sentence",
        lambda made: made.sound("volume=0:enable='between(t,0.8,1.6)'"),
        r"nothing is heard for 0\.\d+ s from 0\.\d+ s, where there should be \d\.\d+ s of speech from 0\.30 s",
    ),
    ("quiet", lambda made: made.sound("volume=-6dB"), r"-(19|20)\.\d LUFS instead of -14"),
    ("too loud", lambda made: made.sound("volume=6dB"), "LUFS instead of -14"),
    (
        "clipped",
        lambda made: made.sound(CLICKS),
        r"peaks at -?\d\.\d dBTP, above -1\.0",
    ),
    (
        "without captions",
        lambda made: made.remade("-map", "0:v", "-map", "0:a", "-c", "copy", *FAST),
        "0 tracks of soft",
    ),
    ("a caption too few", lambda made: cued(made, 1), "has 1 soft captions instead of 2"),
    ("a caption too many", lambda made: cued(made, 3), "has 3 soft captions instead of 2"),
    ("without chapters", lambda made: made.remade(*KEEP, "-map_chapters", "-1", *FAST), "has 0 chapters instead of 2"),
    ("a chapter elsewhere", lambda made: chaptered(made, [0, 2]), r"chapter 2 begins at 2\.000 s instead of 3\.000 s"),
]


def test_a_good_video_passes(made: Made) -> None:
    verdict = check(made.video, made.expected)

    assert verdict.duration_seconds == 6
    assert verdict.loudness_lufs == pytest.approx(-14, abs=0.5)


@pytest.mark.parametrize(("broken", "reason"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_video_is_refused_with_the_reason(made: Made, broken: Callable[[Made], Path], reason: str) -> None:
    with pytest.raises(GateRejected, match=reason) as refused:
        check(broken(made), made.expected)

    assert len(re.findall(r"\d", str(refused.value))) >= 2, "both figures are named"


GOOD: list[tuple[str, dict[str, object]]] = [
    ("draft", {"quality": "draft"}),
    ("standard, upright", {"size": (180, 320)}),
    ("high, square", {"quality": "high", "size": (200, 200)}),
    ("24 frames a second", {"fps": 24}),
    ("29 frames a second, which divides no sample", {"fps": 29}),
    ("30 frames a second", {"fps": 30}),
    ("60 frames a second", {"fps": 60}),
    ("without captions burned in", {"style": "off"}),
    ("still", {"moves": ("still", "still")}),
    ("still, then moved", {"moves": ("still", "pan_left")}),
    ("every move, up", {"moves": ("pan_up", "zoom_out")}),
    ("every move, down", {"moves": ("pan_down", "pan_right")}),
    ("one scene of a second", {"texts": ["Yes it is."], "least_seconds": 1.0}),
    ("a scene without words between", {"texts": ["One says this.", "", "One says that."], "least_seconds": 2.0}),
    ("silent", {"texts": ["", ""], "least_seconds": 2.0}),
    ("long scenes", {"texts": [" ".join(["word"] * 40)], "least_seconds": 3.0}),
]


@pytest.mark.parametrize("asked", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_good_video_of_every_kind_passes(made: Made, tmp_path: Path, asked: dict[str, object]) -> None:
    given = {"least_seconds": 2.5, **asked}
    texts: list[str] = given.pop("texts", TEXTS)  # type: ignore[assignment]
    moves: tuple[Camera, ...] = given.get("moves", ("zoom_in",) * len(texts))  # type: ignore[assignment]
    size: tuple[int, int] = given.get("size", (media.WIDTH, media.HEIGHT))  # type: ignore[assignment]
    work = made.folder.parent / tmp_path.name  # beside the home with the fonts
    work.mkdir()
    programme = media.programme(work, texts, **given)  # type: ignore[arg-type]

    verdict = check(media.join_all(work, programme), media.expected(programme, moves, size))

    assert verdict.duration_seconds == pytest.approx(programme.frames / programme.fps)
    assert (verdict.loudness_lufs is None) is (not any(texts))


def test_words_close_together_are_one_stretch_of_speech() -> None:
    words = [(0, 100), (5_000, 9_000), (40_000, 50_000), (50_000, 50_000)]

    joined = [(stretch.start, stretch.end) for stretch in stretches((Samples(a), Samples(b)) for a, b in words)]

    assert joined == [(0, 9_000), (40_000, 50_000)]
    assert stretches([]) == ()


def repeated(made: Made, times: int, kind: str) -> Path:
    """Return the video's pictures (v) or sound (a) so many times."""
    target, listed = made.folder / f"{times}-{kind}.mp4", made.folder / f"{times}.txt"
    listed.write_text(f"file '{made.video}'\nduration 6\n" * times, encoding="utf-8")
    command = ("-f", "concat", "-safe", "0", "-i", str(listed), "-map", f"0:{kind}", "-c", "copy")
    process.run(ffmpeg.command(*command, "-video_track_timescale", "12800", *FAST, str(target)), timeout_seconds=60)
    return target


def look(video: Path, starts: Sequence[int] | None = None, known: Collection[str] = ()) -> tuple[int, dict[str, Seen]]:
    """Look at a video's scenes, which begin at these frames, or with every key picture.

    Returns how many key pictures it has, and what was seen of scenes that are not `known`.
    """
    [picture] = ffmpeg.inspect(video).of_kind("Video")
    rows = zip(picture.key, picture.shown, picture.sizes, picture.sums, strict=True)
    keys = [Key(at // 512, size, sum_) for key, at, size, sum_ in rows if key]
    frames = [key.frame for key in keys]
    scenes = [Shown(start=Frames(start), moves=starts is not None) for start in (starts or frames)]
    size, rates = (media.WIDTH, media.HEIGHT), (media.FPS, 512)
    return len(keys), gate_pictures.look(video, size, keys, scenes, rates, lambda names: [n in known for n in names])


def test_sound_that_was_heard_before_is_found_by_its_packets_alone(made: Made) -> None:
    sound = made.remade("-map", "0:a", "-c", "copy", source=repeated(made, 1, "a"))
    [track] = ffmpeg.inspect(sound).all
    too_loud = gate_sound.listen(sound).model_copy(update={"loudness_lufs": -3.0})
    known = {track.digest: too_loud}

    with pytest.raises(GateRejected, match=r"-3\.0 LUFS instead"):
        check(made.video, made.expected, Memory(known.get))
    with pytest.raises(GateRejected, match=r"LUFS instead") as refused:
        check(made.sound("volume=-9dB"), made.expected, Memory(known.get))
    assert "-3.0" not in str(refused.value)


def test_a_scene_that_was_found_right_is_found_by_its_packets_and_not_decoded_again(made: Made) -> None:
    kept: dict[str, Seen] = {}
    check(made.video, made.expected, Memory(keep=kept.update))
    again, twice, still = (dict[str, Seen]() for _ in range(3))
    known = Memory(seen=lambda names: [name in kept for name in names], keep=again.update)
    black = made.pictures("drawbox=c=black:t=fill:enable='gte(n,75)'")

    check(made.video, made.expected, known)
    assert (len(kept), again) == (2, {})
    assert look(repeated(made, 2, "v"), [0, 75, 150, 225], kept)[1] == {}
    with pytest.raises(GateRejected, match="black from"):
        check(black, made.expected, known)
    assert again == {}

    scenes = tuple(scene.model_copy(update={"moves": not scene.moves}) for scene in made.expected.scenes)
    for expected, seen in ((made.expected, twice), (made.expected.model_copy(update={"scenes": scenes}), still)):
        check(made.video, expected, Memory(keep=seen.update))
    assert twice == kept
    assert not still.keys() & kept.keys()


def test_more_pictures_are_looked_at_than_one_sum_of_ffmpeg_can_name(made: Made) -> None:
    assert look(repeated(made, 40, "v"))[0] > 99


def test_what_is_wrong_is_found_whichever_ffmpeg_decodes_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_pictures, "_MOST_AT_ONCE", 1)
    black = made.pictures("drawbox=c=black:t=fill:enable='gte(n,75)'")

    look(made.video, [0, 75])

    with pytest.raises(GateRejected, match=r"black from 3\.00 s to \d\.\d\d s"):
        look(black, [0, 75])


def test_twenty_times_the_video_takes_hardly_more_memory(made: Made) -> None:
    def most(times: int) -> int:
        video, sound = repeated(made, times, "v"), repeated(made, times, "a")
        tracemalloc.start()
        ffmpeg.inspect(sound)
        gate_sound.listen(sound)
        look(video, range(0, 150 * times, 150))
        [moving] = [box for box in mp4_boxes.outer_boxes(video) if box.name == "mdat"]
        mp4_boxes.find_hole(video, moving, 512)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(1)
    growth = most(20) - most(1)

    assert growth < 114 * 5_000  # of its 8 kHz a second has 16,000 bytes, and the list of its packets 5,000


def test_bytes_that_were_lost_are_found_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_boxes, "_BLOCK", 1_000)
    path = tmp_path / "some.mp4"
    for start in (100, 600, 900, 999, 1_000, 1_700, 2_488):
        path.write_bytes(b"\1" * start + bytes(512) + b"\1" * (3_000 - start - 512))

        assert mp4_boxes.find_hole(path, mp4_boxes.Box("mdat", 50, 2_950), 512) == start
        assert mp4_boxes.find_hole(path, mp4_boxes.Box("mdat", start + 1, 2_999 - start), 512) is None
