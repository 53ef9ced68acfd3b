"""The OpenAPI document: whole, true, and believed by a tool that tries everything it allows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from queuectl.model.states import JobState
from queuectl.service.context import Context
from queuectl.web.app import create_app
from queuectl.web.site import Site
from tests.command import Queuectl
from tests.service.applying import apply_files
from tests.store.conftest import Bench
from tests.web.conftest import Server

DOCUMENT = "/api/v1/openapi.json"
VERBS = ("get", "put", "post", "patch", "delete")


@pytest.fixture
def document(client: httpx.Client) -> Any:
    return client.get(DOCUMENT).json()


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb in item:
                yield f"{verb.upper()} {path}", item[verb]


def test_it_tells_of_every_route_and_nothing_else(document: Any, app: FastAPI) -> None:
    found = {name for name, _ in operations(document)}
    assert all(name.split(" ")[1].startswith("/api/v1/") for name in found)
    assert {"POST /api/v1/jobs", "GET /api/v1/jobs/{job}/logs/stream", "GET /api/v1/events"} <= found
    assert len(found) == 29


def test_it_is_openapi_with_a_way_in(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"bearer": []} in document["security"]
    assert document["servers"] == [{"url": "/"}]


def test_it_names_the_path_that_a_proxy_shows(site: Site) -> None:
    from msgspec.structs import replace

    from tests.web.conftest import TOKENS, asking

    with asking(create_app(replace(site, base_path="/queue")), TOKENS.full) as client:
        assert client.get(f"/queue{DOCUMENT}").json()["servers"] == [{"url": "/queue"}]


def test_every_operation_says_what_it_does_and_what_may_go_wrong(document: Any) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        for status in ("401", "403", "404", "422", "503"):
            (content,) = operation["responses"][status]["content"]
            assert content == "application/problem+json", (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_example_is_one(document: Any) -> None:
    registry = Registry().with_resource("urn:document", Resource(document, DRAFT202012))
    seen = 0
    for place, schema, examples in _with_examples(document, "#"):
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator({"$ref": f"urn:document{place}"}, registry=registry)
        for example in examples:
            seen += 1
            errors = [error.message for error in validator.iter_errors(example)]
            assert not errors, (place, example, errors)
    assert seen > 100


def _with_examples(value: Any, place: str) -> Iterator[tuple[str, Any, list[Any]]]:
    if isinstance(value, dict):
        if "examples" in value and isinstance(value["examples"], list) and "in" not in value:
            yield place, value, value["examples"]
        for key, inner in value.items():
            if key not in {"examples", "example", "default"}:
                yield from _with_examples(inner, f"{place}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _with_examples(inner, f"{place}/{number}")


CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,missing_required_header,unsupported_method,negative_data_rejection"
)


@pytest.mark.timeout(300)
def test_whatever_it_allows_is_answered_as_it_says(
    queuectl: Queuectl, ctx: Context, bench: Bench, server: Server, tmp_path: Path
) -> None:
    """No 5xx, and no answer that isn't in the document. Streams don't end, so they have tests of their own."""
    apply_files(ctx, tmp_path / "jobs.d", {"nightly-dump.yaml": "command: x\nschedule: '@daily'\n"})
    for state in JobState:
        bench.in_state(state, spec="nightly-dump", key=f"{state}")
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{server.url.rstrip('/')}{DOCUMENT}",
            "--header", f"Authorization: Bearer {server.token}", "--checks", CHECKS, "--max-examples", "5",
            "--phases", "examples,coverage,fuzzing", "--exclude-path-regex", "(events|stream)$", "--no-color",
            "--continue-on-failure", "--generation-deterministic", "--warnings", "off",
            "--request-timeout", "20", "--report-dir", str(tmp_path / "reports"),
        ],
        cwd=tmp_path, env=queuectl.env, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "27 operations" in done.stdout or "Tested: 27" in done.stdout, done.stdout[-3000:]
    assert "Traceback" not in server.stderr()
