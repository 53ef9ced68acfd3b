"""load.py CSV DATABASE: put the sales of a CSV file into SQLite.

All rows or none, and a row that is there already is replaced: running it twice changes nothing.
A row that makes no sense ends it with exit code 65, which no retry would mend.
"""

import csv
import sqlite3
import sys
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

BAD_DATA = 65
TABLE = """
CREATE TABLE IF NOT EXISTS sales (
    "order" INTEGER PRIMARY KEY, date TEXT NOT NULL, region TEXT NOT NULL, product TEXT NOT NULL,
    quantity INTEGER NOT NULL, cents INTEGER NOT NULL
)
"""


def load(source: Path, database: Path) -> int:
    """Return how many rows were read."""
    with source.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            rows = [sale(row) for row in reader]
        except (ArithmeticError, KeyError, TypeError, ValueError, csv.Error):
            print(f"{source}:{reader.line_num}: this is no sale", file=sys.stderr)
            sys.exit(BAD_DATA)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute(TABLE)
        db.executemany("INSERT OR REPLACE INTO sales VALUES (?, ?, ?, ?, ?, ?)", rows)
    return len(rows)


def sale(row: dict[str, str]) -> tuple[int, str, str, str, int, int]:
    """One row of the file as one row of the table; money is counted in cents."""
    quantity, price = int(row["quantity"]), Decimal(row["unit_price"])
    day = date.fromisoformat(row["date"]).isoformat()
    return int(row["order"]), day, row["region"], row["product"], quantity, int(quantity * price * 100)


if __name__ == "__main__":
    source, database = map(Path, sys.argv[1:])
    print(f"read {load(source, database)} sales from {source}")
