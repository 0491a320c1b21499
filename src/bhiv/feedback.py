"""What a person's opinion of a video is worth: the reward that Core learns from."""

from bhiv.errors import InputRefused

LOWEST, HIGHEST = 1, 5


def reward_of(rating: int, weight: float = 1.0) -> float:
    """Return the reward of a rating, from -1 to 1: `weight * (rating - 3) / 2`.

    The middle rating, 3, is worth nothing; each step away from it is worth half a point.

    Args:
        rating: whole stars from 1 to 5.
        weight: how much this opinion counts, from 0 to 1; 1 for a rating like all others.

    Raises:
        InputRefused: either is outside its range.
    """
    if isinstance(rating, bool) or not isinstance(rating, int) or not LOWEST <= rating <= HIGHEST:
        raise InputRefused(f"the rating is {rating!r}: give a whole number from {LOWEST} to {HIGHEST}")
    if not 0 <= weight <= 1:
        raise InputRefused(f"the weight of a rating is {weight!r}: give a number from 0 to 1")
    return weight * (2 * rating - LOWEST - HIGHEST) / (HIGHEST - LOWEST)
