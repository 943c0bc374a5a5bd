"""Text recognition in pictures, where the extra ``ocr`` is installed; models are inside its wheel, all is offline."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.protocol import ParseLimits, Source

_INSTALL: Final = "Install text recognition with “pip install kaynak[ocr]”, and upload the file again."
_TURN_ON: Final = "Text recognition is turned off. Set KAYNAK_PARSING__OCR to auto, and upload the file again."
_SIDE_MOST = 4_000
_SIDE_READ = 2_400
"""Pixels of the longer side to which recognition shrinks a picture: A4 at 200 dots per inch."""
_PIXELS_MOST = 250_000_000
_DPI = 150
"""Assumed where a picture does not say."""
_DOUBTFUL = 0.75
"""Mean certainty below which the picture may stand on its head."""
_BODY_RANGE = (0.72, 1.35)
"""Heights of recognised lines, against the usual one, that are taken for the same size of type."""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kaynak.parsing.pdf.segments import Segment

    Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A line that was recognised.

    Attributes:
        text: What it says.
        left: Of its box in pixels of the upright picture, as are ``top``, ``right``, ``bottom``.
        certainty: In [0, 1].
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    certainty: float


class _Switch:
    enabled = True
    before: Callable[[], None] | None = None


def before_recognition(call: Callable[[], None]) -> None:
    """Has ``call`` called before each page is recognised: it takes seconds, where other pages take milliseconds."""
    _Switch.before = call


def switch_ocr(enabled: bool) -> None:
    """Turns recognition on or off for this process; it is on."""
    _Switch.enabled = enabled


def ocr_available() -> bool:
    """Returns whether pictures can be read here: the extra is installed and not turned off."""
    return _Switch.enabled and _installed()


def ocr_hint() -> str:
    """Returns what to do so that pictures are read: turn recognition on if someone turned it off, else install it."""
    return _INSTALL if _Switch.enabled else _TURN_ON


@cache
def _installed() -> bool:
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def recognise(picture: Picture) -> list[Recognised]:
    """Returns the lines in a picture, turned upright if it lies on its side or stands on its head.

    Args:
        picture: Blue, green, red; shape ``(height, width, 3)``.
    """
    import numpy as np

    if _Switch.before is not None:
        _Switch.before()
    found = _recognise(picture)
    tries: tuple[int, ...] = ()
    if _lying(found):
        tries = (1, 3)
    elif found and _certainty(found) < _DOUBTFUL:
        tries = (2,)
    best = (_worth(found), found) if not tries or tries == (2,) else (0.0, found)
    for turns in tries:
        other = _recognise(np.ascontiguousarray(np.rot90(picture, turns)))
        if _worth(other) > best[0]:
            best = _worth(other), other
    return best[1]


def _recognise(picture: Picture) -> list[Recognised]:
    try:
        result = _engine()(picture, use_cls=False)
    except Exception as exc:
        # What the runtimes raise when memory ends has no common type; the picture itself was decoded before.
        raise MemoryError("text recognition") from exc
    if result.boxes is None or result.txts is None:
        return []
    found = []
    for box, text, certainty in zip(result.boxes, result.txts, result.scores, strict=True):
        (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
        found.append(Recognised(str(text), left, top, right, bottom, float(certainty)))
    return found


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    threads = max(1, min(4, os.cpu_count() or 1))
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": _SIDE_READ,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _lying(found: Sequence[Recognised]) -> bool:
    long = [one for one in found if max(one.right - one.left, one.bottom - one.top) > 60]
    tall = [one for one in long if one.bottom - one.top > 1.5 * (one.right - one.left)]
    return len(tall) * 2 > len(long)


def _certainty(found: Sequence[Recognised]) -> float:
    return sum(one.certainty * len(one.text) for one in found) / max(1, sum(len(one.text) for one in found))


def _worth(found: Sequence[Recognised]) -> float:
    return sum(one.certainty**2 * len(one.text) for one in found)


def segments_from(found: Sequence[Recognised], scale: float) -> list[Segment]:
    """Returns recognised lines as segments for the layout of pages.

    Args:
        found: The lines.
        scale: Points per pixel.
    """
    from kaynak.parsing.pdf.segments import Segment, mostly_right_to_left

    heights = sorted(one.bottom - one.top for one in found for _ in range(max(1, len(one.text) // 8)))
    usual = heights[len(heights) // 2] if heights else 1.0
    segments = []
    for one in found:
        height = one.bottom - one.top
        # Boxes hug ascenders and descenders, so that their heights say little of the size of type.
        size = (usual if _BODY_RANGE[0] < height / usual < _BODY_RANGE[1] else height) * 0.75 * scale
        base = (one.top + one.bottom) / 2 * scale + 0.35 * size
        segments.append(
            Segment(
                one.text.strip(),
                one.left * scale,
                one.top * scale,
                one.right * scale,
                one.bottom * scale,
                base,
                size,
                rtl=mostly_right_to_left(one.text),
            )
        )
    return [segment for segment in segments if segment.text]


class ImageParser:
    """Pictures of text: PNG, JPEG, TIFF of several pages, WebP, BMP, GIF."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """Returns the text that a picture shows.

        Raises:
            UnreadableDocument: Recognition is not installed or turned off, or the picture is damaged or too large.
        """
        from kaynak.parsing.detect import detect
        from kaynak.parsing.pdf.columns import regions
        from kaynak.parsing.pdf.lines import lines_of
        from kaynak.parsing.pdf.page import PageLayout
        from kaynak.parsing.pdf.writing import write

        if not ocr_available():
            raise UnreadableDocument(UnreadableReason.NEEDS_OCR, "The file is a picture.", hint=ocr_hint())
        pages: list[PageLayout] = []
        for picture, scale in _frames(source.path, limits.pages):
            page = PageLayout(len(pages) + 1, picture.shape[1] * scale, picture.shape[0] * scale)
            for number, group in enumerate(regions(segments_from(recognise(picture), scale))):
                page.lines.extend(lines_of(group, number))
            pages.append(page)
        builder = TextBuilder(limits.text_chars, limits.pages)
        title = write(pages, (), builder)
        media_type = detect(source.path, source.name, source.media_type)
        return builder.build(media_type, title=title, warnings=["Read by text recognition."])


def _frames(path: Path, most: int) -> Iterator[tuple[Picture, float]]:
    """Yields the frames of a picture, upright as its camera says, with the points per pixel."""
    import numpy as np
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit below has the better message
    try:
        with Image.open(path) as image:
            for number, frame in enumerate(ImageSequence.Iterator(image)):
                if number >= most or (number and image.format not in ("TIFF", "MPO")):
                    break
                if frame.width * frame.height > _PIXELS_MOST:
                    raise UnreadableDocument(
                        UnreadableReason.TOO_COMPLEX,
                        f"The picture has {frame.width:,} × {frame.height:,} pixels.",
                        hint="Make it smaller; 300 dots per inch are plenty.",
                    )
                if frame.format == "MPO" and number:
                    break
                upright = ImageOps.exif_transpose(frame)
                dpi = _dpi(upright.info.get("dpi"))
                shrunk = min(1.0, _SIDE_MOST / max(upright.size))
                if shrunk < 1.0:
                    upright = upright.resize((round(upright.width * shrunk), round(upright.height * shrunk)))
                yield np.ascontiguousarray(np.asarray(_on_white(upright))[:, :, ::-1]), 72 / (dpi * shrunk)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as exc:
        raise UnreadableDocument(
            UnreadableReason.CORRUPT,
            "The picture is damaged.",
            hint="Open it in an image program, save it anew, and upload the new file.",
        ) from exc


def _on_white(image: Any) -> Any:
    """Returns the picture in red, green, blue; what is transparent becomes white paper."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(paper, layered).convert("RGB")
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    return image.convert("RGB")


def _dpi(declared: Any) -> float:
    try:
        dpi = float(declared[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return _DPI
    return dpi if 50 <= dpi <= 1200 else _DPI
