"""How settings are read, and what a command knows before it has read them."""

import subprocess
import sys
from pathlib import Path

import pytest

from bhiv.errors import InputRefused
from bhiv.settings import load_settings, warm_home


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"BHIV_HOME": "elsewhere"},
        {"BHIV_HOME": "/srv/bhiv"},
        {"BHIV_HOME": "~/videos"},
        {"BHIV_HOME": ""},
        {"bhiv_home": "lower"},
        {"BHIV_KEEP_WARM": "true", "BHIV_HOME": "kept"},
        {"BHIV_KEEP_WARM": "", "BHIV_HOME": "kept"},
    ],
)
@pytest.mark.parametrize("dotenv", [None, "", "BHIV_HOME=written\n", "BHIV_KEEP_WARM=1\n"])
def test_the_warm_home_is_the_settings(
    given: dict[str, str], dotenv: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BHIV_KEEP_WARM")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if dotenv is not None:
        Path(".env").write_text(dotenv)

    assert warm_home() == load_settings().home


def test_there_is_none_where_it_is_not_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BHIV_KEEP_WARM", "false")
    assert warm_home() is None

    monkeypatch.delenv("BHIV_KEEP_WARM")
    Path(".env").write_text("BHIV_KEEP_WARM=no\n")
    assert warm_home() is None


def test_a_setting_that_can_not_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BHIV_HOME", "~nobody-of-that-name/videos")
    with pytest.raises(InputRefused, match=r"BHIV_HOME is '[^']*': there is no user nobody-of-that-name$"):
        load_settings()
    monkeypatch.delenv("BHIV_KEEP_WARM")
    assert warm_home() is None

    monkeypatch.delenv("BHIV_HOME")
    monkeypatch.setenv("BHIV_KEEP_WARM", "perhaps")
    with pytest.raises(InputRefused, match="BHIV_KEEP_WARM"):
        warm_home()


def test_a_command_that_is_handed_over_imports_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would take as long as all of it: pydantic with what reads settings, asyncio, httpx, Prefect."""
    monkeypatch.delenv("BHIV_KEEP_WARM")
    code = (
        "import sys, bhiv.cli, bhiv.warm_command; from bhiv.settings import warm_home; warm_home();"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'pydantic', 'asyncio', 'httpx', 'prefect'}))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert told.stdout == "\n"
