"""Commands that are handed over to the process that a home keeps: real ones, and what is seen of them from outside."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import BHIV, Checkout, Ended, Shop, environment, open_shop, stuck_ffmpeg
from tests.servers.starting import gone, wait_until

SMALL = ("--size", "144x144", "--fps", "24")
SCRIPT = "A river runs to the sea.\n\nIt is long and quiet.\n"
#: Prints what a render imports, and which models it builds, that the home's process has not.
IMPORTS = """
import sys
from pydantic import BaseModel
from bhiv.nest import import_all
from bhiv.warm_child import MODULES
import_all(MODULES)
from bhiv.cli import HERE, main
def models(base):
    return [one for kind in base.__subclasses__() for one in (kind, *models(kind))]
known, put_off = set(sys.modules), [one for one in models(BaseModel) if not one.__pydantic_complete__]
main.main(["render", "s.txt", *sys.argv[1:]], obj=HERE, standalone_mode=False)
print(*sorted(set(sys.modules) - known), *(one for one in put_off if one.__pydantic_complete__))
"""
#: Takes the arguments of a command that is to run with files that only it can read.
PRIVATE = ("sh", "-c", 'umask 077; exec "$@"', "sh")


@pytest.fixture(scope="module")
def warm_home(shared_home: dict[str, str], checkout: Checkout) -> dict[str, str]:
    """The shared home, kept warm, with a copy of the code."""
    return shared_home | checkout.environment | {"BHIV_KEEP_WARM": "true"}


@pytest.fixture
def shop(tmp_path: Path, warm_home: dict[str, str]) -> Shop:
    shop = open_shop(tmp_path / "shop", warm_home, tmp_path / "bucket")
    shop.write("s.txt", SCRIPT)
    return shop


@pytest.fixture
def nest(shop: Shop) -> psutil.Process:
    """The home's process, ready; a cold command starts it."""
    if (found := nest_of(shop.environment)) is None:
        shop.write("first.txt", "What others render is not made yet.\n")
        assert shop.bhiv("render", "first.txt", *SMALL).code == 0
        found = wait_until(lambda: nest_of(shop.environment), "the process that commands are handed to")
    return found


def nest_of(environment: Mapping[str, str]) -> psutil.Process | None:
    """The home's process, once it takes commands."""
    folder = Path(environment["BHIV_HOME"], "server")
    if not (folder / "warm.sock").exists():
        return None
    process = psutil.Process(int((folder / "warm.lock").read_text()))
    return None if gone(process) else process


def spent(nest: psutil.Process) -> float:
    """CPU seconds of all that it has forked and that has ended."""
    times = nest.cpu_times()
    return float(times.children_user + times.children_system)


def stuck(shop: Shop, nest: psutil.Process, folder: Path) -> tuple["subprocess.Popen[bytes]", list[psutil.Process]]:
    """Start a render whose encoder never ends; return the command, and the process that makes it and its encoder."""
    known = set(nest.children())
    command = shop.start("render", "s.txt", *SMALL, IMAGEIO_FFMPEG_EXE=str(stuck_ffmpeg(folder)))

    def working() -> list[psutil.Process]:
        made = [child for child in nest.children() if child not in known]
        encoders = [one for child in made for one in child.children() if one.name() == "sleep"]
        return [*made, *encoders] if encoders else []

    return command, wait_until(working, "the encoder")


def seen(ended: Ended) -> tuple[int, str, str]:
    """What a command did, less what differs from run to run."""
    out = re.sub(r"\d+\.\d s\b|[0-9a-f]{24}|\"seconds\":[0-9.]+", "…", ended.out)
    return ended.code, out, re.sub(r"http://\S+", "…", ended.err)


def steps(ended: Ended) -> list[str]:
    return sorted(ended.err.splitlines())


