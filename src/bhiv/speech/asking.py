"""Asking a speech service over HTTP: how patiently, and how much it may answer."""

from typing import Any

from bhiv.vendors import Patience, Vendor, VendorClient, wait_for

#: A sentence takes a service a second or two; a video has hundreds.
PATIENCE = Patience(attempts=3, first_pause=1.0, longest_pause=10.0, silence=30.0, total=60.0)
#: A sentence of 300 characters takes 20 s to say, so half a megabyte as MP3 and two as WAV.
MOST_BYTES = 16 << 20


def post(vendor: Vendor, path: str, **content: Any) -> bytes:
    """Return the body of the answer to a POST; `content` is as for `VendorClient.ask`.

    Raises:
        SpeechError: it could not be had.
        Interrupted: the run was asked to end meanwhile.
    """

    async def once() -> bytes:
        async with VendorClient(vendor) as client:
            return (await client.ask("POST", path, **content)).body

    return wait_for(once())
