from __future__ import annotations

import asyncio
import errno
import json

import pytest

ADD = "/v1/collections/handbook/documents"


def add(api, **fields):
    body = {"external_id": "a.md", "text": "Hello there.", **fields}
    return api("POST", ADD, json=body)


def test_text_becomes_a_document(api, handbook):
    answer = add(api, title="A", metadata={"team": "hr"}, media_type="text/markdown")
    assert answer.status_code == 202
    assert answer.json()["job"]["state"] == "queued"
    document = api("GET", f"/v1/documents/{answer.json()['items'][0]['document_id']}").json()
    assert (document["title"], document["metadata"], document["media_type"]) == ("A", {"team": "hr"}, "text/markdown")


def test_the_same_text_again_is_a_no_op_that_says_so(api, handbook):
    add(api)
    again = add(api)
    assert again.status_code == 200
    assert again.json()["job"] is None
    assert again.json()["items"][0]["outcome"] == "unchanged"


def test_many_texts_are_one_job(api, handbook):
    documents = [{"external_id": f"{n}", "text": f"text {n}"} for n in range(5)]
    answer = api("POST", f"{ADD}/batch", json={"documents": documents})
    assert answer.status_code == 202
    assert len(answer.json()["items"]) == 5
    too_many = api("POST", f"{ADD}/batch", json={"documents": documents * 2})
    assert too_many.status_code == 413
    assert api("POST", f"{ADD}/batch", json={"documents": []}).status_code == 422


def test_files_are_uploaded_with_their_fields(api, handbook, services):
    files = [("file", ("x/a.txt", b"one")), ("file", ("b.txt", b"two", "text/plain"))]
    data = {"metadata": '{"year": 2026}', "password": "geheim", "external_id": ["first", "second"]}
    answer = api("POST", ADD, files=files, data=data)
    assert answer.status_code == 202
    assert [item["external_id"] for item in answer.json()["items"]] == ["first", "second"]
    assert services.store.passwords == ["geheim", "geheim"]
    assert {document.metadata["year"] for document in services.store.documents.values()} == {2026}
    assert list((services.settings.data_dir / "uploads").iterdir()) == []


def test_the_file_name_is_the_external_id_unless_one_is_given(api, handbook):
    answer = api("POST", ADD, files=[("file", ("çalışma planı.txt", b"one"))])
    assert answer.json()["items"][0]["external_id"] == "çalışma planı.txt"


def test_an_empty_file_is_an_item_that_failed_with_its_reason(api, handbook):
    answer = api("POST", ADD, files=[("file", ("a.txt", b""))])
    assert answer.status_code == 200
    item = answer.json()["items"][0]
    assert (item["outcome"], item["error_code"]) == ("failed", "empty")


