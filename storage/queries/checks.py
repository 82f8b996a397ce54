"""Which checks hold and which fail, counted by rule, year or organ?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, TypedDict, get_args

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.care.withdrawals import withdrawn_readings
from storage.errors import BadQuestion
from storage.readings.assessments import is_in_force
from storage.readings.onecell import Scope
from storage.readings.packing import unpack_verdicts
from storage.schema import (
    assessment_findings,
    assessments,
    findings,
    form_checks,
    organs,
    readings,
)

By = Literal["rule", "year", "organ"]


class Check(TypedDict):
    """The verdicts of one rule over the reports of the scope, of one year or one organ where these
    were asked for (null where not).

    `reports` are those in which it failed or has a finding. Of rules within a report each line of
    a table counts, so their verdicts are more than reports; of what follows from holding reports
    against others, and of findings that are no relation, only what was found is kept: their
    `pass` and `not_assessable` are null.
    """

    rule: str
    division_code: str | None
    organ: str | None
    year: int | None
    reports: int
    fail: int
    finding: int
    holds_if_blank_is_zero: int | None
    not_assessable: int | None
    passed: int | None


# Division code, organ, year, rule.
_Key: TypeAlias = tuple[str | None, str | None, int | None, str]


@leaves
def checks(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
    rule: str | None = None,
    by: By = "rule",
    as_of: AsOf | None = None,
) -> list[Check]:
    """By division, organ or year where asked for, then by rule.

    Raises BadQuestion for a rule that nothing was ever held to, with the near ones.
    """
    if by not in get_args(By):
        raise BadQuestion(f"checks by {by}: they are by {', '.join(get_args(By))}")
    if rule is not None:
        _must_know(connection, rule)
    scope = Scope(division=division, organ_id=organ_id, year=year, as_of=as_of)
    verdicts: dict[_Key, Counter[str]] = defaultdict(Counter)
    reports: Counter[_Key] = Counter()
    relations: set[_Key] = set()
    for key, letters, said, times in _within(connection, scope, by):
        for one in said:
            if rule in (None, one):
                relations.add((*key, one))
        for one, verdict in zip(said, letters, strict=True):
            if rule in (None, one):
                verdicts[*key, one][verdict] += times
        for one in {each for each, verdict in zip(said, letters, strict=True) if verdict == "fail"}:
            if rule in (None, one):
                reports[*key, one] += times
    for found, verdict, count, in_reports in _beside(connection, scope, by, rule):
        verdicts[found][verdict] += count
        reports[found] += in_reports
    order = sorted(verdicts, key=lambda key: (key[0] or "", key[1] or "", key[2] or 0, key[3]))
    return [_check(key, verdicts[key], reports[key], key in relations) for key in order]


def _check(key: _Key, counted: Counter[str], reports: int, relation: bool) -> Check:
    division, organ, year, rule = key
    return Check(
        rule=rule,
        division_code=division,
        organ=organ,
        year=year,
        reports=reports,
        fail=counted["fail"],
        finding=counted["finding"],
        holds_if_blank_is_zero=counted["holds_if_blank_is_zero"] if relation else None,
        not_assessable=counted["not_assessable"] if relation else None,
        passed=counted["pass"] if relation else None,
    )


def _standing(scope: Scope, by: By) -> sa.Subquery:
    """A row for each annual report that is shown, with the reading that stands for it."""
    stood = scope.stands()
    s = stood.c
    query = sa.select(s.report_id, s.organ_id, s.division_code, s.year, s.reading_id, s.form_id)
    if by == "organ":
        query = query.add_columns(organs.c.name.label("organ"))
        query = query.join_from(stood, organs, organs.c.id == s.organ_id)
    return query.where(s.kind == "annual").subquery("standing_reports")


def _told(rows: sa.Subquery, by: By) -> Sequence[sa.ColumnElement[Any]]:
    names: dict[By, tuple[str, ...]] = {
        "rule": (),
        "year": ("year",),
        "organ": ("division_code", "organ"),
    }
    return [rows.c[name] for name in names[by]]


def _key(row: sa.Row[Any], by: By) -> tuple[str | None, str | None, int | None]:
    if by == "organ":
        return (row.division_code, row.organ, None)
    return (None, None, row.year if by == "year" else None)


def _within(
    connection: sa.Connection, scope: Scope, by: By
) -> Iterator[tuple[tuple[str | None, str | None, int | None], list[str], list[str], int]]:
    """Key, the verdicts of a form's relations, their rules, and how many readings say just that:
    most say the same, so the database counts them as they are packed.
    """
    rules = _rules(connection)
    reports = _standing(scope, by)
    s, told = reports.c, _told(reports, by)
    query: sa.Select[Any] = (
        sa.select(*told, s.form_id, readings.c.verdicts, sa.func.count().label("times"))
        .join(readings, readings.c.id == s.reading_id)
        .where(s.form_id.is_not(None), *scope.conditions(reports))
        .group_by(*told, s.form_id, readings.c.verdicts)
    )
    for row in connection.execute(query):
        yield _key(row, by), unpack_verdicts(row.verdicts), rules[row.form_id], row.times


def _rules(connection: sa.Connection) -> Mapping[int, list[str]]:
    """Form → the rules of its relations, in their order."""
    k = form_checks.c
    rules: dict[int, list[str]] = defaultdict(list)
    query = sa.select(k.form_id, k.rule).order_by(k.form_id, k.position)
    for form_id, rule in connection.execute(query):
        rules[form_id].append(rule)
    return rules


def _beside(
    connection: sa.Connection, scope: Scope, by: By, rule: str | None
) -> Iterator[tuple[_Key, str, int, int]]:
    """What is no relation of a form: findings of readings, and what follows from others. Key,
    verdict, how often, in how many reports.
    """
    reports = _standing(scope, by)
    s, f, a = reports.c, findings.c, assessment_findings.c
    told = _told(reports, by)
    own = (
        sa.select(*told, f.rule, f.verdict, sa.func.count().label("times"))
        .add_columns(sa.func.count(s.report_id.distinct()).label("reports"))
        .join(findings, f.reading_id == s.reading_id)
        .where(f.check_position.is_(None), *scope.conditions(reports))
        .group_by(*told, f.rule, f.verdict)
    )
    hidden = _resting_on(connection, withdrawn_readings(connection))
    across = (
        sa.select(*told, a.rule, a.verdict, sa.func.count().label("times"))
        .add_columns(sa.func.count(s.report_id.distinct()).label("reports"))
        .join(assessments, assessments.c.report_id == s.report_id)
        .join(assessment_findings, a.assessment_id == assessments.c.id)
        .where(is_in_force(reports, scope.as_of, scope.of))
        .where(assessments.c.id.not_in(hidden))
        .where(*scope.conditions(reports))
        .group_by(*told, a.rule, a.verdict)
    )
    for query, column in ((own, f.rule), (across, a.rule)):
        asked = query if rule is None else query.where(column == rule)
        for row in connection.execute(asked):
            yield (*_key(row, by), row.rule), row.verdict, row.times, row.reports


def _resting_on(connection: sa.Connection, hidden: frozenset[int]) -> list[int]:
    """Assessments that rest on what was withdrawn: what they say is not said."""
    if not hidden:
        return []
    query = sa.select(assessments.c.id, assessments.c.readings)
    return [row.id for row in connection.execute(query) if not hidden.isdisjoint(row.readings)]


def _must_know(connection: sa.Connection, rule: str) -> None:
    known: set[str] = set()
    for column in (form_checks.c.rule, findings.c.rule, assessment_findings.c.rule):
        known |= set(connection.execute(sa.select(column).distinct()).scalars())
    if rule in known:
        return
    near = get_close_matches(rule, sorted(known), n=3, cutoff=0.4) or sorted(known)
    raise BadQuestion(f"no rule {rule}: did you mean {', '.join(near[:12])}?")
