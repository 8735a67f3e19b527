"""Compares the daemon's civil time with Python's zoneinfo, for every zone of the system from 1990 to 2100.

The reckoning here shares only the rule with the daemon's: the instant of a local time is the first one at which a
clock in the zone shows that time or a later one. It is found by bisection over instants, not by asking for gaps.
"""

import datetime as dt
import os
import random
import subprocess
import sys
import zoneinfo

EPOCH = dt.datetime(1970, 1, 1)
UTC = dt.timezone.utc
ZONES = "/usr/share/zoneinfo"
NOT_PORTABLE = {"Factory", "localtime"}


def shown(zone, at):
    """What a clock in the zone shows at `at` seconds after the epoch, as seconds after a local 1970-01-01."""
    return at + int(dt.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def first_instant(zone, local):
    """The first second at which the zone shows `local` (seconds after a local 1970-01-01) or later."""
    # No zone is more than 16 hours off, so these two lie before and after, a whole-day jump included.
    offsets = [shown(zone, at) - at for at in (local - 42 * 3600, local, local + 42 * 3600)]
    if len(set(offsets)) == 1:
        return local - offsets[0]
    # Earlier than this no offset near shows enough. Scan for the first moment that does, then bisect the last step.
    # (By the minute: before 2007 Newfoundland showed the first minute of a day, then an hour of the day before again.)
    low = local - max(offsets) - 1
    while shown(zone, low + 60) < local:
        low += 60
    high = low + 60
    while high - low > 1:
        middle = (low + high) // 2
        if shown(zone, middle) < local:
            low = middle
        else:
            high = middle
    return high


def transition_days(zone, first_year, last_year):
    """Local dates on which the offset changes, found by halving months whose ends differ."""
    days = []
    edges = [dt.date(y, m, d) for y in range(first_year, last_year + 1) for m in range(1, 13) for d in (1, 15)]

    def offset(day):
        return dt.datetime(day.year, day.month, day.day, 12, tzinfo=UTC).astimezone(zone).utcoffset()

    offsets = [offset(day) for day in edges]
    for i in range(len(edges) - 1):
        if offsets[i] == offsets[i + 1]:
            continue
        low, high, before = edges[i], edges[i + 1], offsets[i]
        while (high - low).days > 1:
            middle = low + (high - low) // 2
            if offset(middle) == before:
                low = middle
            else:
                high = middle
        days.extend((low, high))
    return days


def main(answers):
    draw = random.Random(20261130)
    names = sorted(zoneinfo.available_timezones() - NOT_PORTABLE)
    by_content = {}
    for name in names:
        with open(os.path.join(ZONES, name), "rb") as file:
            by_content.setdefault(file.read(), name)
    distinct = set(by_content.values())

    queries = []
    spread = [dt.date(1990, 1, 1) + dt.timedelta(days=n) for n in range(0, 111 * 365, 251)]
    for name in names:
        if name not in distinct:  # another name for a zone asked in full: a few dates show that it is one
            queries.extend((name, day, 9) for day in (dt.date(1995, 7, 1), dt.date(2026, 3, 29), dt.date(2060, 7, 1)))
            continue
        zone = zoneinfo.ZoneInfo(name)
        queries.extend((name, day, 9) for day in spread)
        changes = transition_days(zone, 1990, 2100)
        for day in draw.sample(changes, min(len(changes), 45)):
            queries.extend((name, day, hour) for hour in (draw.randrange(24), draw.choice((0, 1, 2, 3))))

    asked = "".join(f"{name} {day} {hour}\n" for name, day, hour in queries)
    done = subprocess.run([answers], input=asked, capture_output=True, text=True, timeout=50, check=True)
    lines = done.stdout.splitlines()
    if len(lines) != len(queries):
        sys.exit(f"asked {len(queries)}, answered {len(lines)}")

    wrong = []
    jumps = 0
    for (name, day, hour), line in zip(queries, lines):
        zone = zoneinfo.ZoneInfo(name)
        midnight = int((dt.datetime(day.year, day.month, day.day) - EPOCH).total_seconds())
        at, start = first_instant(zone, midnight + hour * 3600), first_instant(zone, midnight)
        jumps += shown(zone, start) != midnight or shown(zone, at) != midnight + hour * 3600
        if line != f"{at} {start}":
            wrong.append(f"{name} {day} {hour:02}:00: expected {at} {start}, got {line}")
    print(f"{len(queries)} local times in {len(names)} zones ({len(distinct)} distinct), {jumps} of them in a gap")
    if wrong:
        sys.exit("\n".join(wrong[:20] + [f"{len(wrong)} wrong"]))
    if len(queries) < 50_000 or jumps < 100:
        sys.exit("too few local times to mean anything")


main(sys.argv[1])
