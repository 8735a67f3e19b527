#!/usr/bin/env python3
"""Measurements side by side in one run; prints the tables that docs/performance.md shows.

    ./dev bench send      mails: smtp-source against the daemon end to end, both into one smtp-sink
    ./dev bench import    100,000 users by file: time, memory; then list and idle memory
    ./dev bench future    plan, why, lists and a bulk send at 1,000,000 users; a year rehearsed
"""

import datetime
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import future

BUILD = pathlib.Path(sys.argv[1]).resolve()
SINK_PORT = 18625
CONNECTIONS = 8


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options)


class Sink:
    """Postfix's smtp-sink: takes everything, keeps nothing."""

    def __init__(self, port=SINK_PORT):
        self.port = port
        self.process = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "256"], stderr=subprocess.DEVNULL)
        time.sleep(0.3)

    def stop(self):
        self.process.kill()
        self.process.wait()


def config_text(transport):
    return f"""organisation: {{name: "Example AB", time_zone: Europe/Stockholm, locale: sv}}
state_dir: state
control: {{socket: control.sock}}
web: {{listen: "127.0.0.1:0", base_url: "https://invite.example.com", client_address_header: x-real-ip}}
mail: {{from: "Example AB <no-reply@example.com>", transport: out}}
transports:
  - {transport}
identities:
  - {{name: directory, plugin: directory, config: {{sign_in_url: "https://login.example.com", path: accounts.jsonl}}}}
sources:
  - {{name: manual, plugin: manual}}
  - {{name: hr, plugin: file, config: {{}}}}
limits: {{import_max_mib: 256}}
plugin_dirs: ["{BUILD}/lib/invited/plugins"]
"""


class Daemon:
    def __init__(self, transport, connections=CONNECTIONS):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invited-bench-"))
        config = self.folder / "invited.yaml"
        config.write_text(config_text(transport))
        self.log = self.folder / "log"
        self.process = subprocess.Popen([str(BUILD / "bin/invited"), "--config", str(config)], stderr=self.log.open("wb"))
        until = time.monotonic() + 20
        while "web=" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(self.log.read_text(errors="replace"))
            time.sleep(0.02)

    def ctl(self, *arguments):
        return run(BUILD / "bin/invitectl", "--socket", self.folder / "control.sock", *arguments).stdout

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def memory_mb(self, field):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024

    def accepted(self):
        return self.json("status")["counts"]["accepted_since_start"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def people(path, count, start):
    with path.open("w", encoding="utf-8") as out:
        out.write("user_id,name,login_email,department,start_date\n")
        for n in range(count):
            out.write(f"{n},Person {n},person{n}@company.example,Department {n % 20},{start}\n")


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def bench_send(count=20_000):
    sink = Sink()
    try:
        began = time.monotonic()
        run("/usr/sbin/smtp-source", "-d", "-s", CONNECTIONS, "-m", count, "-l", 5_000, "-f", "no-reply@example.com", "-t", "person@company.example",
            f"127.0.0.1:{SINK_PORT}")
        source_rate = count / (time.monotonic() - began)

        daemon = Daemon(f'{{name: out, plugin: smtp, config: {{url: "smtp://127.0.0.1:{SINK_PORT}", connections: {CONNECTIONS}}}}}')
        try:
            people(daemon.folder / "people.csv", count, datetime.date.today() + datetime.timedelta(days=300))
            daemon.ctl("user", "import", daemon.folder / "people.csv")
            began = time.monotonic()
            daemon.ctl("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", count)
            while daemon.accepted() < count:
                time.sleep(0.05)
            daemon_rate = count / (time.monotonic() - began)
            memory = daemon.memory_mb("VmHWM")
        finally:
            daemon.stop()
    finally:
        sink.stop()
    print(f"{count} mails of about 5 KB, {CONNECTIONS} connections, into smtp-sink on loopback:\n")
    table([("sender", "mails/s", "ratio"), ("smtp-source", round(source_rate), "1.00"),
           ("invited, end to end", round(daemon_rate), f"{daemon_rate / source_rate:.2f}")])
    print(f"\nEnd to end: plan, release, claim durable, render, send, outcome durable. Peak memory {memory:.0f} MB.")


def bench_import(count=100_000):
    daemon = Daemon('{name: out, plugin: maildir, config: {path: mails}}')
    try:
        time.sleep(1)
        idle = daemon.memory_mb("VmRSS")
        people(daemon.folder / "people.csv", count, datetime.date.today() + datetime.timedelta(days=300))
        began = time.monotonic()
        daemon.ctl("user", "import", daemon.folder / "people.csv")
        seconds = time.monotonic() - began
        peak = daemon.memory_mb("VmHWM")
        times = []
        for _ in range(10):
            began = time.monotonic()
            daemon.ctl("user", "list")
            times.append(time.monotonic() - began)
        table([("what", "measured"), ("idle memory, empty state", f"{idle:.0f} MB"), (f"import of {count} users", f"{seconds:.1f} s"),
               ("peak memory of the daemon", f"{peak:.0f} MB"), ("invitectl user list, median of 10", f"{sorted(times)[5] * 1000:.0f} ms")])
    finally:
        daemon.stop()


def bench_future():
    future.run(sys.modules[__name__])


def main():
    benches = {"send": bench_send, "import": bench_import, "future": bench_future}
    name = sys.argv[2] if len(sys.argv) > 2 else ""
    if name not in benches:
        sys.exit("usage: ./dev bench " + "|".join(benches))
    benches[name](*(int(argument) for argument in sys.argv[3:]))


if __name__ == "__main__":
    main()