@pytest.mark.parametrize(
    ("files", "data", "says"),
    [
        ([], {"title": "x"}, "no file"),
        ([("document", ("a", b"x"))], {}, "not known"),
        ([("file", ("a", b"x"))], {"tags": "x"}, "tags"),
        ([("file", ("a", b"x"))], {"metadata": "{"}, "not JSON"),
        ([("file", ("a", b"x"))], {"metadata": "[1]"}, "not a JSON object"),
        ([("file", ("a", b"x"))], {"metadata": '{"_id": 1}'}, "_id"),
        ([("file", ("a", b"x"))], {"metadata": '{"a": "\\u0000"}'}, "not JSON"),
        ([("file", ("a", b"x"))], {"external_id": ["b", "c"]}, "external ids"),
        ([("file", ("a", b"x"))], {"title": ["b", "c"]}, "more than once"),
        ([("file", ("a", b"x")), ("file", ("b", b"x"))], {"title": "x"}, "single file"),
        ([("file", ("a", b"x"))], {"external_id": "a\x07"}, "cannot be printed"),
        ([("file", ("a", b"x"))], {"external_id": " "}, "empty"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(api, handbook, files, data, says):
    if not files:
        files, data = [("title", (None, b"x"))], {}
    answer = api("POST", ADD, files=files, data=data)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--b",
        b"garbage",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a fi',
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\xfe\r\n--b--\r\n',
        b"--b\r\n\x00\x01: x\r\n\r\n",
    ],
)
def test_a_broken_form_is_refused(api, handbook, services, content):
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api("POST", ADD, content=content, headers=headers).status_code == 422
    assert list((services.settings.data_dir / "uploads").iterdir()) == []


@pytest.mark.parametrize("kind", ["multipart/form-data", "text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_kind_is_refused(api, handbook, kind):
    assert api("POST", ADD, content=b"x", headers={"Content-Type": kind}).status_code == 422


def test_a_declared_size_beyond_the_limit_is_refused_before_a_byte_is_read(api, handbook):
    async def untouched():
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(2 * 1024**3)}
    answer = api("POST", ADD, content=untouched(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:kaynak:error:too-large"


def test_an_undeclared_size_is_counted_while_it_arrives(api, handbook, services):
    sent = 0

    async def endless():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent += 65536
            yield b"x" * 65536

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api("POST", ADD, content=endless(), headers=headers).status_code == 413
    assert sent < 4 * 1024**2
    assert list((services.settings.data_dir / "uploads").iterdir()) == []


def test_too_many_files_in_one_request_are_refused(api, handbook):
    files = [("file", (f"{n}", b"x")) for n in range(6)]
    assert api("POST", ADD, files=files).status_code == 413


def test_an_unknown_collection_is_found_out_before_the_upload(api):
    assert api("POST", ADD, files=[("file", ("a", b"x"))]).status_code == 404
    assert add(api).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"nul",
        b'{"external_id": "a", "text": "\xff"}',
        b'{"external_id": "a", "text": "\\ud800"}',
        b'{"external_id": "a", "text": "a\\u0000b"}',
        b'{"external_id": "a\\u0000", "text": "b"}',
        b'{"external_id": "a", "text": NaN}',
        b'{"external_id": "a", "text": "b", "metadata": {"x": Infinity}}',
        b'{"external_id": "a", "text": "b", "metadata": {"\\u0000": 1}}',
        b'{"external_id": "a", "text": "b", "metadata": {"_x": 1}}',
        b'{"external_id": "a", "text": "b", "metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        b'{"external_id": "a", "text": ' + b"[" * 100_000,
        b'{"external_id": "", "text": "b"}',
        b'{"external_id": "a", "text": "b", "extra": 1}',
        b'{"external_id": "a", "text": "b", "media_type": "pdf"}',
        b'{"external_id": "' + b"a" * 1025 + b'", "text": "b"}',
    ],
)
def test_json_that_cannot_be_stored_is_refused(api, handbook, content):
    headers = {"Content-Type": "application/json"}
    answer = api("POST", ADD, content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


def test_characters_that_only_look_dangerous_are_kept(api, handbook, services):
    text = "\\u0000 🜁 عربى \u202e"
    number = add(api, text=text).json()["items"][0]["document_id"]
    assert api("GET", f"/v1/documents/{number}/text").json()["text"] == text


def test_the_original_comes_back_as_a_harmless_attachment(api, handbook):
    files = [("file", ('x"; evil\r\n.html', b"<script>alert(1)</script>", "text/html"))]
    number = api("POST", ADD, files=files).json()["items"][0]["document_id"]
    answer = api("GET", f"/v1/documents/{number}/content")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    part = api("GET", f"/v1/documents/{number}/content", headers={"Range": "bytes=1-6"})
    assert (part.status_code, part.content) == (206, b"script")
    assert api("GET", f"/v1/documents/{number}/content", headers={"Range": "bytes=900-"}).status_code == 416
    assert api("GET", f"/v1/documents/{number}/content", headers={"Range": "lines=1"}).status_code == 400


def test_text_and_passages_are_read(api, handbook):
    number = add(api).json()["items"][0]["document_id"]
    text = api("GET", f"/v1/documents/{number}/text", params={"version": 1}).json()
    first = api("GET", f"/v1/documents/{number}/chunks", params={"limit": 1}).json()
    second = api("GET", f"/v1/documents/{number}/chunks", params={"after": first["next"]}).json()
    for chunk in first["items"] + second["items"]:
        assert chunk["text"] == text["text"][chunk["span"]["start"] : chunk["span"]["end"]]
    assert second["next"] is None
    assert api("GET", f"/v1/documents/{number}/text", params={"version": 9}).status_code == 404


def test_documents_are_listed_filtered_and_found(api, handbook):
    for n in range(5):
        add(api, external_id=f"{n}", metadata={"even": n % 2 == 0})
    page = api("GET", ADD, params={"limit": 2}).json()
    rest = api("GET", ADD, params={"limit": 9, "after": page["next"]}).json()
    assert [item["external_id"] for item in page["items"] + rest["items"]] == list("01234")
    even = api("GET", ADD, params={"filter": json.dumps({"even": True})}).json()
    assert len(even["items"]) == 3
    neither = api("GET", ADD, params={"external_id": "3", "filter": json.dumps({"even": True})}).json()
    assert neither == {"items": [], "next": None}
    one = api("GET", ADD, params={"external_id": "3"}).json()
    assert [item["external_id"] for item in one["items"]] == ["3"]


@pytest.mark.parametrize("condition", ["{", "[]", "1", '{"a": {"$near": 1}}', '{"$or": []}', "\x00"])
def test_a_malformed_filter_is_refused(api, handbook, condition):
    answer = api("GET", ADD, params={"filter": condition})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:kaynak:error:invalid-filter"


def test_a_document_changes_and_goes(api, handbook):
    number = add(api).json()["items"][0]["document_id"]
    path = f"/v1/documents/{number}"
    assert api("PATCH", path, json={"title": "B", "metadata": {"a": 1}}).json()["title"] == "B"
    assert api("PATCH", path, json={"metadata": {"_a": 1}}).status_code == 422
    assert api("DELETE", path).status_code == 204
    assert api("GET", path).status_code == 404
    assert api("PATCH", path, json={"title": "C"}).status_code == 404
    assert api("DELETE", path).json()["type"] == "urn:kaynak:error:document-not-found"


def test_an_id_that_is_none_is_refused(api):
    assert api("GET", "/v1/documents/not-an-id").status_code == 422


def test_the_same_id_sent_at_once_is_no_error(api, handbook):
    async def both():
        body = {"external_id": "a", "text": "x"}
        return await asyncio.gather(*(api.send("POST", ADD, json=body) for _ in range(8)))

    assert {answer.status_code for answer in asyncio.run(both())} <= {200, 202}


def test_a_full_disk_is_a_507_and_leaves_nothing_behind(api, handbook, services, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("python_multipart.multipart.MultipartParser.write", full)
    answer = api("POST", ADD, files=[("file", ("a", b"x"))])
    assert answer.status_code == 507
    assert list((services.settings.data_dir / "uploads").iterdir()) == []


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "+5"])
def test_a_length_that_is_no_number_is_refused(api, handbook, length):
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": length}
    assert api("POST", ADD, content=b"", headers=headers).status_code == 422


def test_names_in_other_encodings_are_read_as_well_as_they_can(api, handbook):
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xe9.txt"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api("POST", ADD, content=body, headers=headers).json()["items"][0]["external_id"] == "é.txt"
    headers = {"Content-Type": f"multipart/form-data; boundary={'b' * 400}"}
    assert api("POST", ADD, content=body, headers=headers).status_code == 422


def test_an_upload_that_stops_half_way_is_not_stored(api, handbook, services):
    async def cut():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api("POST", ADD, content=cut(), headers=headers).status_code == 422
    assert services.store.documents == {}
