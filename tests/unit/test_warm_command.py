"""What keeps a warm process from standing for a command that is allowed less."""

from pathlib import Path

import pytest

from bhiv.warm_command import group_limits


def write(folder: Path, **limits: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in limits.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{value}\n")


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    write(tmp_path / "user" / "tab-1", memory_max="max", cpu_max="max 100000")
    write(tmp_path / "user" / "tab-2", memory_max="max", cpu_max="max 100000")
    write(tmp_path / "user" / "small" / "inner", memory_max="max")
    write(tmp_path / "user" / "small", memory_max="1000000")
    write(tmp_path / "memory" / "old", memory_limit_in_bytes="9223372036854771712")
    write(tmp_path / "memory" / "tight", memory_limit_in_bytes="500000")
    return tmp_path


def test_groups_that_are_allowed_the_same_are_alike(groups: Path) -> None:
    assert group_limits("0::/user/tab-1\n", groups) == group_limits("0::/user/tab-2\n", groups) == []
    assert group_limits("4:memory:/old\n1:name=systemd:/a\n0::/\n", groups) == []


def test_a_limit_of_any_group_around_counts(groups: Path) -> None:
    assert group_limits("0::/user/small/inner\n", groups) == [("memory.max", "1000000\n")]
    assert group_limits("4:memory:/tight\n0::/\n", groups) == [("memory.limit_in_bytes", "500000\n")]


def test_groups_that_are_not_seen_limit_nothing(groups: Path) -> None:
    assert group_limits("0::/elsewhere/gone\n", groups) == []
