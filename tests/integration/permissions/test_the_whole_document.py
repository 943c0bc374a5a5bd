"""schemathesis over the whole OpenAPI document, as nobody, as a viewer and as an administrator.

Run by `make fuzz`, which installs it; skipped where it is not installed. ``KAYNAK_FUZZ_EACH`` says how many requests
are made of each operation, role and kind (valid, invalid) at most, ``KAYNAK_FUZZ_ONLY`` what is to be in the path.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from kaynak.logs import configure_logs
from kaynak.testing.proof import Caller, Company
from kaynak.testing.proof.company import opened

EACH = int(os.environ.get("KAYNAK_FUZZ_EACH", "2"))
ONLY = os.environ.get("KAYNAK_FUZZ_ONLY", "")
_OURS = {"connection", "content-length", "host", "authorization", "x-api-key", "transfer-encoding", "cookie"}
_PATIENCE = 12.0
_URL_BYTES = 60_000  # our client sends no longer ones


class Fuzz:
    """What is asked, by whom, and what was answered that should not have been."""

    def __init__(self, company: Company, viewer: Caller, ids: dict[str, str], document: dict[str, Any]) -> None:
        self.company, self.ids, self.document = company, ids, document
        self.callers = {"nobody": company.nobody, "viewer": viewer, "administrator": company.admin}
        self.requests: Counter[str] = Counter()
        self.faults: dict[tuple[str, str], str] = {}

    async def ask(self, role: str, case: Any) -> None:
        """Sends one request and holds its answer to the document."""
        request = _prepared(case)
        if request is None:
            return
        caller = self.callers[role]
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        encoded = {name: str(value).encode("latin-1", "replace") for name, value in headers.items()}
        if caller.token:
            encoded["Authorization"] = f"Bearer {caller.token}".encode()
        asked = self.company.client.request(request.method, request.url, headers=encoded, content=request.body)
        operation = f"{case.operation.method.upper()} {case.operation.path}"
        self.requests[role] += 1
        try:
            answer = await asyncio.wait_for(asked, _PATIENCE)
        except TimeoutError:
            if not self._streams(case):  # one that follows a job which nobody does here goes on for good
                self.faults[operation, f"no answer in {_PATIENCE:.0f} s"] = f"{request.url} {request.body!r:.200}"
            return
        fault = self._fault(case, answer)
        if fault is not None:
            self.faults.setdefault((operation, fault), f"{request.url} {request.body!r:.200} {answer.text[:300]}")
        if answer.status_code == 401 and caller.person is not None:  # it has signed itself out
            self.callers[role] = await self.company.sign_in(caller.person)

    def _streams(self, case: Any) -> bool:
        operation = self.document["paths"][case.operation.path][case.operation.method.lower()]
        return any("text/event-stream" in answer.get("content", {}) for answer in operation["responses"].values())

    def _fault(self, case: Any, answer: Any) -> str | None:
        status, kind = answer.status_code, answer.headers.get("content-type", "").partition(";")[0]
        operation = self.document["paths"][case.operation.path][case.operation.method.lower()]
        declared = operation["responses"].get(str(status))
        if declared is None or (status >= 500 and status != 503):
            return f"status {status}"
        content = declared.get("content", {})
        if not content or not answer.content or "application/octet-stream" in content:
            return None
        if kind not in content:
            return f"{status} as {kind}"
        if not kind.endswith("json"):
            return None
        schema = {**content[kind].get("schema", {}), "components": self.document["components"]}
        try:
            jsonschema.Draft202012Validator(schema).validate(answer.json())
        except jsonschema.ValidationError as error:
            return f"{status}, schema: {error.message[:200]}"
        return None


def _prepared(case: Any) -> Any:
    """Returns what goes over the wire; None for what a client cannot send."""
    import requests

    wanted = ("method", "url", "params", "headers", "json", "data", "files")
    try:
        given = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
        made = requests.Request(**{name: value for name, value in given.items() if name in wanted}).prepare()
    except (requests.RequestException, ValueError, TypeError):
        return None
    return made if len(made.url or "") < _URL_BYTES else None


async def _begun(company: Company) -> Fuzz:
    """Returns a company with something in it, and a viewer of that."""
    viewer = await company.hire()
    assert viewer.person is not None
    room = await company.room(company.admin)
    assert room is not None
    await company.share(company.admin, room, viewer.person.email, "viewer")
    made = await company.add(company.admin, room, "falcon")
    assert made is not None
    ids = {"collection": room.name, "document_id": made.id, "job_id": next(iter(company.model.jobs))} | {
        "generation": "1"
    }
    document = (await company.client.get("/openapi.json")).json()
    return Fuzz(company, viewer, ids, document)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_answer_is_as_it_is_described(
    make_catalog_url: Callable[[], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="see make fuzz")
    configure_logs("CRITICAL", "json")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def begin() -> Fuzz:
            kaynak = await stack.enter_async_context(opened(tmp_path, make_catalog_url()))
            return await _begun(await stack.enter_async_context(Company.of(kaynak)))

        fuzz = runner.run(begin())
        try:
            for found in schemathesis.openapi.from_dict(fuzz.document).get_all_operations():
                for role in fuzz.callers if ONLY in found.ok().path else ():
                    for mode in schemathesis.GenerationMode:
                        _tries(runner, fuzz, role, found.ok().as_strategy(generation_mode=mode))
        finally:
            runner.run(stack.aclose())
    with capsys.disabled():
        print(f"\n{dict(fuzz.requests)} requests, {len(fuzz.faults)} faults")
    assert not fuzz.faults, "\n".join(f"{what}: {how}" for what, how in fuzz.faults.items())


def _tries(runner: asyncio.Runner, fuzz: Fuzz, role: str, cases: st.SearchStrategy[Any]) -> None:
    @seed(1)
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans())
    def attempt(case: Any, real: bool) -> None:
        for name in case.path_parameters or ():
            if real and name in fuzz.ids:
                case.path_parameters[name] = fuzz.ids[name]
        runner.run(fuzz.ask(role, case))

    try:
        attempt()
    except Unsatisfiable:
        return  # there is nothing invalid to be said to it
