"""Makes the DOCX, PDF and PPTX files of the sample company from the Markdown in ``sources/``.

The results are committed; run this only after changing a source:

    pip install reportlab && python examples/build_company.py
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
COMPANY = HERE / "company"


def blocks(markdown: str) -> list[tuple[str, str]]:
    """Returns (kind, text) pairs: h1, h2, h3, li, table or p."""
    found = []
    for part in re.split(r"\n\s*\n", markdown.strip()):
        if match := re.match(r"(#+) (.*)", part):
            found.append((f"h{len(match[1])}", match[2]))
            part = part[match.end() :].strip()
        if part.startswith("|"):
            found.append(("table", part))
        elif part.startswith("- "):
            found += [("li", line[2:]) for line in part.splitlines()]
        elif part:
            found.append(("p", " ".join(part.splitlines())))
    return found


def rows(table: str) -> list[list[str]]:
    """Returns the cells of a Markdown table, header first."""
    lines = [line.strip("| ").split("|") for line in table.splitlines() if "---" not in line]
    return [[cell.strip() for cell in line] for line in lines]


def write_docx(source: Path, target: Path) -> None:
    """Writes a Word file with real heading, list and table styles."""
    from docx import Document

    document = Document()
    for kind, text in blocks(source.read_text()):
        if kind == "table":
            cells = rows(text)
            table = document.add_table(rows=0, cols=len(cells[0]), style="Table Grid")
            for row in cells:
                for cell, value in zip(table.add_row().cells, row, strict=True):
                    cell.text = value
        elif kind.startswith("h"):
            document.add_heading(text, level=int(kind[1]))
        else:
            document.add_paragraph(text, style="List Bullet" if kind == "li" else None)
    document.save(str(target))


def write_pdf(source: Path, target: Path) -> None:
    """Writes a PDF with running header, page numbers and justified text."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()
    parts = blocks(source.read_text())
    story: list[object] = []
    for kind, text in parts:
        if kind == "li":
            story.append(ListFlowable([Paragraph(escape(text), styles["BodyText"])], bulletType="bullet"))
        else:
            style = "BodyText" if kind == "p" else f"Heading{kind[1]}"
            story += [Paragraph(escape(text), styles[style]), Spacer(1, 4)]

    def furniture(canvas, document):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, 806, f"Poyraz Boatworks · {parts[0][1]}")
        canvas.drawCentredString(297, 36, f"Page {document.page}")

    document = SimpleDocTemplate(str(target), pagesize=A4, title=parts[0][1], author="Poyraz Boatworks", invariant=1)
    document.build(story, onFirstPage=furniture, onLaterPages=furniture)


def write_pptx(source: Path, target: Path) -> None:
    """Writes one title slide and one bullet slide per section."""
    from pptx import Presentation

    deck = Presentation()
    slide = None
    for kind, text in blocks(source.read_text()):
        if kind == "h1":
            deck.slides.add_slide(deck.slide_layouts[0]).shapes.title.text = text
        elif kind == "h2":
            slide = deck.slides.add_slide(deck.slide_layouts[1])
            slide.shapes.title.text = text
        elif slide is not None:
            frame = slide.placeholders[1].text_frame
            paragraph = frame.paragraphs[0] if not frame.text else frame.add_paragraph()
            paragraph.text = text
    deck.save(str(target))


if __name__ == "__main__":
    sources = HERE / "sources"
    write_pdf(sources / "employee-handbook.md", COMPANY / "handbook" / "employee-handbook.pdf")
    write_pdf(sources / "information-security.md", COMPANY / "policies" / "information-security.pdf")
    write_docx(sources / "travel-and-expenses.md", COMPANY / "policies" / "travel-and-expenses.docx")
    write_docx(sources / "izin-talep-proseduru.md", COMPANY / "procedures" / "izin-talep-proseduru.docx")
    write_pptx(sources / "onboarding-slides.md", COMPANY / "handbook" / "first-week.pptx")
