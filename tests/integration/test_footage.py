import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from bhiv import ffmpeg, process
from bhiv.errors import FootageRefused, Interrupted, RunFailed
from bhiv.plan import Footage, Frames
from bhiv.video import footage
from bhiv.video.probe import probe
from bhiv.video.yuv import Buffer
from tests.integration import reels
from tests.integration.reels import FPS, HEIGHT, WIDTH
from tests.servers.starting import gone, wait_until


def wanted(**fields: object) -> Footage:
    return Footage.model_validate({"object": "clips/a", **fields})


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 30 frames each, whose greys tell their numbers."""
    return reels.write(tmp_path_factory.mktemp("clips") / "counted.mp4", reels.counter, 90)


@pytest.fixture(scope="module")
def cornered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reels.write(tmp_path_factory.mktemp("clips") / "cornered.mp4", reels.cornered, 10)


def test_every_frame_is_shown_once_and_in_order(counted: Path) -> None:
    assert reels.numbers(counted, 90) == [*range(90)]


@pytest.mark.parametrize("ending", ["mkv", "ts", "avi", "mov"])
def test_so_it_is_in_every_container_and_after_a_seek(counted: Path, tmp_path: Path, ending: str) -> None:
    clip = tmp_path / f"a.{ending}"
    reels.run("-i", str(counted), "-c", "copy", str(clip))

    assert reels.numbers(clip, 60, wanted(start_seconds=1)) == [*range(30, 90)]


@pytest.mark.parametrize(("speed", "shown"), [(2, [*range(0, 60, 2)]), (0.5, [n // 2 for n in range(30)])])
def test_speed_takes_the_right_frames(counted: Path, speed: float, shown: list[int]) -> None:
    assert reels.numbers(counted, 30, wanted(speed=speed)) == shown


@pytest.mark.parametrize(("when_short", "after"), [("loop", [30, 31, 32, 33, 34]), ("hold", [44, 44, 44, 44, 44])])
def test_a_clip_that_is_short_begins_again_or_stays(counted: Path, when_short: str, after: list[int]) -> None:
    stretch = wanted(start_seconds=1, end_seconds=1.5, when_short=when_short)

    assert reels.numbers(counted, 20, stretch) == [*range(30, 45), *after]
    assert footage.own_frames(reels.spec(counted, stretch), FPS) == 15


def test_a_loop_of_hours_keeps_its_step(counted: Path) -> None:
    spec = reels.spec(counted, wanted(end_seconds=0.1))
    many = Frames(10_000)

    *_, last = reels.frames(counted, many, spec.wanted, width=64, height=36)

    assert round(((float(last[: 64 * 36].mean()) - 16) * 255 / 219 - 20) / 2) == (many - 1) % 3


def test_time_can_run_backwards(counted: Path) -> None:
    assert reels.numbers(counted, 95, wanted(effects=["time_mirror"])) == [*range(89, -1, -1), 89, 88, 87, 86, 85]


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_another_rate_shows_what_is_shown_at_that_moment(counted: Path, fps: int) -> None:
    shown = reels.numbers(counted, 2 * fps, fps=fps)

    # A frame is shown from the nearest moment of the grid on, until the next one is.
    late = [place * 30 / fps - number for place, number in enumerate(shown)]
    assert min(late) >= -15 / fps - 1e-9
    assert max(late) < max(1 - 15 / fps, 0.5) + 1e-2


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "60"])
def test_a_box_moves_by_the_clock(tmp_path: Path, rate: str) -> None:
    upper, lower = (int(part) for part in (rate.split("/") if "/" in rate else (rate, "1")))
    seconds = lower / upper
    clip = reels.write(tmp_path / "a.mp4", lambda number: reels.moving(number, step=1), 60, rate=rate)

    for place, luma in enumerate(reels.lumas(clip, int(59 * seconds * FPS))):
        left = np.flatnonzero(luma[80] > 140)[0]
        assert abs(left - (20 + place / FPS / seconds)) <= 1, place


def test_a_variable_rate_is_laid_on_the_grid_by_the_clock(tmp_path: Path) -> None:
    """A phone's clip: every third frame only in the middle; the box stands where it stood at that moment."""
    left_out = "select='not(between(n,20,50))+not(mod(n,3))'"
    clip = reels.write(tmp_path / "a.mp4", reels.moving, 90, filters=left_out)

    assert probe(clip, "it").variable
    for place, luma in enumerate(reels.lumas(clip, 88)):
        seen = (np.flatnonzero(luma[80] > 140)[0] - 20) / 2
        assert seen == (place if place < 20 or place > 50 else max(19, place - place % 3)), place


