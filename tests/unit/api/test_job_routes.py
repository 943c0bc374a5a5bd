from __future__ import annotations

from dataclasses import replace

import pytest

from kaynak.domain import JobState, new_id


@pytest.fixture
def job(api, handbook):
    documents = [{"external_id": f"{n}", "text": f"{n}"} for n in range(5)]
    return api("POST", f"/v1/collections/{handbook}/documents/batch", json={"documents": documents}).json()["job"]["id"]


def test_a_job_is_shown_with_its_items(api, job):
    assert api("GET", f"/v1/jobs/{job}").json()["counts"]["pending"] == 5
    found, after = [], None
    while True:
        page = api("GET", f"/v1/jobs/{job}/items", params={"limit": 2, **({"after": after} if after else {})}).json()
        found += [item["external_id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == list("01234")


def test_dead_letters_are_listed_and_requeued(api, job, services):
    number = next(iter(services.store.jobs))
    services.store.jobs[number] = replace(services.store.jobs[number], state=JobState.FAILED, error="it broke")
    failed = api("GET", "/v1/jobs", params={"state": "failed", "collection": "handbook"}).json()["items"]
    assert [entry["id"] for entry in failed] == [job]
    assert api("POST", f"/v1/jobs/{job}/requeue").json()["state"] == "queued"
    assert api("POST", f"/v1/jobs/{job}/requeue").status_code == 409
    assert api("GET", "/v1/jobs", params={"state": "lost"}).status_code == 422
    assert api("GET", "/v1/jobs", params={"collection": "nowhere"}).status_code == 404


def test_a_job_is_cancelled_once(api, job):
    assert api("POST", f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert api("POST", f"/v1/jobs/{job}/cancel").json()["type"] == "urn:kaynak:error:conflict"


def test_progress_is_streamed_to_its_end(api, job):
    answer = api("GET", f"/v1/jobs/{job}/events")
    assert [line for line in answer.text.splitlines() if line.startswith("event")] == ["event: progress", "event: done"]


def test_an_unknown_job_is_said(api):
    number = new_id()
    for method, path in (("GET", ""), ("GET", "/items"), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/requeue")):
        assert api(method, f"/v1/jobs/{number}{path}").json()["type"] == "urn:kaynak:error:job-not-found"
