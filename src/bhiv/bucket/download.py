"""The bytes of an S3 object; a connection that breaks is taken up where it broke."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from botocore import exceptions as boto
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from bhiv.bucket.s3_account import S3Account, explained, where
from bhiv.errors import ObjectDamaged, StorageUnavailable

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_PIECE = 1 << 20
#: In a row, without a byte gained. boto3 repeats requests, but no half-read answer.
_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 5


class _Broken(StorageUnavailable):
    """The answer ended too early; the next attempt asks for the rest."""


class Download:
    """An object from byte `start` on, at most `length` bytes; None reads to its end.

    `noted` is what was stored with the object, as soon as the first piece is there.
    """

    def __init__(self, account: S3Account, key: str, start: int = 0, length: int | None = None) -> None:
        self.noted: dict[str, str] = {}
        self._account, self._key = account, key
        self._next = start
        self._end = None if length is None else start + length
        self._etag = ""
        self._body: StreamingBody | None = None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in pieces.

        Raises:
            ObjectMissing: there is no object.
            ObjectDamaged: it was replaced while it was read.
            StorageUnavailable: it broke off again and again without a byte gained.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(_Broken),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        try:
            yield from iter(partial(retrying, self._piece), b"")
        finally:
            self._close()

    def _piece(self) -> bytes:
        if self._end is not None and self._next >= self._end:
            return b""
        if self._body is None:
            self._open()
        if self._body is None:  # nothing lies so far back
            return b""
        try:
            piece: bytes = self._body.read(_PIECE)
        except (boto.HTTPClientError, boto.IncompleteReadError, HTTPError, OSError) as error:
            self._close()
            raise _Broken(f"S3 at {where(self._account)} broke off while {self._key} was read: {error}") from error
        self._next += len(piece)
        return piece

    def _open(self) -> None:
        request = {"Bucket": self._account.bucket, "Key": self._account.prefix + self._key}
        if self._next or self._end is not None:
            request["Range"] = f"bytes={self._next}-{'' if self._end is None else self._end - 1}"
        if self._etag:
            request["IfMatch"] = self._etag
        with explained(self._account, self._key):
            try:
                answer = self._account.client().get_object(**request)  # type: ignore[arg-type]
            except boto.ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "InvalidRange":
                    return
                if code == "PreconditionFailed":
                    raise ObjectDamaged(f"{self._key} was replaced while it was read; run again") from error
                raise
        self._etag, self._body, self.noted = answer["ETag"], answer["Body"], answer["Metadata"]

    def _close(self) -> None:
        if self._body is not None:
            with contextlib.suppress(OSError, HTTPError):
                self._body.close()
            self._body = None
