from __future__ import annotations

from pathlib import Path

import pytest

from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerSentence,
    CatalogUnavailable,
    JobState,
    SentenceWritten,
    Span,
    StatusChanged,
    StorageFull,
    StreamTruncated,
    TextWritten,
    TokenUsage,
    Verdict,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("Everyone has 26 days of leave.")
    (root / "sub" / "b.txt").write_text("Lunch is at noon.")
    return root


def test_add_search_ask_and_remove(kaynak, folder):
    added = kaynak("add", folder, "-c", "handbook", "-m", "team=hr", "-m", "year=2026")
    assert added.exit_code == 0, added.output
    assert "Created the collection handbook." in added.stderr
    assert "handbook: 2 added." in added.stdout
    listed = kaynak("docs", "list", "-c", "handbook", "--json").document["items"]
    assert sorted((d["external_id"], d["metadata"]) for d in listed) == [
        ("a.txt", {"team": "hr", "year": 2026}),
        ("sub/b.txt", {"team": "hr", "year": 2026}),
    ]
    again = kaynak("add", folder, "-c", "handbook", "--json").document
    assert (again["unchanged"], again["created"], again["jobs"]) == (2, False, [])
    found = kaynak("search", "days", "of", "leave")
    assert found.exit_code == 0
    assert "1. a.txt" in found.stdout
    assert "handbook/a.txt, pp. 1–2" in found.stdout
    answer = kaynak("ask", "how many days?", "-c", "handbook")
    assert "[1] “Every”" in answer.stdout
    assert "version 1, characters 0–5" in answer.stdout
    removed = kaynak("docs", "rm", "a.txt", "-c", "handbook", "--json").document
    assert [entry["external_id"] for entry in removed["removed"]] == ["a.txt"]
    missing = kaynak("docs", "show", "a.txt", "-c", "handbook", "--json")
    assert missing.exit_code == 3
    assert missing.document["error"]["type"] == "urn:kaynak:error:document-not-found"


def test_documents_are_removed_by_a_filter(kaynak, folder, services):
    kaynak("add", folder, "-c", "handbook", "--metadata", "team=hr")
    assert kaynak("docs", "rm", "-c", "handbook", "-f", '{"team": "hr"}', stdin=b"n\n").exit_code == 1
    assert len(services.store.documents) == 2
    nothing = kaynak("docs", "rm", "-c", "handbook", "-f", '{"team": "it"}')
    assert (nothing.exit_code, nothing.stdout) == (0, "No document of handbook matches.\n")
    one = kaynak("docs", "rm", "-c", "handbook", "-f", '{"_id": "a.txt"}', "--yes")
    assert one.stdout == "Removed 1 document of handbook.\n"
    kaynak("add", folder, "-c", "handbook", "--metadata", "team=hr")
    for name in ("c", "d"):
        (folder / f"{name}.txt").write_text(f"More, {name}.")
    kaynak("add", folder, "-c", "handbook", "--metadata", "team=hr")
    asked = kaynak("docs", "rm", "-c", "handbook", "-f", '{"team": "hr"}', stdin=b"y\n")
    assert "Remove 4 documents of handbook with everything derived from them?" in asked.stdout
    assert "Removed 4 documents of handbook." in asked.stdout
    assert "2 of 4 removed" in asked.stderr
    assert "No trace is left in catalog, memory g1." in asked.stderr
    assert not services.store.documents
    kaynak("add", folder, "-c", "handbook", "--metadata", "team=hr")
    removed = kaynak("docs", "rm", "-c", "handbook", "-f", '{"team": "hr"}', "--json").document
    assert (removed["removed"], removed["proof"]["healthy"]) == (4, True)


@pytest.mark.parametrize(
    "arguments", [(), ("a.txt", "-f", '{"team": "hr"}'), ("-f", "{}"), ("-f", "{"), ("-f", '{"a": {"$bad": 1}}')]
)
def test_what_is_to_be_removed_has_to_be_said_clearly(kaynak, folder, services, arguments):
    kaynak("add", folder, "-c", "handbook")
    assert kaynak("docs", "rm", "-c", "handbook", *arguments, "--yes").exit_code == 2
    assert len(services.store.documents) == 2


def test_who_may_read_what_is_added(kaynak, folder, services):
    for words in (
        (),
        ("--readers", "hr", "--readers", "ada@example.org"),
        ("--readers", ""),
        ("--readers=", "--readers=hr"),
    ):
        assert kaynak("add", folder / "a.txt", "-c", "c", *words).exit_code == 0
    assert services.store.readers == [None, ("hr", "ada@example.org"), (), ("hr",)]


