"""Scanned pages → Document: ruling lines, ink and recognition. Needs the extra gongkai[ocr]."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from crawler.documents.model import Block, Document
from crawler.errors import Unreadable

if TYPE_CHECKING:
    from crawler.documents.scan.sheet import Bitmap

KIND = "image"
_EXTRA = ("rapidocr", "onnxruntime", "cv2")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
# An A4 page at 600 dpi has 35 million pixels; a report has some ten pages.
_MOST_PIXELS = 40_000_000
_MOST_FRAMES = 60
_SMALLEST = 32
_DPI = (50, 1300)
# What Pillow's decoders raise on torn or hostile bytes.
_TORN = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError,
    AttributeError, ZeroDivisionError, RuntimeError, struct.error,
)  # fmt: skip


def can_read() -> bool:
    """Whether the extra is installed."""
    return all(map(find_spec, _EXTRA))


def is_mine(body: bytes) -> bool:
    """Is this a PNG, JPEG, TIFF or BMP?"""
    return body.startswith(_MAGIC) or (body[:2] == b"BM" and body[6:10] == b"\0\0\0\0")


def read(body: bytes) -> Document:
    """Read an image, each frame of it a page.

    Raises:
        Unreadable: needs_ocr (without the extra), damaged, bomb.
    """
    return read_pages(_frames(body))


def read_pages(pages: Iterable[tuple[int, Bitmap, int]]) -> Document:
    """Read page images: number from 1, grey pixels (height x width, uint8), dots per inch (0 where
    not known). Boxes and edges of the grids are pixels of the page as it was straightened.

    Raises:
        Unreadable: needs_ocr, without the extra.
    """
    if not can_read():
        raise Unreadable("needs_ocr", what="the file")
    from crawler.documents.scan.reading import read_page
    from crawler.documents.scan.recognition import engine_name

    blocks: list[Block] = []
    grids = 0
    for number, image, dpi in pages:
        found = read_page(image, dpi, number, grids)
        grids += sum(block.grid is not None for block in found)
        blocks += found
    return Document(KIND, tuple(blocks), engine=engine_name())


def _frames(body: bytes) -> Iterator[tuple[int, Bitmap, int]]:
    """The frames of an image as grey pages."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(body), formats=_FORMATS)
        with image:
            for number, frame in enumerate(ImageSequence.Iterator(image), 1):
                if number > _MOST_FRAMES:
                    raise Unreadable("bomb", kind=KIND, limit=f"{_MOST_FRAMES} pages")
                yield number, _grey(frame), _resolution(frame)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable("bomb", kind=KIND, limit=f"{_MOST_PIXELS} pixels") from error
    except UnidentifiedImageError as error:
        raise Unreadable("damaged", kind=KIND, why="no image in it") from error
    except _TORN as error:
        raise Unreadable("damaged", kind=KIND, why=str(error) or type(error).__name__) from error


def _grey(frame: Image.Image) -> Bitmap:
    import numpy as np

    width, height = frame.size
    if width * height > _MOST_PIXELS:
        raise Unreadable("bomb", kind=KIND, limit=f"{_MOST_PIXELS} pixels")
    if min(width, height) < _SMALLEST:
        raise Unreadable("damaged", kind=KIND, why=f"{width} x {height} pixels")
    upright = ImageOps.exif_transpose(frame)
    if upright.has_transparency_data:
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    if upright.mode[0] in "IF":  # more than eight bits, which a conversion would cut off
        deep = np.asarray(upright, dtype=np.float32)
        return np.asarray(deep * (255 / max(float(deep.max()), 1)), dtype=np.uint8)
    return np.asarray(upright.convert("L"), dtype=np.uint8)


def _resolution(frame: Image.Image) -> int:
    """Dots per inch as the file says; 0 where it says none, or nonsense (72 is a default)."""
    across, down = map(float, frame.info.get("dpi", (0, 0))[:2])
    if across != down or not _DPI[0] <= across <= _DPI[1] or round(across) in (72, 96):
        return 0
    return round(across)
