import itertools

from hypothesis import given
from hypothesis import strategies as st

from bhiv.plan import SAMPLE_RATE, Frames, Samples
from bhiv.timeline import LEAD, TAIL, lay_out, sample_at, scene_frames

RATES = st.integers(24, 60)


@given(st.integers(1, 60 * SAMPLE_RATE), RATES)
def test_a_scene_holds_its_narration_with_less_than_a_frame_to_spare(narration: int, fps: int) -> None:
    frames = scene_frames(Samples(narration), None, fps)

    needed = LEAD + narration + TAIL
    assert 0 <= frames * SAMPLE_RATE / fps - needed < SAMPLE_RATE / fps


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=300), RATES)
def test_shots_follow_each_other_without_a_gap(lengths: list[int], fps: int) -> None:
    shots = lay_out(map(Frames, lengths))

    assert [shot.frames for shot in shots] == lengths
    assert all(shot.end == following.start for shot, following in itertools.pairwise(shots))
    assert sample_at(shots[-1].end, fps) - sum(lengths) * SAMPLE_RATE / fps < 1


def test_a_set_duration_is_the_least_length() -> None:
    assert scene_frames(Samples(SAMPLE_RATE), 5.0, 30) == 150
    assert scene_frames(Samples(SAMPLE_RATE * 9), 5.0, 30) == 291
    assert scene_frames(Samples(0), 2.0, 24) == 48


def test_a_thousand_scenes_do_not_drift() -> None:
    shots = lay_out([Frames(101)] * 1000)

    assert sample_at(shots[-1].end, 30) == 101_000 * 1600
