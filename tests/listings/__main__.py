"""`python -m tests.listings`: is ever a part of a listing taken for all of it?

Ends with 1 where it is, and where a listing without a fault is called incomplete.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict

from tests.listings.trials import Trial, clean, faulty, known_before


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.listings", description=__doc__)
    parser.add_argument("--listings", type=int, default=200, help="how many have a fault")
    options = parser.parse_args()
    began = time.monotonic()
    faults = list(faulty(options.listings))
    groups: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in faults:
        groups[trial.fault].append(trial)
    print(f"{'fault':<34}{'listings':>9}{'told':>6}{'healed':>8}{'SILENT':>8}")
    for fault, trials in groups.items():
        told = sum(not trial.outcome.complete for trial in trials)
        silent = sum(trial.silent for trial in trials)
        print(f"{fault:<34}{len(trials):>9}{told:>6}{len(trials) - told - silent:>8}{silent:>8}")
    whole, heads = list(clean()), list(known_before())
    alarms = [trial for trial in whole + heads if not trial.outcome.complete]
    lost = [trial for trial in faults + whole + heads if trial.silent]
    print(f"{len(faults)} faulty listings: {sum(trial.silent for trial in faults)} silent partials")
    print(f"{len(whole) + len(heads)} clean listings: {len(alarms)} false alarms")
    asked = [sum(trial.requests for trial in group) / len(group) for group in (whole, heads)]
    print(f"requests a listing: {asked[0]:.1f} read whole, {asked[1]:.1f} down to the known")
    for trial in lost + alarms:
        why = [str(read.why) for read in trial.outcome.reads]
        counted = "counted" if trial.counted else "uncounted"
        print(f"WRONG: {trial.fault}, {trial.dialect} {counted}, {trial.rows} rows: {why}", end=" ")
        print(f"{len(trial.missing)} missing, {trial.outcome.gaps}")
    print(f"{time.monotonic() - began:.1f} s")
    return 1 if lost or alarms else 0


if __name__ == "__main__":
    sys.exit(main())
