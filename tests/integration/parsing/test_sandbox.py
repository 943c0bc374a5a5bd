from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kaynak.domain import Unavailable, UnreadableDocument, UnreadableReason
from kaynak.parsing import ParseLimits, ParserPool, Source
from kaynak.parsing import sandbox as sandbox_module

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pool_of(processes: int = 1, **limits: int) -> AsyncIterator[ParserPool]:
    pool = ParserPool(ParseLimits(**limits), processes, ocr=False)
    try:
        yield pool
    finally:
        await pool.close()


def process_ids(pool: ParserPool) -> list[int]:
    return [child._process.pid for child in pool._children]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def text(tmp_path: Path) -> Source:
    path = tmp_path / "words"
    path.write_text("Some words.\n\nAnd more.")
    return Source(path, "words.txt")


@pytest.fixture
def endless(tmp_path: Path) -> Source:
    """A file that never yields a byte: reading it takes for ever."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return Source(path, "endless.txt")


async def reason_of(pool: ParserPool, source: Source) -> UnreadableReason:
    with pytest.raises(UnreadableDocument) as caught:
        await pool.parse(source)
    assert caught.value.message
    return caught.value.reason


async def test_a_process_serves_many_files(text: Source, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    async with pool_of() as pool:
        assert (await pool.parse(text)).text == "Some words.\n\nAnd more."
        first = process_ids(pool)
        assert await reason_of(pool, Source(empty, "empty.txt")) is UnreadableReason.EMPTY
        for _ in range(50):
            assert (await pool.parse(text)).blocks[1].start == 13
        assert process_ids(pool) == first


async def test_callers_share_the_processes(tmp_path: Path) -> None:
    sources = []
    for number in range(30):
        path = tmp_path / str(number)
        path.write_text(f"Document {number}")
        sources.append(Source(path, f"{number}.txt"))
    async with pool_of(2) as pool:
        parsed = await asyncio.gather(*(pool.parse(source) for source in sources))
        assert len(process_ids(pool)) == 2
    assert [one.text for one in parsed] == [f"Document {number}" for number in range(30)]


async def test_a_long_text_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text("\n\n".join(f"Paragraph {number} ö" for number in range(20_000)))
    async with pool_of() as pool:
        parsed = await pool.parse(Source(path, "long.txt"))
    assert parsed.text.endswith("Paragraph 19999 ö")
    assert len(parsed.blocks) == 20_000


async def test_time_is_limited(endless: Source, text: Source) -> None:
    async with pool_of(wall_seconds=1) as pool:
        assert await reason_of(pool, endless) is UnreadableReason.TOO_COMPLEX
        assert (await pool.parse(text)).text


async def test_a_crash_costs_one_file(endless: Source, text: Source) -> None:
    async with pool_of() as pool:
        for killer, reason in (
            (signal.SIGSEGV, UnreadableReason.CORRUPT),
            (signal.SIGKILL, UnreadableReason.TOO_COMPLEX),
            (signal.SIGXCPU, UnreadableReason.TOO_COMPLEX),
        ):
            parsing = asyncio.ensure_future(reason_of(pool, endless))
            await until(lambda: bool(process_ids(pool)))
            await asyncio.sleep(0.1)
            os.kill(process_ids(pool)[0], killer)
            assert await parsing is reason
            assert (await pool.parse(text)).text


def files(folder: Path, count: int) -> list[Source]:
    sources = []
    for number in range(count):
        path = folder / str(number)
        path.write_text(f"Document {number}" if number % 5 else "")
        sources.append(Source(path, f"{number}.txt"))
    return sources


async def test_files_that_go_together_have_results_of_their_own(tmp_path: Path) -> None:
    async with pool_of() as pool:
        found = await pool.parse_many(files(tmp_path, 12))
        assert await pool.parse_many([]) == []
        (alone,) = await pool.parse_many(files(tmp_path, 1))
        assert len(set(process_ids(pool))) == 1
    for number, one in enumerate([*found, alone]):
        if number % 5 and number < 12:
            assert not isinstance(one, UnreadableDocument)
            assert one.text == f"Document {number}"
        else:
            assert isinstance(one, UnreadableDocument)
            assert one.reason is UnreadableReason.EMPTY


async def test_a_file_that_breaks_the_process_costs_those_beside_it_nothing(endless: Source, tmp_path: Path) -> None:
    sources = files(tmp_path, 4)
    async with pool_of(wall_seconds=1) as pool:
        found = await pool.parse_many([*sources[:2], endless, *sources[2:]])
    reasons = [one.reason.value if isinstance(one, UnreadableDocument) else one.text for one in found]
    assert reasons == ["empty", "Document 1", "too-complex", "Document 2", "Document 3"]


async def test_long_texts_do_not_pile_up_in_one_reply(tmp_path: Path) -> None:
    sources = []
    for number in range(4):
        path = tmp_path / f"long{number}"
        path.write_text(f"{number} " + "word " * 300_000)
        sources.append(Source(path, "long.txt"))
    async with pool_of() as pool:
        found = await pool.parse_many(sources)
    assert [one.text[0] for one in found if not isinstance(one, UnreadableDocument)] == ["0", "1", "2", "3"]


async def test_closing_fails_all_that_go_together(endless: Source, text: Source) -> None:
    async with pool_of() as pool:
        parsing = asyncio.ensure_future(pool.parse_many([text, endless, text]))
        await until(lambda: bool(process_ids(pool)))
        await asyncio.sleep(0.1)
        await pool.close()
        with pytest.raises(Unavailable):
            await parsing


async def test_a_caller_that_leaves_frees_its_process(endless: Source, text: Source) -> None:
    async with pool_of() as pool:
        started = asyncio.Event()
        parsing = asyncio.ensure_future(pool.parse(endless, on_start=started.set))
        waiting = asyncio.ensure_future(pool.parse(text))
        await started.wait()
        (pid,) = process_ids(pool)
        parsing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await parsing
        assert (await waiting).text
        assert not alive(pid)


async def test_a_caller_that_leaves_the_queue_costs_nothing(endless: Source, text: Source) -> None:
    async with pool_of(wall_seconds=1) as pool:
        parsing = asyncio.ensure_future(reason_of(pool, endless))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(pool.parse(text))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await parsing
        assert (await pool.parse(text)).text


async def test_memory_is_limited(tmp_path: Path, text: Source) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"word " * (12 * 1024 * 1024))
    async with pool_of(memory_mb=64) as pool:
        assert await reason_of(pool, Source(path, "big.txt")) is UnreadableReason.TOO_COMPLEX
        assert (await pool.parse(text)).text


async def test_closing_ends_what_is_running(endless: Source) -> None:
    pool = ParserPool(ParseLimits(), 1, ocr=False)
    parsing = asyncio.ensure_future(pool.parse(endless))
    await until(lambda: bool(process_ids(pool)))
    await asyncio.sleep(0.1)
    (pid,) = process_ids(pool)
    await pool.close()
    with pytest.raises(Unavailable):
        await parsing
    assert not alive(pid)
    with pytest.raises(Unavailable):
        await pool.parse(endless)


async def test_a_process_that_cannot_start_is_no_fault_of_the_file(
    text: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with pool_of() as pool:
        for executable in (tmp_path / "absent", Path("/bin/false")):
            monkeypatch.setattr(sandbox_module.sys, "executable", str(executable))
            with pytest.raises(Unavailable):
                await pool.parse(text)
        monkeypatch.undo()
        assert (await pool.parse(text)).text


async def test_a_process_is_replaced_when_worn(text: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_FILES_MOST", 2)
    async with pool_of() as pool:
        seen = []
        for _ in range(5):
            await pool.parse(text)
            seen += process_ids(pool)
    assert len(set(seen)) == 3


async def test_a_process_that_talks_nonsense_is_not_believed(
    text: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "liar"
    ready = '{"ready":true,"resident_mb":1}'
    program.write_text(
        f"#!{sys.executable}\nimport sys, time\n"
        f"out = sys.stdout.buffer\nout.write(({len(ready)}).to_bytes(4, 'big') + b'{ready}')\nout.flush()\n"
        "sys.stdin.buffer.read(8)\nout.write((1 << 31).to_bytes(4, 'big'))\nout.flush()\ntime.sleep(60)\n"
    )
    program.chmod(0o755)
    async with pool_of() as pool:
        monkeypatch.setattr(sandbox_module.sys, "executable", str(program))
        assert await reason_of(pool, text) is UnreadableReason.CORRUPT
        monkeypatch.undo()
        assert (await pool.parse(text)).text


async def test_what_a_parser_logs_is_logged_here(tmp_path: Path, text: Source) -> None:
    from structlog.testing import capture_logs

    broken = tmp_path / "broken"
    broken.write_bytes(b"PK\x03\x04" + b"word/document.xml" * 20)
    async with pool_of() as pool:
        with capture_logs() as events, pytest.raises(UnreadableDocument):
            await pool.parse(Source(broken, "a.docx"))
    assert all(event["event"] in {"parser_log", "parser_died"} for event in events)


async def test_processes_hold_little_and_inherit_nothing(text: Source) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    secret = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(secret, True)
    os.environ["KAYNAK_SECRET_TEST"] = "x"
    try:
        async with pool_of() as pool:
            await pool.parse(text)
            (pid,) = process_ids(pool)
            assert b"KAYNAK_SECRET_TEST" not in Path(f"/proc/{pid}/environ").read_bytes()
            assert len(list(Path(f"/proc/{pid}/fd").iterdir())) <= 8
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            assert os.getsid(pid) == pid
            status = Path(f"/proc/{pid}/status").read_text()
            assert "NoNewPrivs:\t1" in status
            loaded = Path(f"/proc/{pid}/maps").read_text()
            assert not any(heavy in loaded for heavy in ("openvino", "psycopg", "tantivy"))
    finally:
        os.close(secret)
        del os.environ["KAYNAK_SECRET_TEST"]


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("words")
    program = f"""
import asyncio, time
from pathlib import Path
from kaynak.parsing import ParseLimits, ParserPool, Source
async def main():
    pool = ParserPool(ParseLimits(), 2, ocr=False)
    source = Source(Path({str(path)!r}), "words.txt")
    await asyncio.gather(*(pool.parse(source) for _ in range(8)))
    print(*(child._process.pid for child in pool._children), flush=True)
    time.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert children
    assert all(alive(pid) for pid in children)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
