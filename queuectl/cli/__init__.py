"""The command line: parse, call one use case, show what came of it. No rules, no SQL."""
