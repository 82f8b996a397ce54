"""Do a portal's pages look otherwise than they did? Each is held against its own history.

The thresholds, with their reasons, and the sentences stand in drift.toml; docs/drift.md explains
the test. What has no history to be held against has no drift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, lgamma
from typing import Any

import sqlalchemy as sa

from storage.drift.measures import Row, alike, history, rows_of, rules
from storage.schema import attempts, measures, starts

# What a page asked for as this should be.
_KINDS = {
    "report": "article",
    "seed": "article",
    "channel": "listing",
    "listing": "listing",
    "page": "listing",
}

# Outcomes after which nothing is left to ask.
_ANSWERS = (
    *("ok", "redirect", "redirect_loop", "not_modified", "client_error", "soft_404"),
    *("shell", "empty", "robots_refused", "out_of_scope"),
)

Said = tuple[str, str]  # in English and in Chinese
Skin = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is otherwise than it was.

    `rule` is one of fill, selector, rows, kind, template, dialect, counts; `measure` what was
    counted. `before` and `now` are JSON: `share` (or `mean`) and `pages`, before with the `runs` it
    rests on; of counts the bounds and the count. `last_good_run`: the newest run that was as
    before, with a capture of a page that was so; `capture` is one of now. None: there is none.
    """

    portal: str
    template: str
    measure: str
    rule: str
    before: Mapping[str, Any]
    now: Mapping[str, Any]
    message: str
    message_zh: str
    last_good_run: int | None = None
    last_good_capture: int | None = None
    capture: int | None = None

    @property
    def key(self) -> str:
        """As the run's stats name it."""
        return f"drift/{self.portal} {self.template} {self.measure}"


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `pages`, in `runs`; `largest`: the most pages of one of them."""

    count: int
    pages: int
    largest: int
    runs: int = 0  # 0: this run

    @property
    def value(self) -> float:
        return self.count / self.pages if self.pages else 0.0

    def json(self) -> dict[str, Any]:
        """As a drift shows it."""
        shown = {"share": round(self.value, 4), "count": self.count, "pages": self.pages}
        return {**shown, "runs": self.runs} if self.runs else shown

    def said(self) -> Said:
        facts = {"count": self.count, "pages": self.pages, "runs": self.runs}
        return _words("runs" if self.runs else "pages", facts)


@dataclass(frozen=True)
class _Group:
    """Pages of this run, and what is like them in earlier runs, newest first, none empty."""

    row: Row
    skins: Sequence[Skin]
    past: Sequence[tuple[Row, Sequence[Skin]]]

    @cached_property
    def now(self) -> Counter[str]:
        return _sum(self.skins)

    @cached_property
    def before(self) -> Sequence[Counter[str]]:
        return [_sum(skins) for _, skins in self.past]

    def shares(self, measure: str) -> tuple[Share, Share]:
        of = rules()["measures"][measure.partition(":")[0]]["of"]
        return _shares(measure, of, self.before, self.now)

    def last(self, measure: str) -> tuple[int | None, int | None]:
        """The newest run in which the measure was found, and a capture of it."""
        for row, skins in self.past:
            for skin in skins:
                if skin.get(measure):
                    return row.run_id, skin["capture"]
        return None, None

    def drift(
        self, rule: str, measure: str, sides: tuple[Share, Share], what: Said = ("", "")
    ) -> Drift:
        run, capture = self.last("pages" if rule == "template" else measure)
        return _drift(self.row, rule, measure, sides, what, run, capture, self.skins[0]["capture"])


def drifts(connection: sa.Connection, run_id: int) -> list[Drift]:
    """What drifted in a run whose measures are kept, in the order in which they were counted."""
    rows = rows_of(connection, run_id)
    asked = sa.select(starts.c.scope).where(starts.c.run_id == run_id).order_by(starts.c.id.desc())
    whole = connection.execute(asked.limit(1)).scalar() in (None, "all")
    return [drift for row in rows for drift in _of_row(connection, row, rows, whole)]


def fallen(before: Share, now: Share) -> bool:
    """Whether so few can no longer be chance; see drift.toml."""
    test = rules()["test"]
    if now.pages < test["pages"] or now.value > test["fall"] * before.value:
        return False
    if before.value < test["always"] and now.pages < test["wide"] * before.largest:
        return False
    return bool(_chance(before, now) < test["chance"])


def _chance(before: Share, now: Share) -> float:
    """How probable `now.count` or fewer of `now.pages` are, after what was seen before.

    Beta-binomial: the share itself is known no better than the pages of the largest run tell, for
    a page that is read again says nothing new.
    """
    yes = before.value * before.largest + 0.5
    no = (1 - before.value) * before.largest + 0.5
    every = lgamma(now.pages + 1) + lgamma(yes + no) - lgamma(yes) - lgamma(no)
    every -= lgamma(now.pages + yes + no)
    return sum(
        exp(
            every
            + lgamma(count + yes)
            + lgamma(now.pages - count + no)
            - lgamma(count + 1)
            - lgamma(now.pages - count + 1)
        )
        for count in range(now.count + 1)
    )


def _of_row(
    connection: sa.Connection, row: Row, rows: Sequence[Row], whole: bool
) -> Iterator[Drift]:
    past = history(connection, row.portal, row.template, row.run_id)
    if row.template == "portal":
        yield from _kinds(row, past)
        if whole:
            yield from _counts(row, rows, answered=_answered(connection, row))
        return
    good = [one for one in past if one.good]
    if sum(one.total("pages") for one in good) >= rules()["history"]["pages"]:
        yield from _of_template(row, good)
    if len(past) < rules()["history"]["said"]:
        yield from _dialect(connection, row, rows)


def _of_template(row: Row, good: Sequence[Row]) -> Iterator[Drift]:
    """Skin by skin against the same skin; new skins together against all there was."""
    new = [skin for skin in row.skins if skin.get("new")]
    if new:
        every = _Group(row, new, [(one, one.skins) for one in good])
        pages = sum(counts["pages"] for counts in every.before)
        before = Share(0, pages, pages, len(good))
        worn = Share(every.now["pages"], row.total("pages"), row.total("pages"))
        yield every.drift("template", "template", (before, worn))
        yield from _fills(every)
    for skin in row.skins:
        past = [(one, _like(one, skin)) for one in good]
        same = _Group(row, [skin], [(one, skins) for one, skins in past if skins])
        if not skin.get("new") and same.past:
            fills = list(_fills(same))
            yield from fills
            yield from _selectors(same, {drift.measure for drift in fills})
            yield from _rows(same)


def _like(row: Row, skin: Skin) -> list[Skin]:
    return [one for one in row.skins if alike(one["sketch"], skin["sketch"])]


# --- the rules ------------------------------------------------------------------------------------


def _fills(group: _Group) -> Iterator[Drift]:
    for measure, about in rules()["measures"].items():
        sides = group.shares(measure)
        if fallen(*sides):
            yield group.drift("fill", measure, sides, (about["en"], about["zh"]))


def _selectors(group: _Group, without: set[str]) -> Iterator[Drift]:
    """An XPath of the dialect that found things and finds them no more; another may."""
    for measure in sorted({key for counts in group.before for key in counts if ":" in key}):
        what, _, number = measure.partition(":")
        sides = group.shares(measure)
        if what not in without and fallen(*sides):
            yield group.drift("selector", measure, sides, _words(what, {"number": int(number) + 1}))


def _rows(group: _Group) -> Iterator[Drift]:
    """Rows a page; only of runs as wide as those before: a new year's listing has one row."""
    test, pages = rules()["test"], group.now["pages"]
    wide = max(counts["pages"] for counts in group.before)
    means = [c["rows"] / c["pages"] for c in group.before if c["pages"] >= test["pages"]]
    if not means or pages < test["pages"] or pages < test["wide"] * wide:
        return
    lowest, mean = min(means), group.now["rows"] / pages
    if mean >= rules()["rows"]["fall"] * lowest:
        return
    run, capture = group.last("rows")
    before = {"mean": round(lowest, 1), "pages": wide, "runs": len(means)}
    now = {"mean": round(mean, 1), "pages": pages}
    facts = {"now": _words("mean", now), "before": _words("means", before)}
    yield Drift(
        group.row.portal,
        group.row.template,
        "rows",
        "rows",
        before,
        now,
        *_sentence(group.row, "rows", facts),
        run,
        capture,
        group.skins[0]["capture"],
    )


