"""What Prefect is told by variables, and for the time of a block."""

import ssl
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
