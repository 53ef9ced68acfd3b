"""tell.py FILE: add a line about the job on stdin to a file; stands in for mail, a chat or a pager."""

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    told = json.load(sys.stdin)["data"]
    job = told["job"]
    with Path(sys.argv[1]).open("a", encoding="utf-8") as alarms:
        alarms.write(
            f"{job['spec']} (job {job['id']}) is {job['state']} ({job['reason']}): {told['output']}\n"
        )
