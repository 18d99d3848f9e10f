"""Whether anybody has committed since: what is read again and again can be kept in memory until then."""

import itertools
import sqlite3
import threading
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError


class CommitWatch:
    """Asks SQLite for its `data_version`, which another value follows on every commit of any other connection of any
    process (sqlite.org/pragma.html#pragma_data_version). A database that cannot say always says something new."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._connection: Any = None
        self._lock = threading.Lock()
        self._connections = itertools.count(1)
        self._number = 0

    def version(self) -> tuple[int, int]:
        """The same as before only if nothing was committed in between. Numbers of two connections say nothing about
        each other, so each connection has one of its own."""
        with self._lock:
            try:
                if self._connection is None:
                    self._number = next(self._connections)
                    self._connection = self._database.raw_connection()
                    self._connection.detach()
                return self._number, self._asked()
            except (SQLAlchemyError, sqlite3.Error):
                self._let_go()
                return next(self._connections), 0

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _asked(self) -> int:
        if self._database.dialect.name != "sqlite":
            return next(self._connections)
        return int(self._connection.cursor().execute("PRAGMA data_version").fetchone()[0])

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
