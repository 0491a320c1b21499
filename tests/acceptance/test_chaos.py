import pytest

from benchmarks.chaos import chaos


@pytest.mark.timeout(1200)
def test_twenty_kills_lose_nothing() -> None:
    """Server, workers, runs, encoders and their supervisor, at random moments; `make chaos` does it 200 times."""
    report = chaos(kills=20, seed=20, pause=0.8, size="640x360")

    assert sum(report.kills.values()) == 20
    assert report.is_good, report
    assert report.completed == report.jobs > 0
