"""The kept Prefect server: real processes, one home for most of the tests."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from bhiv.errors import ServerUnavailable
from bhiv.prefect_environment import client_environment
from bhiv.prefect_server import Server, find_server, start_server, stop_server
from bhiv.server_folder import Owner, ServerFolder
from bhiv.settings import Settings
from tests.servers.starting import wait_until

IDLE_SECONDS = 1.5
COMMAND = """
import sys
from pathlib import Path
from bhiv.prefect_server import start_server
from bhiv.settings import Settings
print(start_server(Settings(home=Path(sys.argv[1]))).wait().pid)
"""
#: A command that is killed as soon as it has started the server.
KILLED_COMMAND = """
import os, signal, sys
from pathlib import Path
from bhiv.prefect_server import start_server
from bhiv.settings import Settings
starting = start_server(Settings(home=Path(sys.argv[1])))
os.kill(os.getpid(), signal.SIGKILL)
"""
FLOW = """
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def double(number):
    return 2 * number

@flow(task_runner=ThreadPoolTaskRunner(max_workers=4), log_prints=True)
def many():
    print("heard by the server")
    return sum(future.result() for future in [double.submit(number) for number in range(20)])

print(many())
"""


def settings_for(home: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, home=home, **values)


def servers_of(home: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and "bhiv.prefect_child" in process.cmdline():
                found += [process.pid] if str(home) in process.cmdline() else []
        except psutil.NoSuchProcess:
            continue
    return found


def ask(url: str, **headers: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


def recorded(server: Server, what: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{server.api_url}/{what}/filter", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return list(json.load(answer))


@pytest.fixture(scope="module")
def users_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def environment(users_home: Path) -> dict[str, str]:
    """What a user with another Prefect and a proxy may have set."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "XDG_"))}
    return own | {
        "HOME": str(users_home),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "PREFECT_API_KEY": "of another server",
        "PREFECT_PROFILE": "of another server",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://127.0.0.1:9/other",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home") / "with space"
    yield home
    stop_server(settings_for(home))
    assert servers_of(home) == []


@pytest.fixture(scope="module")
def pids(home: Path, environment: dict[str, str]) -> list[int]:
    """The servers that two commands got, started at the same moment in a home that is new."""
    commands = [
        subprocess.Popen([sys.executable, "-c", COMMAND, home], env=environment, stdout=subprocess.PIPE) for _ in "ab"
    ]
    return [int(command.communicate(timeout=120)[0]) for command in commands]


@pytest.fixture
def server(home: Path, pids: list[int]) -> Server:
    return start_server(settings_for(home)).wait()


@pytest.fixture
def impatient(home: Path, server: Server, tmp_path: Path) -> Iterator[Settings]:
    """A second home, with a copied database, whose server ends soon when it is not used."""
    new = tmp_path / "impatient"
    (new / "prefect").mkdir(parents=True)
    for name in ("prefect.db", "prefect.db-wal", "memo_store.toml"):
        if (home / "prefect" / name).exists():
            shutil.copy(home / "prefect" / name, new / "prefect")
    settings = settings_for(new, server_idle_minutes=IDLE_SECONDS / 60)
    yield settings
    for pid in servers_of(new):
        os.kill(pid, signal.SIGKILL)


def test_two_commands_started_at_once_share_one_server(home: Path, pids: list[int]) -> None:
    assert servers_of(home) == [pids[0]]
    assert pids[0] == pids[1]


def test_the_next_command_finds_it_at_once(home: Path, pids: list[int]) -> None:
    began = time.monotonic()

    found = start_server(settings_for(home)).wait()

    assert (found.pid, time.monotonic() - began < 1) == (pids[0], True)


def test_the_pages_are_served_with_all_they_load(server: Server) -> None:
    _, page = ask(server.ui_url, Accept="text/html")

    scripts = re.findall(r'(?:src|href)="(/v2/[^"]+)"', page.decode())
    assert scripts
    assert {ask(server.ui_url + script)[0] for script in scripts} == {200}


def test_the_pages_know_where_the_server_is(server: Server) -> None:
    _, answer = ask(f"{server.ui_url}/ui-settings")

    assert json.loads(answer)["api_url"] == server.api_url


def test_a_page_of_another_site_is_not_let_in(server: Server) -> None:
    request = urllib.request.Request(f"{server.api_url}/health", headers={"Origin": "https://example.com"})

    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_the_pages_may_load_nothing_from_elsewhere(server: Server) -> None:
    with urllib.request.urlopen(f"{server.ui_url}/v2/", timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert set(re.findall(r"https?://[^ ;]*", policy)) == {"http://127.0.0.1:*"}


def test_the_list_of_worker_types_comes_from_this_machine(server: Server) -> None:
    status, answer = ask(f"{server.api_url}/collections/views/aggregate-worker-metadata")

    assert (status, "prefect" in json.loads(answer)) == (200, True)


def test_nothing_of_the_users_prefect_gets_in(home: Path, server: Server) -> None:
    inside = psutil.Process(server.pid).environ()

    assert not [name for name, value in inside.items() if "other" in value]
    assert (home / "prefect" / "prefect.db").stat().st_size > 100_000


def test_a_flow_is_recorded_to_its_last_task_and_log_line(
    home: Path, server: Server, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bhiv.prefect_environment.inherited_environment", lambda: environment)
    inside = {name: value for name, value in environment.items() if not name.startswith("PREFECT_")}
    inside |= client_environment(home, server.api_url, kept=True)

    run = subprocess.run([sys.executable, "-c", FLOW], env=inside, capture_output=True, text=True, timeout=60)

    assert (run.stdout, run.stderr) == ("380\n", "")
    ends = ["COMPLETED"] * 20
    wait_until(lambda: [run["state_type"] for run in recorded(server, "task_runs")] == ends, "all task runs")
    assert "heard by the server" in {log["message"] for log in recorded(server, "logs")}


def test_task_runs_are_recorded_many_at_once(server: Server) -> None:
    _, answer = ask(f"{server.api_url}/admin/settings")

    recorder = json.loads(answer)["server"]["services"]["task_run_recorder"]
    assert (recorder["batch_size"], recorder["flush_interval"]) == (100, 1)


def test_the_users_home_stays_empty(users_home: Path, server: Server) -> None:
    assert list(users_home.iterdir()) == []


def test_a_server_that_is_set_is_used_and_left_alone(server: Server, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, PREFECT_API_URL=server.api_url)

    found = start_server(settings).wait()

    assert (found, list(tmp_path.iterdir())) == (Server(server.api_url), [])


def test_a_server_that_is_set_and_away_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, PREFECT_API_URL="http://127.0.0.1:9/api")

    with pytest.raises(ServerUnavailable, match=r"^no Prefect server answers at 'http://127.0.0.1:9/api' .*refused"):
        start_server(settings).wait()


def test_a_killed_server_is_replaced_under_the_same_address(
    home: Path, server: Server, environment: dict[str, str]
) -> None:
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)

    subprocess.run([sys.executable, "-c", COMMAND, home], env=environment, check=True, timeout=60)
    new = start_server(settings_for(home)).wait()

    assert new.pid != server.pid
    assert new.ui_url == server.ui_url
    assert servers_of(home) == [new.pid]


def test_a_command_killed_while_it_starts_the_server_leaves_one(home: Path, server: Server) -> None:
    stop_server(settings_for(home))

    killed = subprocess.run([sys.executable, "-c", KILLED_COMMAND, home], timeout=60)
    found = start_server(settings_for(home)).wait()

    assert killed.returncode == -signal.SIGKILL
    assert servers_of(home) == [found.pid]


def test_a_server_killed_while_others_wait_for_it_is_started_again_once(impatient: Settings) -> None:
    first, second = start_server(impatient), start_server(impatient)
    os.kill(servers_of(impatient.home)[0], signal.SIGKILL)

    found = second.wait()

    assert servers_of(impatient.home) == [found.pid]
    assert first.wait() == found


def test_a_used_server_stays_and_an_idle_one_ends(impatient: Settings) -> None:
    server = start_server(impatient).wait()

    with server.in_use():
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2 * IDLE_SECONDS, "twice the idle time")
        assert servers_of(impatient.home) == [server.pid]

    wait_until(lambda: servers_of(impatient.home) == [], "the end of the idle server")
    assert ServerFolder(impatient.home).owner() is None


