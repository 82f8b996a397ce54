"""`archive ask`: every question of storage.queries by its name."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.cli.shared import (
    AsOfOption,
    BasisOption,
    Division,
    Json,
    OrganOption,
    Year,
    app,
    archive,
    as_of,
    print_json,
)


@app.command()
def ask(
    question: Annotated[
        str | None, typer.Argument(help="Its name; without one all questions are listed.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option("--cell", help="Table, row and column: applications.new_received.total."),
    ] = None,
    words: Annotated[str | None, typer.Option("--words", help="What is looked for.")] = None,
    organ: OrganOption = None,
    division: Division = None,
    year: Year = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only this kind of organ, e.g. department.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only this rule, e.g. A1 or X1.")
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only this state.")] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="Of the applications, e.g. natural_person.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="What to count by.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="As known at the end of this day in China."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="From the end of this day on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Up to the end of this day.")
    ] = None,
    moment: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """Any question of the archive by its name; without one: which there are, and what each takes.

    In English and Chinese. The same questions answer the pages and the programming interface.
    """
    from storage.asking import find_question, put, questions
    from storage.terminal.questions import list_questions, show_answer

    if question is None:
        listed = questions()
        if as_json:
            names = ("name", "en", "zh", "needs", "may")
            print_json([{name: getattr(each, name) for name in names} for each in listed])
        else:
            list_questions(listed)
        return
    asked, when = find_question(question), as_of(moment, basis)
    said = {
        "cell": cell, "words": words, "organ": organ, "division": division, "year": year,
        "kind": kind,
        "rule": rule, "state": state, "column": column, "by": by, "limit": limit, "at": at,
        "since": since, "until": until,
    }  # fmt: skip
    given = {word: value for word, value in said.items() if value is not None}
    with archive(empty="[]" if as_json else None) as connection:
        answer = put(connection, asked, given, when)
        if as_json:
            print_json(answer)
        elif not answer:
            print("Nothing fits.")
        else:
            show_answer(asked.name, answer)
