"""The server does what its own description says, whatever it is asked."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.conftest import TOKEN, Served

LOOKED_AT = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
APART = re.compile("/events$|/run/start$|/oneshot/|/export$")  # never ends, starts processes, or is tested by itself
QUICK = settings(
    max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def test_the_server_does_what_it_says(steady: Served) -> None:
    schema = schemathesis.openapi.from_url(f"{steady.address}/openapi.json", headers=HEADERS)
    operations = [each.ok() for each in schema.get_all_operations()]
    looked_at = [each for each in operations if not APART.search(each.path)]
    assert len(looked_at) >= 20
    for operation in looked_at:

        @QUICK
        @given(operation.as_strategy())
        def asked(case: Any) -> None:
            case.call_and_validate(headers=HEADERS, checks=LOOKED_AT)

        asked()
