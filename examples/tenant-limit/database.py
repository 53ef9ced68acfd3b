"""Each tenant's database takes two connections; who asks for a third is turned away.

database.py TENANT TASK    connect, work for a moment, disconnect; exit code 1 where both connections are taken
database.py peaks          how many connections each tenant's database had at most, and how often it was asked
"""

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

CONNECTIONS = 2
WORK_S = 0.2
FOLDER = Path("out")
TABLES = """
CREATE TABLE IF NOT EXISTS connected (job INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS log (task TEXT NOT NULL, connections INTEGER NOT NULL);
"""


def run(tenant: str, task: str) -> None:
    """Hold a connection for as long as the work takes."""
    job = int(os.environ["QUEUECTL_JOB_ID"])
    with closing(_open(tenant)) as database:
        connect(database, job, task)
        try:
            time.sleep(WORK_S)
        finally:
            database.execute("DELETE FROM connected WHERE job = ?", (job,))
    print(f"{task} of {tenant} is done")


def connect(database: sqlite3.Connection, job: int, task: str) -> None:
    """Count and take a connection under one lock: BEGIN IMMEDIATE lets nobody else in between."""
    database.execute("BEGIN IMMEDIATE")
    (taken,) = database.execute("SELECT count(*) FROM connected").fetchone()
    database.execute("INSERT INTO log VALUES (?, ?)", (task, taken + 1))
    if taken < CONNECTIONS:
        database.execute("INSERT INTO connected VALUES (?)", (job,))
    database.execute("COMMIT")
    if taken >= CONNECTIONS:
        sys.exit(f"too many connections: {taken} are open")


def peaks() -> None:
    """One line for each tenant."""
    for file in sorted(FOLDER.glob("*.tenant")):
        with closing(_open(file.stem)) as database:
            most, count = database.execute("SELECT max(connections), count(*) FROM log").fetchone()
        print(f"{file.stem}: {count} tasks, at most {most} at once")


def _open(tenant: str) -> sqlite3.Connection:
    database = sqlite3.connect(FOLDER / f"{tenant}.tenant", timeout=30, isolation_level=None)
    database.executescript(TABLES)
    return database


if __name__ == "__main__":
    peaks() if sys.argv[1:] == ["peaks"] else run(*sys.argv[1:])
