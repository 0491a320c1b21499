"""What Prefect is told for the time of a block."""

from prefect.settings import get_current_settings

from bhiv.prefect_environment import unwatched


def test_runs_that_are_unwatched_send_no_signs_of_life() -> None:
    before = get_current_settings().flows.heartbeat_frequency

    with unwatched():
        assert get_current_settings().flows.heartbeat_frequency is None

    assert get_current_settings().flows.heartbeat_frequency == before
