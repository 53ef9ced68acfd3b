"""load.py FOLDER DATABASE: put what was extracted into the warehouse, all of it or nothing.

It holds the files against what the extracts said of them (NEEDS_EXTRACT_ORDERS_ROWS and so on), and can run again.
"""

import csv
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

BAD_DATA = 65
TABLES = ("customers", "orders", "products")


def load(folder: Path, database: Path) -> int:
    """Return how many rows were loaded."""
    count = 0
    with closing(sqlite3.connect(database, isolation_level=None)) as warehouse, warehouse:
        warehouse.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            header, *rows = _read(folder / f"{table}.csv")
            expected = int(os.environ[f"NEEDS_EXTRACT_{table.upper()}_ROWS"])
            if len(rows) != expected:
                print(f"{table}: expected the {expected} rows that were extracted, found {len(rows)}")
                sys.exit(BAD_DATA)
            warehouse.execute(f"DROP TABLE IF EXISTS {table}")
            warehouse.execute(
                f'CREATE TABLE {table} ("{header[0]}" INTEGER PRIMARY KEY, {_columns(header[1:])})'
            )
            warehouse.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(header))})", rows)
            count += len(rows)
    return count


def _read(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def _columns(names: list[str]) -> str:
    return ", ".join(f'"{name}" NOT NULL' for name in names)


if __name__ == "__main__":
    rows = load(Path(sys.argv[1]), Path(sys.argv[2]))
    with Path(os.environ["QUEUECTL_OUTPUT"]).open("a") as said:
        print(f"rows={rows}", f"summary={rows} rows loaded", sep="\n", file=said)
