"""What Prefect is told by variables, and for the time of a block."""

import ssl
import subprocess
import sys
from pathlib import Path

from prefect.settings import get_current_settings

from bhiv.prefect_environment import client_environment, unwatched


def test_runs_that_are_unwatched_send_no_signs_of_life() -> None:
    before = get_current_settings().flows.heartbeat_frequency

    with unwatched():
        assert get_current_settings().flows.heartbeat_frequency is None

    assert get_current_settings().flows.heartbeat_frequency == before


def test_clients_of_the_kept_server_which_has_no_tls_trust_no_authority(tmp_path: Path) -> None:
    kept = client_environment(tmp_path, "http://127.0.0.1:4200/api", kept=True)
    other = client_environment(tmp_path, "https://prefect.example.org/api", kept=False)

    trusted = ssl.create_default_context(cafile=kept["PREFECT_API_SSL_CERT_FILE"])
    assert trusted.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 0}
    assert "PREFECT_API_SSL_CERT_FILE" not in other


#: Prints for each thing that happens whether a process that has imported prefect reads its settings anew, and the port.
ADOPTED = """
import sys
from pathlib import Path
from bhiv.prefect_environment import adopt, client_environment, imported_for_others, importing_environment
from bhiv.settings import replace_environment
home = Path("home").absolute()
replace_environment(importing_environment(home, {"PATH": "/bin"}, 4321))
imported_for_others()
from prefect.settings import get_current_settings
def adopted(what, port=4321, users={}, **how):
    before = get_current_settings()
    replace_environment({"PATH": "/bin"} | users)
    adopt(client_environment(home, f"http://127.0.0.1:{port}/api", kept=True, **how))
    now = get_current_settings()
    print(what, now is before, now.api.url[17:21], now.ui_url[17:], now.tasks.default_retries)
adopted("same")
adopted("port", port=4322)
adopted("back")
adopted("loud", verbose=True)
adopted("tuned", users={"PREFECT_TASKS_DEFAULT_RETRIES": "7"})
adopted("untuned")
adopted("foreign", users={"PREFECT_API_DATABASE_TIMEOUT": "7"})
Path("prefect.toml").write_text("[tasks]\\ndefault_retries = 3\\n")
adopted("written")
Path("prefect.toml").unlink()
adopted("removed")
"""


def test_prefects_settings_are_read_again_where_they_may_differ(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", ADOPTED], capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert told.stdout.splitlines() == [
        "same True 4321 4321 0",
        "port False 4322 4322 0",
        "back False 4321 4321 0",
        "loud False 4321 4321 0",
        "tuned False 4321 4321 7",
        "untuned False 4321 4321 0",
        "foreign True 4321 4321 0",
        "written False 4321 4321 3",
        "removed False 4321 4321 0",
    ], told.stderr
