"""The `bhiv` command."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bhiv.errors import BhivError, InputRefused, StorageUnavailable

if TYPE_CHECKING:
    from bhiv.request import RenderRequest
    from bhiv.settings import Settings

#: Exit codes: what the user gave is wrong; the run failed; a person ended it (as shells count SIGINT).
_REFUSED, _FAILED, _INTERRUPTED = 2, 1, 130

#: In the context of a command that is not to be handed to another process.
HERE: tuple[str, ...] = ()

_PLAN_OPTIONS = (
    click.option("--topic", metavar="TEXT", help="In place of INPUT: what the language model writes a script about."),
    click.option("--minutes", type=float, metavar="N", help="How long a topic's video is, about; one minute."),
    click.option("--size", metavar="SIZE", help="landscape, portrait, square or WIDTHxHEIGHT."),
    click.option("--fps", type=int, metavar="N", help="Frames a second, 24 to 60."),
    click.option("--language", metavar="CODE", help="Language of the script, such as en or hi; read from its letters."),
    click.option("--voice", metavar="ENGINE[:NAME]", help="Who speaks, such as espeak or espeak:en-gb."),
    click.option("--title", metavar="TITLE", help="Title of the video."),
    click.option("--quality", type=click.Choice(["draft", "standard", "high"]), help="draft: half the size, fast."),
    click.option("--captions", type=click.Choice(["karaoke", "phrase", "pop", "off"]), help="What is burned in."),
    click.option(
        "--caption-position", type=click.Choice(["auto", "bottom", "middle", "top"]), help="Where captions are."
    ),
    click.option("--style", metavar="NAME", help="Palette of the pictures, such as dawn, night or lotus."),
    click.option("--transition", metavar="NAME", help="How scenes begin: auto, cut, crossfade, dip or slide."),
    click.option("--title-card/--no-title-card", default=None, help="A silent card with the title at the beginning."),
    click.option("--end-card", type=click.Choice(["auto", "always", "never"]), help="auto: when there are credits."),
    click.option("--music", metavar="FILE", help="Music to play under the voices: MP3, M4A, WAV, FLAC or Ogg."),
)


def _plan_options(command: Any) -> Any:
    for option in reversed(_PLAN_OPTIONS):
        command = option(command)
    return command


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what goes wrong into one line on stderr and the exit code of its kind; SIGTERM counts as SIGINT."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    try:
        for kind in kinds:  # a shell without job control starts children that ignore SIGINT
            signal.signal(kind, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, kinds)  # they are blocked while a process is forked
        yield
    except InputRefused as error:
        _complain(str(error))
        sys.exit(_REFUSED)
    except BhivError as error:
        _complain(str(error))
        sys.exit(_FAILED)
    except KeyboardInterrupt:
        _complain("interrupted; what is finished is kept for the next run")
        sys.exit(_INTERRUPTED)


def _complain(message: str) -> None:
    from bhiv.console import complain  # brings rich, which a command that is handed over does not need

    complain(message)


def _check_bucket(settings: "Settings") -> None:
    """Refuse to begin with a bucket that the settings don't lead to; one that is only away is warned of."""
    from bhiv.bucket import check_bucket
    from bhiv.console import complain

    try:
        check_bucket(settings)
    except StorageUnavailable as error:
        complain(f"{error}; until then what is made is kept in {settings.home / 'spool'}")


class _Group(click.Group):
    """A group whose context holds the whole command's arguments, unless it was made with something else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.obj is None:
            ctx.obj = tuple(args)
        return super().parse_args(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bhiv", message="%(prog)s %(version)s")
def main() -> None:
    """Turn a script into a narrated, illustrated, captioned video."""


def _request(source: str | None, topic: str | None, options: dict[str, Any], settings: "Settings") -> "RenderRequest":
    from bhiv import inputs

    if (source is None) == (topic is None):
        raise InputRefused("give either INPUT or --topic; `bhiv render --help` lists what there is")
    if topic is not None:
        return inputs.topic_request(topic, options, settings)
    assert source is not None
    return inputs.read_request(source, options, settings)


@main.command()
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The MP4 to write; out/NAME.mp4.")
@_plan_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Show all logs on stderr.")
@click.pass_obj
def render(
    arguments: tuple[str, ...],
    /,
    source: str | None,
    output: Path | None,
    *,
    topic: str | None,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Make a video of INPUT: a script (.txt, .md), a plan (.json), or - for standard input; or about a topic."""
    with _explained():
        started = time.monotonic()
        from bhiv import warm_command
        from bhiv.settings import inherited_environment, load_settings, warm_home

        if arguments != HERE and (code := warm_command.hand_over(arguments, warm_home())) is not None:
            sys.exit(code)
        settings, environment = load_settings(), inherited_environment()
        from bhiv import console, inputs, local_run
        from bhiv.bucket import open_bucket
        from bhiv.bucket.replay import spooled
        from bhiv.request import check_request

        request = _request(source, topic, options, settings)
        stem = inputs.name_of(topic or "") if source in (None, "-") else Path(source).stem
        target = output or Path("out") / f"{stem}.mp4"
        inputs.check_target(target)
        check_request(request, settings)
        _check_bucket(settings)
        with console.progress_shown() as watcher:
            summary = local_run.render(request, settings, watcher, verbose=verbose)
        bucket = open_bucket(settings)
        for suffix in (".srt", ".vtt", ".mp4"):
            stored = bucket.stat(f"videos/{summary.content_id}{suffix}")
            inputs.write_copy(bucket.fetch(stored.artifact), target.with_suffix(suffix))
        credited = inputs.write_credits(bucket, summary, target)
        if as_json:
            click.echo(summary.model_copy(update={"video": str(target)}).model_dump_json())
        else:
            click.echo(console.summary_line(summary, str(target), time.monotonic() - started))
        if credited:
            console.complain(f"show with the video whose pictures it uses: they are listed in {credited}")
        for note in summary.notes:
            console.complain(note)
        if waiting := spooled(settings).operations:
            console.complain(f"{waiting} changes of the bucket wait for S3 in {settings.home / 'spool'}")
        if arguments != HERE:
            warm_command.start(settings, environment)