def test_what_failed_is_said_with_its_reason_and_the_exit_code(kaynak, folder):
    (folder / "empty.txt").touch()
    (folder / "link").symlink_to("nowhere")
    result = kaynak("add", folder, "-c", "c")
    assert result.exit_code == 1
    assert "2 added, 2 failed" in result.stdout
    assert "✗ empty.txt: The file is empty." in result.stdout
    assert "the link leads nowhere" in result.stdout


def names(kaynak, collection="c"):
    return sorted(d["external_id"] for d in kaynak("docs", "list", "-c", collection, "--json").document["items"])


def test_documents_whose_files_are_gone_are_removed_only_when_told(kaynak, folder):
    kaynak("add", folder, "-c", "c")
    kaynak("add", folder, "-c", "c", "--prefix", "copy/")
    (folder / "a.txt").unlink()
    assert kaynak("add", folder, "-c", "c", "--prefix", "copy/").exit_code == 0
    refused = kaynak("add", folder, "-c", "c", "--prefix", "copy/", "--prune", "--json")
    assert (refused.exit_code, refused.document["pruned"]) == (1, 0)
    assert "1 documents have no file any more" in refused.document["not_pruned"]
    assert len(names(kaynak)) == 4
    pruned = kaynak("add", folder, "-c", "c", "--prefix", "copy/", "--prune", "--yes")
    assert pruned.exit_code == 0, pruned.output
    assert "1 removed" in pruned.stdout
    assert names(kaynak) == ["a.txt", "copy/sub/b.txt", "sub/b.txt"]
    assert kaynak("add", folder, "-c", "c", "--prune", "--yes", "--json").document["pruned"] == 2


def test_pruning_asks_a_person(kaynak, folder, monkeypatch):
    monkeypatch.setattr("kaynak.cli.adding._someone_is_there", lambda: True)
    kaynak("add", folder, "-c", "c")
    (folder / "a.txt").unlink()
    declined = kaynak("add", folder, "-c", "c", "--prune", stdin=b"n\n")
    assert (declined.exit_code, names(kaynak)) == (1, ["a.txt", "sub/b.txt"])
    assert "Remove 1 documents of c whose files are gone?" in declined.stderr
    assert kaynak("add", folder, "-c", "c", "--prune", stdin=b"y\n").exit_code == 0
    assert names(kaynak) == ["sub/b.txt"]


def test_nothing_is_removed_while_a_path_cannot_be_read(kaynak, folder):
    kaynak("add", folder, "-c", "c")
    (folder / "a.txt").unlink()
    (folder / "link").symlink_to("nowhere")
    result = kaynak("add", folder, "-c", "c", "--prune", "--yes")
    assert result.exit_code == 1
    assert "nothing was removed: some paths could not be read" in result.stderr
    assert names(kaynak) == ["a.txt", "sub/b.txt"]


def test_pruning_needs_whole_folders(kaynak, folder):
    assert kaynak("add", "-", "-c", "c", "--name", "x", "--prune", stdin=b"text").exit_code == 2


def test_lists_say_when_there_is_more(kaynak, folder):
    for number in range(3):
        (folder / "a.txt").write_text(f"Version {number}.")
        kaynak("add", folder, "-c", "c")
    assert "more than these 1; see them with --limit" in kaynak("docs", "list", "-c", "c", "--limit", "1").stderr
    assert "more than these 2" in kaynak("jobs", "list", "--limit", "2").stderr
    assert "more than" not in kaynak("docs", "list", "-c", "c", "--limit", "2").stderr
    assert "more than" not in kaynak("jobs", "list", "--limit", "3").stderr
    shown = kaynak("docs", "list", "-c", "c", "--limit", "1", "--json").document
    assert (len(shown["items"]), shown["more"]) == (1, True)
    assert kaynak("jobs", "list", "--json").document["more"] is False


def test_standard_input_needs_a_name(kaynak):
    assert kaynak("add", "-", "-c", "c", stdin=b"text").exit_code == 2
    result = kaynak("add", "-", "-c", "c", "--name", "notes.md", "--title", "Notes", stdin=b"some text")
    assert result.exit_code == 0, result.output
    assert kaynak("docs", "text", "notes.md", "-c", "c").stdout == "some text\n"


def test_names_that_collide_are_refused_before_anything_is_added(kaynak, folder):
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.txt").write_text("x")
    result = kaynak("add", folder, other, "-c", "c")
    assert result.exit_code == 2
    assert "--prefix" in result.stderr
    assert kaynak("add", other, "-c", "c", "--prefix", "other/").exit_code == 0


