"""Stands in for a database server and its tools: replace `shop.py dump` by pg_dump or mysqldump.

shop.py make    fill out/shop.db with orders, unless it is there
shop.py dump    write the database to stdout, as SQL
shop.py check   restore the SQL on stdin into an empty database; exit 1 unless all of it is there
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

DATABASE = Path("out/shop.db")


def make() -> None:
    """Build under another name first: after a crash there is a whole shop or none."""
    if DATABASE.exists():
        return
    DATABASE.parent.mkdir(exist_ok=True)
    part = DATABASE.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as shop, shop:
        shop.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL)"
        )
        orders = (
            (number, f"customer {number % 97}", 100 + number * 37 % 5_000) for number in range(1, 2_001)
        )
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
    part.replace(DATABASE)


def dump() -> None:
    """Of one instant: iterdump reads inside a transaction."""
    with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True, isolation_level=None)) as shop:
        shop.execute("BEGIN")
        for statement in shop.iterdump():
            print(statement)


def check() -> None:
    """A dump that was cut off has no COMMIT at its end, so it restores to nothing."""
    with closing(sqlite3.connect(":memory:")) as restored:
        restored.executescript(sys.stdin.read())
        restored.rollback()
        count, cents = restored.execute("SELECT count(*), sum(cents) FROM orders").fetchone()
    print(f"restores to {count} orders worth {cents / 100:.2f}")


if __name__ == "__main__":
    try:
        {"make": make, "dump": dump, "check": check}[sys.argv[1]]()
    except sqlite3.Error as error:
        sys.exit(f"shop.py {sys.argv[1]}: {error}")
