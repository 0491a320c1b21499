"""`bhiv status` says when changes wait for S3."""

import json

import pytest

from bhiv.bucket.opening import open_spool
from bhiv.errors import StorageUnavailable
from bhiv.job_list import show_recent
from bhiv.settings import Settings

Printed = pytest.CaptureFixture[str]


def miss(settings: Settings, *keys: str) -> None:
    """Have S3 be away while these objects are deleted."""
    for key in keys:
        open_spool(settings).keep_deletion(key, StorageUnavailable("S3 is away"))


def test_a_degraded_bucket_is_one_line_of_the_list(settings: Settings, capsys: Printed) -> None:
    miss(settings, "tmp/a", "tmp/b")

    show_recent(settings, 20, as_json=False)

    out, err = capsys.readouterr()
    [jobs, warning] = out.splitlines()
    assert jobs.startswith("no jobs yet")
    assert warning.startswith("the bucket is degraded: 2 changes wait for S3 since 20")
    assert warning.endswith(" UTC; `bhiv doctor` says why")
    assert err == ""


def test_json_stays_a_list_and_the_warning_goes_to_stderr(settings: Settings, capsys: Printed) -> None:
    miss(settings, "tmp/a")

    show_recent(settings, 20, as_json=True)

    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert err.startswith("bhiv: the bucket is degraded: 1 change waits for S3 since 20")
    assert err.count("\n") == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_a_whole_bucket_is_not_mentioned(settings: Settings, capsys: Printed, as_json: bool) -> None:
    show_recent(settings, 20, as_json=as_json)

    assert "degraded" not in "".join(capsys.readouterr())
