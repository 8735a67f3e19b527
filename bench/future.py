"""./dev bench future: how quick the daemon answers about the future when it knows 1,000,000 users.

The state is made by SQL on an empty one of the daemon's own making: nine in ten users are connected or have left over the
years, 100,000 of one department wait for a send, 20,000 are planned over the year and 1,000 more fall due within a day.
Where the file itself could be asked, the sqlite3 shell is asked the same in the same run: what an answer costs without
rules, reasons and rights.
"""

import datetime
import email
import email.policy
import http.client
import json
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import zoneinfo

ZONES = ["Europe/Stockholm", "Europe/Helsinki", "America/Santiago", "Australia/Adelaide"]
COMPANIES = ["", "north", "south", "east"]
EXTRA = """companies:
  - {key: north, time_zone: Europe/Helsinki}
  - {key: south, time_zone: America/Santiago}
  - {key: east, time_zone: Australia/Adelaide}
"""
DAY_MS = 86_400_000


def key(kind, number):
    """Sixteen octets in the order of their making, as the daemon's own keys are."""
    return struct.pack(">BBHIQ", 1, 0x99, kind, 0x7000_0000, 0x8000_0000_0000_0000 | number)


def date_key(day):
    return day.year * 10_000 + day.month * 100 + day.day


class Table:
    """Rows of one table; what is not given is empty, zero or null, as its declaration wants it."""

    def __init__(self, db, name):
        self.db, self.name, self.rows = db, name, []
        self.columns, self.defaults = [], []
        for _, column, kind, notnull, default, _ in db.execute(f"PRAGMA table_info({name})"):
            self.columns.append(column)
            empty = None if not notnull else 0 if kind == "INTEGER" else ""
            self.defaults.append(empty if default is None else default.strip("'") if kind == "TEXT" else int(default))
        self.index = {column: i for i, column in enumerate(self.columns)}
        self.sql = f"INSERT INTO {name} VALUES ({','.join('?' * len(self.columns))})"

    def add(self, **values):
        row = list(self.defaults)
        for column, value in values.items():
            row[self.index[column]] = value
        self.rows.append(row)
        if len(self.rows) >= 50_000:
            self.flush()

    def flush(self):
        self.db.executemany(self.sql, self.rows)
        self.rows.clear()


class State:
    def __init__(self, path, seed=7):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("BEGIN")
        self.users, self.employments = Table(self.db, "users"), Table(self.db, "employments")
        self.invitations, self.deliveries = Table(self.db, "invitations"), Table(self.db, "deliveries")
        self.random = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.today = datetime.datetime.now(datetime.timezone.utc).date()
        self.count = 0

    def person(self, connection="connected", enabled=1, department=None, start=None, end=None, state="connected", due=None, ends_ms=None):
        number = self.count
        self.count += 1
        company = number % len(COMPANIES)
        zone = ZONES[company]
        user, name, email = key(1, number), f"Person {number}", f"person{number}@company.example"
        department = department or f"Department {number % 20}"
        start = start or self.today - datetime.timedelta(days=100 + number % 3000)
        leaves = end + datetime.timedelta(days=6) if end and enabled else None
        self.users.add(key=user, user_id=str(number), user_id_folded=str(number), name=name, login_email=email, login_email_canonical=email,
                       login_email_domain="company.example", company=COMPANIES[company], department=department, enabled=enabled, connection=connection,
                       source="bench", created_at=self.now_ms - number, updated_at=self.now_ms, search_text=f"{number}\nperson {number}\n{email}\n{department}",
                       leaves_on=date_key(leaves) if leaves else None, leaves_zone=zone if leaves else None)
        self.employments.add(key=key(2, number), user=user, start_date=date_key(start), end_date=date_key(end) if end else None, review="none",
                             hire_open=1 if state in ("scheduled", "sent") else 0, created_at=self.now_ms)
        if not state:
            return
        invitation = key(3, number)
        accepted = self.now_ms - 3_600_000
        self.invitations.add(key=invitation, user=user, generation=1, state=state, cause="hire", login_email=email, login_email_canonical=email,
                             due_key=due, due_zone=zone if due else None, selector=struct.pack(">IQ", 0, number), salt=key(4, number), created_at=self.now_ms,
                             ends_at=ends_ms, released_at=accepted if state == "sent" else None, accepted_at=accepted if state == "sent" else None)
        if state == "sent":
            self.deliveries.add(key=key(5, number), invitation=invitation, kind="verification", user=user, state="accepted",
                                message_id=f"{number}@company.example", rank=date_key(start), attempts=1, created_at=self.now_ms)

    def planned(self, days):
        """A mail at 09:00 local, at the first that is still to come (with some minutes for this script) or days after it."""
        local = datetime.datetime.now(zoneinfo.ZoneInfo(ZONES[self.count % len(ZONES)])) + datetime.timedelta(minutes=10)
        day = local.date() + datetime.timedelta(days=days + (1 if local.hour >= 9 else 0))
        self.person("not_connected", start=day + datetime.timedelta(days=1), state="scheduled", due=date_key(day) * 100 + 9)

    def finish(self):
        for table in (self.users, self.employments, self.invitations, self.deliveries):
            table.flush()
        self.db.execute("COMMIT")
        self.db.execute("ANALYZE")
        self.db.close()


