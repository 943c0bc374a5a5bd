"""From what a model writes to sentences with numbered citations; nothing else of it is shown."""

from kaynak.generation.citing.numbering import Citations, marked, quoted

__all__ = ["Citations", "marked", "quoted"]
