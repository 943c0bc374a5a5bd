from __future__ import annotations

import sys
from dataclasses import replace

from kaynak.cli import adding, exits, output
from kaynak.cli.exits import exit_code_of
from kaynak.domain import (
    AbsenceExplanation,
    CorruptIndex,
    HitExplanation,
    JobItem,
    KaynakError,
    Outcome,
    SearchResult,
    SearchTrace,
    SideScore,
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