@pytest.mark.parametrize(
    ("turned", "upright"),
    [
        (0, ["red", "green", "blue", "grey"]),
        (90, ["green", "grey", "red", "blue"]),
        (180, ["grey", "blue", "green", "red"]),
        (270, ["blue", "red", "grey", "green"]),
    ],
)
def test_a_turned_clip_is_shown_upright(cornered: Path, tmp_path: Path, turned: int, upright: list[str]) -> None:
    """The display matrix turns what is stored against the clock."""
    clip = tmp_path / "a.mp4"
    reels.run("-display_rotation", str(turned), "-i", str(cornered), "-c", "copy", str(clip))
    size = (WIDTH, HEIGHT) if turned % 180 == 0 else (HEIGHT, WIDTH)

    assert (probe(clip, "it").width, probe(clip, "it").height) == size
    assert reels.quarters(clip, width=size[0], height=size[1]) == upright


def test_mirrors_turn_it_round(cornered: Path) -> None:
    assert reels.quarters(cornered, wanted(effects=["mirror_x"])) == ["green", "red", "grey", "blue"]
    assert reels.quarters(cornered, wanted(effects=["mirror_y"])) == ["blue", "grey", "red", "green"]


def test_crop_fills_the_frame_around_its_focus(cornered: Path) -> None:
    def tall(focus: float) -> list[str]:
        return reels.quarters(cornered, wanted(focus={"x": focus}), width=90, height=180)

    assert tall(0) == ["red", "red", "blue", "blue"]
    assert tall(1) == ["green", "green", "grey", "grey"]
    assert tall(0.5) == ["red", "green", "blue", "grey"]


@pytest.mark.parametrize("fit", ["pad", "blur"])
def test_bars_stand_beside_the_whole_clip(cornered: Path, fit: str) -> None:
    """A clip of 16:9 in a frame of 1:1: 160x90 in the middle, 35 rows of bars above and below."""
    [frame] = reels.frames(cornered, 1, wanted(fit=fit), width=160, height=160)
    seen = reels.colours(frame, 160, 160)

    assert np.abs(seen[37:78, 3:77].mean(axis=(0, 1)) - (200, 30, 30)).max() < 4
    assert np.abs(seen[82:122, 83:157].mean(axis=(0, 1)) - 110).max() < 4
    bar = seen[:33, 10:60].mean(axis=(0, 1))
    assert bar.max() < 2 if fit == "pad" else (90 < bar[0] < 140 and bar[1:].max() < 40)


@pytest.mark.parametrize("size", [(641, 359), (359, 641), (33, 47)])
def test_odd_sizes_are_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv444p")
    clip = reels.write(tmp_path / "a.mp4", lambda n: reels.cornered(n, *size), 3, codec=codec)

    assert (probe(clip, "it").width, probe(clip, "it").height) == size
    assert reels.quarters(clip) == ["red", "green", "blue", "grey"]
    assert reels.quarters(clip, wanted(fit="blur", effects=["mirror_x"]), width=642, height=360)


@pytest.mark.parametrize(
    ("matrix", "tags"),
    [
        ("bt709", "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"),
        ("bt601", "colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m:range=tv"),
        ("bt601", "colorspace=bt470bg:color_primaries=bt470bg:color_trc=bt470bg:range=tv"),
        ("bt601", "range=tv"),  # untagged, of a DVD's size
    ],
)
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le"])
def test_colours_come_out_right_whatever_the_matrix(tmp_path: Path, matrix: str, tags: str, pixels: str) -> None:
    coded = f"scale=out_color_matrix={matrix}:out_range=tv,format={pixels},setparams={tags}"
    codec = (*reels.CODEC[:-2], "-pix_fmt", pixels)
    clip = reels.write(tmp_path / "a.mp4", reels.bars, 3, filters=coded, codec=codec)

    assert worst_bar(clip) <= 3


