"""Report → page images as an office scanner gives them: skew, noise, blur, uneven light, JPEG.

The pages are set by LibreOffice from the report's docx in an embedded CJK font and drawn by
pdfium, so that nothing here shares a line with the reader. Without LibreOffice or such a font
nothing can be rendered: `missing` says what is not there.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import docx
import numpy as np
import numpy.typing as npt
import pypdfium2
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from PIL import Image

from tests.replica.report_model import Report
from tests.replica.report_pages import docx_bytes

Page = npt.NDArray[np.uint8]
FONTS = ("Noto Serif CJK SC", "Noto Sans CJK SC")
_SECONDS = 100


@dataclass(frozen=True)
class Condition:
    """What a scanner does to a page. `skew` in degrees; `noise` is the sigma of grey noise,
    `specks` the share of pixels turned black or white, `blur` a sigma in pixels, `light` how much
    darker the worst corner is, `jpeg` a quality (0: none).
    """

    name: str
    dpi: int
    skew: float = 0.0
    noise: float = 0.0
    specks: float = 0.0
    blur: float = 0.0
    light: float = 0.0
    jpeg: int = 0


def missing() -> str:
    """Why no page can be rendered on this machine; empty where it can."""
    if not shutil.which("soffice"):
        return "LibreOffice (soffice) is not installed"
    if not shutil.which("fc-list"):
        return "fontconfig (fc-list) is not installed"
    found = subprocess.run(
        ["fc-list", ":", "family"], capture_output=True, text=True, check=True
    ).stdout
    absent = [font for font in FONTS if font not in found]
    return f"the font {absent[0]} is not installed" if absent else ""


def print_pdfs(reports: Sequence[Report]) -> list[bytes]:
    """Each report as a PDF; fonts, sizes and margins vary from one to the next."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        names = [where / f"{number:03}.docx" for number in range(len(reports))]
        for number, (name, report) in enumerate(zip(names, reports, strict=True)):
            name.write_bytes(_dressed(report, number))
        subprocess.run(
            [
                "soffice",
                f"-env:UserInstallation=file://{where / 'profile'}",
                "--headless",
                "--convert-to",
                "pdf",
                "--outdir",
                folder,
                *map(str, names),
            ],
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
        return [name.with_suffix(".pdf").read_bytes() for name in names]


def _dressed(report: Report, number: int) -> bytes:
    """The docx in one of several hands: the font, its size in tables, where numbers stand."""
    document = docx.Document(io.BytesIO(docx_bytes(report)))
    for section in document.sections:
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(1.8)
    normal: Any = document.styles["Normal"]
    font = FONTS[number % len(FONTS)]
    normal.font.name = font
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), font)
    normal.font.size = Pt(12)
    size = (9, 10, 9, 10.5)[number % 4]
    centred = number % 3 != 2
    for table in document.tables:
        across = len(table.columns) > 12
        for row in table.rows:
            row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
            for cell in row.cells:
                for paragraph in cell.paragraphs:
                    paragraph.paragraph_format.space_after = Pt(2)
                    if centred:
                        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
                    for run in paragraph.runs:
                        run.font.size = Pt(9 if across else size)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def pages(pdf: bytes, dpi: int) -> list[Page]:
    """The pages as grey bitmaps."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [
            np.array(page.render(scale=dpi / 72, grayscale=True).to_numpy()) for page in document
        ]
    finally:
        document.close()


def scanned(page: Page, condition: Condition, seed: int) -> Page:
    """The page as this scanner gives it; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    height, width = page.shape
    image: npt.NDArray[np.floating[Any]] = page.astype(np.float32)
    if condition.skew:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), condition.skew, 1.0)
        image = np.asarray(
            cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=255),
            dtype=np.float32,
        )
    if condition.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), condition.blur), dtype=np.float32)
    if condition.light:
        down, right = np.mgrid[0:height, 0:width]
        shade = (down / height + right / width) / 2
        image = image * (1 - condition.light * shade)
    if condition.noise:
        image = image + rng.normal(0, condition.noise, image.shape)
    if condition.specks:
        hit = rng.random(image.shape)
        image = np.where(hit < condition.specks / 2, 0, image)
        image = np.where(hit > 1 - condition.specks / 2, 255, image)
    made: Page = np.clip(image, 0, 255).astype(np.uint8)
    if condition.jpeg:
        _, written = cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, condition.jpeg])
        made = np.asarray(cv2.imdecode(written, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return made


def image_bytes(found: Sequence[Page], kind: str, dpi: int) -> bytes:
    """The pages as a file: png, jpeg and bmp hold one page, tiff any number."""
    first, *rest = [Image.fromarray(page) for page in found]
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": rest} if kind == "tiff" else {}
    first.save(buffer, kind, dpi=(dpi, dpi), **more)
    return buffer.getvalue()