@pytest.mark.parametrize("words", [("nowhere.txt",), ("*.nothing",), (".",)])
def test_nothing_to_add_is_a_usage_error(kaynak, words):
    assert kaynak("add", *words, "-c", "c").exit_code == 2


def test_a_passphrase_reaches_the_intake(kaynak, folder, services):
    kaynak("add", folder / "a.txt", "-c", "c", "--password", "geheim")
    assert services.store.passwords == ["geheim"]


def test_the_end_of_the_worker_is_not_mistaken_for_success(kaynak, folder, services):
    services.worker.failure = CatalogUnavailable("PostgreSQL does not answer.")
    result = kaynak("add", folder, "-c", "c")
    assert result.exit_code == 69
    assert "PostgreSQL does not answer." in result.stderr


def test_a_full_disk_is_said(kaynak, folder, services):
    async def full(*args, **kwargs):
        raise StorageFull("There is no room.", hint="Make some.")

    services.intake.submit = full
    result = kaynak("add", folder, "-c", "c", "--json")
    assert (result.exit_code, result.document["error"]["status"]) == (74, 507)


def test_collections_live_their_life(kaynak):
    assert kaynak("collections", "list").exit_code == 0
    assert kaynak("collections", "create", "c", "-d", "words", "--chunker", "fixed").exit_code == 0
    assert kaynak("collections", "create", "c", "--json").exit_code == 5
    assert kaynak("collections", "create", "C C").exit_code == 2
    shown = kaynak("collections", "show", "c", "--json").document
    assert shown["generation"]["spec"]["chunker"]["name"] == "fixed"
    assert "fixed" in kaynak("collections", "show", "c").stdout
    assert kaynak("collections", "rename", "c", "d").stdout == "c is now d.\n"
    assert kaynak("collections", "list").stdout.startswith("d\t0\t0\t0\t")
    assert kaynak("collections", "rm", "d", stdin=b"n\n").exit_code == 1
    assert kaynak("collections", "rm", "d", "--yes").exit_code == 0
    assert kaynak("collections", "show", "d").exit_code == 3


@pytest.mark.parametrize("group", ["collections", "conversations", "jobs", "budgets"])
def test_the_bare_name_of_a_group_lists(kaynak, group):
    kaynak("collections", "create", "handbook")
    assert kaynak(group).output == kaynak(group, "list").output
    assert kaynak(group, "--json").document == kaynak(group, "list", "--json").document
    misplaced = kaynak(group, "--json", "list")
    assert misplaced.exit_code == 2
    assert "Write it behind list." in misplaced.output


def test_documents_are_shown_and_changed(kaynak, folder):
    kaynak("add", folder, "-c", "c", "-m", "a=1")
    number = kaynak("docs", "show", "a.txt", "-c", "c", "--json").document["id"]
    changed = kaynak("docs", "update", number, "--title", "Leave", "-m", "b=[1, 2]", "-m", "c=x=y", "--json").document
    assert (changed["title"], changed["metadata"]) == ("Leave", {"a": 1, "b": [1, 2], "c": "x=y"})
    assert "Leave" in kaynak("docs", "show", number).stdout
    text = kaynak("docs", "text", number, "--json").document
    assert text["text"] == "Everyone has 26 days of leave."
    assert kaynak("docs", "list", "-c", "c", "--filter", '{"b": 2}').stdout.count("\n") == 1
    assert kaynak("docs", "update", number).exit_code == 2
    assert kaynak("docs", "list", "-c", "nowhere").exit_code == 3


@pytest.mark.parametrize("pair", ["x", "=1", "_a=1"])
def test_metadata_that_is_no_pair_is_refused(kaynak, folder, pair):
    assert kaynak("add", folder, "-c", "c", "-m", pair).exit_code == 2