def test_a_full_range_and_a_large_untagged_clip_come_out_right(tmp_path: Path) -> None:
    full = "scale=out_color_matrix=bt601:out_range=pc,format=yuv420p,setparams=range=pc:colorspace=smpte170m"
    large = "scale=1344:720:flags=neighbor:out_color_matrix=bt709:out_range=tv,format=yuv420p"
    clips = [
        reels.write(tmp_path / f"{name}.mp4", reels.bars, 2, filters=filters)
        for name, filters in (("full", full), ("large", large))
    ]

    assert probe(clips[0], "it").full_range
    assert [worst_bar(clip) <= 3 for clip in clips] == [True, True]


def worst_bar(clip: Path) -> float:
    """The largest mean error of a bar's middle in a channel, in levels."""
    *_, frame = reels.frames(clip, 2, width=448, height=180)
    seen = reels.colours(frame, 448, 180)
    middles = [seen[20:160, 64 * bar + 16 : 64 * bar + 48].mean(axis=(0, 1)) for bar in range(7)]
    return float(np.abs(np.array(middles) - reels.BARS).max())


def pq(nits: float) -> int:
    """The 10-bit limited-range code of a luminance, by SMPTE ST 2084."""
    light = (nits / 10_000) ** 0.1593017578125
    return int(np.rint(64 + 876 * ((0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)) ** 78.84375))


def hlg(share: float) -> int:
    """The 10-bit limited-range code of a share of HLG's signal."""
    return round(64 + 876 * share)


HDR = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p10le")


def hdr_grey(tmp_path: Path, code: int, transfer: str) -> float:
    """How light a grey of HDR is shown, in levels."""
    clip = tmp_path / f"{transfer}-{code}.mp4"
    tags = f"setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc={transfer}:range=tv"
    grey = f"geq=lum={code}:cb=512:cr=512"
    source = ("-f", "lavfi", "-i", "color=s=320x180:r=30:d=0.1,format=yuv420p10le")
    reels.run(*source, "-vf", f"{grey},{tags}", *HDR, str(clip))
    [frame] = reels.frames(clip, 1)
    seen = reels.colours(frame)
    assert np.abs(seen - seen.mean()).max() < 2, "grey stays grey"
    return float(seen.mean())


def test_hdr_is_mapped_to_what_a_screen_shows(tmp_path: Path) -> None:
    """By ST 2084 and BT.2408, 203 cd/m² are white. Below 0.3 of it light is shown as it is, above less and less."""
    shown = [hdr_grey(tmp_path, pq(nits), "smpte2084") for nits in (0, 5, 20, 60, 203, 1000)]
    plain = [255 * (nits / 203) ** (1 / 2.4) for nits in (0, 5, 20, 60)]

    assert np.abs(np.array(shown[:4]) - plain).max() < 3
    assert 205 < shown[4] < 230
    assert shown[5] > 250


def test_hlg_is_as_light_as_pq(tmp_path: Path) -> None:
    """By BT.2408, 75 % of HLG's signal are 203 cd/m² and 38 % are 26 cd/m²."""
    for share, nits in ((0.75, 203), (0.38, 26)):
        seen = hdr_grey(tmp_path, hlg(share), "arib-std-b67")

        assert abs(seen - hdr_grey(tmp_path, pq(nits), "smpte2084")) < 6


def test_hdr_keeps_its_hues(tmp_path: Path) -> None:
    """Bars of BT.709 at half their light, told in BT.2020 and PQ, come back."""
    dark = np.array(reels.BARS) * 0.55
    told = "zscale=min=gbr:pin=709:tin=709:rin=full:m=gbr:t=linear:npl=203:p=2020,format=gbrpf32le"
    coded = f"format=gbrp,{told},zscale=m=2020_ncl:t=smpte2084:r=limited:npl=203,format=yuv420p10le"

    def bars(number: int) -> reels.Picture:
        return (reels.bars(number) * 0.55).round().astype(np.uint8)

    clip = reels.write(tmp_path / "a.mp4", bars, 3, filters=coded, codec=HDR)
    seen = reels.colours(next(reels.frames(clip, 1, width=448, height=180)), 448, 180)
    middles = np.array([seen[20:160, 64 * bar + 16 : 64 * bar + 48].mean(axis=(0, 1)) for bar in range(7)])

    assert probe(clip, "it").is_hdr
    assert np.abs(middles - dark).max() < 6


