"""What all tests share."""

from __future__ import annotations

import os

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the hundreds of commands is compiled again
