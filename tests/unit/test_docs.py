import re
import subprocess
import sys
from pathlib import Path

import pytest

from bhiv.errors import InputRefused
from bhiv.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent.parent


def names() -> list[str]:
    return [
        str(field.validation_alias) if field.validation_alias else f"BHIV_{name.upper()}"
        for name, field in Settings.model_fields.items()
    ]


@pytest.mark.parametrize("document", ["docs/configuration.md", ".env.example"])
def test_every_setting_is_documented_and_no_other(document: str) -> None:
    written = set(re.findall(r"\b(?:BHIV|PREFECT)_[A-Z0-9_]+\b", (ROOT / document).read_text(encoding="utf-8")))

    assert written == set(names())


def test_a_setting_is_documented_in_its_own_words() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")

    assert [field.description for field in Settings.model_fields.values() if f"{field.description}" not in text] == []


def test_every_command_is_in_the_readme() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "bhiv.cli", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    commands = re.findall(r"^  ([a-z]+)  ", listed.partition("Commands:")[2], re.MULTILINE)
    assert commands
    assert [command for command in commands if f"`bhiv {command}" not in readme] == []


def test_the_first_video_is_made_by_line_40_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]

    assert any("make demo" in line for line in lines)


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in ("demo", "test", "setup", "bench", "lint", "help"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_a_setting_that_can_not_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BHIV_ENCODERS", "many")

    with pytest.raises(InputRefused, match="BHIV_ENCODERS is 'many'"):
        load_settings()


def test_relative_folders_are_those_of_the_present_folder(tmp_path: Path) -> None:
    assert load_settings().home == tmp_path / ".bhiv"
