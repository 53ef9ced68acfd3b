"""report.py DATABASE FILE: what was sold in each country, as Markdown."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SALES = """
SELECT country, count(*), round(sum(quantity * unit_price), 2)
FROM orders JOIN customers USING (customer) JOIN products USING (product)
GROUP BY country ORDER BY 3 DESC, 1
"""


def report(database: str, rows: str) -> str:
    """One table, the largest amounts first."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as warehouse:
        lines = [
            f"| {country} | {orders} | {amount:,.2f} |"
            for country, orders, amount in warehouse.execute(SALES)
        ]
    return "\n".join(
        [f"# Sales, from {rows} rows\n", "| country | orders | amount |", "|---|---:|---:|", *lines, ""]
    )


if __name__ == "__main__":
    file = Path(sys.argv[2])
    part = file.with_suffix(".part")
    part.write_text(report(sys.argv[1], os.environ["NEEDS_LOAD_ROWS"]), encoding="utf-8")
    part.replace(file)
