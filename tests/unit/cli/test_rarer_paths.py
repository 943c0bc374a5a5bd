from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kaynak.cli import adding, exits, output, up
from kaynak.cli.exits import exit_code_of
from kaynak.cli.files import Found
from kaynak.domain import (
    AbsenceExplanation,
    CorruptIndex,
    HitExplanation,
    InvalidRequest,
    JobItem,
    KaynakError,
    Misconfigured,
    Outcome,
    SearchResult,
    SearchTrace,
    SideScore,
    StorageFull,
    UnreadableDocument,
    UnreadableReason,
)
from kaynak.settings import Settings


def test_an_explained_search_says_why(kaynak, services, tmp_path):
    (tmp_path / "a.txt").write_text("Everyone has 26 days of leave.")
    kaynak("add", "a.txt", "-c", "c")
    plain = services.searcher.search

    async def explained(request, scope) -> SearchResult:
        result = await plain(request, scope)
        why = HitExplanation(SideScore(1, 2.0, 0.9), None, {"dense": 0.5}, 0.7, ("a note",))
        absent = AbsenceExplanation("b.txt", False, "filter", "The filter drops it.")
        hits = tuple(replace(hit, explanation=why) for hit in result.hits)
        trace = SearchTrace({}, {}, absent)
        return replace(result, hits=hits, more=True, degraded=("One side is away.",), trace=trace)

    services.searcher.search = explained
    shown = kaynak("search", "leave", "--explain", "--why-not", "b.txt")
    assert "words #1 (0.90); meaning –; weights dense 0.50; a note" in shown.stdout
    assert "b.txt: The filter drops it." in shown.stdout
    assert "One side is away." in shown.stderr
    assert "--offset 1" in shown.stderr


def test_tables_are_aligned_on_a_terminal_and_tabbed_elsewhere(monkeypatch, capsys):
    output.table(("name", "count"), [("a\tb", 1234), (None, 5)])
    assert capsys.readouterr().out == "a b\t1234\n–\t5\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    output.table(("name", "count"), [("a", 1234)])
    shown = capsys.readouterr().out
    assert "name" in shown
    assert "1,234" in shown


def test_many_files_go_in_batches(kaynak, services, tmp_path, monkeypatch):
    monkeypatch.setattr(adding, "BATCH_FILES", 2)
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(5):
        (folder / f"{n}.txt").write_text(f"text {n}")
    report = kaynak("add", folder, "-c", "c", "--json").document
    assert (report["added"], len(report["jobs"])) == (5, 3)


def test_a_password_is_asked_for_when_someone_is_there(kaynak, services, tmp_path, monkeypatch):
    (tmp_path / "locked.pdf").write_text("secret text")
    plain = services.intake.submit

    async def locked(scope, collection, uploads, **options):
        if uploads[0].password == "geheim":
            return await plain(scope, collection, uploads)
        item = JobItem("locked.pdf", None, Outcome.FAILED, "It is encrypted.", UnreadableReason.ENCRYPTED.value)
        return adding_submission(item)

    def adding_submission(item):
        from kaynak.ingestion import Submission

        return Submission(None, (item,))

    services.intake.submit = locked
    assert kaynak("add", "locked.pdf", "-c", "c").exit_code == 1
    monkeypatch.setattr("kaynak.cli.adding._someone_is_there", lambda: True)
    result = kaynak("add", "locked.pdf", "-c", "c", stdin=b"geheim\n")
    assert result.exit_code == 0, result.output
    assert "1 added" in result.stdout


def test_failures_beyond_a_screenful_are_counted(capsys):
    report = adding.Report("c")
    for n in range(60):
        report.count(JobItem(str(n), None, Outcome.FAILED, "bad", "corrupt", "mend it"))
    report.interrupted = True
    report.print()
    shown = capsys.readouterr()
    assert "and 10 more" in shown.out
    assert "same command again" in shown.err


def test_loopback_is_recognised_in_all_its_forms():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "kaynak.localhost"):
        assert Settings(host=host, _env_file=None).private
    for host in ("0.0.0.0", "::", "192.168.1.1", "example.org", ""):
        assert not Settings(host=host, _env_file=None).private
    assert Settings(allowed_hosts=("localhost",), _env_file=None).private
    assert not Settings(allowed_hosts=("search.example.org",), _env_file=None).private
    assert not Settings(allowed_hosts=("*",), _env_file=None).private


def test_every_error_has_its_exit_code():
    assert exit_code_of(CorruptIndex("x")) == exits.UNAVAILABLE
    assert exit_code_of(KaynakError("x")) == exits.FAILED
    assert exit_code_of(UnreadableDocument(UnreadableReason.CORRUPT, "x")) == exits.FAILED


def test_numbers_of_more_than_64_bits_are_shown_as_they_are(monkeypatch, capsysbinary):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    output.document({"n": 2**70})
    assert str(2**70).encode() in capsysbinary.readouterr().out


def test_a_filter_nested_without_end_is_not_json(kaynak):
    result = kaynak("search", "leave", "-c", "c", "--filter", "[" * 50_000)
    assert result.exit_code == exits.USAGE
    assert "--filter is not JSON" in result.stderr


def test_times_beyond_the_calendar_are_refused(kaynak):
    assert kaynak("audit", "seal", "--older-than-days", "99999999").exit_code == exits.USAGE
    assert kaynak("keys", "create", "a@b.org", "--name", "n", "--days", "99999999999").exit_code == exits.USAGE


def test_a_host_that_is_no_name_is_said_to_be_none():
    with pytest.raises(Misconfigured, match="not an address"):
        up._bound(Settings(host="a..b", _env_file=None))


def test_a_file_that_cannot_be_made_is_said_to_be_so(tmp_path):
    with pytest.raises(InvalidRequest, match="cannot be written"):
        output.new_file(tmp_path / "nowhere" / "x")
    (tmp_path / "x").write_text("there")
    with pytest.raises(InvalidRequest, match="there already"):
        output.new_file(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "there"


def test_nobody_follows_jobs_after_an_upload_that_failed(tmp_path, monkeypatch):
    """The second of two batches cannot be taken in: whoever follows the first one is to end with it."""
    monkeypatch.setattr(adding, "BATCH_FILES", 1)
    job = SimpleNamespace(id=1)
    taken = [SimpleNamespace(job=job, items=())]
    seen: list[str] = []

    async def submit(*_: object) -> SimpleNamespace:
        await asyncio.sleep(0.01)
        if not taken:
            raise StorageFull("There is no space left.")
        return taken.pop()

    async def watch(*_: object):
        seen.append("followed")
        try:
            await asyncio.Event().wait()
            yield job
        finally:
            seen.append("ended")

    kaynak = SimpleNamespace(intake=SimpleNamespace(submit=submit), jobs=SimpleNamespace(watch=watch))
    files = [Found(tmp_path / name, name) for name in ("a.txt", "b.txt")]
    options = adding.Options("c", None, None, None, quiet=True)

    async def run() -> None:
        with pytest.raises(StorageFull):
            await adding._add(kaynak, files, options, adding.Report("c"), None)
        assert seen == ["followed", "ended"]

    asyncio.run(run())
