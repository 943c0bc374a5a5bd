"""PDF: characters to lines, lines to columns, columns to text in reading order."""

from kaynak.parsing.pdf.parser import PdfParser

__all__ = ["PdfParser"]