@main.command()
@click.argument("source", metavar="[INPUT]", required=False)
@_plan_options
def plan(source: str | None, *, topic: str | None, **options: Any) -> None:
    """Print the plan that INPUT, or a topic, is rendered by, as JSON; edit it and render it."""
    with _explained():
        from bhiv.bucket import open_bucket
        from bhiv.console import complain
        from bhiv.planning import plan_video
        from bhiv.settings import load_settings

        settings = load_settings()
        request = _request(source, topic, options, settings)
        made = plan_video(request, settings, open_bucket(settings))
        click.echo(made.result.plan.model_dump_json(indent=2))
        for note in made.notes:
            complain(note)


@main.command()
@click.argument("sources", metavar="INPUT...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The .png or .jpg to write; out/NAME.png.")
@click.option("--size", metavar="SIZE", help="landscape, portrait, square or WIDTHxHEIGHT.")
@click.option("--columns", type=click.IntRange(1, 20), default=4, show_default=True, help="Pictures beside each other.")
@click.option("--style", metavar="NAME", help="Palette of the pictures, such as dawn, night or lotus.")
def pictures(sources: tuple[str, ...], output: Path | None, columns: int, **options: Any) -> None:
    """Draw the pictures of scripts or plans on one sheet, without making a video."""
    with _explained():
        from bhiv import inputs
        from bhiv.request import make_plan
        from bhiv.settings import load_settings

        settings = load_settings()
        name = "pictures" if sources[0] == "-" else Path(sources[0]).stem
        target = output or Path("out") / f"{name}.png"
        inputs.check_target(target, (".png", ".jpg", ".jpeg"), "a sheet is written as PNG or JPEG")
        plans = [make_plan(inputs.read_request(source, options, settings), settings) for source in sources]

        from bhiv.pictures.contact_sheet import contact_sheet, encoded

        inputs.write_whole(encoded(contact_sheet(plans, columns), target.suffix), target)
        click.echo(f"{target}  {sum(len(plan.scenes) for plan in plans)} pictures")


