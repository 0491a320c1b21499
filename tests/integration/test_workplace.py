import fcntl
from pathlib import Path
from typing import IO

import pytest

from bhiv.settings import Settings
from bhiv.workplace import Workplace, claimed, open_workplace, sweep


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return open_workplace(Settings(home=tmp_path / "home", bucket_dir=tmp_path / "bucket"))


def leave(place: Workplace, run: str, note: bytes | None = b"{}", *, lock: bool = True) -> Path:
    """What a killed run leaves."""
    folder = place.runs / run
    folder.mkdir(parents=True)
    (folder / "clip.mp4").write_bytes(b"half")
    if lock:
        (folder / "lock").touch()
    if note is not None:
        (folder / "note.json").write_bytes(note)
    return folder


def test_a_claimed_folder_is_gone_afterwards(place: Workplace) -> None:
    with claimed(place, "run", b"note"), place.folder("run", "clip") as folder:
        (folder / "clip.mp4").write_bytes(b"half")
        assert folder.parent == place.runs / "run"

    assert list(place.runs.iterdir()) == []


def test_an_error_of_the_run_is_passed_on(place: Workplace) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), claimed(place, "run", b""):
        raise FileNotFoundError("mine")


def test_the_sweep_gives_the_note_of_a_dead_run_and_removes_its_folder(place: Workplace) -> None:
    leave(place, "dead", b"what went on")

    assert list(sweep(place)) == [b"what went on"]
    assert list(place.runs.iterdir()) == []


@pytest.mark.parametrize("lock", [True, False])
def test_a_run_that_died_before_its_note_leaves_an_empty_one(place: Workplace, lock: bool) -> None:
    leave(place, "dead", None, lock=lock)

    assert list(sweep(place)) == [b""]
    assert list(place.runs.iterdir()) == []


def test_the_sweep_spares_a_run_that_lives(place: Workplace) -> None:
    with claimed(place, "run", b"note"), place.folder("run", "clip") as folder:
        assert list(sweep(place)) == []
        assert folder.is_dir()


def test_a_claim_that_meets_a_sweep_makes_its_folder_anew(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep comes between the making of the folder and the taking of its lock."""
    real = fcntl.flock
    swept: list[bool] = []

    def flock(lock: IO[bytes], kind: int) -> None:
        if not swept:
            swept.append(True)
            assert list(sweep(place)) == [b""]
        real(lock, kind)

    monkeypatch.setattr(fcntl, "flock", flock)

    with claimed(place, "run", b"note"):
        assert (place.runs / "run" / "note.json").read_bytes() == b"note"
        assert list(sweep(place)) == []
