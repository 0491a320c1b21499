from pathlib import Path

from benchmarks.service_kills import kill


def test_a_service_that_is_killed_after_each_answer_loses_no_job_and_makes_none_twice(tmp_path: Path) -> None:
    report = kill(25, tmp_path / "service")

    assert len(set(report.accepted)) == 25
    assert (report.lost, report.twice, report.doubled) == ([], [], [])
