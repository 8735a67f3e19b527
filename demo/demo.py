#!/usr/bin/env python3
"""The whole way of a new hire, on sample data, against a daemon that this script starts and stops.

    ./dev demo          shows it and cleans up
    ./dev demo --keep   leaves the daemon running and says how to go on

Nothing leaves this machine: mails go into a folder, the page listens on loopback.
"""

import datetime
import email
import email.policy
import html
import http.client
import json
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

BUILD = pathlib.Path(sys.argv[1]).resolve()
KEEP = "--keep" in sys.argv[2:]
HERE = pathlib.Path(__file__).resolve().parent
COLOUR = sys.stdout.isatty()


def title(text):
    print(f"\n\033[1m── {text} \033[0m" if COLOUR else f"\n── {text}")


def note(text):
    print(f"\033[2m{text}\033[0m" if COLOUR else text)


def day(offset):
    return (datetime.date.today() + datetime.timedelta(days=offset)).isoformat()


def sample_people(folder):
    text = (HERE / "people.csv.in").read_text(encoding="utf-8")
    text = re.sub(r"@([+-]?\d+)@", lambda match: day(int(match.group(1))), text)
    path = folder / "people.csv"
    path.write_text(text, encoding="utf-8")
    return path


def write_config(folder):
    path = folder / "invited.yaml"
    path.write_text(
        f"""organisation: {{name: "Example AB", time_zone: Europe/Stockholm, locale: sv}}
companies:
  - {{key: north, name: "Example North", time_zone: Europe/Helsinki, locale: en}}
state_dir: state
control: {{socket: control.sock}}
web: {{listen: "127.0.0.1:0", base_url: "http://127.0.0.1:8620"}}
mail: {{from: "Example AB <no-reply@example.com>", transport: outbox}}
sources:
  - {{name: manual, plugin: manual}}
  - {{name: hr, plugin: file, config: {{path: import}}}}
transports:
  - {{name: outbox, plugin: maildir, config: {{path: mails}}}}
identities:
  - {{name: directory, plugin: directory, config: {{sign_in_url: "https://login.example.com", path: accounts.jsonl}}}}
plugin_dirs: ["{BUILD}/lib/invited/plugins"]
""",
        encoding="utf-8",
    )
    (folder / "import").mkdir()
    return path


class Daemon:
    def __init__(self, folder, config):
        self.folder = folder
        self.socket = folder / "control.sock"
        self.log = folder / "daemon.log"
        self.process = subprocess.Popen([BUILD / "bin/invited", "--config", config], stderr=self.log.open("wb"), start_new_session=True)
        self.wait_until_ready()

    def wait_until_ready(self):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            text = self.log.read_text(errors="replace")
            ready = re.search(r"web=\"?([\d.]+:\d+)", text)
            if ready and self.socket.exists():
                self.web = ready.group(1)
                return
            time.sleep(0.02)
        sys.exit("The daemon did not start:\n" + self.log.read_text(errors="replace"))

    def ctl(self, *arguments, check=True):
        done = subprocess.run([BUILD / "bin/invitectl", "--socket", self.socket, *arguments], capture_output=True, text=True)
        if check and done.returncode not in (0, 3):
            sys.exit(f"invitectl {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def show(self, *arguments):
        note("$ invitectl " + shlex.join(arguments))
        print(self.ctl(*arguments).rstrip())

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def wait_for(what, question, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    sys.exit(f"Waited {seconds} s in vain: {what}")


def mails_in(folder):
    found = []
    for path in sorted((folder / "mails" / "new").glob("*")):
        found.append(email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
    return found


def link_in(message):
    text = message.get_body(("plain",)).get_content()
    return re.search(r"^(https?://\S+/v/\S+)\s*$", text, re.MULTILINE).group(1)


def browse(web, method, path, form=None, language="sv"):
    connection = http.client.HTTPConnection(web, timeout=10)
    headers = {"Accept-Language": language}
    body = None
    if form is not None:
        body = urllib.parse.urlencode(form)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.status, page


def words_of(page):
    page = re.sub(r"(?s)<(style|head).*?</\1>", "", page)
    lines = [html.unescape(re.sub(r"<[^>]+>", "", line)).strip() for line in re.sub(r"</(h1|p|div|button|a|li)>", "\n", page).splitlines()]
    return [line for line in lines if line]


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invited-demo-"))
    started = time.monotonic()
    daemon = None
    try:
        config = write_config(folder)
        title("A daemon starts with an empty state")
        daemon = Daemon(folder, config)
        daemon.show("domain", "add", "verified.example", "--assert", "--yes")

        title("A hire whose employment is in review, added by hand")
        daemon.show("user", "add", "--id", "1000", "--name", "Olle Review", "--login-email", "olle.review@company.example",
                    "--start-date", day(1), "--in-review")

        title("HR's file arrives: a dozen hires around today")
        people = sample_people(folder)
        note("$ head -4 people.csv")
        print("\n".join(people.read_text(encoding="utf-8").splitlines()[:4]))
        daemon.show("user", "import", str(people), "--verbose")

        title("What will happen by itself, and when")
        daemon.show("plan", "show", "--until", "60d")

        title("Who started already or starts tomorrow has a mail by now")
        wait_for("four mails", lambda: len(mails_in(folder)) >= 4)
        messages = mails_in(folder)
        for message in messages:
            print(f"  {str(message['To']):50} {message['Subject']}")
        mine = next(message for message in messages if "anna.berg" in str(message["To"]))
        print()
        print("\n".join("  | " + line for line in mine.get_body(("plain",)).get_content().rstrip().splitlines()))

        title("A mail scanner opens the link: nothing changes")
        link = link_in(mine)
        path = urllib.parse.urlsplit(link).path
        for method in ("HEAD", "GET"):
            status, _ = browse(daemon.web, method, path)
            print(f"  {method:4} → {status}, Anna is {daemon.json('user', 'show', '1001')['connection']}")

        title("Anna presses the button")
        _, page = browse(daemon.web, "GET", path)
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        fields.setdefault("do", "confirm")
        status, page = browse(daemon.web, "POST", path, fields)
        print("\n".join("  | " + line for line in words_of(page)[:6]))
        wait_for("Anna to be connected", lambda: daemon.json("user", "show", "1001")["connection"] == "connected")
        daemon.show("user", "show", "1001")

        title("Why has Greta no mail?")
        daemon.show("why", "1007")
        title("And Olle, who is in review?")
        daemon.show("why", "1000")
        daemon.show("review", "approve", "1000")
        wait_for("Olle's mail", lambda: any("olle.review" in str(message["To"]) for message in mails_in(folder)))
        print("  Olle's mail is out.")

        title("How the daemon is")
        daemon.show("status")
        print()
        note(f"{time.monotonic() - started:.1f} s from an empty folder to here.")
        if KEEP:
            title("It goes on running")
            print(f"  export INVITED_SOCKET={daemon.socket}")
            print(f"  {BUILD}/bin/invitectl user list")
            print(f"  {BUILD}/bin/invitectl events")
            print(f"  ls {folder}/mails/new        # and drop files into {folder}/import")
            print(f"  kill {daemon.process.pid}; rm -r {folder}        # to end it")
            daemon = None
            folder = None
    finally:
        if daemon:
            daemon.stop()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