def test_a_warm_render_is_what_a_cold_one_is(shop: Shop, nest: psutil.Process, tmp_path: Path) -> None:
    cold = open_shop(tmp_path / "cold", {**shop.environment, "BHIV_KEEP_WARM": "false"}, tmp_path / "cold-bucket")
    cold.write("s.txt", SCRIPT)
    shutil.rmtree(shop.bucket, ignore_errors=True)
    before = spent(nest)

    by_fork, by_itself = (one.bhiv("render", "s.txt", "--json", *SMALL) for one in (shop, cold))

    assert (by_fork.code, by_itself.code) == (0, 0), by_fork.err
    assert spent(nest) > before, "it was not handed over"
    assert nest.num_threads() == 1
    assert by_fork.summary.keys() == by_itself.summary.keys()
    assert not any(stage["cached"] for stage in by_fork.summary["stages"].values())
    for name in ("out/s.mp4", "out/s.srt", "out/s.vtt"):
        assert (shop.folder / name).read_bytes() == (cold.folder / name).read_bytes()
    again, once_more = (one.bhiv("render", "s.txt", *SMALL) for one in (shop, cold))
    assert seen(again)[:2] == seen(once_more)[:2]
    assert {line.split()[-2] for line in steps(again)} == {line.split()[-2] for line in steps(once_more)}


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing.txt",),
        ("s.txt", "--voice", "nobody"),
        ("s.txt", "-o", "s.avi"),
        ("s.txt", "--music", "nothing.mp3"),
        ("s.txt", "--fps", "many"),
        ("-",),
        (),
    ],
)
def test_what_is_refused_is_refused_alike(shop: Shop, nest: psutil.Process, arguments: tuple[str, ...]) -> None:
    warm = shop.bhiv("render", *arguments)
    cold = shop.bhiv("render", *arguments, BHIV_KEEP_WARM="false")

    assert seen(warm) == seen(cold)
    assert warm.code == 2
    assert nest_of(shop.environment) == nest


def test_a_setting_that_can_not_be_is_refused_alike(shop: Shop, nest: psutil.Process) -> None:
    warm = shop.bhiv("render", "s.txt", BHIV_ENCODERS="none")

    assert (warm.code, warm.err) == (2, shop.bhiv("render", "s.txt", BHIV_ENCODERS="none", BHIV_KEEP_WARM="0").err)


def test_settings_are_those_of_the_command(shop: Shop, nest: psutil.Process, tmp_path: Path) -> None:
    (shop.folder / ".env").write_text("BHIV_MAX_SCRIPT_BYTES=5\n")

    ended = shop.bhiv("render", "s.txt", *SMALL)

    assert (ended.code, ended.out) == (2, "")
    (shop.folder / ".env").unlink()
    other = shop.bhiv("render", "s.txt", *SMALL, BHIV_BUCKET_DIR=str(tmp_path / "other"))
    assert other.code == 0, other.err
    assert len(list((tmp_path / "other" / "videos").glob("*.mp4"))) == 1


def test_a_script_comes_through_standard_input(shop: Shop, nest: psutil.Process) -> None:
    before = spent(nest)

    ended = shop.bhiv("render", "-", "--json", *SMALL, stdin=SCRIPT.encode())

    assert ended.summary["video"] == "out/video.mp4"
    assert spent(nest) > before


def test_files_that_only_the_command_has_open_are_read_by_itself(shop: Shop, nest: psutil.Process) -> None:
    through = ("bash", "-c", 'exec "$1" render /dev/fd/9 "${@:2}" 9< s.txt', "bash")

    ended = shop.bhiv("-o", "a.mp4", *SMALL, before=through)

    assert ended.code == 0, ended.err
    assert ended.out.startswith("a.mp4  ")


def test_folder_and_mask_are_those_of_the_command(shop: Shop, nest: psutil.Process) -> None:
    before = spent(nest)

    ended = shop.bhiv("render", "s.txt", "-o", "private.mp4", *SMALL, before=PRIVATE)

    assert ended.code == 0, ended.err
    assert (shop.folder / "private.mp4").stat().st_mode & 0o777 == 0o600
    assert spent(nest) > before


