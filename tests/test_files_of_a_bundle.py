"""What is read of a bundle's files where the parser fails on one of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from crawler.pipelines import facts
from crawler.pipelines.attachments import ObservedFiles
from crawler.pipelines.opened import File
from storage.readings.observing import VersionRef


def test_a_fault_in_one_member_leaves_the_others_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def read_file(file: File) -> Any:
        read.append(file.name)
        if file.name == "a.zip/2.docx":
            raise IndexError("odd")
        return SimpleNamespace()

    pipeline = facts.FactsPipeline(SimpleNamespace(stats=None))  # type: ignore[arg-type]
    monkeypatch.setattr(facts, "read_file", read_file)
    monkeypatch.setattr(facts, "reading_record", lambda reading: reading)
    monkeypatch.setattr(pipeline, "_keep", lambda _version, read: read())
    names = ("a.zip", "a.zip/1.docx", "a.zip/2.docx", "a.zip/3.docx")
    files = tuple((VersionRef(n, 1, True), File(name, b"")) for n, name in enumerate(names))
    with pytest.raises(IndexError):
        pipeline.process_item(ObservedFiles(files))
    assert sorted(read) == sorted(names)
