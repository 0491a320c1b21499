"""The block through which an operator is told of failed videos: one of Prefect's own, of any kind that can notify."""

from typing import Any

# Prefect knows its own kinds only when this module has been imported.
import prefect.blocks.notifications  # noqa: F401
from httpx import HTTPError, HTTPStatusError
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

from bhiv.errors import InputRefused, NoticeFailed

NAME = "bhiv-failures"


def notify(subject: str, body: str) -> str | None:
    """Send a message through the notification block named `bhiv-failures` and return its kind; None when there is none.

    Raises:
        InputRefused: the block of that name can't notify.
        NoticeFailed: the other side did not take the message.
    """
    slug = _kind()
    if slug is None:
        return None
    block = Block.load(f"{slug}/{NAME}")
    if not isinstance(block, NotificationBlock):
        raise InputRefused(f"the block {slug}/{NAME} can't send messages; give that name to a notification block")
    send: Any = block.notify  # declared as a coroutine, and none outside of async code
    try:
        with block.raise_on_failure():
            send(body, subject)
    except (HTTPError, NotificationError) as error:
        raise NoticeFailed(f"the block {slug}/{NAME} could not send its message: {_reason(error)}") from None
    return slug


def _kind() -> str | None:
    with get_client(sync_client=True) as client:
        found = client.read_block_documents(limit=200, include_secrets=False)
    kinds = [one.block_type.slug for one in found if one.name == NAME and one.block_type]
    return kinds[0] if kinds else None


def _reason(error: HTTPError | NotificationError) -> str:
    """Never the address, which is a secret of many services."""
    if isinstance(error, HTTPStatusError):
        return f"it was answered with {error.response.status_code}"
    return error.log.strip() if isinstance(error, NotificationError) else f"{type(error).__name__}: {error}"
