"""What a person is told of a video that could not be made."""

from bhiv.catalog.views import JobView
from bhiv.plan import Contract


class FailureNote(Contract):
    """A message: one line for a subject, and the facts."""

    subject: str
    body: str


def failure_note(job: JobView | None, run_name: str, last_words: str, page: str) -> FailureNote:
    """Tell of a failed run: what it was to make, where it failed and why, and where to look.

    `job` is None for a run that failed before it had entered one; then the run's own name and last words count.
    """
    subject = f"BHIV could not make {job.title!r}" if job else f"BHIV could not make a video: {run_name}"
    error = job.error if job else None
    facts = [
        ("job", job.id if job else "none yet"),
        ("step", error.step if error else job.step if job else "before the first"),
        ("error", (error.message if error else last_words) or "it said nothing"),
        ("page", page),
    ]
    return FailureNote(subject=subject, body="\n".join(f"{name}: {value}" for name, value in facts))
