from __future__ import annotations
import re
from crawler.documents.scan import ink, lines, recognition, sheet as sheets

VARIANTS=((0.70,0.0),(0.60,0.6),(0.8,0.9))
H=re.compile("[\u4e00-\u9fff]")
def checked(t): return len(H.findall(t))<3 or (t[:1].isdigit() and not re.match(r"\d{1,2}[.、,]?[\u4e00-\u9fff]",t))
def cells(sheet):
    for lat in lines.tables(sheet):
        conts=[ink.content(sheet,lat.box(c)) for c in lat.cells]
        full=[i for i,c in enumerate(conts) if c.lines]
        first=recognition.recognise([ink.strip(conts[i],*VARIANTS[0]) for i in full])
        said={i:[s] for i,s in zip(full,first)}
        again=[i for i in full if checked(said[i][0].text)]
        for v in VARIANTS[1:]:
            for i,s in zip(again,recognition.recognise([ink.strip(conts[i],*v) for i in again])): said[i].append(s)
        yield lat,conts,said
