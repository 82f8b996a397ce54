"""`python -m tests.personal [SEED …]`: recall and precision of storage.care.personal.

500 planted numbers and 5,000 look-alikes a seed. Exit code 1 below 99 % of either. A planted
number counts as found only when every digit of it is covered in the masked text, and as found
rightly when it is called what it is. Seeds up to 99 were looked at while the detector was written;
those from 100 on are held out.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

from storage.care.personal import find, masked
from tests.personal.planted import alike, kinds, planted

HELD_OUT = 100
_GOAL = 0.99


@dataclass
class Score:
    """What was missed, and what was found where nothing is."""

    found: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / (self.found + len(self.missed))

    @property
    def precision(self) -> float:
        return self.found / (self.found + len(self.wrong))


def judge(seed: int) -> Score:
    """Recall and precision for one seed."""
    score = Score()
    for each in planted(seed):
        told = [
            one
            for one in find(each.text)
            if one.kind == each.kind and each.text[one.start : one.end] == each.number
        ]
        left = masked(each.text)
        if told and each.number not in left:
            score.found += 1
        else:
            score.missed.append(each.text)
        score.wrong += [("planted", each.text)] * (len(find(each.text)) - len(told))
    sorts = list(kinds())
    for place, text in enumerate(alike(seed)):
        score.wrong += [(sorts[place % len(sorts)], text)] * len(find(text))
    return score


def main(seeds: list[int]) -> int:
    good = True
    for seed in seeds:
        score = judge(seed)
        name = "held out" if seed >= HELD_OUT else "tuned on"
        print(
            f"seed {seed} ({name}): recall {score.recall:.4f}, precision {score.precision:.4f}; "
            f"{len(score.missed)} missed, {len(score.wrong)} found where nothing is"
        )
        if seed < HELD_OUT:
            for text in score.missed[:20]:
                print(f"  missed {text!r}")
            for sort, text in score.wrong[:20]:
                print(f"  wrong  {sort}: {text!r}")
        print("  ", dict(Counter(sort for sort, _ in score.wrong)))
        good = good and score.recall >= _GOAL and score.precision >= _GOAL
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main([int(word) for word in sys.argv[1:]] or [HELD_OUT, HELD_OUT + 1]))
