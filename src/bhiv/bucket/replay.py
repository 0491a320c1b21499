"""Moving the spool to S3 when it is back."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from bhiv.bucket.artifact import Artifact
from bhiv.bucket.copies import Copies
from bhiv.bucket.opening import open_copies, open_s3, open_spool
from bhiv.bucket.protocol import Bucket
from bhiv.bucket.spool import FailedOperation, ReplayedOperation, Spool
from bhiv.errors import ObjectMissing, StorageError, StorageMisconfigured, StorageUnavailable
from bhiv.settings import Settings


@dataclass(frozen=True)
class Spooled:
    """What waits for S3; the bucket is degraded unless `operations` is 0."""

    operations: int
    #: Of the objects that wait.
    bytes: int
    #: Of the oldest; None when nothing waits.
    since: datetime | None
    #: Why the newest waits; None when nothing does.
    error: str | None

    @property
    def told(self) -> str:
        """How much waits and since when, in words; empty when nothing does."""
        if self.since is None:
            return ""
        many = f"{self.operations} changes wait" if self.operations > 1 else "1 change waits"
        return f"{many} for S3 since {self.since:%Y-%m-%d %H:%M} UTC"


@dataclass
class Replay:
    """What a replay did."""

    #: Operations that are on S3 now, and the bytes that were sent for them.
    operations: int = 0
    bytes: int = 0
    #: Operations that still wait.
    left: int = 0
    #: Keys of writes that were noted and never finished: their writer was killed before it could say that it was done.
    dropped: list[str] = field(default_factory=list)
    #: What went wrong, a sentence each.
    errors: list[str] = field(default_factory=list)
    #: Whether another replay is at work, so that this one did nothing.
    busy: bool = False


def spooled(settings: Settings) -> Spooled:
    """Return how much waits for S3 and since when; S3 is not asked."""
    spool = open_spool(settings)
    waiting = spool.waiting()
    if not waiting:
        return Spooled(0, 0, None, None)
    size = 0
    for key in {operation.key for operation in waiting if operation.operation == "put"}:
        try:
            size += spool.objects.stat(key).artifact.size
        except ObjectMissing:  # gone to S3 in between
            continue
    return Spooled(len(waiting), size, waiting[0].failed_at, waiting[-1].error)


def failed_operations(settings: Settings) -> list[FailedOperation]:
    """Return all operations that wait for S3, the oldest first."""
    return open_spool(settings).waiting()


def replayed_operations(settings: Settings) -> list[ReplayedOperation]:
    """Return the operations that failed once and are done, in the order in which they failed, until a clean-up."""
    return list(open_spool(settings).replayed())


def replay_failures(settings: Settings) -> Replay:
    """Do on S3 what could not be done before, in order, and return what was done; again and again is no harm.

    The changes of one key are done as one: its last state counts. An outage ends the replay, a refusal only that of
    the key; what was not done waits on.

    Raises:
        StorageMisconfigured: something waits, but the settings name no S3 bucket.
    """
    spool = open_spool(settings)
    if not spool.waiting():
        return Replay()
    if settings.storage_backend != "s3":
        raise StorageMisconfigured("objects wait for S3, but BHIV_STORAGE_BACKEND is local: set it to s3 to move them")
    with spool.draining() as alone:
        if not alone:
            return Replay(busy=True, left=len(spool.waiting()))
        return _drain(spool, open_s3(settings), open_copies(settings))


def _drain(spool: Spool, remote: Bucket, copies: Copies) -> Replay:
    report = Replay()
    by_key: dict[str, list[FailedOperation]] = defaultdict(list)
    for operation in spool.waiting():
        by_key[operation.key].append(operation)
    for key in by_key:
        try:
            _replay(spool, remote, copies, key, report)
        except StorageError as error:
            report.errors.append(f"{key}: {error}")
            if newest := spool.newest(key):
                spool.note_attempt(newest, error)
            if isinstance(error, StorageUnavailable):
                spool.trip(error)
                break
        else:
            spool.reset()
    report.left = len(spool.waiting())
    return report


def _replay(spool: Spool, remote: Bucket, copies: Copies, key: str, report: Replay) -> None:
    """Bring one key on S3 to its last state; a state that came later waits for the next replay."""
    with spool.locked():
        seen = spool.waiting(key)
        if not seen:  # its writer found the disk full and took it back
            return
        wanted = _wanted(spool, seen[-1])
        # The spool's own file may be replaced while it is sent.
        path = wanted and copies.adopt(wanted, spool.objects.fetch(wanted))
        if path is None and seen[-1].operation == "put":
            spool.forget([operation.name for operation in seen])
            report.dropped.append(key)
            return
    if wanted and path:
        remote.put_file(key, path, wanted.media_type)
        report.bytes += wanted.size
    else:
        remote.delete(key)
    with spool.locked():
        newest = spool.newest(key)
        if newest and newest.name == seen[-1].name:
            spool.objects.delete(key)
        spool.archive([operation.name for operation in seen])
    report.operations += len(seen)


def _wanted(spool: Spool, newest: FailedOperation) -> Artifact | None:
    if newest.operation == "delete":
        return None
    try:
        return spool.objects.stat(newest.key).artifact.model_copy(update={"media_type": newest.media_type})
    except ObjectMissing:
        return None
