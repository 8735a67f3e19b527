#!/usr/bin/env python3
"""daemon/core/events.hpp and systemd/invited.catalog are two views of one table: this keeps them together.

    catalogue.py ROOT          exit 1 on an event without an entry, an entry without an event, a repeated or malformed id
    catalogue.py --self-test
"""
import pathlib
import re
import sys

EVENT = re.compile(r'constexpr\s+Event\s+(\w+)\s*\{\s*"([^"]*)"\s*,\s*"([^"]*)"\s*\}')
ENTRY = re.compile(r"^-- (\S+)\nSubject: (\S.*)\n(?:[A-Z][\w-]*: .*\n)*\n(\S|    \S)", re.M)


def check(header, catalogue):
    problems = []
    events = EVENT.findall(header)
    if not events:
        problems.append("no events found")
    for kind, values in (("event", [e[1] for e in events]), ("message id", [e[2] for e in events])):
        problems += [f"{kind} {v} stands twice" for v in sorted(set(values)) if values.count(v) > 1]
    for name, event, message_id in events:
        if not re.fullmatch(r"[0-9a-f]{32}", message_id):
            problems.append(f"{event}: the message id must be 32 lower-case hex digits")
        if not re.fullmatch(r"[a-z]+\.[a-z_]+", event):
            problems.append(f"{event}: an event is named noun.what_happened")
    entries = [entry[0] for entry in ENTRY.findall(catalogue)]
    marks = re.findall(r"^-- (\S+)", catalogue, re.M)
    problems += [f"catalogue entry {mark} has no Subject or no text" for mark in marks if mark not in entries]
    ids = {message_id for _, _, message_id in events}
    problems += [f"{event} ({message_id}) has no catalogue entry" for _, event, message_id in events if message_id not in entries]
    problems += [f"catalogue entry {entry} belongs to no event" for entry in entries if entry not in ids]
    problems += [f"catalogue entry {entry} stands twice" for entry in sorted(set(entries)) if entries.count(entry) > 1]
    return problems


def self_test():
    header = 'inline constexpr Event a{"a.b", "%s"};\n'
    entry = "-- %s\nSubject: S\nDefined-By: invited\n\nText\n"
    one, two = "0" * 32, "1" * 32
    cases = [
        ("good", header % one, entry % one, 0),
        ("no entry", header % one, entry % two, 2),
        ("repeated", header % one + header % one, entry % one, 2),
        ("short id", header % "12", entry % "12", 1),
        ("no text", header % one, "-- %s\nSubject: S\n\n" % one, 2),
        ("bad name", (header % one).replace("a.b", "A"), entry % one, 1),
        ("entry twice", header % one, entry % one + "\n" + entry % one, 1),
        ("empty", "", "", 1),
    ]
    failures = 0
    for name, head, text, expected in cases:
        problems = check(head, text)
        if len(problems) != expected:
            failures += 1
            print(f"{name}: expected {expected} problems, got {problems}")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[0])
    problems = check((root / "daemon/core/events.hpp").read_text(), (root / "systemd/invited.catalog").read_text())
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