def test_a_terminal_is_a_terminal(shop: Shop, nest: psutil.Process) -> None:
    ours, its = pty.openpty()
    before = spent(nest)
    command = subprocess.Popen(
        [BHIV, "render", "s.txt", *SMALL],
        cwd=shop.folder, env={**shop.environment, "TERM": "xterm"}, stdin=its, stdout=its, stderr=its,
    )  # fmt: skip
    os.close(its)
    shown = b""
    while b"long" not in shown:
        shown += os.read(ours, 4096)
    assert command.wait(timeout=60) == 0
    os.close(ours)
    assert spent(nest) > before
    assert b"\x1b[?25l" in shown, "there was no moving bar"
    assert b"\x1b[?25h" in shown, "the cursor was not given back"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_run(shop: Shop, nest: psutil.Process, tmp_path: Path, kind: signal.Signals) -> None:
    command, working = stuck(shop, nest, tmp_path)
    known = len(shop.metadata())

    command.send_signal(kind)
    out, err = command.communicate(timeout=60)

    assert (command.returncode, out, err.count(b"Traceback")) == (130, b"", 0), err
    assert b"interrupted" in err
    assert gone(*working)
    assert nest_of(shop.environment) == nest
    ended = shop.metadata()[known:]
    assert [(one["processing_status"], one["error"]["category"]) for one in ended] == [("failed", "interrupted")]
    assert ended[0]["error"]["message"] != "the process was killed"


def test_a_suspended_command_suspends_its_run(shop: Shop, nest: psutil.Process, tmp_path: Path) -> None:
    command, [run, *_] = stuck(shop, nest, tmp_path)

    command.send_signal(signal.SIGTSTP)
    wait_until(lambda: run.status() == psutil.STATUS_STOPPED, "a run that stands still")
    assert psutil.Process(command.pid).status() == psutil.STATUS_STOPPED
    command.send_signal(signal.SIGCONT)
    wait_until(lambda: run.status() != psutil.STATUS_STOPPED, "a run that goes on")

    command.terminate()
    command.communicate(timeout=60)
    assert command.returncode == 130


@pytest.fixture
def hangups() -> Iterator[None]:
    """Have what is started end by SIGHUP, as from a terminal; under nohup it would not."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGHUP])
def test_a_command_that_dies_takes_its_run_along(
    shop: Shop, nest: psutil.Process, tmp_path: Path, kind: signal.Signals
) -> None:
    command, working = stuck(shop, nest, tmp_path)

    command.send_signal(kind)
    command.communicate(timeout=60)

    assert command.returncode == -kind
    wait_until(lambda: gone(*working), "the end of the run and its encoder")
    again = shop.bhiv("render", "s.txt", *SMALL)
    assert again.code == 0, again.err
    killed = [one["error"]["message"] for one in shop.metadata() if one["error"]]
    assert killed == ["the process was killed"]
    assert nest_of(shop.environment) == nest


def test_a_run_that_is_killed_kills_its_command(shop: Shop, nest: psutil.Process, tmp_path: Path) -> None:
    command, [run, encoder, *_] = stuck(shop, nest, tmp_path)

    run.kill()
    command.communicate(timeout=60)

    assert command.returncode == -signal.SIGKILL
    wait_until(lambda: gone(encoder), "the end of the encoder")


def test_without_its_process_a_command_fails_and_the_next_is_cold(
    shop: Shop, nest: psutil.Process, tmp_path: Path
) -> None:
    command, [run, encoder, *_] = stuck(shop, nest, tmp_path)

    nest.kill()
    _, err = command.communicate(timeout=60)

    assert command.returncode == 1
    assert b"was killed" in err
    wait_until(lambda: gone(run), "the end of the run")
    encoder.kill()  # a real one ends because nothing comes to its input any more
    again = shop.bhiv("render", "s.txt", *SMALL)
    assert again.code == 0, again.err
    assert wait_until(lambda: nest_of(shop.environment), "the next process") != nest


def test_changed_code_is_not_run_warm(shop: Shop, nest: psutil.Process, checkout: Checkout) -> None:
    (checkout.folder / "flows" / "new.py").touch()
    before = spent(nest)

    ended = shop.bhiv("render", "s.txt", *SMALL)

    assert ended.code == 0, ended.err
    wait_until(lambda: gone(nest), "the end of the process that has the old code")
    new = wait_until(lambda: nest_of(shop.environment), "the process that has the new code")
    assert (new != nest, before) == (True, before)


def test_a_command_under_other_limits_is_made_by_itself(shop: Shop, nest: psutil.Process) -> None:
    command = shop.bhiv("render", "nothing.txt", before=("nice",))

    assert command.code == 2
    wait_until(lambda: gone(nest), "the end of the process that can't stand for it")


def test_a_process_that_does_not_answer_is_done_without(shop: Shop, nest: psutil.Process) -> None:
    nest.suspend()
    try:
        ended = shop.bhiv("render", "s.txt", *SMALL)
    finally:
        nest.resume()

    assert ended.code == 0, ended.err
    before = spent(nest)
    assert shop.bhiv("render", "s.txt", *SMALL).code == 0
    assert spent(nest) > before
    assert {one["processing_status"] for one in shop.metadata()} == {"completed"}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with a home of its own, which lies deeper than what the name of a socket may be."""
    folder = tmp_path_factory.mktemp("deep")
    (folder / "user").mkdir()
    own = environment(folder / ("a" * 60) / ("b" * 60) / "home", folder / "user") | {"BHIV_KEEP_WARM": "true"}
    shop = open_shop(folder / "shop", own, folder / "bucket")
    shop.write("s.txt", SCRIPT)
    assert shop.bhiv("render", "s.txt", *SMALL).code == 0
    wait_until(lambda: nest_of(own), "the process that commands are handed to")
    yield shop
    shop.bhiv("down")


