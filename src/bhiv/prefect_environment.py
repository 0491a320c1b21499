"""The environment variables under which Prefect keeps to the home, for the kept server and for those who use it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bhiv.settings import adopt_prefect_environment, inherited_environment

#: What a user may tune in the flows of a kept server; any other `PREFECT_*` could lead to another server or database.
_TUNING = ("PREFECT_LOGGING_", "PREFECT_TASKS_")


#: What the log of a run is: nothing on stderr, all of it at the server.
_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
_LOUD = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "NOTSET", "PREFECT_INTERNAL_LOGGING_LEVEL": "ERROR"}

#: How long Prefect keeps what it knows of ended runs, in seconds; BHIV's own records do not depend on it.
_RUN_SECONDS = 30 * 86_400
_EVENT_DAYS = 7
#: Where Prefect finds settings beside the environment, in the folder of a process.
_ITS_FILES = (".env", "prefect.toml", "pyproject.toml")
#: The `PREFECT_*` that the settings of this process's prefect were read from, and nothing beside; empty: not known.
_read_under: dict[str, str] = {}
#: A certificate with which nothing is signed.
_NOBODY = Path(__file__).with_name("nobody.pem")


def server_environment(home: Path, port: int) -> dict[str, str]:
    """The whole environment of the kept server: no `PREFECT_*` of the user's gets in."""
    address = f"http://127.0.0.1:{port}"
    users = {name: value for name, value in inherited_environment().items() if not name.startswith("PREFECT_")}
    return (
        users
        | _common(home, f"{address}/api")
        | {
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            # By default every web page that the user visits may talk to the server.
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{address},http://localhost:{port}",
            # Those in memory are lost with a server that is killed, and the slots that they hold are never freed.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "60",
            "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{_EVENT_DAYS}D",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(_RUN_SECONDS),
            # By default each change of a task's state is a transaction of its own, 5 ms of CPU beside the encoders.
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
            "PREFECT_SERVER_UI_API_URL": f"{address}/api",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            # By default Prefect unpacks its pages into site-packages.
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "server" / "ui"),
        }
    )


def client_environment(home: Path, api_url: str, *, kept: bool, verbose: bool = False) -> dict[str, str]:
    """The variables of a process that runs flows, to be put in place of all its `PREFECT_*` before it imports prefect.

    With a server that is not `kept` by BHIV the user's own variables stay (keys, headers). What the flows log goes to
    the server; with `verbose` also to stderr.
    """
    own = _client(home, api_url, kept=kept) | (_LOUD if verbose else {})
    users = inherited_environment().items()
    return own | {name: value for name, value in users if name.startswith(_TUNING if kept else "PREFECT_")}


def importing_environment(home: Path, environment: Mapping[str, str], port: int) -> dict[str, str]:
    """The whole environment of a process that imports prefect for others, which then `adopt` their own variables.

    Those are the same as a rule: those of a kept server at `port`, without anything of the user's.
    """
    users = {name: value for name, value in environment.items() if not name.startswith("PREFECT_")}
    # Importing numpy would start its library's threads, and no fork would have them.
    return users | _client(home, f"http://127.0.0.1:{port}/api", kept=True) | {"OPENBLAS_NUM_THREADS": "1"}


def imported_for_others() -> None:
    """Note that this process imports prefect under its environment; call it before."""
    _read_under.update(_prefects(inherited_environment()))


@contextmanager
def unwatched() -> Iterator[None]:
    """Have runs of this block send Prefect's server no signs of life; those of the catalog's leases are what counts.

    Prefect's thread for them sleeps by the second, and a run's end would wait for it.
    """
    from prefect.context import SettingsContext, get_settings_context

    # Neither the environment nor a profile can say that there are none, and `temporary_settings` reads both anew, which
    # takes 40 ms.
    now = get_settings_context()
    flows = now.settings.flows.model_copy(update={"heartbeat_frequency": None})
    with SettingsContext(profile=now.profile, settings=now.settings.model_copy(update={"flows": flows})):
        yield


def adopt(variables: Mapping[str, str]) -> None:
    """Put `variables` in place of all `PREFECT_*` of this process; prefect reads them when it is imported.

    A process that was forked with prefect in it has it read them now, unless it would find what it has read before.
    """
    adopt_prefect_environment(variables)
    if "prefect" not in sys.modules:
        return
    has_files, told = _has_files(), _prefects(variables)
    if has_files or told != _read_under:
        _read_again(variables)
        _read_under.clear()
        _read_under.update({} if has_files else told)


def _has_files() -> bool:
    from prefect.settings import get_current_settings

    now = get_current_settings()
    return any(file.exists() for file in (*map(Path, _ITS_FILES), now.profiles_path, now.logging.config_path))


def _read_again(variables: Mapping[str, str]) -> None:
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging
    from prefect.settings import get_current_settings

    before = get_current_settings()
    refresh_global_settings_context()
    now = get_current_settings()
    told = {name: value for name, value in variables.items() if name.startswith(("PREFECT_LOGGING_", "PREFECT_INTERN"))}
    is_same = told == _QUIET and (before.logging, before.internal) == (now.logging, now.internal)
    if not is_same or now.logging.config_path.exists():  # it takes 0.06 s of CPU
        setup_logging(incremental=False)


def json_lines() -> dict[str, str]:
    """The variables under which what Prefect prints is BHIV's JSON lines."""
    return {
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "bhiv.log_lines.JsonLines",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    }


def _client(home: Path, api_url: str, *, kept: bool) -> dict[str, str]:
    own = _common(home, api_url) | _QUIET | {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
    if kept:
        # It is of this installation; the question costs two requests and 20 ms to read certificates that nothing needs.
        own["PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED"] = "false"
        # Its address has no TLS, yet each of three clients would read all 140 authorities, which takes 20 ms.
        own["PREFECT_API_SSL_CERT_FILE"] = str(_NOBODY)
    return own


def _prefects(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith("PREFECT_")}


def _common(home: Path, api_url: str) -> dict[str, str]:
    return _past_the_proxy() | {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_PROFILES_PATH": str(home / "prefect" / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def _past_the_proxy() -> dict[str, str]:
    # A company's proxy would be asked for the server on this machine. Both spellings are in use.
    users = inherited_environment()
    return {
        name: ",".join(filter(None, [users.get(name), "127.0.0.1", "localhost"])) for name in ("NO_PROXY", "no_proxy")
    }
