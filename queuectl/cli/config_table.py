"""The configuration as a table."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.cli.json_output import Output, print_array
from queuectl.cli.tables import Column, print_table
from queuectl.service.settings import Setting
from queuectl.service.views import setting_view

COLUMNS = (Column("KEY"), Column("VALUE"), Column("FROM"), Column("MEANING", flexible=True))


def print_settings(settings: Sequence[Setting], output: Output) -> None:
    """Print keys with the values in force and where those come from."""
    if output == "table":
        rows = [(setting.key, setting.value, setting.origin, setting.meaning) for setting in settings]
        print_table(COLUMNS, rows, nothing="no keys")
    else:
        print_array(map(setting_view, settings), output)