def test_jobs_are_listed_shown_followed_cancelled_and_requeued(kaynak, folder, services):
    kaynak("add", folder, "-c", "c")
    jobs = kaynak("jobs", "list", "-c", "c", "--json").document["items"]
    number = jobs[0]["id"]
    assert "2 added" in kaynak("jobs", "list").stdout
    shown = kaynak("jobs", "show", number, "--json").document
    assert [item["outcome"] for item in shown["items"]] == ["added", "added"]
    assert "sub/b.txt\tadded" in kaynak("jobs", "show", number).stdout
    assert kaynak("jobs", "watch", number).exit_code == 0
    assert kaynak("jobs", "cancel", number).exit_code == 5
    assert kaynak("jobs", "requeue", number).exit_code == 5
    job = next(iter(services.store.jobs))
    from dataclasses import replace

    services.store.jobs[job] = replace(services.store.jobs[job], state=JobState.FAILED)
    assert kaynak("jobs", "list", "--state", "failed", "--json").document["items"]
    assert kaynak("jobs", "requeue", number, "--json").document["state"] == "queued"
    assert kaynak("jobs", "cancel", number).stdout == "Cancelled.\n"
    assert kaynak("jobs", "show", "00000000-0000-7000-8000-000000000000").exit_code == 3
    assert kaynak("jobs", "show", "no-id").exit_code == 2


def test_search_without_collections_or_hits(kaynak):
    nothing = kaynak("search", "x")
    assert nothing.exit_code == 3
    assert "kaynak add" in nothing.stderr
    kaynak("collections", "create", "c")
    empty = kaynak("search", "x", "--json")
    assert (empty.exit_code, empty.document["hits"]) == (4, [])
    assert kaynak("search", "x", "-c", "nowhere").exit_code == 3
    assert kaynak("search", "x", "--filter", "{").exit_code == 2
    assert kaynak("search", "x", "--filter", '{"a": {"$x": 1}}', "--json").exit_code == 2


def test_a_defect_has_no_traceback_unless_asked_for(kaynak, services):
    services.searcher.failure = RuntimeError("boom")
    kaynak("collections", "create", "c")
    result = kaynak("search", "x")
    assert result.exit_code == 70
    assert "Traceback" not in result.output
    assert "boom" not in result.output
    assert isinstance(kaynak("--debug", "search", "x").exception, RuntimeError)


def test_config_shows_values_with_their_origin_and_no_secrets(kaynak, monkeypatch, tmp_path):
    monkeypatch.setenv("KAYNAK_DATABASE_URL", "postgresql://me:pa:ss@w@db/x?password=hid")
    monkeypatch.setenv("KAYNAK_PROT", "1")
    (tmp_path / "kaynak.toml").write_text("port = 9000\n[log]\nlevel = 'ERROR'\n")
    (tmp_path / ".env").write_text("KAYNAK_LOG__LEVEL=WARNING\n")
    result = kaynak("config", "--json")
    found = {entry["name"]: (entry["value"], entry["origin"]) for entry in result.document["settings"]}
    assert found["port"] == (9000, "kaynak.toml")
    assert found["log.level"] == ("WARNING", ".env")
    assert found["host"] == ("127.0.0.1", "default")
    assert found["database_url"] == ("postgresql://me:********@db/x?password=********", "environment")
    assert result.document["unknown_variables"] == ["KAYNAK_PROT"]
    plain = kaynak("--data-dir", tmp_path, "config")
    assert f"data_dir\t{tmp_path}\targument" in plain.stdout
    assert "hid" not in plain.output
    assert "KAYNAK_PROT" in plain.stderr


def test_a_setting_that_is_not_valid_is_named(kaynak, monkeypatch, tmp_path):
    monkeypatch.setenv("KAYNAK_PORT", "many")
    result = kaynak("config", "--json")
    assert result.exit_code == 78
    assert "KAYNAK_PORT" in result.document["error"]["detail"]
    monkeypatch.delenv("KAYNAK_PORT")
    (tmp_path / "kaynak.toml").write_text("port = \n")
    assert kaynak("config").exit_code == 78


def test_strangers_are_not_served_while_nobody_administers(kaynak, monkeypatch):
    result = kaynak("up", "--host", "0.0.0.0", "--port", "0")
    assert result.exit_code == 78
    assert "kaynak users add --admin" in result.stderr
    monkeypatch.setenv("KAYNAK_ALLOWED_HOSTS", '["search.example.org"]')
    assert kaynak("up", "--port", "0").exit_code == 78, "a proxy in front of it lets others in as well"


def test_the_setting_that_let_everybody_in_is_gone(kaynak, monkeypatch):
    monkeypatch.setenv("KAYNAK_ALLOW_REMOTE", "true")
    result = kaynak("collections", "list")
    assert result.exit_code == 78
    assert "administrator" in result.stderr


def test_a_taken_port_is_said(kaynak):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = kaynak("up", "--port", taken.getsockname()[1])
    assert result.exit_code == 78
    assert "--port" in result.stderr


