from bhiv.bucket import Artifact
from bhiv.bucket.local import LocalBucket
from bhiv.cache import Step, recall
from bhiv.plan import Contract


class Thing(Contract):
    blob: Artifact


STEP = Step("thing", 1, "tmp", Thing)


class Maker:
    """Counts how often it had to make the thing."""

    def __init__(self, bucket: LocalBucket, key: str) -> None:
        self.bucket, self.key, self.times = bucket, key, 0

    def __call__(self) -> Thing:
        self.times += 1
        return Thing(blob=self.bucket.put_bytes(f"{self.key}.bin", b"bytes", "application/octet-stream"))


def test_what_was_made_is_found_again(bucket: LocalBucket) -> None:
    key = STEP.key("input")
    make = Maker(bucket, key)

    first, second = recall(bucket, STEP, key, make), recall(bucket, STEP, key, make)

    assert (first.cached, second.cached, make.times) == (False, True, 1)
    assert first.result == second.result


def test_a_deleted_object_is_made_again(bucket: LocalBucket) -> None:
    key = STEP.key("input")
    make = Maker(bucket, key)
    recall(bucket, STEP, key, make)
    bucket.delete(f"{key}.bin")

    assert recall(bucket, STEP, key, make).cached is False
    assert bucket.get_bytes(f"{key}.bin") == b"bytes"


def test_a_damaged_object_is_made_again(bucket: LocalBucket) -> None:
    key = STEP.key("input")
    make = Maker(bucket, key)
    recall(bucket, STEP, key, make)
    bucket.path(f"{key}.bin").write_bytes(b"bytez")  # the same size

    assert recall(bucket, STEP, key, make).cached is False
    assert bucket.get_bytes(f"{key}.bin") == b"bytes"


def test_a_torn_record_counts_as_none(bucket: LocalBucket) -> None:
    key = STEP.key("input")
    make = Maker(bucket, key)
    recall(bucket, STEP, key, make)
    bucket.path(f"{key}.json").write_bytes(b'{"blob": {"key"')

    assert recall(bucket, STEP, key, make).cached is False


def test_two_steps_with_equal_inputs_have_different_keys() -> None:
    other = Step("other", 1, "tmp", Thing)

    assert STEP.key("a", 1) != other.key("a", 1)


def test_version_and_every_input_change_the_key() -> None:
    newer = Step("thing", 2, "tmp", Thing)

    assert len({STEP.key("a", 1), STEP.key("a", 2), STEP.key("b", 1), STEP.key("a1"), newer.key("a", 1)}) == 5


def test_a_key_is_the_same_in_every_process() -> None:
    assert STEP.key("a", None, 2.5) == "tmp/thing-" + STEP.key("a", None, 2.5).removeprefix("tmp/thing-")
    assert len(STEP.key("a")) == len("tmp/thing-") + 40