def server_of(shop: Shop) -> psutil.Process:
    return psutil.Process(json.loads(Path(shop.environment["BHIV_HOME"], "server", "server.json").read_text())["pid"])


def test_a_server_that_a_handed_command_starts_outlives_it(deep: Shop) -> None:
    nest, old = nest_of(deep.environment), server_of(deep)
    assert nest is not None
    old.terminate()
    wait_until(lambda: gone(old), "the end of the server")

    assert deep.bhiv("render", "s.txt", *SMALL).code == 0

    server = server_of(deep)
    assert server.ppid() == nest.pid, "a handed command did not start it"
    assert deep.bhiv("render", "nothing.txt").code == 2
    assert not gone(server)


def test_down_ends_the_server_and_the_process(deep: Shop) -> None:
    nest, server = nest_of(deep.environment), server_of(deep)
    assert nest is not None

    ended, again = deep.bhiv("down"), deep.bhiv("down")

    assert "takes no more commands" in ended.out
    assert "has ended" in ended.out
    wait_until(lambda: gone(nest, server), "the end of both")
    assert (again.code, again.out.count("\n"), "is not running" in again.out) == (0, 1, True)


@pytest.mark.usefixtures("nest")  # a home's first command makes the catalog, which takes more
def test_the_process_has_imported_what_a_render_needs(shop: Shop) -> None:
    own = {"PREFECT_HOME": str(Path(shop.environment["BHIV_HOME"], "prefect"))}
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTS, *SMALL],
        cwd=shop.folder, env={**shop.environment, **own}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    assert ended.stdout.split("\n")[-2] == "", "the process should import this too"


def test_nothing_is_kept_where_that_is_not_wished(shop: Shop, tmp_path: Path) -> None:
    address = shop.bhiv("render", "s.txt", *SMALL).err.split("watch it at ")[1].split("/runs")[0]
    own = {"BHIV_HOME": str(tmp_path / "home"), "PREFECT_API_URL": f"{address}/api", "BHIV_KEEP_WARM": "false"}
    other = open_shop(tmp_path / "other", {**shop.environment, **own}, tmp_path / "other-bucket")
    other.write("s.txt", SCRIPT)

    ended = other.bhiv("render", "s.txt", *SMALL)

    assert ended.code == 0, ended.err
    assert not (tmp_path / "home" / "server" / "warm.lock").exists()
