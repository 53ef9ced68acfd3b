"""What is wrong with text that is no YAML, in words that help."""

from __future__ import annotations

import re

import yaml

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})(?= |$)", re.MULTILINE)


def conflict_mark(text: str) -> re.Match[str] | None:
    """The first mark that git left of a conflict."""
    return _CONFLICT.search(text)


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str]:
    """Line and column, both from 1, and what is wrong there."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, 1, f"not valid YAML: {error.problem}"
    starts_earlier = "simple key" in (error.context or "") or "end of stream" in (error.problem or "")
    if starts_earlier and error.context_mark:
        mark = error.context_mark
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    before, character = line[: mark.column], line[mark.column : mark.column + 1]
    return mark.line + 1, mark.column + 1, _explanation(error, before, character)


def _explanation(error: yaml.MarkedYAMLError, before: str, character: str) -> str:
    """What the parser found, in words that help; the first that fits."""
    problem, context = error.problem or "", error.context or ""
    indented_by_tab = character == "\t" or (not before.strip() and "\t" in before)
    explanations = {
        "a second document; expected one a file": "document start" in problem,
        "a tab can't indent in YAML; use spaces": indented_by_tab,
        "a value that starts with * or & is an alias or anchor in YAML; put a cron expression in quotes": (
            "alias" in context or "anchor" in context
        ),
        "': ' can't stand here; quote a value that holds ': ', and give each key a line of its own": (
            "mapping values" in problem
        ),
        "expected 'key: value'": "simple key" in context,
        f"a plain value can't start with {character}; put it in quotes": "start any token" in problem,
        "a quoted text without its closing quote": "end of stream" in problem,
    }
    for explanation, fits in explanations.items():
        if fits:
            return explanation
    return f"not valid YAML: {problem}{', ' + context if context else ''}{_since(error)}"


def _since(error: yaml.MarkedYAMLError) -> str:
    return f" that starts in line {error.context_mark.line + 1}" if error.context_mark else ""
