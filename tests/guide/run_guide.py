#!/usr/bin/env python3
"""Runs docs/guide: every page from top to bottom, against a fresh daemon whose clock stands where the guide says.

    run_guide.py [-v] [PAGE...]           as unittest; PAGE is first_day for first-day.md
    run_guide.py --update PAGE...         writes what the commands print into the pages, for their author to read over

What a page is made of:

    ```console              lines "$ command" run in bash; the lines below are what it prints, on stdout and stderr. "…" in a
                            line (with the spaces after it) stands for anything, alone on a line for any number of lines. With no lines below, the
                            output is not looked at. Exit 0 is expected, or what the line says at its end: "# exit 3".
                            `systemctl restart|reload|stop|start invited` acts on the daemon of the test.
    ```console as=NAME      the same, as another person of the role operator
    ```LANGUAGE file=PATH   the file is written first; below /etc/invited, /var/lib/invited or in the folder one stands in
    ```sh                   shown, not run: systemctl, journalctl, install, openssl, curl and nothing else
    ```text                 shown, not run, and no command
    <!-- test: WHAT -->     what the page tells in words and the test must do:
        clock 2026-11-24 09:00          it is that time in Stockholm
        run COMMAND                     what happened before the page begins
        confirm ADDRESS                 the person opens the newest link sent to ADDRESS and presses the button
        scan ADDRESS                    a mail scanner opens that link
        type ADDRESS                    the person opens the page whose URL was printed last and types ADDRESS
        dns publish | dns empty         the DNS server 192.0.2.53 of the page holds the records printed so far, or none
        relay refuses ADDRESS           the mail server relay.example.com answers 550 for ADDRESS from now on

Names of servers in a page: relay.example.com:587 is a small SMTP server of the test, at old-relay.example.com:587 nothing listens, 192.0.2.53 is dnsmasq.

Commands that stand in the text between backticks are not run; invitectl must know their verbs and options.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import zoneinfo
from datetime import datetime, timezone

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import harness  # noqa: E402
import test_domains  # noqa: E402

GUIDE = HERE.parents[1] / "docs" / "guide"
ZONE = zoneinfo.ZoneInfo("Europe/Stockholm")
TODAY = "2026-11-23 10:00"  # docs/guide/README.md says so, too
NOT_RUN = ("systemctl", "journalctl", "install", "openssl", "curl")
SYSTEM_PATH = re.compile(r"(?<![\w/.])/(?=(?:etc|var/lib|run)/invited\b)")
IDENTIFIER = re.compile(r"\buid:\d+ \(\w+\)|\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}(?=@)|(?<=invited-verification=)[a-z2-7]+")
BASE_CONFIG = """organisation: {name: "Example AB", time_zone: Europe/Stockholm, locale: sv}
web: {listen: "127.0.0.1:8620", base_url: "https://invite.example.com"}
mail: {from: "Example AB <no-reply@example.com>"}
"""


class PageError(AssertionError):
    """A page that says something else than what happens, with the place in it."""


# ---- reading a page ----


class Command:
    def __init__(self, line, text):
        self.line = line  # of the page, from 1
        self.code = 0
        if found := re.search(r"\s+# exit (\d+)$", text):
            self.code = int(found[1])
            text = text[:found.start()]
        self.text = text
        self.expected = []
        self.end = line  # the last line of its expected output


class Step:
    def __init__(self, kind, line, words, options=None):
        self.kind = kind  # console, file, sh, test
        self.line = line
        self.words = words
        self.options = options or {}


def read_page(text, name="page"):
    """The steps of a page in order, and the prose between them."""
    steps, prose = [], []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if found := re.match(r"^<!-- test: (.*) -->$", line):
            steps.append(Step("test", at, found[1]))
        elif line.startswith("```"):
            language, *rest = line[3:].split() or [""]
            options = dict(part.split("=", 1) for part in rest)
            begin = at
            while at < len(lines) and lines[at] != "```":
                at += 1
            if at == len(lines):
                raise PageError(f"{name}:{begin}: this block has no end")
            body = lines[begin:at]
            at += 1
            steps.append(read_block(language, options, begin, body, name))
        else:
            prose.append((at, line))
    return [step for step in steps if step], prose


def read_block(language, options, begin, body, name):
    if "file" in options:
        return Step("file", begin, "\n".join(body) + "\n", options)
    if language == "console":
        commands = []
        for number, line in enumerate(body, begin + 1):
            if line.startswith("$ "):
                commands.append(Command(number, line[2:]))
            elif commands:
                commands[-1].expected.append(line)
                commands[-1].end = number
            else:
                raise PageError(f"{name}:{number}: a console block begins with \"$ command\"")
        return Step("console", begin, commands, options)
    if language == "sh":
        for number, line in enumerate(body, begin + 1):
            if line.split()[:1] and line.split()[0] not in NOT_RUN:
                raise PageError(f"{name}:{number}: this command could be run: make it a console block")
        return Step("sh", begin, body)
    for number, line in enumerate(body, begin + 1):
        if re.search(r"\binvitectl\b", line):
            raise PageError(f"{name}:{number}: a command in a block that is not run")
    return None


def matches(expected, actual):
    """Whether lines agree, "…" standing for anything."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += "".join("[^\n]*" if part.startswith("…") else re.escape(part) for part in re.split("(… *)", line.rstrip())) + "\n"
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in actual)) is not None


