"""Strips of one line of print → text, in batches, with the least certain letter's probability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from rapidocr import RapidOCR

from crawler.documents.scan.sheet import Bitmap

HEIGHT = 48
_THREADS = 2
_BATCH = 16
# Detection sees the page reduced to this side.
_DETECTION_SIDE = 960
_NARROWEST = 64
_WIDEST = 2400
_BLANK = 0


class Said(NamedTuple):
    """What a strip says; `confidence` is that of its least certain letter."""

    text: str
    confidence: float


def engine_name() -> str:
    """Engine, version and models: a fact of the reading."""
    config = _engine().cfg
    models = (
        f"{part.ocr_version.value} {part.task_type.value} {part.model_type.value}"
        for part in (config.Det, config.Rec)
    )
    return f"rapidocr {version('rapidocr')} ({', '.join(models)})"


@cache
def _engine() -> RapidOCR:
    bounds = {
        "Global.log_level": "error",
        "EngineConfig.onnxruntime.intra_op_num_threads": _THREADS,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "Det.limit_side_len": _DETECTION_SIDE,
        "Det.limit_type": "max",
    }
    return RapidOCR(params=bounds)


def recognise(strips: Sequence[Bitmap]) -> list[Said]:
    """Read strips of dark print on white, each HEIGHT pixels high."""
    said: list[Said] = [Said("", 0.0)] * len(strips)
    order = sorted(range(len(strips)), key=lambda number: strips[number].shape[1])
    for batch in _batches(order, [strip.shape[1] for strip in strips]):
        for number, one in zip(batch, _read([strips[n] for n in batch]), strict=True):
            said[number] = one
    return said


def _batches(order: Sequence[int], widths: Sequence[int]) -> Iterator[list[int]]:
    """Strips of like width: all of a batch cost as much as its widest."""
    batch: list[int] = []
    for number in order:
        if batch and (
            len(batch) == _BATCH or widths[number] > 1.25 * max(widths[batch[0]], _NARROWEST)
        ):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _read(strips: Sequence[Bitmap]) -> Iterator[Said]:
    width = max(_NARROWEST, *(min(strip.shape[1], _WIDEST) for strip in strips))
    batch = np.zeros((len(strips), 3, HEIGHT, width), dtype=np.float32)
    for number, strip in enumerate(strips):
        if strip.shape[1] > _WIDEST:
            strip = np.asarray(cv2.resize(strip, (_WIDEST, HEIGHT)), dtype=np.uint8)
        batch[number, :, :, : strip.shape[1]] = strip.astype(np.float32) / 127.5 - 1
    recogniser = _engine()._load_rec_model()  # type: ignore[no-untyped-call]
    letters: list[str] = recogniser.postprocess_op.character
    for odds in recogniser.session(batch):
        yield _decoded(odds, letters)


def _decoded(odds: npt.NDArray[np.float32], letters: Sequence[str]) -> Said:
    """The likeliest letter of each step; a letter goes on until another or a gap comes."""
    best = odds.argmax(axis=1)
    sure = odds.max(axis=1)
    text: list[str] = []
    least = 1.0
    for step, letter in enumerate(best):
        least = min(least, float(sure[step])) if letter != _BLANK else least
        if letter != _BLANK and (step == 0 or letter != best[step - 1]):
            text.append(letters[letter])
    return Said("".join(text), least if text else 0.0)


def text_boxes(page: Bitmap) -> list[tuple[int, int, int, int]]:
    """Where lines of print stand on a page of dark print on white: left, top, right, bottom."""
    detector = _engine()._load_det_model()  # type: ignore[no-untyped-call]
    found = detector(cv2.cvtColor(page, cv2.COLOR_GRAY2BGR))
    if found.boxes is None:
        return []
    return [
        (
            int(box[:, 0].min()),
            int(box[:, 1].min()),
            int(np.ceil(box[:, 0].max())),
            int(np.ceil(box[:, 1].max())),
        )
        for box in found.boxes
    ]
