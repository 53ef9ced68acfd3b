"""extract.py FILE FOLDER COLUMN...: copy the columns of a CSV file into a folder.

It tells the jobs that need this one how many rows there are. A file that is not as expected ends it with exit
code 65, which no retry would mend; one that isn't there may turn up.
"""

import csv
import os
import sys
from pathlib import Path

BAD_DATA = 65


def extract(source: Path, folder: Path, columns: list[str]) -> int:
    """Return how many rows were copied. Under another name first: there is a whole file or none."""
    target = folder / source.name
    part = target.with_suffix(".part")
    with (
        source.open(newline="", encoding="utf-8") as file,
        part.open("w", newline="", encoding="utf-8") as out,
    ):
        reader = csv.DictReader(file)
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            print(f"{source}: no column {', '.join(missing)}", file=sys.stderr)
            sys.exit(BAD_DATA)
        writer = csv.writer(out)
        writer.writerow(columns)
        rows = [[row[column] for column in columns] for row in reader]
        writer.writerows(rows)
    part.replace(target)
    return len(rows)


if __name__ == "__main__":
    try:
        rows = extract(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except OSError as error:
        sys.exit(f"extract.py: {error}")
    with Path(os.environ["QUEUECTL_OUTPUT"]).open("a") as said:
        print(f"rows={rows}", f"summary={rows} rows of {sys.argv[1]}", sep="\n", file=said)