def test_interlaced_fields_become_whole_frames(tmp_path: Path) -> None:
    """A bar that moves 6 pixels from field to field has combs where fields are shown as a frame."""

    def bar(number: int) -> reels.Picture:
        picture = np.full((576, 720, 3), 30, np.uint8)
        picture[:, 100 + 6 * number : 160 + 6 * number] = 220
        return picture

    flags = ("-flags", "+ildct+ilme", "-x264opts", "tff=1")
    clip = reels.write(
        tmp_path / "a.mp4", bar, 50, rate="50", filters="interlace=scan=tff:lowpass=off", codec=(*reels.CODEC, *flags)
    )

    assert probe(clip, "it").interlaced
    luma = reels.lumas(clip, 12, width=720, height=576, fps=25)[10]
    edges = [int(np.flatnonzero(row > 125)[0]) for row in luma[100:476]]
    assert max(edges) - min(edges) <= 2


def test_a_stretched_pixel_is_made_square(tmp_path: Path) -> None:
    clip = reels.write(tmp_path / "a.mp4", lambda n: reels.cornered(n, 720, 576), 2, filters="setsar=64/45")

    assert (probe(clip, "it").width, probe(clip, "it").height) == (1024, 576)


def test_effects_are_moviepys(cornered: Path) -> None:
    def first(*effects: str, count: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        frame = next(reels.frames(cornered, count, wanted(effects=effects)))
        return np.asarray(reels.colours(frame)[20:70, 20:140].mean(axis=(0, 1)))

    red = np.array([200, 30, 30])
    assert np.abs(first("black_and_white") - red @ (0.2125, 0.7154, 0.0721)).max() < 3
    assert np.abs(first("invert_colors") - (255 - red)).max() < 3
    assert np.abs(first("multiply_color:0.5") - red / 2).max() < 3
    assert np.abs(first("lum_contrast:0.2") - np.clip(red + 0.2 * (red - 127), 0, 255)).max() < 3
    assert np.abs(first("gamma:2") - 255 * (red / 255) ** 0.5).max() < 3
    assert first("fade_in:1", count=60).max() < 6
    assert np.abs(first("fade_in:1", "fade_out:1", "mirror_x", count=60)).max() < 6


def test_frames_are_there_past_the_scenes_end(counted: Path) -> None:
    """The next scene may begin over them: a loop runs on, a frame that is held stays, what is faded out is black."""

    def past(**fields: object) -> list[int]:
        spec = reels.spec(counted, wanted(end_seconds=1, **fields))
        buffer, seen = Buffer.empty(WIDTH, HEIGHT), []
        with footage.open_shot(spec, counted, Frames(40), WIDTH, HEIGHT, FPS) as shot:
            for number in (40, 41, 65):
                frame = shot.expose(number, buffer)
                seen.append(round(((float(frame.y.mean()) - 16) * 255 / 219 - 20) / 2))
        return seen

    assert past() == [10, 11, 5]
    assert past(when_short="hold") == [29, 29, 29]
    assert past(effects=["fade_out"]) == [-10, -10, -10]


def refusal(path: Path) -> str:
    with pytest.raises(FootageRefused) as refused:
        probe(path, "it")
    return str(refused.value)


def test_what_is_no_whole_clip_is_refused_in_a_sentence(counted: Path, tmp_path: Path) -> None:
    def written(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    def made(name: str, *arguments: str) -> Path:
        reels.run(*arguments, str(tmp_path / name))
        return tmp_path / name

    front = made("front.mp4", "-i", str(counted), "-c", "copy", "-movflags", "+faststart").read_bytes()
    matroska = made("whole.mkv", "-i", str(counted), "-c", "copy").read_bytes()
    whole = counted.read_bytes()
    grey = ("-f", "lavfi", "-i", "color=gray:s=64x64:r=1:d=22000", "-c:v", "libx264", "-preset", "ultrafast")
    huge = ("-f", "lavfi", "-i", "color=gray:s=7680x4320:r=5:d=0.4", "-c:v", "libx264", "-preset", "ultrafast")
    alpha = ("-f", "lavfi", "-i", "color=gray:s=64x64:d=0.2", "-vf", "format=argb", "-c:v", "qtrle")
    clear = ("-f", "lavfi", "-i", "color=gray:s=64x64:d=0.2", "-vf", "format=yuva420p", "-c:v", "libvpx-vp9")
    still = ("-f", "lavfi", "-i", "testsrc2=s=320x180:d=1", "-frames:v", "1", "-c:v", "png", "-f", "image2")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"

    assert refusal(written("empty.mp4", b"")) == "it is empty"
    assert "is cut off, or no video clip" in refusal(written("cut.mp4", whole[: len(whole) // 2]))
    assert "is cut off: " in refusal(written("front-cut.mp4", front[: len(front) // 2]))
    assert "is cut off: " in refusal(written("cut.mkv", matroska[: len(matroska) // 2]))
    assert "no video clip" in refusal(written("noise.mp4", np.random.default_rng(1).bytes(100_000)))
    assert "is no video clip" in refusal(made("picture.mp4", *still))
    assert "is no video clip" in refusal(written("list.m3u8", playlist.encode()))
    assert "has no pictures, only sound" in refusal(made("sound.mp4", "-f", "lavfi", "-i", "sine=d=1"))
    assert "lasts 367 minutes; cut it" in refusal(made("hours.mp4", *grey))
    assert "has 7680x4320 pixels; make it" in refusal(made("large.mp4", *huge))
    assert "is transparent in places" in refusal(made("alpha.mov", *alpha))
    assert "is transparent in places" in refusal(made("alpha.webm", *clear))
    with pytest.raises(FootageRefused, match=r"lasts 3.00 s and is to be shown from 4 s on"):
        reels.spec(counted, wanted(start_seconds=4))


def test_a_clip_that_breaks_later_ends_the_run(tmp_path: Path) -> None:
    """Its packets are all there, but from the middle on they hold nothing."""
    clip = reels.write(tmp_path / "a.mp4", reels.moving, 90)
    spec, data = reels.spec(clip), bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (data.index(b"moov") - start) // 2
    data[middle : data.index(b"moov") - 8] = bytes(data.index(b"moov") - 8 - middle)
    clip.write_bytes(data)

    with pytest.raises(RunFailed), closing(reels.shoot(spec, clip, 90)) as shot:
        for _ in shot:
            pass


def readers() -> list[psutil.Process]:
    name = Path(ffmpeg.executable()).name
    return [child for child in psutil.Process().children(recursive=True) if child.name().startswith(name[:15])]


def test_who_stops_in_between_leaves_no_reader(counted: Path) -> None:
    shot = reels.shoot(reels.spec(counted), counted, 90)
    next(shot)

    with pytest.raises(KeyError), closing(shot):
        raise KeyError

    assert readers() == []


def test_a_run_that_is_to_end_ends_its_reader(counted: Path) -> None:
    spec, failed = reels.spec(counted, wanted(effects=["time_mirror"])), list[BaseException]()

    def shoot() -> None:
        try:
            for _ in reels.shoot(spec, counted, 1_000_000):
                begun.set()
        except Interrupted as error:
            failed.append(error)

    begun = threading.Event()
    thread = threading.Thread(target=shoot)
    thread.start()
    assert begun.wait(60)
    process.stop_all()
    thread.join(60)

    assert (len(failed), readers()) == (1, [])


def test_who_is_killed_leaves_no_reader(tmp_path: Path) -> None:
    clip = reels.write(tmp_path / "a.mp4", lambda n: reels.moving(n, 1280, 720), 300)
    code = (
        "import sys, time; from pathlib import Path; from tests.integration import reels\n"
        "shot = reels.frames(Path(sys.argv[1]), 300, width=1280, height=720); next(shot)\n"
        "print('shooting', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(clip)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"shooting\n"
    begun = psutil.Process(child.pid).children(recursive=True)
    assert begun

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    wait_until(lambda: gone(*begun), "the end of the reader", 20)


def test_moviepy_is_imported_without_reading_settings_or_starting_anything(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FFMPEG_BINARY=/nowhere\nBHIV_HOME=/nowhere\n")
    code = (
        "import os, subprocess; before = dict(os.environ)\n"
        "subprocess.Popen = None\n"
        "from bhiv.video import shaping; shaping._moviepy(); print(dict(os.environ) == before)"
    )

    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip

    assert said.stdout == "True\n", said.stderr
