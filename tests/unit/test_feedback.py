from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.errors import InputRefused
from bhiv.feedback import reward_of


@pytest.mark.parametrize(("rating", "reward"), [(1, -1.0), (2, -0.5), (3, 0.0), (4, 0.5), (5, 1.0)])
def test_a_rating_is_a_reward(rating: int, reward: float) -> None:
    assert reward_of(rating) == reward
    assert reward_of(rating, 0.5) == reward / 2


@given(rating=st.integers(1, 5), weight=st.floats(0, 1))
def test_rewards_stay_in_their_range(rating: int, weight: float) -> None:
    assert -1 <= reward_of(rating, weight) <= 1


@pytest.mark.parametrize("rating", [0, 6, -1, True, 3.5, float("nan"), "5", None])
def test_what_is_no_rating_is_refused(rating: Any) -> None:
    with pytest.raises(InputRefused, match="rating"):
        reward_of(rating)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf")])
def test_what_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(InputRefused, match="weight"):
        reward_of(3, weight)
