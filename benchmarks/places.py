"""Citations on their pages: how many sentences of real PDF are found again to the letter, and how long looking takes.

Found to the letter: the letters that the boxes enclose are those of the sentence, white space, hyphens and marks of
tables and lists aside. Timed are the boxes of a span of 140 characters, and the page drawn with them 1,190 pixels wide.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import pypdfium2.raw as pdfium

from common import DATA, machine
from kaynak.domain import ParsedDocument, UnreadableDocument
from kaynak.domain.sentences import sentence_spans
from kaynak.parsing import PageWanted, ParseLimits, ParserPool, Source
from kaynak.parsing.pdf.document import open_pdf
from kaynak.parsing.pictures.boxes import letters_at
from kaynak.parsing.pictures.letters import letters_of

FORM = frozenset("-\u2010\u2011\u00ad|\\•▪◦‣●○■□…")
PAGES = 40


def solid(text: str) -> str:
    """Returns ``text`` without what layout adds and takes away."""
    return "".join(char for char in text if not char.isspace() and char not in FORM)


def sentences(source: Source, parsed: ParsedDocument) -> tuple[int, int]:
    """Returns how many sentences of a file were looked for, and how many were found to the letter."""
    looked = found = 0
    with open_pdf(source.path, None) as document:
        for page in parsed.pages[:PAGES]:
            handle = pdfium.FPDF_LoadPage(document, page.number - 1)
            letters = letters_of(document, handle, page.number - 1)
            pdfium.FPDF_ClosePage(handle)
            text = parsed.text[page.start : page.end]
            for span in sentence_spans(text):
                said = solid(span.of(text))
                if len(said) >= 4:
                    chosen = letters_at(letters, text, span.start, span.end).tolist()
                    looked += 1
                    found += solid("".join(letters.texts[at] for at in chosen)) == said
    return looked, found


async def timed(pool: ParserPool, source: Source, parsed: ParsedDocument, times: dict[int, list[float]]) -> None:
    """Looks at the first pages of a file, and notes the milliseconds by the width of the picture."""
    for page in parsed.pages[:4]:
        text = parsed.text[page.start : page.end]
        for pixels, spent in times.items():
            began = time.perf_counter()
            await pool.look(source, PageWanted(page.number, text, 0, min(len(text), 140), pixels))
            spent.append((time.perf_counter() - began) * 1000)


async def main() -> None:
    """Prints the two tables."""
    times: dict[int, list[float]] = {0: [], 1190: []}
    looked = found = files = 0
    pool = ParserPool(ParseLimits(), 1, ocr=False)
    for path in sorted((DATA / "documents" / "files").glob("*.pdf")):
        source = Source(path, path.name)
        try:
            parsed = await pool.parse(source)
        except UnreadableDocument:
            continue
        files += 1
        more, good = sentences(source, parsed)
        looked, found = looked + more, found + good
        await timed(pool, source, parsed, times)
    await pool.close()
    print(machine())
    print(f"{files} files, {looked:,} sentences: {found / looked:.1%} found to the letter")
    for pixels, spent in times.items():
        what = "picture" if pixels else "boxes"
        late = statistics.quantiles(spent, n=20)[-1]
        print(f"{what}: {len(spent)} pages, p50 {statistics.median(spent):.0f} ms, p95 {late:.0f} ms")


if __name__ == "__main__":
    asyncio.run(main())
