"""How the archive is fed: runs, and what is wrong."""

from __future__ import annotations

from typing import TypedDict, get_args

from storage.alerts import record as alerts
from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import Endpoint, Question, choice, number_of, text
from storage.queries import run_report, runs


class AlertStory(TypedDict):
    """An alert, and all that became of it, oldest first."""

    alert: alerts.Alert
    story: list[alerts.Step]


def _runs(question: Question) -> Page:
    rows = runs.recorded_runs(question.connection)
    return question.ordered(rows, lambda row: (-row["id"],))


def _run(question: Question) -> run_report.RunReport:
    return run_report.run_report(question.connection, question["run_id"])


def _alerts(question: Question) -> Page:
    rows = alerts.open_alerts(
        question.connection,
        kind=question["kind"],
        portal=question["portal"],
        closed=question["state"] in (None, "closed"),
    )
    rows = [row for row in rows if question["state"] in (None, row["state"])]
    return question.page(rows, "id")


def _alert(question: Question) -> AlertStory:
    number = question["alert_id"]
    return AlertStory(
        alert=alerts.find_alert(question.connection, number),
        story=alerts.story(question.connection, number),
    )


ENDPOINTS = (
    Endpoint(
        key="runs",
        path="/runs",
        shape=runs.Run,
        ask=_runs,
        cursor=(int, int),
        links={
            "self": lambda row, ways: ways.still("runs", row["id"]),
            "page": lambda row, ways: ways.page("runs", row["id"]),
        },
        records=False,
    ),
    Endpoint(
        key="run",
        path="/runs/{run_id}",
        shape=run_report.RunReport,
        ask=_run,
        parameters=(number_of("run_id"),),
        links={"page": lambda row, ways: ways.page("runs", row["id"])},
        records=False,
    ),
    Endpoint(
        key="alerts",
        path="/alerts",
        shape=alerts.Alert,
        ask=_alerts,
        parameters=(
            choice("kind", sorted(alerts.kinds())),
            text("portal", "tianshan", pattern=r"^[a-z0-9_]+$", longest=60),
            choice("state", get_args(alerts.State)),
        ),
        cursor=(int, int),
        links={"self": lambda row, ways: ways.still("alerts", row["id"])},
        records=False,
    ),
    Endpoint(
        key="alert",
        path="/alerts/{alert_id}",
        shape=AlertStory,
        ask=_alert,
        parameters=(number_of("alert_id"),),
        links={"page": lambda _row, ways: ways.page("alerts")},
        records=False,
    ),
)
