"""One answer that was kept, told without its bytes: they are of the restricted tier."""

from __future__ import annotations

from storage.errors import Withdrawn
from storage.explorer.api.declare import Endpoint, Question, number_of
from storage.explorer.api.leads import report_key
from storage.queries import captures


def _capture(question: Question) -> captures.CaptureView:
    told = captures.captured(question.connection, question.settings, question["capture_id"])
    if told["withdrawn"]:
        raise Withdrawn(f"capture {told['id']}: {told['withdrawn']}")
    return told


ENDPOINTS = (
    Endpoint(
        key="capture",
        path="/captures/{capture_id}",
        shape=captures.CaptureView,
        ask=_capture,
        parameters=(number_of("capture_id"),),
        links={
            "report": lambda row, ways: (
                None if row["report"] is None else ways.still("reports", *report_key(row["report"]))
            ),
            "run": lambda row, ways: (
                None if row["run_id"] is None else ways.still("runs", row["run_id"])
            ),
            "replay": lambda row, ways: ways.replay(row["id"]),
            "page": lambda row, ways: ways.page("captures", row["id"]),
        },
        records=False,
    ),
)
