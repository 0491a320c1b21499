import json
import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shop, environment, open_shop

SCENE = {"narration": "Hello there."}
PLAN = {"title": "A title", "scenes": [SCENE]}


def plan(**fields: object) -> bytes:
    return json.dumps(PLAN | fields).encode()


REFUSED: list[tuple[str, str, bytes, tuple[str, ...], str]] = [
    ("empty", "a.txt", b"", (), "is empty"),
    ("blank", "a.txt", b" \n\t\n ", (), "a.txt: "),
    ("binary", "a.txt", bytes(range(256)) * 20, (), "a.txt: "),
    ("a video as script", "a.txt", b"\x00\x00\x00\x20ftypisom" + os.urandom(4000), (), "a.txt: "),
    ("latin-1", "a.txt", "Ein schöner Tag am Fluß.".encode("latin-1"), (), "UTF-8"),
    ("10 MB", "a.txt", b"A long story. " * 750_000, (), "1,000,000"),
    ("unknown field", "a.json", plan(colour="red"), (), "colour"),
    ("NaN", "a.json", plan(scenes=[SCENE | {"duration_seconds": float("nan")}]), (), "scenes.0.duration_seconds"),
    ("no scenes", "a.json", plan(scenes=[]), (), "scenes"),
    ("10,000 scenes", "a.json", plan(scenes=[SCENE] * 10_000), (), "200"),
    ("20,000 scenes", "a.json", plan(scenes=[SCENE] * 20_000), (), "scenes"),
    ("not JSON", "a.json", b"{", (), "is not JSON"),
    ("deep JSON", "a.json", b'{"title":' + b"[" * 50_000, (), "a.json: "),
    ("a number of 5,000 digits", "a.json", b'{"title": "a", "fps": ' + b"9" * 5000 + b"}", (), "a.json: "),
    ("voice of another language", "a.txt", b"Hello there.", ("--voice", "espeak:hi"), "hi"),
    ("unknown voice", "a.txt", b"Hello there.", ("--voice", "espeak:nobody"), "nobody"),
    ("unknown engine", "a.txt", b"Hello there.", ("--voice", "parrot"), "parrot"),
    ("English said to be Hindi", "a.txt", b"Hello there.", ("--language", "hi"), "--language en"),
    ("Hindi said to be English", "a.txt", "नमस्ते दुनिया।".encode(), ("--language", "en"), "--language hi"),
    ("no voice for the language", "a.txt", b"Hello there.", ("--language", "zz"), "zz"),
    ("no font", "a.txt", "Hello there.\n\nA cat 猫 sat.".encode(), (), "line 3"),
    ("a script without a font", "a.txt", "ஒரு குளம்.".encode(), (), "apt install fonts-lohit-taml"),
    ("no font in a plan", "a.json", plan(scenes=[SCENE, {"narration": "A cat 猫 sat."}]), (), "scenes.1"),
    ("wrong pause", "a.txt", b"Hello.\n\nWait [pause forever] here.", (), "line 3"),
    ("music", "a.txt", b"Hello.\n\n[music: a raga]\n\nThere.", (), "line 3"),
    ("bad size", "a.txt", b"Hello there.", ("--size", "641x3"), "size"),
    ("bad rate", "a.txt", b"Hello there.", ("--fps", "9"), "fps"),
    ("bad style", "a.txt", b"Hello there.", ("--style", "plaid"), "style"),
    ("bad transition", "a.txt", b"Hello there.", ("--transition", "wipe"), "transition"),
    ("empty title", "a.txt", b"Hello there.", ("--title", ""), "title"),
    ("target is no MP4", "a.txt", b"Hello there.", ("-o", "a.avi"), ".mp4"),
]  # fmt: skip


@pytest.fixture
def fresh(tmp_path: Path) -> Shop:
    """A folder where nothing has been started yet."""
    users_home = tmp_path / "user"
    users_home.mkdir()
    return open_shop(tmp_path / "shop", environment(tmp_path / ".bhiv", users_home), tmp_path / "bucket")


def assert_refused(shop: Shop, ended_code: int, out: str, err: str, said: str) -> None:
    assert ended_code == 2, err
    assert out == ""
    assert err.startswith("bhiv: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert said in err
    assert not (shop.folder.parent / ".bhiv" / "server").exists()
    assert not shop.bucket.exists()


@pytest.mark.parametrize(
    ("name", "content", "options", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_bad_input_is_refused_in_one_line(
    fresh: Shop, name: str, content: bytes, options: tuple[str, ...], said: str
) -> None:
    (fresh.folder / name).write_bytes(content)

    ended = fresh.bhiv("render", name, *options)

    assert_refused(fresh, ended.code, ended.out, ended.err, said)
    assert [path.name for path in fresh.folder.iterdir()] == [name]


def test_a_folder_is_refused(fresh: Shop) -> None:
    (fresh.folder / "scripts").mkdir()

    ended = fresh.bhiv("render", "scripts")

    assert_refused(fresh, ended.code, ended.out, ended.err, "is a folder")


def test_a_file_that_is_not_there_is_refused(fresh: Shop) -> None:
    ended = fresh.bhiv("render", "nowhere.txt")

    assert_refused(fresh, ended.code, ended.out, ended.err, "there is no file nowhere.txt")


def test_a_file_without_permission_is_refused(fresh: Shop) -> None:
    (fresh.folder / "a.txt").write_bytes(b"Hello.")
    (fresh.folder / "a.txt").chmod(0)
    # Even root may not read it without these two capabilities.
    humbly = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()

    ended = fresh.bhiv("render", "a.txt", before=humbly)

    assert_refused(fresh, ended.code, ended.out, ended.err, "permission")


def test_a_setting_that_can_not_be_is_refused(fresh: Shop) -> None:
    ended = fresh.bhiv("render", "-", BHIV_ENCODERS="none")

    assert_refused(fresh, ended.code, ended.out, ended.err, "BHIV_ENCODERS")


@pytest.mark.parametrize("command", ["render", "plan"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--topic", "a mill"), "set BHIV_LM_BASE_URL and BHIV_LM_MODEL"),
        (("--topic", ""), "topic: is empty"),
        (("--topic", "a mill", "a.txt"), "either INPUT or --topic"),
        ((), "either INPUT or --topic"),
        (("a.txt", "--minutes", "2"), "minutes go with a topic"),
    ],
)
def test_a_topic_that_can_not_be_is_refused(fresh: Shop, command: str, arguments: tuple[str, ...], said: str) -> None:
    fresh.write("a.txt", "Hello there.")

    ended = fresh.bhiv(command, *arguments)

    assert_refused(fresh, ended.code, ended.out, ended.err, said)


def test_plan_refuses_as_render_does(fresh: Shop) -> None:
    ended = fresh.bhiv("plan", "-", stdin=b"")

    assert_refused(fresh, ended.code, ended.out, ended.err, "standard input")


def test_a_look_at_jobs_where_there_are_none_makes_nothing(fresh: Shop) -> None:
    listed, printed = fresh.bhiv("status"), fresh.bhiv("status", "--json")

    assert (listed.code, printed.code, printed.out) == (0, 0, "[]\n")
    assert listed.out.startswith("no jobs yet in ")
    ended = fresh.bhiv("status", "abc123")
    assert_refused(fresh, ended.code, ended.out, ended.err, "no job 'abc123'")
    assert not (fresh.folder.parent / ".bhiv").exists()


def test_an_unknown_option_is_refused(fresh: Shop) -> None:
    ended = fresh.bhiv("render", "a.txt", "--colour", "red")

    assert ended.code == 2
    assert "--colour" in ended.err
