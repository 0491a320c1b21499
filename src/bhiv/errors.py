"""Everything that BHIV says when it can't go on; each message is a sentence for a person.

BhivError
├── InputRefused          what was given can't be rendered; nothing was started, nothing is left behind
│   ├── ScriptError           the script's text; carries the line
│   ├── PlanError             a render plan's field; carries its path
│   ├── VoiceError            no such voice, or it does not speak the language
│   │   └── Inarticulate          it exists, and does not speak the language
│   ├── FontError             a character that no font at hand can draw
│   ├── FootageRefused        a video clip that can't be shown
│   ├── JobMissing            there is no such job
│   ├── ContentMissing        there is no such content
│   ├── JobStateConflict      the job's state does not allow that
│   └── IdempotencyConflict   an idempotency key that was used for another request
├── SignatureRefused      a webhook that nobody who knows the secret has signed just now
├── AddressRefused        an address inside the own network, or none that BHIV asks for a stranger
├── AnswerRefused         a stranger's server answers more than was agreed
└── RunFailed             accepted work that could not be finished; `retryable` says whether a retry can help
├── ToolFailed            a child process (ffmpeg, espeak) ended badly; carries its last words
│   └── ToolTimedOut          it did not end in time and was killed
├── Interrupted           a person or the system asked for the end
├── GateRejected          the finished video is not what was asked for
├── ServerUnavailable     the Prefect server does not start or answer
├── ServiceUnavailable    the service can't be started
├── CatalogUnavailable    the catalog's database does not answer or can't be used
├── QueueFull             too many jobs wait
├── CoreUnavailable       Core does not take a message; it waits in the file of failed sends
├── VendorError           a service that an operator chose did not do what it was asked
│   ├── LMError               the language model
│   ├── SpeechError           a voice
│   └── PictureError          a source of pictures
├── MusicError            the music under the voices can't be had or heard
├── NoticeFailed          a message about a failed run was not taken by the service it was for
├── LeaseLost             the job is another run's, or nobody's any more; this one may write nothing
└── StorageError          the bucket or the disk
├── InvalidKey            not a key of the bucket's grammar
├── ObjectMissing         no object under the key
├── ObjectDamaged         the object's size or SHA-256 is not the recorded one
├── ObjectExists          there is an object under the key already
├── StorageUnavailable    S3 can't be reached, or fails itself
├── StorageMisconfigured  S3 refuses what the settings say; names the setting
└── DiskFull              no space left
"""

from collections.abc import Sequence


class BhivError(Exception):
    """Something went wrong that BHIV can explain."""

    #: Whether the same call may succeed when it is made again.
    retryable = False


class InputRefused(BhivError, ValueError):
    """What was given can't be rendered."""


class ScriptError(InputRefused):
    """The script can't be read as one; `line` counts from 1, None when it concerns the whole."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class PlanError(InputRefused):
    """A render plan breaks its contract; `field` is the dotted path, empty for the whole."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class VoiceError(InputRefused):
    """The voice does not exist or does not speak the script's language."""


class Inarticulate(VoiceError):
    """The voice does not speak the language; another may."""


class FontError(InputRefused):
    """A character of the script has no glyph in any font at hand."""


class FootageRefused(InputRefused):
    """A video clip of the user's own can't be shown."""


class JobMissing(InputRefused, LookupError):
    """There is no such job."""


class ContentMissing(InputRefused, LookupError):
    """There is no such content."""


class JobStateConflict(InputRefused):
    """The job's state does not allow what was asked for."""


class IdempotencyConflict(InputRefused):
    """The idempotency key was used for another request."""


class SignatureRefused(BhivError):
    """The webhook is not signed by anybody who knows the secret, or was signed too long ago."""


class AddressRefused(BhivError):
    """The address is inside the own network, or not one that BHIV asks on behalf of a stranger; nobody was asked."""


class AnswerRefused(BhivError):
    """A server that a stranger named answers more than was agreed; the rest was not read."""


class RunFailed(BhivError, RuntimeError):
    """Accepted work could not be finished."""


class ToolFailed(RunFailed):
    """A child process ended badly; `stderr_tail` holds its last lines."""

    retryable = True

    def __init__(self, argv: Sequence[str], returncode: int, stderr_tail: str, reason: str = "") -> None:
        last = stderr_tail.strip().splitlines()[-1:] or ["it said nothing"]
        super().__init__(f"{argv[0].rsplit('/', 1)[-1]} {reason or f'ended with code {returncode}'}: {last[0]}")
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class ToolTimedOut(ToolFailed, TimeoutError):
    """A child process did not end in time and was killed with all it had started."""


class Interrupted(RunFailed):
    """The run was asked to end before it was done."""


class GateRejected(RunFailed):
    """The finished file is not the video that was asked for, so it was not delivered."""


class ServerUnavailable(RunFailed, ConnectionError):
    """The Prefect server does not start, or does not answer."""

    retryable = True


class ServiceUnavailable(RunFailed, ConnectionError):
    """The service can't be started."""


class CatalogUnavailable(RunFailed, ConnectionError):
    """The catalog's database does not answer, or its file can't be used."""

    retryable = True


class QueueFull(RunFailed):
    """Too many jobs wait; nothing was accepted."""

    retryable = True


class CoreUnavailable(RunFailed, ConnectionError):
    """Core did not take a message.

    `retryable` says whether the same message may be taken later, `answered` whether anybody answered at all, and
    `retry_after_seconds` how long Core wants to be left alone, None when it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = True,
        answered: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.answered = answered
        self.retry_after_seconds = retry_after_seconds


class VendorError(RunFailed, ConnectionError):
    """A service did not do what it was asked, however often; who asked has another way, or none."""

    def __init__(
        self, message: str, *, can_pass: bool = False, is_down: bool = False, status: int | None = None
    ) -> None:
        super().__init__(message)
        #: With which HTTP status it refused; None when it did not answer, or not with a refusal.
        self.status = status
        #: Whether asking again, later, may help; it was asked as often as that is sensible.
        self.can_pass = can_pass
        #: Whether whatever else it is asked would fail too.
        self.is_down = is_down


class LMError(VendorError):
    """The language model did not do what it was asked."""


class SpeechError(VendorError):
    """A voice did not do what it was asked."""


class PictureError(VendorError):
    """A source of pictures did not do what it was asked."""


class MusicError(RunFailed):
    """The music that is to lie under the voices can't be had, or is none."""


class NoticeFailed(RunFailed, ConnectionError):
    """The service that a notification block names did not take a message."""

    retryable = True


class LeaseLost(RunFailed):
    """The job is another run's, or nobody's any more, so this run may write nothing about it."""


class StorageError(RunFailed):
    """The bucket or the disk under it can't do what was asked."""


class InvalidKey(StorageError, ValueError):
    """The key is not `segment/name` or `segment/folder/name` in lower-case ASCII."""


class ObjectMissing(StorageError, FileNotFoundError):
    """There is no object under the key."""


class ObjectDamaged(StorageError):
    """The object's size or SHA-256 is not the one recorded when it was written."""


class ObjectExists(StorageError, FileExistsError):
    """An object that must be new is there already; it was not touched."""


class StorageUnavailable(StorageError, ConnectionError):
    """S3 can't be reached, does not answer in time, or fails by itself."""

    retryable = True


class StorageMisconfigured(StorageError):
    """S3 refuses what the settings say; no retry helps before a person has changed one of them."""


class DiskFull(StorageError):
    """No space is left on the device; free some and run again."""
