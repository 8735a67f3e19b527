"""What the black-box tests share: a daemon on a scratch folder, invitectl, mail servers, a browser, a clock.

The tests see what an operator and an invited person see: programs, files, sockets, mails. Nothing waits for a length of
time: each wait is a bounded poll on a fact, and a promise that nothing happens is tested by something later in the same
queue that did happen.
"""

import contextlib
import datetime
import email
import email.policy
import glob
import hashlib
import html.parser
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

BUILD = pathlib.Path(os.environ.get("INVITED_BUILD_DIR", "build/release")).resolve()
INVITED = BUILD / "bin" / "invited"
INVITECTL = BUILD / "bin" / "invitectl"
PLUGINS = BUILD / "lib" / "invited" / "plugins"
PATIENCE_S = float(os.environ.get("INVITED_TEST_PATIENCE_S", "60"))
LINK = re.compile(r"^(https?://\S+/v/\S+)$", re.MULTILINE)


def day(offset):
    """A civil date around today in the organisation's zone, far enough from midnight for every test here."""
    return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=offset)).isoformat()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, question, seconds=None, log=None):
    """Asks until the answer is true; fails with the daemon's last words."""
    limit = PATIENCE_S if seconds is None else seconds
    until = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"Waited {limit:g} s in vain: {what}" + (f"\nThe daemon's log ends with:\n{log()}" if log else ""))
        time.sleep(0.03)


# ---- the daemon and its tool ----


