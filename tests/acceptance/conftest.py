"""The real command on a home that all acceptance tests share, so that its server starts once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bhiv import ffmpeg
from tests.servers.prefect_api import PrefectApi

ROOT = Path(__file__).parent.parent.parent
BHIV = str(Path(sys.executable).with_name("bhiv"))
_CODE = ("src", "blocks", "tasks", "flows", "deployments")
_DEPLOY = """
from bhiv import house
from bhiv.settings import inherited_environment, load_settings
with house.connected(load_settings()) as server:
    house.load("deployments.warm_process").ensure_pool("bhiv")
    house.load("deployments.up").deploy(inherited_environment())
    print(server.api_url)
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        printed: dict[str, Any] = json.loads(self.out)
        return printed


@dataclass(frozen=True)
class Shop:
    """A folder to work in, with a bucket of its own, and the shared home."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def bucket(self) -> Path:
        return Path(self.environment["BHIV_BUCKET_DIR"])

    def bhiv(
        self,
        *arguments: object,
        stdin: bytes = b"",
        timeout: float = 240,
        before: tuple[str, ...] = (),
        **settings: str,
    ) -> Ended:
        """Run the command to its end, behind the words `before`."""
        ended = subprocess.run(
            [*before, BHIV, *map(str, arguments)],
            cwd=self.folder, env={**self.environment, **settings}, input=stdin, capture_output=True, timeout=timeout,
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *arguments: object, **settings: str) -> "subprocess.Popen[bytes]":
        """Start the command and go on."""
        return subprocess.Popen(
            [BHIV, *map(str, arguments)],
            cwd=self.folder, env={**self.environment, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def kept(self, segment: str) -> list[str]:
        """Names of what the bucket holds in a segment."""
        return sorted(path.name for path in (self.bucket / segment).glob("*"))

    def metadata(self) -> list[dict[str, Any]]:
        """The metadata of every attempt, oldest first."""
        return [json.loads(path.read_text()) for path in sorted((self.bucket / "logs").glob("*.json"))]


def environment(home: Path, users_home: Path) -> dict[str, str]:
    """The environment of a fresh account: nothing of whoever runs the tests but the path."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(users_home),
        "BHIV_HOME": str(home),
        "BHIV_KEEP_WARM": "false",  # but where it is tested
        # What is refused for want of a font must not depend on what is installed here.
        "BHIV_FONT_DIRS": str(users_home / "fonts"),
    }


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A home whose server is ended after the last test."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "user").mkdir()
    shared = environment(folder / ".bhiv", folder / "user")
    yield shared
    subprocess.run([BHIV, "down"], env=shared, cwd=folder, check=True, capture_output=True, timeout=60)
    assert list((folder / "user").iterdir()) == [], "something was written to the user's home"


@dataclass(frozen=True)
class Checkout:
    """A copy of the code, so that a test may change it while others run."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What processes have that are started in it: as deployments, they find its code there."""
        return {"PWD": str(self.folder), "PYTHONPATH": f"{self.folder / 'src'}:{self.folder}"}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the code that all tests of the session share."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in _CODE:
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy2(ROOT / "prefect.yaml", folder)
    return Checkout(folder)


@pytest.fixture(scope="session")
def prefect(shared_home: dict[str, str], checkout: Checkout) -> PrefectApi:
    """The shared home's server, with the pool and all deployments of prefect.yaml, their schedules paused.

    Else maintenance would come between, and run again what a test has killed.
    """
    asked = [sys.executable, "-c", _DEPLOY]
    said = subprocess.run(
        asked, cwd=checkout.folder, env=shared_home | checkout.environment, capture_output=True, text=True,
        check=True, timeout=240,
    )  # fmt: skip
    url = said.stdout.strip().splitlines()[-1]
    api = PrefectApi(lambda: url)
    for one in api.call("/deployments/filter", {}):
        if one["schedules"]:
            api.call(f"/deployments/{one['id']}", {"paused": True}, "PATCH")
    return api


def open_shop(folder: Path, home: Mapping[str, str], bucket: Path) -> Shop:
    """Make the folder of a shop."""
    folder.mkdir()
    return Shop(folder, {**home, "BHIV_BUCKET_DIR": str(bucket)})


@pytest.fixture
def shop(tmp_path: Path, shared_home: dict[str, str]) -> Shop:
    """A folder of the test's own."""
    return open_shop(tmp_path / "shop", shared_home, tmp_path / "bucket")


def stuck_ffmpeg(folder: Path) -> Path:
    """Make a program that is ffmpeg in all but this: it never reads its frames and never ends."""
    program = folder / "ffmpeg-stuck"
    program.write_text(f'#!/bin/sh\ncase "$*" in *rawvideo*) exec sleep 600;; esac\nexec {ffmpeg.executable()} "$@"\n')
    program.chmod(0o755)
    return program
