"""Hits of a search; the words read without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from storage.terminal.drawing import open_console

if TYPE_CHECKING:
    from storage.queries.search import Found


def show_hits(found: Found) -> None:
    """One block a hit: whose report, its title, and where the words stand."""
    console = open_console()
    for hit in found["hits"]:
        head = f"{hit['year']} {hit['organ']} ({hit['division_code']})"
        console.print(Text(head, style="bold"), soft_wrap=True)
        console.print(Text(f"  {hit['name'] or hit['title']}"), soft_wrap=True)
        for snippet in hit["snippets"]:
            line = Text("  ")
            for piece in snippet:
                text = f"【{piece['text']}】" if piece["hit"] else piece["text"]
                line.append(text, "bold yellow" if piece["hit"] else "")
            console.print(line, soft_wrap=True)
    more = "" if found["after"] is None else "; there are more: narrow it, or raise --limit"
    console.print(f"{len(found['hits'])} texts{more}")