def million(path, users=1_000_000, waiting=100_000, year=20_000, within_a_day=1_000):
    state = State(path)
    day = datetime.timedelta(days=1)
    for _ in range(within_a_day):
        state.planned(0)
    for n in range(year):
        state.planned(2 + n % 360)
    for n in range(5_000):
        state.person("pending", state="sent", start=state.today, ends_ms=state.now_ms + 2 * DAY_MS + n * 60_000)
    for n in range(waiting):
        state.person("not_connected", department="Waiting", state="expired" if n % 3 else "")
    for n in range(users // 10):
        state.person("not_connected", enabled=0, end=state.today - (10 + n % 3000) * day)
    for n in range(users // 50):
        state.person(end=state.today + (10 + n % 700) * day)
    while state.count < users:
        state.person()
    state.finish()


def people(path, count=5_000):
    """Hires over a year, one in four with an end, from an empty state."""
    state = State(path)
    for n in range(count):
        start = state.today + datetime.timedelta(days=2 + n % 360)
        end = start + datetime.timedelta(days=30 + n % 90) if n % 4 == 0 else None
        state.person("not_connected", start=start, end=end, state="scheduled", due=date_key(start - datetime.timedelta(days=1)) * 100 + 9)
    state.finish()


class Daemon:
    """The daemon on a state that is filled between its first, empty start and the one that is measured. At the first it
    sends one mail, whose link is the page that is asked for later."""

    def __init__(self, bench, transport, fill):
        self.bench, self.folder = bench, pathlib.Path(tempfile.mkdtemp(prefix="invited-bench-"))
        self.config = self.folder / "invited.yaml"
        self.config.write_text(bench.config_text("{name: out, plugin: maildir, config: {path: mails}}") + EXTRA)
        self.start()
        self.ctl("user", "add", "--id", "probe", "--name", "Probe", "--login-email", "probe@company.example", "--start-date", datetime.date.today())
        self.link = self.wait_for_link()
        self.stop()
        state = self.folder / "state" / "state.db"
        fill(state)
        self.copy = shutil.copy(state, self.folder / "copy.db")  # the daemon keeps its own to itself
        self.config.write_text(bench.config_text(transport) + EXTRA)
        self.start()

    def wait_for_link(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for mail in self.folder.glob("**/mails/new/*"):
                message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
                found = re.search(r"^https://[^/]+(/v/\S+)", message.get_body(("plain",)).get_content(), re.M)
                if found:
                    return found.group(1)
            time.sleep(0.05)
        raise SystemExit("the first mail did not come")

    def start(self):
        self.log = self.folder / "log"
        self.log.write_bytes(b"")
        self.process = subprocess.Popen([str(self.bench.BUILD / "bin/invited"), "--config", str(self.config)], stderr=self.log.open("wb"))
        until = time.monotonic() + 120
        while "web=" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(self.log.read_text(errors="replace"))
            time.sleep(0.02)

    def web_address(self):
        return self.log.read_text(errors="replace").rsplit("web=", 1)[1].split()[0].strip('"')

    def stop(self):
        self.process.terminate()
        self.process.wait(120)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ctl(self, *arguments):
        return self.bench.run(self.bench.BUILD / "bin/invitectl", "--socket", self.folder / "control.sock", *arguments).stdout

    def ask(self, method, path, body=None):
        connection = Socket(self.folder / "control.sock")
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
            return json.loads(text)
        finally:
            connection.close()


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def timed(act, times=1):
    """Milliseconds, the median of several."""
    all_times = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        all_times.append((time.perf_counter() - began) * 1000)
    return sorted(all_times)[len(all_times) // 2]


class Prober(threading.Thread):
    """Asks again and again, twenty times a second, and notes how long each answer took."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.times, self.over, self.failure = ask, [], threading.Event(), None

    def run(self):
        try:
            while not self.over.is_set():
                began = time.perf_counter()
                self.ask()
                took = time.perf_counter() - began
                self.times.append(took * 1000)
                self.over.wait(max(0.0, 0.05 - took))
        except Exception as error:  # shown with the figures
            self.failure = error

    def p99(self):
        self.over.set()
        self.join()
        if self.failure:
            raise SystemExit(f"a probe failed: {self.failure}")
        return sorted(self.times)[int(len(self.times) * 0.99)]


def web_probe(address, path):
    connection = http.client.HTTPConnection(address, timeout=60)

    def ask():
        # One reader each, as the proxy in front would name them: one and the same would be slowed down.
        connection.request("GET", path, headers={"X-Real-IP": f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the page answers {answer.status}")

    return ask


def control_probe(daemon, count):
    connection = Socket(daemon.folder / "control.sock")

    def ask():
        connection.request("GET", f"/v1/users/{random.randrange(count)}")
        answer = connection.getresponse()
        answer.read()

    return ask


def probed(daemon, act):
    """What `act` gives, and the p99 of control and of web meanwhile."""
    probes = [Prober(control_probe(daemon, 1_000_000)), Prober(web_probe(daemon.web_address(), daemon.link))]
    for probe in probes:
        probe.start()
    return act(), probes[0].p99(), probes[1].p99()


def plan_bulk(daemon):
    """The id of a plan for everybody who waits."""
    plan = daemon.ask("POST", "/v1/plans", json.dumps({"kind": "send-verification", "filter": {"department": "Waiting"}}))
    assert plan["send"] == 100_000, plan
    return plan["plan"]


def plan_and_run_bulk(daemon):
    """(seconds, mails accepted meanwhile) of a send to 100,000."""
    plan = plan_bulk(daemon)
    began = time.perf_counter()
    job = daemon.ask("POST", f"/v1/plans/{plan}/run")["job"]
    while daemon.ask("GET", f"/v1/jobs/{job}")["state"] == "running":
        time.sleep(0.2)
    return time.perf_counter() - began, daemon.ask("GET", "/v1/status")["counts"]["accepted_since_start"]


# Filters of a list, and what asks the file for the same first page.
LISTS = [
    ("limit=100", "1"),
    ("limit=1000", "1"),
    ("department=Department%203", "department = 'Department 3'"),
    ("enabled=false", "enabled = 0"),
    ("connection=pending", "connection = 'pending'"),
    ("company=north&enabled=true", "company = 'north' AND enabled = 1"),
    ("invitation=expired", "newest_invitation = 'expired'"),
    ("search=person%20999999", "search_text LIKE '%person 999999%'"),
    ("search=nobody%20has%20this", "search_text LIKE '%nobody has this%'"),
    ("start_after=" + datetime.date.today().isoformat(), f"start_date > {date_key(datetime.date.today())}"),
]


def shell(daemon, sql):
    """Milliseconds of the sqlite3 shell for the same question, its start included."""
    return timed(lambda: subprocess.run(["sqlite3", daemon.copy, sql], check=True, stdout=subprocess.DEVNULL), 3)


def whole_list(daemon, query):
    """All pages of a list, as invitectl walks them."""
    cursor = ""
    while cursor is not None:
        cursor = daemon.ask("GET", f"/v1/users?{query}{cursor and '&cursor=' + cursor}")["next_cursor"]


def lists(daemon):
    """(query, ms, ms of the shell) of each list page."""
    for query, condition in LISTS:
        limit = 1000 if query == "limit=1000" else 100
        sql = f"SELECT user_id, name, login_email, connection FROM users WHERE {condition} ORDER BY key LIMIT {limit}"
        yield query, timed(lambda query=query: daemon.ask("GET", "/v1/users?" + query), 3), shell(daemon, sql)


def rehearse(bench):
    """Seconds for a year of 5,000 people on one core, and whether the second run gave the same bytes."""
    daemon = Daemon(bench, "{name: out, plugin: maildir, config: {path: mails}}", people)
    daemon.stop()
    try:
        first = datetime.date.today()
        times = []
        for run in ("1", "2"):
            copy = daemon.folder / f"copy{run}.db"
            shutil.copy(daemon.folder / "state" / "state.db", copy)
            wal = daemon.folder / "state" / "state.db-wal"
            if wal.exists():
                shutil.copy(wal, f"{copy}-wal")
            began = time.perf_counter()
            bench.run("taskset", "-c", "0", bench.BUILD / "bin/invited", "--rehearse", "--config", daemon.config, "--database", copy, "--from", first,
                      "--to", first + datetime.timedelta(days=364), "--out", daemon.folder / f"out{run}")
            times.append(time.perf_counter() - began)
        same = subprocess.run(["diff", "-r", daemon.folder / "out1", daemon.folder / "out2"], capture_output=True).returncode == 0
        summary = json.loads((daemon.folder / "out1/summary.json").read_text())
        return max(times), same, summary["acts"].get("invitation.sent", 0)
    finally:
        shutil.rmtree(daemon.folder, ignore_errors=True)


def run(bench):
    rows = [("what", "wanted", "measured", "sqlite3 shell", "ratio")]

    def told(what, wanted, measured, peer=None):
        """A time in milliseconds, or what to print as it is; `peer` in milliseconds."""
        ratio = f"{measured / peer:.2f}" if peer else ""
        measured = measured if isinstance(measured, str) else f"{measured:,.1f} ms" if measured < 10 else f"{measured:,.0f} ms"
        rows.append((what, wanted, measured, f"{peer:,.0f} ms" if peer else "", ratio))
        print(f"  {what}: {measured}", flush=True)

    seconds, same, sent = rehearse(bench)
    told(f"rehearse: 5,000 people, one year, {sent:,} mails, one core", "30 s", f"{seconds:.1f} s")
    told("the second run gives the same bytes", "yes", "yes" if same else "NO")

    sink = bench.Sink()
    began = time.perf_counter()
    daemon = Daemon(bench, f'{{name: out, plugin: smtp, config: {{url: "smtp://127.0.0.1:{bench.SINK_PORT}", connections: {bench.CONNECTIONS}}}}}', million)
    print(f"  state of 1,000,000 users, {(daemon.folder / 'state/state.db').stat().st_size / 1e6:.0f} MB, made in {time.perf_counter() - began:.0f} s", flush=True)
    try:
        shown = json.loads(daemon.ctl("plan", "show", "--until", "1d", "--limit", "2000", "--json"))["items"]
        assert len(shown) == 1_000 and all(item["action"] == "send" for item in shown), len(shown)
        told("invitectl plan show --until 1d, 1,000 due", "1,000 ms", timed(lambda: daemon.ctl("plan", "show", "--until", "1d", "--limit", "2000"), 5),
             shell(daemon, f"SELECT u.user_id, u.name, i.due_key, i.due_zone FROM invitations i JOIN users u ON u.key = i.user WHERE i.state = 'scheduled' "
                           f"AND i.held_reason = '' AND i.due_key < {date_key(datetime.date.today() + datetime.timedelta(days=2))}00 ORDER BY i.due_key, i.key"))
        told("plan show --until 30d, first page of 100", "", timed(lambda: daemon.ask("GET", "/v1/plan?until=30d&limit=100"), 5))
        told("plan risk, first page of 100", "", timed(lambda: daemon.ask("GET", "/v1/plan/risk?limit=100"), 3))
        told("why, median of 50 users", "50 ms", timed(lambda: daemon.ask("GET", f"/v1/users/{random.randrange(1_000_000)}/why"), 50))
        told("invitectl why", "50 ms", timed(lambda: daemon.ctl("why", str(random.randrange(1_000_000))), 10),
             shell(daemon, "SELECT * FROM users u LEFT JOIN employments e ON e.user = u.key LEFT JOIN invitations i ON i.user = u.key LEFT JOIN deliveries d "
                           "ON d.invitation = i.key WHERE u.user_id_folded = '777777'"))
        for query, took, peer in lists(daemon):
            told(f"list page, {query}", "100 ms", took, peer)
        told("list of nobody has this, all its pages", "", timed(lambda: whole_list(daemon, LISTS[8][0])))
        told("bulk plan over a filter that selects 100,000", "2,000 ms", timed(lambda: plan_bulk(daemon), 3),
             shell(daemon, "SELECT u.user_id, u.login_email, i.state, e.start_date FROM users u LEFT JOIN employments e ON e.user = u.key LEFT JOIN invitations i "
                           "ON i.user = u.key WHERE u.department = 'Waiting' AND u.enabled AND u.connection <> 'connected' ORDER BY u.key"))
        _, control_ms, web_ms = probed(daemon, lambda: time.sleep(10))
        told("p99 of control requests, daemon at rest", "", control_ms)
        told("p99 of web requests, daemon at rest", "", web_ms)
        (seconds, accepted), control_ms, web_ms = probed(daemon, lambda: plan_and_run_bulk(daemon))
        told(f"that plan made and run, 100,000 released, {accepted:,} mails accepted meanwhile", "", f"{seconds:.0f} s")
        told("p99 of control requests meanwhile", "50 ms", control_ms)
        told("p99 of web requests meanwhile", "50 ms", web_ms)
    finally:
        daemon.close()
        sink.stop()
    print()
    bench.table(rows)
