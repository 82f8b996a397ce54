"""`/diff`: in which cells and words two versions, years, organs, or a page and a file differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.errors import BadQuestion, NotInArchive, Withdrawn
from storage.explorer.asked import word
from storage.explorer.figures import full_name_of, shown_as
from storage.explorer.site import Site, language
from storage.queries.coverage import coverage
from storage.queries.diff import Diff, Place, diff, find_place
from storage.queries.history import history

_STATUS = {BadQuestion: 400, NotInArchive: 404, Withdrawn: 410}


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        left, right = word(request, "left"), word(request, "right")
        lang, told = language(request), _nothing(left, right)
        try:
            if left is not None:
                before = find_place(connection, left)
                told["choices"] = _choices(connection, before)
                if right is not None:
                    told["found"] = diff(connection, before, find_place(connection, right))
        except (BadQuestion, NotInArchive) as error:
            told |= {"status": _STATUS[type(error)], "sentence": str(error)}
        return site.page(
            request,
            "diff.html.jinja",
            **told,
            shown_as=shown_as,
            name_of=lambda path: full_name_of(path, lang, _layout(told["found"])),
        )

    yield Route("/diff", site.answer(page))


def _nothing(left: str | None, right: str | None) -> dict[str, Any]:
    return {
        "left": left or "",
        "right": right or "",
        "found": None,
        "choices": None,
        "status": 200,
        "sentence": "",
    }


def _layout(found: Diff | None) -> str | None:
    return found["right"]["layout"] if found else None


def _choices(connection: sa.Connection, place: Place) -> dict[str, list[tuple[str, str]]]:
    """What the left side may be held against: places of its report and organ, with their words."""
    organ, year = place.organ, place.year
    report = f"{organ.name}/{year}"
    seen = [each for each in history(connection, organ, year) if each["withdrawn"] is None]
    years = [
        each["year"]
        for each in coverage(connection, organ_id=organ.id)
        if each["state"] not in ("missing", "withdrawn", "unreachable") and each["year"] != year
    ]
    files = {each["name"]: None for each in seen if each["part"] == "attachment"}
    return {
        "versions": [
            (f"{report}@{each['id']}", f"{each['id']} {each['name']}".strip()) for each in seen
        ],
        "years": [(f"{organ.name}/{each}", str(each)) for each in years],
        "parts": [(f"{report}#page", ""), *((f"{report}#{name}", name) for name in files)]
        if files
        else [],
    }