def test_every_command_explains_itself(kaynak):
    for words in ([], ["up"], ["add"], ["collections"], ["docs", "update"], ["jobs", "watch"], ["worker"]):
        result = kaynak(*words, "--help")
        assert result.exit_code == 0
        assert len(result.stdout) > 100
    assert kaynak("--version").stdout.startswith("kaynak ")
    assert kaynak("sreach", "x").exit_code == 2
    assert kaynak("migrate", "--json").document["migration"]


def test_how_a_collection_is_answered_from_is_changed_field_by_field(kaynak):
    kaynak("collections", "create", "c")
    assert "as the settings say" in kaynak("collections", "show", "c").stdout
    kaynak("collections", "update", "c", "--model", "p:m", "--fallback", "extractive", "--policy", "drop")
    changed = kaynak("collections", "update", "c", "--temperature", "0", "--depth", "deep", "--json").document
    assert changed["answering"] == {
        "model": "p:m",
        "fallbacks": ["extractive"],
        "settings": {"temperature": 0.0, "max_tokens": None, "reasoning": None},
        "policy": "drop",
        "depth": "deep",
    }
    said = kaynak("collections", "show", "c").stdout
    assert "p:m, or extractive, policy drop, depth deep, temperature 0" in said
    assert kaynak("collections", "update", "c", "--model", "p:n", "--json").document["answering"]["fallbacks"] == []
    reset = kaynak("collections", "update", "c", "--reset-answering", "--description", "d", "--json").document
    assert (reset["answering"]["model"], reset["description"]) == (None, "d")


def answered(services, text, *sentences):
    """Has the fake asker answer with ``text``, whose sentences are (text, verdict, reasons)."""
    spans = [text.index(one) for one, _, _ in sentences]
    made = tuple(
        AnswerSentence(one, (), verdict, reasons, Span(at, at + len(one)))
        for at, (one, verdict, reasons) in zip(spans, sentences, strict=True)
    )

    async def stream(request, scope, *, stop=None):
        services.asker.requests.append(request)
        yield StatusChanged("writing", "p:m")
        for at in range(0, len(text), 5):
            yield TextWritten(text[at : at + 5])
        for one in made:
            yield SentenceWritten(one, ())
        yield AnswerCompleted(
            Answer("q", text, made, (), True, "p:m", (), ("No heat.",), 1.0, usage=TokenUsage(1234, 5), cost=0.25)
        )

    services.asker.stream = stream


def test_sentences_that_are_not_borne_out_are_marked_where_they_stand(kaynak, services):
    kaynak("collections", "create", "c")
    text = "Leave is 26 days.\n\n- It is 99 days.\n- Pets welcome.\n- Half true."
    answered(
        services,
        text,
        ("Leave is 26 days.", Verdict.SUPPORTED, ()),
        ("- It is 99 days.", Verdict.UNSUPPORTED, ("“99” is not in the source",)),
        ("- Pets welcome.", Verdict.UNCITED, ()),
        ("- Half true.", Verdict.PARTLY, ()),
    )
    result = kaynak(
        "ask", "how", "many?", "--model", "p:m", "--policy", "mark", "--temperature", "0.5", "--depth", "deep"
    )
    assert result.stdout == (
        "Leave is 26 days.\n\n- It is 99 days. ⟨not borne out⟩\n- Pets welcome. ⟨no source⟩\n"
        "- Half true. ⟨partly borne out⟩\n"
    )
    assert "“- It is 99 days.”: “99” is not in the source" in result.stderr
    assert "No heat." in result.stderr
    assert "p:m, 1,234 + 5 tokens, $0.2500" in result.stderr
    request = services.asker.requests[-1]
    assert (request.model, request.policy, request.depth, request.settings.temperature) == ("p:m", "mark", "deep", 0.5)
    assert request.search.query == "how many?"


def test_an_answer_as_json_is_nothing_but_json(kaynak, services):
    kaynak("collections", "create", "c")
    answered(services, "It is 99 days.", ("It is 99 days.", Verdict.UNSUPPORTED, ()))
    document = kaynak("ask", "q", "--json").document
    assert document["sentences"][0]["verdict"] == "unsupported"


def test_an_answer_that_breaks_off_shows_what_came_and_says_so(kaynak, services):
    async def stream(request, scope, *, stop=None):
        yield TextWritten("Leave is")
        raise StreamTruncated("The answer broke off.")

    kaynak("collections", "create", "c")
    services.asker.stream = stream
    result = kaynak("ask", "q")
    assert result.exit_code == 69
    assert result.stdout == "Leave is\n"
    assert "The answer broke off." in result.stderr
