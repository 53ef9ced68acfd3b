"""Pure decisions: everything they need, the time included, comes in as an argument."""
