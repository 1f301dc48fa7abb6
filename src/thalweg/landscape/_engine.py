"""Connecting to a database, and saying in plain words what is wrong with it."""

import contextlib
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from thalweg.core import StoreError, StoreMismatchError, StoreVersionError

from . import _schema as schema
from ._schema import StoreHeader

_BUSY_SECONDS = 15.0
"""How long to wait for another process's transaction; one batch takes far less."""


def open_database(
    url: str | Path, header: StoreHeader | None
) -> tuple[sa.Engine, str, StoreHeader]:
    """Connect to a store; with a header, make it if it does not exist.

    Args:
        url: A path (an SQLite file), or a URL such as `postgresql+psycopg://host/name`.
        header: What system the store is for; `None` takes whatever is there.

    Returns:
        The engine, the store's name for messages, and the header found or made.

    Raises:
        StoreError: or one of its kinds, if the store cannot be used.
    """
    engine = make_engine(url, create=header is not None)
    name = _display_name(url)
    try:
        with guarded(name):
            return engine, name, _prepare(engine, name, header)
    except BaseException:
        engine.dispose()
        raise


def make_engine(url: str | Path, *, create: bool) -> sa.Engine:
    """An engine for a file name or a SQLAlchemy URL; nothing is opened yet.

    Args:
        url: A path (an SQLite file), or a URL such as `postgresql+psycopg://host/name`.
        create: Whether the file may be made.

    Raises:
        StoreError: if the file or its folder is missing, or the URL or its driver is unknown.
    """
    text = str(url)
    if "://" not in text and text != ":memory:":
        return _sqlite_engine(Path(text), create=create)
    try:
        parsed = sa.make_url("sqlite://" if text == ":memory:" else text)
    except exc.ArgumentError as error:
        raise StoreError(
            f"{text!r} is neither a file name nor a database URL",
            "a URL looks like postgresql+psycopg://user@host/database",
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:" and not parsed.query:
            return _sqlite_engine(Path(parsed.database), create=create)
        return _with_pragmas(sa.create_engine(parsed), wal=False)
    try:
        return sa.create_engine(parsed)
    except exc.NoSuchModuleError as error:
        raise StoreError(
            f"no database is called {parsed.drivername!r}", "use sqlite or postgresql+psycopg"
        ) from error
    except ModuleNotFoundError as error:
        package = "'psycopg[binary]'" if error.name == "psycopg" else error.name
        raise StoreError(
            f"the driver for {parsed.drivername!r} is not installed ({error.name})",
            f"pip install {package}",
        ) from error


def _sqlite_engine(path: Path, *, create: bool) -> sa.Engine:
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a file", f"name a file: {path / 'landscape.db'}")
    if not path.exists():
        if not create:
            raise StoreError(f"there is no file {path}", "check the name, or map a system first")
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
    busy = {"timeout": _BUSY_SECONDS}
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        if create:
            raise StoreError(f"{path} cannot be written", "check the permissions of the file")
        return sa.create_engine(_read_only_url(path), connect_args=busy)
    if not os.access(path.parent, os.W_OK):
        return sa.create_engine(_read_only_url(path), connect_args=busy)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args=busy)
    return _with_pragmas(engine, wal=True)


def _read_only_url(path: Path) -> sa.URL:
    """A file that cannot change needs no lock files beside it."""
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    return sa.URL.create("sqlite", database=f"file:{path}", query=query)


def _with_pragmas(engine: sa.Engine, *, wal: bool) -> sa.Engine:
    """SQLite as a store needs it: a log that survives a kill, keys that are enforced."""

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transaction control would commit before CREATE TABLE.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextlib.contextmanager
def guarded(where: str) -> Iterator[None]:
    """Turn the database's errors into ours, each with a way out.

    Args:
        where: Name of the store, for the message.

    Raises:
        StoreError: for every error of the database.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise StoreError(*_explained(where, error)) from error


def _explained(where: str, error: exc.SQLAlchemyError) -> tuple[str, str]:
    reason = str(error.orig) if isinstance(error, exc.DBAPIError) else str(error)
    reason = reason.strip().splitlines()[0] if reason.strip() else type(error).__name__
    for symptom, message, hint in _SYMPTOMS:
        if symptom in reason:
            return f"{where}: {message} ({reason})", hint
    if isinstance(error, exc.IntegrityError):
        return (
            f"{where}: the batch contradicts what is stored ({reason})",
            "is another run writing to the same store? Each run needs a store of its own",
        )
    return f"{where}: {reason}", "is the database running and is the URL right?"


_SYMPTOMS = (
    (
        "database is locked",
        "another process holds the file",
        "wait for it, or find it with `fuser FILE`",
    ),
    (
        "not a database",
        "this is not a landscape store",
        "name a file that `thalweg map` wrote, or a new one",
    ),
    (
        "malformed",
        "the file is damaged",
        "`sqlite3 FILE .recover | sqlite3 NEW` saves what can be saved",
    ),
    (
        "unable to open",
        "the file cannot be opened",
        "check that the folder exists and is writable",
    ),
    ("readonly", "the file cannot be written", "check the permissions of the file and its folder"),
    ("disk is full", "the disk is full", "make room; what was committed is safe"),
    ("disk I/O error", "the disk failed", "check the file system; what was committed is safe"),
)


def _display_name(url: str | Path) -> str:
    text = str(url)
    return sa.make_url(text).render_as_string() if "://" in text else text


def _prepare(engine: sa.Engine, name: str, header: StoreHeader | None) -> StoreHeader:
    """Check that the database is a store for this system, or make it one."""
    tables = set(sa.inspect(engine).get_table_names())
    facts: dict[str, str] = {}
    if "meta" in tables:
        with engine.connect() as connection:
            found = connection.execute(sa.select(schema.meta.c.key, schema.meta.c.value)).all()
            facts = {row.key: row.value for row in found}
    if not facts:
        if header is None or tables - set(schema.metadata.tables):
            what = "holds other tables" if tables else "is empty"
            raise StoreError(
                f"{name} is no landscape store: the database {what}",
                "name a file that `thalweg map` wrote, or a new one",
            )
        return _create(engine, header)
    if json.loads(facts.get("format", "null")) != schema.FORMAT:
        raise StoreError(f"{name} is no landscape store", "name a file that `thalweg map` wrote")
    version = json.loads(facts["schema_version"])
    if version > schema.SCHEMA_VERSION:
        raise StoreVersionError(
            f"{name} has schema version {version}; this Thalweg reads up to "
            f"{schema.SCHEMA_VERSION}",
            "pip install --upgrade thalweg",
        )
    stored = StoreHeader.from_json(facts)
    if header is not None and stored.fingerprint != header.fingerprint:
        raise StoreMismatchError(
            f"{name} belongs to the system {stored.name!r} ({stored.fingerprint}), "
            f"not to {header.name!r} ({header.fingerprint})",
            "give each system a store of its own; a changed energy is another system",
        )
    return stored


def _create(engine: sa.Engine, header: StoreHeader) -> StoreHeader:
    """Make the tables; the facts go in last, in the same transaction."""
    facts = {
        "format": json.dumps(schema.FORMAT),
        "schema_version": json.dumps(schema.SCHEMA_VERSION),
        "created": json.dumps(now()),
        **header.to_json(),
    }
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        connection.execute(
            schema.meta.insert(), [{"key": key, "value": value} for key, value in facts.items()]
        )
    return header


def now() -> str:
    """The time, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