def _kinds(row: Row, past: Sequence[Row]) -> Iterator[Drift]:
    """Articles where listings stood, or the other way round."""
    for purpose, counts in row.counts["asked"].items():
        kind = _KINDS.get(purpose)
        measure = f"{purpose} {kind}"
        good = [one for one in past if measure not in one.drifted]
        asked = [Counter(one.counts["asked"].get(purpose, {})) for one in good]
        seen = [each for each in asked if each["pages"]]
        if kind is None or sum(each["pages"] for each in seen) < rules()["history"]["pages"]:
            continue
        sides = _shares(kind, "pages", seen, Counter(counts))
        if fallen(*sides):
            run = good[0].run_id if good else None
            yield _drift(row, "kind", measure, sides, _words(kind, {}), run, None, None)


def _dialect(connection: sa.Connection, row: Row, rows: Sequence[Row]) -> Iterator[Drift]:
    """Most pages of a kind speak a dialect that the portal's pages did not speak before."""
    kind = row.template.rpartition(" ")[2]
    pages = sum(
        one.total("pages")
        for one in rows
        if one.portal == row.portal and one.template.endswith(f" {kind}")
    )
    worn = row.total("pages")
    if worn < max(rules()["test"]["pages"], rules()["template"]["share"] * pages):
        return
    m = measures.c
    first = (
        sa.select(sa.func.min(m.run_id))
        .where(m.portal == row.portal, m.template == row.template)
        .scalar_subquery()
    )
    others = sa.select(m.template).where(
        m.portal == row.portal, m.template.endswith(f" {kind}"), m.run_id < first
    )
    for template in sorted(set(connection.execute(others).scalars())):
        past = history(connection, row.portal, template, row.run_id)
        seen = sum(one.total("pages") for one in past)
        if seen >= rules()["history"]["pages"]:
            sides = (Share(0, seen, seen, len(past)), Share(worn, pages, pages))
            what, run = (row.template, row.template), past[0].run_id
            capture = past[0].skins[0]["capture"]
            now = row.skins[0]["capture"]
            yield _drift(row, "dialect", "dialect", sides, what, run, capture, now)
            return


