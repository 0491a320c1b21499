"""A message to whoever wants to know of failures."""

from bhiv.failure_note import FailureNote
from blocks.notification import NAME, notify
from tasks.step import step


@step("send_notice", "send the message")
def send_notice(note: FailureNote) -> str:
    """Send it by the operator's notification block, and return what became of it."""
    kind = notify(note.subject, note.body)
    return f"sent by {kind}/{NAME}" if kind else f"not sent: there is no notification block named {NAME}"