class Daemon:
    def __init__(self, folder, config, environment=None):
        self.folder = folder
        self.config = config
        self.log_file = folder / "daemon.log"
        self.environment = environment or {}
        self.process = None
        self.socket = folder / "control.sock"
        self.web = None

    def log(self, lines=40):
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def start(self):
        begin = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen([INVITED, "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment}, start_new_session=True)

        def ready():
            text = self.log_file.read_bytes()[begin:].decode(errors="replace")
            found = re.search(r"daemon\.started .*web=\"?([\d.]+:\d+)", text)
            if found is None and self.process.poll() is not None:
                raise AssertionError(f"The daemon ended at its start with {self.process.returncode}:\n{self.log()}")
            return found

        self.web = wait_for("the daemon to be ready", ready, log=self.log).group(1)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        if self.running():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def command(self, *arguments):
        return [str(INVITECTL), "--socket", str(self.socket), *map(str, arguments)]

    def run(self, *arguments, **options):
        """invitectl, whatever its exit code."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, stdin=options.pop("stdin", subprocess.DEVNULL), timeout=300,
                              **options)

    def ctl(self, *arguments, code=0):
        done = self.run(*arguments)
        if done.returncode != code:
            raise AssertionError(f"invitectl {' '.join(map(str, arguments))}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}\n"
                                 f"The daemon's log ends with:\n{self.log(15)}")
        return done.stdout

    def json(self, *arguments, code=0):
        return json.loads(self.ctl(*arguments, "--json", code=code))

    def user(self, user_id):
        return self.json("user", "show", user_id)

    def invitation(self, user_id):
        return self.user(user_id)["invitation"]

    def wait_for(self, what, question, seconds=None):
        return wait_for(what, question, seconds, self.log)

    def wait_sent(self, user_id):
        """Until the newest mail of a user is accepted and that is durable."""
        def sent():
            invitation = self.invitation(user_id)
            return invitation if invitation and invitation["state"] == "sent" else None
        return self.wait_for(f"the mail to user {user_id} to be accepted", sent)

    def wait_connected(self, user_id):
        self.wait_for(f"user {user_id} to be connected", lambda: self.user(user_id)["connection"] == "connected")

    def browse(self, method, url, form=None, headers=None):
        """What a browser gets: (status, headers, body). The host of the URL does not count: the proxy in front is not here."""
        path = urllib.parse.urlsplit(url)._replace(scheme="", netloc="").geturl()
        connection = http.client.HTTPConnection(self.web, timeout=60)
        try:
            sent = {"Accept-Language": "en", **(headers or {})}
            body = None
            if form is not None:
                body = urllib.parse.urlencode(form)
                sent["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def heading(self, url):
        """The heading of a link's page, in English whatever the user's language."""
        return heading_of(self.browse("GET", urllib.parse.urlsplit(url).path + "?lang=en")[2])

    def press(self, url):
        """As a person would: opens the link and submits the form that the page holds; the answer comes in English."""
        status, _, page = self.browse("GET", url)
        form = form_of(page)
        if form is None:
            raise AssertionError(f"No form on the page ({status}): {heading_of(page)}")
        return self.browse("POST", url, {**form, "lang": "en"})

    def ask(self, method, path, body=None, headers=None):
        """One request on the control socket: (status, headers, body as bytes)."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body, headers or ({"Content-Type": "application/json"} if body is not None else {}))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Case(unittest.TestCase):
    """A test with a scratch folder; whatever daemon it left running is ended politely, and its log looked through."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invited-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.daemons = []
        self.addCleanup(self.end_daemons)

    def end_daemons(self):
        for daemon in self.daemons:
            if daemon.process is None:
                continue
            try:
                if daemon.running():
                    self.assertEqual(daemon.stop(), 0, "a daemon that is asked to stop ends with 0:\n" + daemon.log())
            finally:
                daemon.kill()
            self.assertNotIn(" internal.error ", daemon.log_file.read_text(errors="replace"))

    def config_text(self, transport=None, **replaced):
        """The configuration of the README, with everything in the scratch folder."""
        transport = transport or "{name: relay, plugin: maildir, config: {path: mails}}"
        parts = {
            "organisation": 'organisation: {name: "Example AB", time_zone: Europe/Stockholm, locale: sv}',
            "companies": 'companies:\n'
                         '  - {key: north, name: "Example North", time_zone: Europe/Helsinki, locale: en}\n'
                         '  - {key: early, name: "Example Early", send_hour: 8}',
            "state_dir": "state_dir: state",
            "control": "control: {socket: control.sock}",
            "web": 'web: {listen: "127.0.0.1:0", base_url: "https://invite.example.com"}',
            "mail": 'mail: {from: "Example AB <no-reply@example.com>", transport: relay}',
            "sources": "sources:\n"
                       "  - {name: manual, plugin: manual}\n"
                       "  - {name: hr, plugin: file, interval_s: 1, config: {path: import}}",
            "transports": f"transports:\n  - {transport}",
            "identities": "identities:\n"
                          '  - {name: directory, plugin: directory, config: {sign_in_url: "https://login.example.com", path: accounts.jsonl}}',
            "plugin_dirs": f'plugin_dirs: ["{PLUGINS}"]',
            "limits": "limits: {cooldown_minutes: 10}",
            "log": "log: {level: debug}",
        }
        parts.update(replaced)
        return "\n".join(part for part in parts.values() if part) + "\n"

    def write_config(self, text, folder=None):
        folder = folder or self.folder
        (folder / "import").mkdir(exist_ok=True)
        path = folder / "invited.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def new_daemon(self, transport=None, environment=None, folder=None, **replaced):
        """A daemon that is not started yet."""
        folder = folder or self.folder
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, self.write_config(self.config_text(transport, **replaced), folder), environment)
        self.daemons.append(daemon)
        return daemon

    def maildir(self, folder=None):
        """The mails that the transport maildir has written."""
        return [Mail(path.read_bytes()) for path in sorted(((folder or self.folder) / "mails" / "new").glob("*"))]

    def add_user(self, daemon, user_id, *more, name=None, email=None, start=None, code=0):
        arguments = ["user", "add", "--id", user_id, "--name", name or f"Person {user_id}"]
        if email != "":
            arguments += ["--login-email", email or f"person{user_id}@company.example"]
        if start:
            arguments += ["--start-date", start]
        return daemon.json(*arguments, *more, code=code)


# ---- mails ----


class Mail:
    """A received mail, read by Python's own parser: nothing of the daemon's."""

    def __init__(self, data, recipient=None):
        self.data = data
        self.message = email.message_from_bytes(data.replace(b"\r\n", b"\n"), policy=email.policy.default)
        self.id = str(self.message["Message-ID"]).strip()
        self.to = recipient or self.message["To"].addresses[0].addr_spec

    @property
    def text(self):
        return self.message.get_body(("plain",)).get_content()

    @property
    def html(self):
        return self.message.get_body(("html",)).get_content()

    @property
    def link(self):
        found = LINK.search(self.text)
        if found is None:
            raise AssertionError("No link in this mail:\n" + self.text)
        return found.group(1)

    @property
    def token(self):
        return self.link.rsplit("/", 1)[1]


class SmtpSink:
    """Debian's smtp-sink, writing each mail into a file."""

    def __init__(self, case):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invited-sink-"))
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o777)
        as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
        for _ in range(5):  # the port may be taken between the look and the bind
            self.port = free_port()
            self.process = subprocess.Popen(["/usr/sbin/smtp-sink", *as_user, "-d", f"{self.folder}/mail.", f"127.0.0.1:{self.port}", "64"],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if wait_for("smtp-sink to listen or to end", lambda: self.listening() or self.process.poll() is not None) and self.process.poll() is None:
                break
        else:
            raise AssertionError("smtp-sink does not start")
        case.addCleanup(self.stop)

    def listening(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def transport(self, connections=4):
        return f'{{name: relay, plugin: smtp, config: {{url: "smtp://127.0.0.1:{self.port}", connections: {connections}}}}}'

    def mails(self):
        found = []
        for path in sorted(self.folder.glob("mail.*")):
            data = path.read_bytes()
            if b"\n\n" in data or b"\r\n\r\n" in data:  # smtp-sink makes the file at MAIL FROM
                found.append(Mail(data))
        return found


class SmtpServer:
    """A small SMTP server in this process that counts what it took.

    It offers PIPELINING, SIZE and 8BITMIME, takes one mail per DATA, and calls `on_event(phase, count)` from its own
    threads at "mail", "rcpt", "data", "dot" (the mail is taken, the answer is not out) and "answered". `refuse` maps an
    address to the reply of its RCPT.
    """

    def __init__(self, case, on_event=None, refuse=None):
        self.lock = threading.Lock()
        self.received = []
        self.connections = 0
        self.on_event = on_event
        self.refuse = {} if refuse is None else refuse
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        self.stopping = False
        threading.Thread(target=self.accept, daemon=True).start()
        case.addCleanup(self.stop)

    def transport(self, connections=4):
        return f'{{name: relay, plugin: smtp, config: {{url: "smtp://127.0.0.1:{self.port}", connections: {connections}}}}}'

    def mails(self):
        with self.lock:
            return list(self.received)

    def to(self, address):
        return [mail for mail in self.mails() if mail.to == address]

    def stop(self):
        self.stopping = True
        self.listener.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.add(connection)
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def event(self, phase):
        if self.on_event:
            self.on_event(phase, len(self.received))

    def serve(self, connection):
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.talk(connection, reader)
        self.open.discard(connection)

    def talk(self, connection, reader):
        def reply(text):
            connection.sendall(text.encode() + b"\r\n")

        reply("220 sink.test ESMTP")
        recipient = None
        while line := reader.readline():
            command = line.decode(errors="replace").strip()
            verb = command[:4].upper()
            if verb == "EHLO":
                reply("250-sink.test\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif verb == "MAIL":
                self.event("mail")
                reply("250 2.1.0 Sender ok")
            elif verb == "RCPT":
                self.event("rcpt")
                address = re.search(r"<(.*?)>", command).group(1)
                refused = self.refuse.get(address)
                recipient = None if refused else address
                reply(refused or "250 2.1.5 Recipient ok")
            elif verb == "DATA":
                if recipient is None:
                    reply("503 5.5.1 No valid recipient")
                    continue
                self.event("data")
                reply("354 Go on")
                body = bytearray()
                while (piece := reader.readline()) not in (b".\r\n", b""):
                    body += piece[1:] if piece.startswith(b".") else piece
                if piece == b"":
                    return
                with self.lock:
                    self.received.append(Mail(bytes(body), recipient))
                self.event("dot")
                reply("250 2.0.0 Taken")
                self.event("answered")
            elif verb in ("RSET", "NOOP"):
                reply("250 2.0.0 Ok")
            elif verb == "QUIT":
                reply("221 2.0.0 Bye")
                return
            else:
                reply("502 5.5.2 Unknown command")


# ---- pages ----


class PageReader(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.forms = []
        self.heading = ""
        self.in_heading = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({})
        if tag == "input" and self.forms and "name" in attributes:
            self.forms[-1][attributes["name"]] = attributes.get("value", "")
        if tag == "h1":
            self.in_heading = True

    def handle_endtag(self, tag):
        if tag == "h1":
            self.in_heading = False

    def handle_data(self, data):
        if self.in_heading:
            self.heading += data


def form_of(page):
    forms = PageReader(page).forms
    return forms[0] if forms else None


def heading_of(page):
    return PageReader(page).heading.strip()


# ---- time ----


class FakeClock:
    """The wall clock of a daemon, standing still until it is moved; lengths of time stay real (libfaketime)."""

    def __init__(self, folder, at):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            raise AssertionError("libfaketime is not installed: ./dev setup")
        self.libraries = [str(BUILD / "lib" / "invited" / "tests" / "real_timers.so"), found[0]]
        self.file = folder / "clock"
        self.set(at)

    def set(self, at):
        """`at` is UTC: "2026-10-23 07:00:00"."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(at + "\n")
        fresh.replace(self.file)

    def environment(self):
        return {
            "LD_PRELOAD": " ".join(self.libraries),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": "UTC",
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        }


def accounts(path):
    """The accounts in the register of the plugin directory: its file is a journal, the last line about somebody counts."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        entry = json.loads(line)
        if entry.get("removed_at"):
            found.pop(entry["external_id"], None)
        elif "login_email" in entry:
            found[entry["external_id"]] = entry
    return list(found.values())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seeded(name):
    """A generator that a failing run can repeat: INVITED_TEST_SEED=… in the environment."""
    seed = int(os.environ.get("INVITED_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"{name}: INVITED_TEST_SEED={seed}", flush=True)
    return random.Random(seed)