def _counts(row: Row, rows: Sequence[Row], *, answered: bool) -> Iterator[Drift]:
    """Against the minima and maxima of the portal's file; minima only where all was answered."""
    listings = [r for r in rows if r.portal == row.portal and r.template.endswith(" listing")]
    filled = sum(each.total("filled") for each in listings)
    mean = sum(each.total("rows") for each in listings) / filled if filled else 0.0
    found = {**row.counts, "rows": round(mean, 1)}
    for what, (least, most) in row.counts["expect"].items():
        count = found.get(what, 0)
        if (answered and count < least) or (most is not None and count > most):
            bounds = {"least": least, "most": most}
            expected = _words("least" if most is None else "between", bounds)
            facts = {"now": (str(count),) * 2, "before": expected, "what": _words(what, {})}
            said = _sentence(row, "counts", facts)
            yield Drift(row.portal, "portal", what, "counts", bounds, {"count": count}, *said)


def _answered(connection: sa.Connection, row: Row) -> bool:
    """Whether everything that was asked of a portal got its answer: else that is what is wrong."""
    a = attempts.c
    own = (a.run_id == row.run_id) & (a.portal == row.portal)
    answers = sa.select(a.url).where(own, a.outcome.in_(_ANSWERS))
    without = sa.select(a.id).where(own, a.url.not_in(answers)).limit(1)
    return connection.execute(without).first() is None


# --- what they share ------------------------------------------------------------------------------


def _sum(skins: Sequence[Skin]) -> Counter[str]:
    return Counter(
        {
            key: sum(skin.get(key, 0) for skin in skins)
            for key in {key for skin in skins for key in skin} - {"sketch", "capture", "new"}
        }
    )


def _shares(
    measure: str, of: str, before: Sequence[Counter[str]], now: Counter[str]
) -> tuple[Share, Share]:
    pages = [counts[of] for counts in before]
    count = sum(counts[measure] for counts in before)
    past = Share(count, sum(pages), max(pages, default=0), len(pages))
    return past, Share(now[measure], now[of], now[of])


def _drift(
    row: Row,
    rule: str,
    measure: str,
    sides: tuple[Share, Share],
    what: Said,
    run: int | None,
    good: int | None,
    capture: int | None,
) -> Drift:
    before, now = sides
    said = _sentence(row, rule, {"before": before.said(), "now": now.said(), "what": what})
    return Drift(
        row.portal,
        row.template,
        measure,
        rule,
        before.json(),
        now.json(),
        *said,
        run,
        good,
        capture,
    )


def _sentence(row: Row, rule: str, facts: Mapping[str, Said]) -> Said:
    say, names = rules()["say"][rule], {"portal": row.portal, "template": row.template}
    english = {key: said[0] for key, said in facts.items()}
    chinese = {key: said[1] for key, said in facts.items()}
    return say["en"].format(**names, **english), say["zh"].format(**names, **chinese)


def _words(key: str, facts: Mapping[str, Any]) -> Said:
    words = rules()["words"][key]
    return words["en"].format(**facts), words["zh"].format(**facts)