@main.command()
@click.argument("job", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object for a job, an array for the list.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Jobs listed at most.")
def status(job: str | None, *, as_json: bool, limit: int) -> None:
    """List the recent jobs, or tell all about JOB: an id, or enough of its beginning or end."""
    with _explained():
        from bhiv import job_list
        from bhiv.settings import load_settings

        if job is None:
            job_list.show_recent(load_settings(), limit, as_json=as_json)
        else:
            job_list.show_one(load_settings(), job, as_json=as_json)


@main.command()
def doctor() -> None:
    """Say what is present, what is missing and what to do."""
    with _explained():
        from bhiv.doctor import examine
        from bhiv.settings import load_settings

        findings = examine(load_settings())
        for finding in findings:
            click.echo(f"{'ok     ' if finding.ok else 'PROBLEM'}  {finding.subject}: {finding.message}")
        sys.exit(0 if all(finding.ok for finding in findings) else _FAILED)


@main.command()
@click.option("--language", metavar="CODE", default="en", show_default=True, help="Language, such as en or hi.")
def voices(language: str) -> None:
    """List who can speak a language here, and why the others can't."""
    with _explained():
        from bhiv.settings import load_settings
        from bhiv.speech.offer import offers

        for offer in offers(language, load_settings()):
            click.echo(f"{offer.engine:<12}{(offer.lacks and f'no: {offer.lacks}') or ', '.join(offer.voices)}")


@main.command()
def up() -> None:
    """Run the whole system on this machine: Prefect server, deployments and a worker; Ctrl-C ends it."""
    with _explained():
        from bhiv import house
        from bhiv.console import status_line
        from bhiv.one_system import alone, stop_if_unused
        from bhiv.prefect_server import find_server
        from bhiv.settings import load_settings

        settings = load_settings()
        with alone(settings) as free:
            if not free:
                server = find_server(settings)
                click.echo(f"it runs already; watch it at {server.ui_url if server else 'its server, which starts'}")
                return
            try:
                with house.connected(settings) as server:
                    house.load("deployments.up").up(settings, server, status_line)
            except KeyboardInterrupt:
                status_line("stopped", "what was accepted is kept for the next start")
            finally:
                stop_if_unused(settings)


@main.command()
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Runs at once; as many as there are encoders.")
@click.option("--name", metavar="NAME", help="Name that the Prefect UI shows.")
def worker(limit: int | None, name: str | None) -> None:
    """Take runs of a system that is up, here or on another machine (PREFECT_API_URL); Ctrl-C ends it."""
    with _explained():
        from bhiv import house
        from bhiv.settings import load_settings

        house.load("deployments.warm_worker").run_worker(load_settings(), limit=limit, name=name)


@main.command()
@click.option("--parent", type=int, hidden=True, help="Ends when this process, which has started it, has ended.")
def serve(parent: int | None) -> None:
    """Serve the HTTP API, for other programs; `bhiv up` does so besides all else. Ctrl-C ends it."""
    with _explained():
        from bhiv.console import status_line
        from bhiv.service.app import first_key, serve
        from bhiv.settings import load_settings

        settings = load_settings()
        if key := first_key(settings):
            status_line("key", f"{key}  opens everything; it is shown this once")
        serve(settings, lambda address: status_line("service", address), parent)


@main.group()
def keys() -> None:
    """Make, list and revoke keys to the HTTP API."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What it opens; give several. render:write.")
def create_key(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key for NAME and print it, this once."""
    with _explained():
        from bhiv import api_keys
        from bhiv.catalog import open_catalog
        from bhiv.settings import load_settings

        with open_catalog(load_settings()) as catalog, catalog.writing() as connection:
            click.echo(api_keys.create(connection, name, scopes or ("render:write", "render:read")))


@keys.command("list")
def list_keys() -> None:
    """List the keys; what opens them is kept nowhere."""
    with _explained():
        from bhiv import api_keys
        from bhiv.catalog import open_catalog
        from bhiv.settings import load_settings

        with open_catalog(load_settings()) as catalog:
            for key in api_keys.listed(catalog):
                used = f"used {key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never used"
                state = "revoked" if key.revoked_at else used
                click.echo(f"{key.id}  {key.name}  {','.join(key.scopes)}  {state}")


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
def revoke_key(key_id: str) -> None:
    """Have the key ID open nothing any more."""
    with _explained():
        from bhiv import api_keys
        from bhiv.catalog import open_catalog
        from bhiv.settings import load_settings

        with open_catalog(load_settings()) as catalog, catalog.writing() as connection:
            api_keys.revoke(connection, key_id)
        click.echo(f"the key {key_id} opens nothing any more")


@main.group("deliveries")
def letters() -> None:
    """List what callbacks and the Core service have not got yet, and send it again."""


@letters.command("list")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Listed at most.")
def list_letters(limit: int) -> None:
    """List what has not arrived, the newest first."""
    with _explained():
        from bhiv.catalog import deliveries, open_catalog
        from bhiv.settings import load_settings

        with open_catalog(load_settings()) as catalog:
            for letter in deliveries.unfinished(catalog, limit):
                state = f"next try {letter.due_at:%Y-%m-%d %H:%M} UTC" if letter.due_at else "given up"
                click.echo(f"{letter.id}  {letter.kind}  job {letter.job_id}  {state}  {letter.error or ''}".rstrip())


@letters.command("replay")
@click.argument("letter", metavar="ID")
def replay_letter(letter: str) -> None:
    """Have the service send the letter ID again, whether it has arrived before or not."""
    with _explained():
        from bhiv.catalog import deliveries, open_catalog
        from bhiv.settings import load_settings

        with open_catalog(load_settings()) as catalog, catalog.writing() as connection:
            if not deliveries.replay(connection, letter):
                raise InputRefused(f"there is no letter {letter!r}; `bhiv deliveries list` shows those that wait")
        click.echo(f"the letter {letter} is sent as soon as the service runs")


@main.command()
def blocks() -> None:
    """Register BHIV's blocks with Prefect and write those that are missing."""
    with _explained():
        from bhiv import house
        from bhiv.settings import load_settings

        settings = load_settings()
        with house.connected(settings) as server:
            written = house.load("blocks.defaults").register(settings)
        for name, new in written.items():
            click.echo(f"{name}  {'written from the environment' if new else 'kept as it was set'}")
        click.echo(f"edit them at {server.ui_url}/v2/blocks")


@main.command()
def down() -> None:
    """End the Prefect server that this home keeps, and the process that keeps renders warm."""
    with _explained():
        from bhiv import warm_command
        from bhiv.prefect_server import stop_server
        from bhiv.settings import load_settings

        settings = load_settings()
        if warm_command.stop(settings):
            click.echo(f"the warm process of {settings.home} takes no more commands")
        stopped = stop_server(settings)
        click.echo(f"the Prefect server of {settings.home} {'has ended' if stopped else 'is not running'}")


if __name__ == "__main__":
    main()
