"""Connecting to a database, and saying in plain words what is wrong with it."""

import contextlib
import dataclasses
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from thalweg.core import StoreError, StoreVersionError

_BUSY_SECONDS = 15.0
"""How long to wait for another process's transaction; one batch takes far less."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of database file.

    Attributes:
        name: What its `meta` table says under `format`.
        version: Schema version; raised when an older Thalweg could misread what a newer writes.
        metadata: Its tables; one is `meta`, with the columns `key` and `value` (JSON).
        noun: What it is called in messages.
        source: What makes one, for hints: "`thalweg map` wrote".
        begin: What to do first, for hints: "map a system first".
        example: A file name.
        durable: Whether a finished transaction survives a power cut (SQLite; costs an `fsync`
            for each), and not only a killed process.
    """

    name: str
    version: int
    metadata: sa.MetaData
    noun: str
    source: str
    begin: str
    example: str
    durable: bool = False

    @property
    def wanted(self) -> str:
        """The usual hint."""
        return f"name a file that {self.source}, or a new one"


def open_database(
    url: str | Path, form: Format, facts: Mapping[str, Any] | None
) -> tuple[sa.Engine, str, dict[str, str]]:
    """Connect to a store; with facts, make it if it does not exist.

    Args:
        url: A path (an SQLite file), or a URL such as `postgresql+psycopg://host/name`.
        form: What kind of store it is.
        facts: What the `meta` table of a new store says, besides its format and version; `None`
            takes whatever is there.

    Returns:
        The engine, the store's name for messages, and the facts found or made, each as JSON.

    Raises:
        StoreError: or one of its kinds, if the store cannot be used.
    """
    engine = make_engine(url, form, create=facts is not None)
    name = display_name(url)
    try:
        with guarded(name, form):
            return engine, name, _prepare(engine, name, form, facts)
    except BaseException:
        engine.dispose()
        raise


def make_engine(url: str | Path, form: Format, *, create: bool) -> sa.Engine:
    """An engine for a file name or a SQLAlchemy URL; nothing is opened yet.

    Args:
        url: A path (an SQLite file), or a URL such as `postgresql+psycopg://host/name`.
        form: What kind of store it is.
        create: Whether the file may be made.

    Raises:
        StoreError: if the file or its folder is missing, or the URL or its driver is unknown.
    """
    text = str(url)
    if "://" not in text and text != ":memory:":
        return _sqlite_engine(Path(text), form, create=create)
    try:
        parsed = sa.make_url("sqlite://" if text == ":memory:" else text)
    except exc.ArgumentError as error:
        raise StoreError(
            f"{text!r} is neither a file name nor a database URL",
            "a URL looks like postgresql+psycopg://user@host/database",
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:" and not parsed.query:
            return _sqlite_engine(Path(parsed.database), form, create=create)
        return _with_pragmas(sa.create_engine(parsed), form, wal=False)
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


def _sqlite_engine(path: Path, form: Format, *, create: bool) -> sa.Engine:
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a file", f"name a file: {path / form.example}")
    if not path.exists():
        if not create:
            raise StoreError(f"there is no file {path}", f"check the name, or {form.begin}")
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
    return _with_pragmas(engine, form, wal=True)


def _read_only_url(path: Path) -> sa.URL:
    """A file that cannot change needs no lock files beside it."""
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    return sa.URL.create("sqlite", database=f"file:{path}", query=query)


def _with_pragmas(engine: sa.Engine, form: Format, *, wal: bool) -> sa.Engine:
    """SQLite as a store needs it: a log that survives a kill, keys that are enforced."""

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transaction control would commit before CREATE TABLE.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if form.durable else 'NORMAL'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextlib.contextmanager
def guarded(where: str, form: Format) -> Iterator[None]:
    """Turn the database's errors into ours, each with a way out.

    Args:
        where: Name of the store, for the message.
        form: What kind of store it is.

    Raises:
        StoreError: for every error of the database.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise StoreError(*_explained(where, form, error)) from error


def _explained(where: str, form: Format, error: exc.SQLAlchemyError) -> tuple[str, str]:
    reason = str(error.orig) if isinstance(error, exc.DBAPIError) else str(error)
    reason = reason.strip().splitlines()[0] if reason.strip() else type(error).__name__
    for symptom, message, hint in _SYMPTOMS:
        if symptom in reason:
            return f"{where}: {message} ({reason})", hint
    if "not a database" in reason:
        return f"{where}: this is not a {form.noun} ({reason})", form.wanted
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


def display_name(url: str | Path) -> str:
    """File name or URL without its password, for messages."""
    text = str(url)
    return sa.make_url(text).render_as_string() if "://" in text else text


def _prepare(
    engine: sa.Engine, name: str, form: Format, facts: Mapping[str, Any] | None
) -> dict[str, str]:
    """Check that the database is such a store, or make it one."""
    meta = form.metadata.tables["meta"]
    tables = set(sa.inspect(engine).get_table_names())
    found: dict[str, str] = {}
    if "meta" in tables:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(meta.c.key, meta.c.value)).all()
            found = {row.key: row.value for row in rows}
    if not found:
        if facts is None or tables - set(form.metadata.tables):
            what = "holds other tables" if tables else "is empty"
            raise StoreError(f"{name} is no {form.noun}: the database {what}", form.wanted)
        return _create(engine, form, facts)
    if json.loads(found.get("format", "null")) != form.name:
        raise StoreError(f"{name} is no {form.noun}", f"name a file that {form.source}")
    version = json.loads(found["schema_version"])
    if version > form.version:
        raise StoreVersionError(
            f"{name} has schema version {version}; this Thalweg reads up to {form.version}",
            "pip install --upgrade thalweg",
        )
    return found


def _create(engine: sa.Engine, form: Format, facts: Mapping[str, Any]) -> dict[str, str]:
    """Make the tables; the facts go in last, in the same transaction."""
    stated = {"format": form.name, "schema_version": form.version, "created": now(), **facts}
    written = {key: json.dumps(value) for key, value in stated.items()}
    with engine.begin() as connection:
        form.metadata.create_all(connection)
        connection.execute(
            form.metadata.tables["meta"].insert(),
            [{"key": key, "value": value} for key, value in written.items()],
        )
    return written


def now() -> str:
    """The time, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
