"""report.py DATABASE: the sales by region and by product, as Markdown on stdout."""

import sqlite3
import sys
from contextlib import closing


def report(database: str) -> None:
    """Two tables, the largest amounts first."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        first, last, total = db.execute("SELECT min(date), max(date), sum(cents) FROM sales").fetchone()
        print(f"# Sales from {first} to {last}\n\nTogether {total / 100:,.2f}.")
        for column in ("region", "product"):
            print(f"\n| {column} | orders | amount |\n|---|---:|---:|")
            for name, orders, cents in db.execute(
                f"SELECT {column}, count(*), sum(cents) FROM sales GROUP BY 1 ORDER BY 3 DESC, 1"
            ):
                print(f"| {name} | {orders} | {cents / 100:,.2f} |")


if __name__ == "__main__":
    report(sys.argv[1])
