"""Group commit on both databases: who writes beside others is told of its own fate only."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bhiv.catalog import Catalog
from bhiv.catalog.database import now
from bhiv.catalog.models import User
from bhiv.catalog.rows import insert
from bhiv.catalog.writer import Writer
from bhiv.errors import CatalogUnavailable, InputRefused, QueueFull


class Held:
    """A writer whose thread waits, so that what is written meanwhile shares one transaction."""

    def __init__(self, catalog: Catalog) -> None:
        self.writer = Writer(catalog)
        self._go = threading.Event()
        self._begun = threading.Event()

    def __enter__(self) -> "Held":
        self.writer.__enter__()
        self.writer.write(self._wait)
        assert self._begun.wait(10)
        return self

    def _wait(self, _: Connection) -> None:
        self._begun.set()
        assert self._go.wait(10)

    def let_go(self, futures: list[Future[Any]]) -> None:
        self._go.set()
        assert not wait(futures, 20).not_done

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self.writer.__exit__()


@pytest.fixture
def held(catalog: Catalog) -> Iterator[Held]:
    with Held(catalog) as made:
        yield made


def named(name: str) -> Any:
    def do(connection: Connection) -> str:
        insert(connection, User, {"id": name, "created_at": now(connection)})
        return name

    return do


def users(catalog: Catalog) -> set[str]:
    with catalog.reading() as connection:
        return set(connection.scalars(select(User.id)))


def refused(connection: Connection) -> None:
    named("half-way")(connection)
    raise QueueFull("no room")


def broken(connection: Connection) -> None:
    named("half-way")(connection)
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (refused, QueueFull),
        (broken, ZeroDivisionError),
        (named("nul \0"), InputRefused),
        (named("half \ud800"), InputRefused),
        (named("first"), IntegrityError),
    ],
)
def test_who_fails_undoes_its_own_writes_only(catalog: Catalog, held: Held, wrong: Any, error: type[Exception]) -> None:
    futures = [held.writer.write(do) for do in (named("first"), wrong, named("last"))]

    held.let_go(futures)

    assert [futures[0].result(), futures[2].result()] == ["first", "last"]
    assert isinstance(futures[1].exception(), error)
    assert users(catalog) == {"first", "last"}


def test_what_is_told_is_on_the_disk(catalog: Catalog, held: Held) -> None:
    futures = [held.writer.write(named(f"{number:03}")) for number in range(250)]

    held.let_go(futures)

    assert len(users(catalog)) == 250


def test_a_catalog_that_is_away_fails_all_of_a_transaction(catalog: Catalog, held: Held) -> None:
    def away(_: Connection) -> None:
        raise CatalogUnavailable("the catalog is away")

    futures = [held.writer.write(do) for do in (named("first"), away, named("last"))]

    held.let_go(futures)

    assert [type(future.exception()) for future in futures] == [CatalogUnavailable] * 3
    assert users(catalog) == set()
    assert held.writer.write(named("later")).result(10) == "later"


def test_a_transaction_that_can_not_be_ended_fails_all_of_it(catalog: Catalog, held: Held) -> None:
    def end(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    futures = [held.writer.write(do) for do in (named("first"), end, named("last"))]

    held.let_go(futures)

    assert all(future.exception() for future in futures)
    assert users(catalog) == set()
    assert held.writer.write(named("later")).result(10) == "later"


def test_who_no_longer_waits_is_left_out(catalog: Catalog, held: Held) -> None:
    futures = [held.writer.write(named(name)) for name in ("first", "second")]

    assert futures[0].cancel()
    held.let_go(futures[1:])

    assert users(catalog) == {"second"}


def test_what_waits_is_written_before_the_end(catalog: Catalog) -> None:
    with Writer(catalog) as writer:
        future = writer.write(named("last"))

    assert future.result(0) == "last"
    assert users(catalog) == {"last"}


def test_an_event_loop_hands_over_at_once_what_it_asks_for_at_the_same_time(catalog: Catalog) -> None:
    async def late(writer: Writer, turns: int) -> Connection:
        for _ in range(turns):  # as a request does whose body comes in parts
            await asyncio.sleep(0)
        return await writer.written(lambda connection: connection)

    async def all_together(writer: Writer) -> list[Connection | BaseException]:
        asked: list[Coroutine[Any, Any, Any]] = [late(writer, number % 10) for number in range(30)]
        return await asyncio.gather(*asked, writer.written(refused), return_exceptions=True)

    with Writer(catalog) as writer:
        *connections, error = asyncio.run(all_together(writer))

    assert len({id(connection) for connection in connections}) == 1
    assert isinstance(error, QueueFull)


def test_who_never_pauses_is_written_all_the_same(catalog: Catalog) -> None:
    async def one_a_turn(writer: Writer) -> int:
        first = asyncio.create_task(writer.written(named("first")))
        others = []
        while not first.done():
            others.append(asyncio.create_task(writer.written(lambda _: None)))
            await asyncio.sleep(0)
        await asyncio.gather(*others)
        return len(others)

    with Writer(catalog) as writer:
        assert asyncio.run(one_a_turn(writer)) > 0

    assert users(catalog) == {"first"}


def test_who_writes_after_the_end_is_told(catalog: Catalog) -> None:
    with Writer(catalog) as writer:
        pass

    with pytest.raises(CatalogUnavailable):
        writer.write(named("too late")).result(5)


def test_a_part_of_a_transaction_is_undone_alone(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        named("kept")(connection)
        with pytest.raises(InputRefused), catalog.part(connection):
            named("lost")(connection)
            connection.execute(sqlalchemy.insert(User).values(id="nul \0", created_at=now(connection)))

    assert users(catalog) == {"kept"}
