"""The page of the API leaves no route out; its commands are run in tests/acceptance/test_up.py."""

from pathlib import Path

import httpx

PAGE = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_route_is_on_the_page(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    shown = (
        PAGE.replace("$JOB", "{job_id}")
        .replace("$MILL", "{job_id}")
        .replace("$LETTER", "{letter_id}")
        .replace("$CONTENT/", "{content_id}/")
    )
    assert [path for path in paths if path not in shown] == []