def test_a_server_killed_while_in_use_is_replaced_under_the_same_address(impatient: Settings) -> None:
    server = start_server(impatient).wait()
    assert server.pid

    with server.in_use():
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: servers_of(impatient.home) not in ([], [server.pid]), "another server")

        assert ask(f"{server.api_url}/health") == (200, b"true")


def test_a_removed_home_ends_its_server(impatient: Settings) -> None:
    start_server(impatient).wait()

    with ServerFolder(impatient.home).using():
        shutil.rmtree(impatient.home)

        wait_until(lambda: servers_of(impatient.home) == [], "the end of the server without a home")


def test_stopping_ends_the_server_and_tells_when_there_is_none(impatient: Settings) -> None:
    server = start_server(impatient).wait()

    assert find_server(impatient) == server
    assert [stop_server(impatient), stop_server(impatient)] == [True, False]
    assert find_server(impatient) is None
    assert servers_of(impatient.home) == []


def test_a_server_that_can_not_start_says_why_and_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"no database" * 1000)

    with pytest.raises(ServerUnavailable, match=r"ended before it answered: .*file is not a database.*\.log\)$"):
        start_server(settings_for(tmp_path)).wait()
    assert servers_of(tmp_path) == []


def test_a_server_that_does_not_answer_in_time_is_given_up_and_can_be_stopped(impatient: Settings) -> None:
    hasty = impatient.model_copy(update={"server_start_seconds": 0.3})

    with pytest.raises(ServerUnavailable, match=r"did not answer within 0\.3 s"):
        start_server(hasty).wait()
    assert stop_server(hasty)
    assert servers_of(hasty.home) == []


def test_a_port_that_is_set_and_taken_is_named(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        settings = settings_for(tmp_path, server_port=other.getsockname()[1])

        with pytest.raises(ServerUnavailable, match=f"port {settings.server_port} .*Address already in use"):
            start_server(settings)
    assert servers_of(tmp_path) == []


def test_the_last_port_is_given_up_when_somebody_has_it(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    folder.create()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        (folder.path / "port").write_text(str(other.getsockname()[1]))

        with folder.listen(0) as listener:
            assert listener.getsockname()[1] != other.getsockname()[1]


def test_what_a_dead_server_said_is_not_believed(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    folder.create()
    folder.announce(1)  # as if this very process, which must survive, had its number after a reboot

    assert find_server(settings_for(tmp_path)) is None
    assert stop_server(settings_for(tmp_path)) is False


def test_a_process_number_used_again_is_not_the_owner() -> None:
    assert not Owner(os.getpid(), 1, "0").is_alive()


def test_a_home_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ServerUnavailable, match="Not a directory"):
        start_server(settings_for(tmp_path / "file" / "home"))
