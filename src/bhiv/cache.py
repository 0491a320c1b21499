"""The cache: what a step made is found again under a hash of everything that made it.

A record of the result lies beside its objects in the bucket, so that any machine finds it. A record only counts when
every object it names is there with the recorded size and SHA-256; else the step runs again. Two machines that make the
same thing at once write the same bytes under the same key, which harms nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from bhiv.bucket import Artifact, Bucket
from bhiv.bucket.keys import Segment
from bhiv.errors import ObjectDamaged, ObjectMissing, StorageMisconfigured, StorageUnavailable

T = TypeVar("T", bound=BaseModel)

#: Records that a bucket, which may be far away, is asked for at once.
_AT_ONCE = 8


@dataclass(frozen=True)
class Step(Generic[T]):
    """The identity of a kind of work, kept apart from its code, whose text says too much and its name too little."""

    name: str
    #: Raise it whenever the same inputs would give other bytes.
    version: int
    segment: Segment
    #: What a result is: a model whose fields may be artifacts.
    result: type[T]

    def key(self, *inputs: BaseModel | str | float | None) -> str:
        """Return the name under which the result for these inputs is kept, without a suffix."""
        told = [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in inputs]
        identity = json.dumps([self.name, self.version, told], sort_keys=True, ensure_ascii=True, allow_nan=False)
        return f"{self.segment}/{self.name}-{hashlib.sha256(identity.encode()).hexdigest()[:40]}"


@dataclass(frozen=True)
class Made(Generic[T]):
    """A result, how long it took, and whether it was there already."""

    result: T
    seconds: float
    cached: bool
    #: What a person should know of how it came about, such as a service that was away; no part of the result.
    notes: tuple[str, ...] = ()


def recall(bucket: Bucket, step: Step[T], key: str, make: Callable[[], T]) -> Made[T]:
    """Return the result kept under `key`, or make it and keep it.

    `make` stores its objects in the bucket itself, before the record is written; what it raises is passed on and
    nothing is kept.
    """
    started = monotonic()
    kept = find(bucket, step, key)
    if kept is not None:
        return Made(kept, monotonic() - started, cached=True)
    result = make()
    keep(bucket, key, result)
    return Made(result, monotonic() - started, cached=False)


def keep(bucket: Bucket, key: str, result: BaseModel) -> None:
    """Keep a result whose objects are stored, for every later run."""
    bucket.put_bytes(f"{key}.json", result.model_dump_json().encode(), "application/json")


def find(bucket: Bucket, step: Step[T], key: str) -> T | None:
    """Return the result kept under `key`; None when there is none, or it is not whole, or can't be asked for."""
    try:
        result = step.result.model_validate_json(bucket.get_bytes(f"{key}.json"))
        whole = all(bucket.holds(value) for _, value in result if isinstance(value, Artifact))
    except (ObjectMissing, ObjectDamaged, ValidationError):
        return None
    except (StorageUnavailable, StorageMisconfigured):  # work goes on without S3: what can't be asked is made again
        return None
    return result if whole else None


def find_all(bucket: Bucket, step: Step[T], keys: Iterable[str]) -> list[T | None]:
    """Return what `find` does for each key, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [*pool.map(partial(find, bucket, step), keys)]


def keep_all(bucket: Bucket, results: Mapping[str, BaseModel]) -> None:
    """Keep results by their keys, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(partial(keep, bucket), results, results.values()):
            pass