# ---- running it ----


class Runner:
    def __init__(self, case, name, update=None):
        self.case = case
        self.name = name
        self.update = update  # the lines of the page, to be changed, or nothing
        self.root = case.folder
        self.root.chmod(0o711)
        self.work = self.root / "work"
        self.clock = harness.FakeClock(self.root, utc(TODAY))
        self.daemon = None
        self.printed = ""
        self.not_run = []
        self.moved = 0
        self.records = []
        self.relay = self.dns = None
        self.places = []  # (as the page writes it, as it is here)
        for folder in ("etc/invited", "run/invited", "var/lib/invited", "work", "bin"):
            (self.root / folder).mkdir(parents=True)
        self.work.chmod(0o777)
        for path in ("run", "run/invited", "bin", "etc", "etc/invited"):
            (self.root / path).chmod(0o755)
        shutil.copy(harness.INVITECTL, self.root / "bin")  # for others: the checkout may lie where they cannot look
        self.config = self.root / "etc/invited/invited.yaml"
        self.write_config(BASE_CONFIG)

    def fail(self, line, words):
        raise PageError(f"docs/guide/{self.name}:{line}: {words}")

    # Paths of the system stand for paths in the scratch folder, and back.
    def inward(self, text):
        for page, here in self.places:
            text = text.replace(page, here)
        return SYSTEM_PATH.sub(lambda _: f"{self.root}/", text)

    def outward(self, text):
        for page, here in self.places:
            text = text.replace(here, page)
        return text.replace(f"{self.work}/", "").replace(str(self.root), "")

    PLUGIN_DIRS = f'plugin_dirs: ["{harness.PLUGINS}"]\n'

    def write_config(self, text):
        if "relay.example.com:587" in text and self.relay is None:
            self.relay = harness.SmtpServer(self.case)
            self.places.append(("relay.example.com:587", f"127.0.0.1:{self.relay.port}"))
        if "old-relay.example.com:587" in text:
            self.places.insert(0, ("old-relay.example.com:587", f"127.0.0.1:{harness.free_port()}"))
        if "192.0.2.53" in text and self.dns is None:
            self.dns = test_domains.DnsServer(self.case, self.root)
            self.places.append(("192.0.2.53", f"127.0.0.1:{self.dns.port}"))
        text = self.inward(text)
        text, count = re.subn(r'listen: "127\.0\.0\.1:8620"', 'listen: "127.0.0.1:0"', text)
        assert count == 1, 'the configuration of a page listens on "127.0.0.1:8620"'
        text += f"state_dir: {self.root}/var/lib/invited\n"
        text += f"control: {{socket: {self.root}/run/invited/control.sock, roles: {{viewer: games, operator: mail, admin: news}}}}\n"
        text += self.PLUGIN_DIRS
        self.config.write_text(text, encoding="utf-8")

    def started(self):
        if self.daemon is None:
            self.daemon = harness.Daemon(self.root, self.config, self.clock.environment())
            self.daemon.socket = self.root / "run/invited/control.sock"
            self.case.daemons.append(self.daemon)
            self.daemon.start()
        return self.daemon

    def run(self, steps):
        for step in steps:
            if step.kind == "file":
                self.write(step)
            elif step.kind == "sh":
                self.not_run += [line for line in step.words if line.strip()]
            else:
                self.started()
                if step.kind == "test":
                    self.act(step)
                else:
                    for command in step.words:
                        self.command(command, step.options.get("as"))
                self.settle()

    def write(self, step):
        path = step.options["file"]
        if path == "/etc/invited/invited.yaml":
            self.write_config(step.words)
            return
        target = pathlib.Path(self.inward(path)) if path.startswith("/") else self.work / path
        if self.root not in target.parents:
            self.fail(step.line, f"{path} is outside of what a page may write")
        target.parent.mkdir(parents=True, exist_ok=True)
        more = self.PLUGIN_DIRS if target.suffix == ".yaml" else ""
        target.write_text(self.inward(step.words) + more, encoding="utf-8")

    def settle(self):
        """Until what the last step set off is done: what is on its way now, not what is planned."""
        def busy():
            for noun, on_its_way in (("invitation", self.on_its_way), ("user", self.sign_in_mail_on_its_way)):
                listed = self.daemon.run(noun, "list", "--all", "-o", "ndjson")
                if listed.returncode == 0 and any(on_its_way(harness.json.loads(line)) for line in listed.stdout.splitlines()):
                    return True
            return False
        if self.daemon.running():
            self.daemon.wait_for("everything on its way to arrive", lambda: not busy())

    @staticmethod
    def on_its_way(invitation):
        if invitation["held"]:
            return False
        state = (invitation["delivery"] or {}).get("state")
        return invitation["state"] == "verified" or (invitation["state"] == "released" and state in (None, "queued", "claimed"))

    @staticmethod
    def sign_in_mail_on_its_way(user):
        return (user.get("sign_in_mail") or {}).get("state") in ("queued", "claimed")

    def act(self, step):
        verb, _, rest = step.words.partition(" ")
        if verb == "clock":
            self.clock.set(utc(rest))
            # Leavers are looked for at the start and then once an hour, in real hours.
            if "disable" in self.overdue() and self.daemon.stop() == 0:
                self.daemon.start()
            self.daemon.wait_for("what fell due in between to be done", lambda: not self.overdue())
        elif verb == "confirm":
            status, _, page = self.daemon.press(self.link_to(step, rest))
            if status != 200:
                self.fail(step.line, f"the page answers {status}: {harness.heading_of(page)}")
        elif verb == "run":
            self.command(Command(step.line, rest), shown=False)
        elif verb == "scan":
            for method in ("HEAD", "GET", "GET"):
                self.daemon.browse(method, self.link_to(step, rest))
        elif step.words == "dns publish":
            self.dns.publish(*self.records)
        elif step.words == "dns empty":
            self.dns.publish()
        elif step.words.startswith("relay refuses "):
            address = step.words.split()[2]
            self.relay.refuse[address] = f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        elif verb == "type":
            found = re.findall(r"https://\S+", self.printed)
            if not found:
                self.fail(step.line, "no URL was printed")
            form = harness.form_of(self.daemon.browse("GET", found[-1])[2]) or {}
            status, _, page = self.daemon.browse("POST", found[-1], {**form, "email": rest, "confirm_email": rest})
            if status not in (200, 303):
                self.fail(step.line, f"the page answers {status}: {harness.heading_of(page)}")
        else:
            self.fail(step.line, f"unknown: {step.words}")

    def link_to(self, step, address):
        found = [mail for mail in self.mails() if mail.to == address]
        if not found:
            self.fail(step.line, f"there is no mail to {address}")
        return found[-1].link

    def overdue(self):
        now = self.daemon.json("status")["now"]
        plan = self.daemon.json("plan", "show", "--until", "1h", "--all")["items"]
        return {item["action"] for item in plan if item["at"] and item["at"] <= now} & {"send", "deliver", "expire", "disable", "connect", "cancel"}

    def mails(self):
        folder = self.root / "var/lib/invited/outbox/new"
        paths = sorted(folder.glob("*"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [harness.Mail(path.read_bytes()) for path in paths] + (self.relay.mails() if self.relay else [])

    def command(self, command, person=None, shown=True):
        words = shlex.split(command.text, comments=True)
        if words[:1] == ["systemctl"]:
            return self.systemctl(command, words)
        environment = {**os.environ, **self.clock.environment(), "PATH": f"{self.root / 'bin' if person else harness.BUILD / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
                       "INVITED_SOCKET": str(self.daemon.socket), "HOME": str(self.work), "NO_COLOR": "1"}
        become = []
        if person:
            if os.geteuid() != 0 or not shutil.which("setpriv"):
                self.case.skipTest("only root can become others")
            # libfaketime's shared memory belongs to whoever made it: only the shell itself is under the clock.
            become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=games,mail", "env", f"LD_PRELOAD={environment.pop('LD_PRELOAD')}"]
        done = subprocess.run([*become, "bash", "-c", self.inward(command.text)], cwd=self.work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.printed = self.outward(done.stdout)
        self.records += [value for value in re.findall(r"invited-verification=[a-z2-7]+", self.printed) if value not in self.records]
        actual = self.printed.splitlines()
        if done.returncode != command.code:
            self.fail(command.line, f"$ {command.text}\nexit {done.returncode}, not {command.code}:\n{self.printed}\nThe daemon's log ends with:\n{self.daemon.log(8)}")
        if self.update is not None and shown:
            self.write_down(command, actual)
        elif command.expected and not matches(command.expected, actual):
            self.fail(command.line, f"$ {command.text}\nprinted:\n{self.printed}\nthe page says:\n" + "\n".join(command.expected))
        self.settle()

    def write_down(self, command, actual):
        """The author's help: what was printed goes into the page, unless what stands there agrees."""
        if command.expected == ["…"] or (command.expected and matches(command.expected, actual)):
            return
        def hidden(found):  # in a table the columns stay where they are
            return "…" + " " * (len(found[0]) - 1) * bool(re.match(r"  \S", found.string[found.end():]))
        actual = [IDENTIFIER.sub(hidden, line.rstrip()) for line in actual]
        begin, end = command.line + self.moved, command.end + self.moved
        self.update[begin:end] = actual
        self.moved += len(actual) - (end - begin)

    def systemctl(self, command, words):
        verb, unit = words[1:3] if len(words) == 3 else (None, None)
        if unit != "invited" or verb not in ("start", "stop", "restart", "reload"):
            self.fail(command.line, "the test knows systemctl start, stop, restart and reload of invited")
        if verb in ("stop", "restart") and self.daemon.stop() != 0:
            self.fail(command.line, "the daemon did not end with 0:\n" + self.daemon.log())
        if verb in ("start", "restart"):
            self.daemon.start()
        if verb == "reload":
            begin = self.daemon.log_file.stat().st_size
            self.daemon.process.send_signal(harness.signal.SIGHUP)
            self.daemon.wait_for("the daemon to read its configuration again",
                                 lambda: b" config." in self.daemon.log_file.read_bytes()[begin:])


def utc(local):
    at = datetime.strptime(local, "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    return at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


# ---- what is not run ----


def invitectl_help(words):
    """The help of a command, or None if there is no such command."""
    done = subprocess.run([harness.INVITECTL, *words, "--help"], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else None


def check_prose(name, prose):
    """Commands between backticks: the verb exists, and so does each option."""
    nouns = set(re.findall(r"^  ([a-z-]+) {2,}", invitectl_help([]).split("Subcommands:")[1], re.MULTILINE))
    for number, line in prose:
        for code in re.findall(r"`([^`]+)`", line):
            words = code.split()
            if words[0] == "invitectl":
                words = words[1:]
            elif words[0] not in nouns or len(words) < 2:
                continue
            verb = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z-]*", word)]
            text = invitectl_help(verb)
            if text is None or (len(verb) == 2 and "SUBCOMMAND" in text.splitlines()[1]):
                raise PageError(f"docs/guide/{name}:{number}: invitectl does not know `{code}`")
            for option in re.findall(r"--[a-z-]+", code):
                if not re.search(rf"{option}\b", text + invitectl_help([])):
                    raise PageError(f"docs/guide/{name}:{number}: invitectl does not know {option} in `{code}`")


def check_links(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", line):
            if "://" not in target and not (path.parent / target).exists():
                raise PageError(f"{path.name}:{number}: nothing stands at {target}")


# ---- the tests ----


class Guide(harness.Case):
    """One test per page."""

    def run_page(self, name):
        path = GUIDE / name
        check_links(path)
        steps, prose = read_page(path.read_text(encoding="utf-8"), name)
        check_prose(name, prose)
        runner = Runner(self, name)
        runner.run(steps)
        for line in runner.not_run:
            print(f"not run: {name}: {line}", flush=True)


def add_page_tests():
    for path in sorted(GUIDE.glob("*.md")):
        test = "test_" + path.stem.lower().replace("-", "_")
        setattr(Guide, test, lambda self, name=path.name: self.run_page(name))


class Index(unittest.TestCase):
    def test_the_index_and_the_readme_link_every_page_and_nothing_else(self):
        index = (GUIDE / "README.md").read_text(encoding="utf-8")
        for path in GUIDE.glob("*.md"):
            if path.name != "README.md":
                self.assertIn(f"({path.name})", index, "a page that the index does not name")
        check_links(GUIDE.parents[1] / "README.md")
        self.assertIn(TODAY.split()[0], index, "the index says on which day the guide plays")


class TheRunnerNotices(harness.Case):
    """A tool counts only after it has caught a planted error: each page here has one."""

    def refused(self, page, words):
        with self.assertRaises(PageError) as caught:
            steps, prose = read_page(page, "planted.md")
            check_prose("planted.md", prose)
            Runner(self, "planted.md").run(steps)
        self.assertIn(words, str(caught.exception))

    GOOD = ("```console\n$ invitectl user add --id 14 --name \"A. Example\" --start-date 2026-11-24\n14: created\n…\n$ invitectl user show 15   # exit 5\n```\n")

    def test_a_page_that_is_right_passes(self):
        Runner(self, "planted.md").run(read_page(self.GOOD)[0])

    def test_another_output(self):
        self.refused(self.GOOD.replace("14: created", "14: updated"), "the page says:\n14: updated")

    def test_an_output_that_is_missing(self):
        self.refused(self.GOOD.replace("\n…", ""), "the page says")

    def test_another_exit_code(self):
        self.refused(self.GOOD.replace("# exit 5", "# exit 3"), "exit 5, not 3")

    def test_a_failure_that_the_page_does_not_mention(self):
        self.refused(self.GOOD.replace("   # exit 5", ""), "exit 5, not 0")

    def test_a_block_that_hides_a_command(self):
        self.refused("```text\ninvitectl status\n```\n", "a block that is not run")
        self.refused("```sh\ninvitectl status\n```\n", "could be run")

    def test_a_verb_or_an_option_in_the_text_that_does_not_exist(self):
        self.refused("Say `invitectl user invite 14`.\n", "does not know `invitectl user invite 14`")
        self.refused("Say `user list --where`.\n", "does not know --where")


def update(names):
    class Once(harness.Case):
        def runTest(self):
            for name in names:
                path = GUIDE / name
                lines = path.read_text(encoding="utf-8").splitlines()
                steps, prose = read_page("\n".join(lines), name)
                runner = Runner(self, name, update=lines)
                try:
                    runner.run(steps)
                finally:
                    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                    self.end_daemons()
                    self.daemons.clear()
                    shutil.rmtree(self.folder, ignore_errors=True)
                    self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invited-"))
    result = unittest.TextTestRunner().run(Once())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--update"]:
        sys.exit(update([pathlib.Path(name).name for name in sys.argv[2:]]))
    add_page_tests()
    unittest.main(argv=[sys.argv[0], *(f"Guide.test_{word}" if re.fullmatch(r"[a-z_]+", word) and not word.startswith("test_") else word
                                       for word in sys.argv[1:])])
