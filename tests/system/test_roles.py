"""Every command of the daemon through its socket, as a stranger, a viewer, an operator and an admin.

The commands come from the daemon's own description (/openapi.json). Each has a specimen here: what must be there before
it, and how it is asked for. A command without a specimen fails the test. Each role asks over HTTP and through invitectl;
whoever may not is told so and changes nothing; what changes something can be tried without a trace, and stands in the
audit with the uid and name of who did it. Every request and answer on the way is then held against the description.

Becoming those people takes root, as in CI; without it that part is skipped. The description itself is looked at anyway.
"""

import contextlib
import dataclasses
import grp
import http.client
import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import unittest
import urllib.parse

import harness
from harness import day

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import npm_packages  # noqa: E402

OPENAPI = pathlib.Path(__file__).resolve().parent.parent / "openapi"
ROLES = ("viewer", "operator", "admin")
GROUPS = {"viewer": "games", "operator": "mail", "admin": "news"}  # groups that every Debian has


class Peer:
    """Who connects. The socket belongs to the viewers' group, so that operators and admins are members of it, too."""

    def __init__(self, account, role):
        entry = pwd.getpwnam(account)
        self.role = role
        self.uid, self.gid = entry.pw_uid, grp.getgrnam("nogroup").gr_gid
        self.groups = [] if role is None else sorted({grp.getgrnam(GROUPS[name]).gr_gid for name in ("viewer", role)})
        self.actor = f"uid:{entry.pw_uid} ({account})"

    def __str__(self):
        return self.role or "stranger"

    def may(self, role):
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    @contextlib.contextmanager
    def credentials(self):
        """What this process connects with is theirs, as the kernel sees it."""
        own_groups = os.getgroups()
        os.setgroups(self.groups)
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(own_groups)


class Connection(http.client.HTTPConnection):
    def __init__(self, path, peer):
        super().__init__("localhost", timeout=60)
        self.path, self.peer = str(path), peer

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with self.peer.credentials() if self.peer else contextlib.nullcontext():
            self.sock.connect(self.path)


@dataclasses.dataclass
class Specimen:
    """One good request of a command, over HTTP and on the command line (what follows the verb)."""
    path: dict = dataclasses.field(default_factory=dict)
    query: dict = dataclasses.field(default_factory=dict)
    body: dict | None = None
    content: str | None = None  # a body that is not JSON
    cli: tuple = ()
    verb: str | None = None  # of invitectl, where it is not the command's own
    exit: int = 0
    audited: bool = True  # a real change stands in the audit; False where what changes is not a fact of the record
    endless: bool = False  # a stream: the first line is enough


@dataclasses.dataclass
class Operation:
    id: str
    path: str
    method: str
    role: str
    statuses: list
    changes: bool
    confirm: bool
    verb: str | None
    lists: bool


def operations_of(description):
    found = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            answers = {int(status): answer for status, answer in operation["responses"].items() if status != "default"}
            json_answer = answers.get(200, {}).get("content", {}).get("application/json", {}).get("schema", {})
            found.append(Operation(operation["operationId"], path, method.upper(), operation["x-role"], sorted(answers),
                                   any(parameter["name"] == "dry_run" for parameter in operation.get("parameters", [])),
                                   operation.get("x-confirm", False), operation.get("x-invitectl"),
                                   "items" in json_answer.get("properties", {})))
    return found


class Refusing:
    """A mail server's word on addresses that begin with "held": nobody lives there."""

    def get(self, address):
        return "550 5.1.1 No such user" if address.startswith("held") else None


class Office:
    """The daemon under test with the people it knows; everything here is done by root."""

    def __init__(self, case):
        self.case = case
        self.count = 0
        self.traffic = []
        self.relay = harness.SmtpServer(case, refuse=Refusing())
        flows = ('review_flows: [{name: office, steps: [{name: manager}, {name: hr, after: manager}]}]\n'
                 'user_templates: [{name: clerk, company: north}]\n'
                 'employment_templates: [{name: permanent, user_template: clerk, review_flow: office}]')
        self.daemon = case.new_daemon(
            self.relay.transport(), flows=flows, brakes="brakes: {batch: 3}",
            companies='companies:\n  - {key: north, name: "Example North", time_zone: Europe/Helsinki, locale: en, phase: preparation}',
            sources='sources:\n  - {name: manual, plugin: manual}\n  - {name: hr, plugin: file, interval_s: 86400, config: {path: import}}',
            control=f"control: {{socket: control.sock, roles: {{viewer: {GROUPS['viewer']}, operator: {GROUPS['operator']}, admin: {GROUPS['admin']}}}}}",
            dns='dns: {servers: ["127.0.0.1:9"], timeout_ms: 100, tries: 1}').start()
        # The checkout may lie where others cannot look.
        self.tool = case.folder / "invitectl"
        shutil.copy(harness.INVITECTL, self.tool)
        self.tool.chmod(0o755)
        case.folder.chmod(0o755)
        self.description = json.loads(self.root("GET", "/openapi.json"))
        self.operations = operations_of(self.description)
        self.root("POST", "/v1/domains", {"name": "verified.example", "method": "assertion"})

    # ---- asking

    def root(self, method, path, body=None, type="application/json"):
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        status, _, answer = self.daemon.ask(method, path, data, {"Content-Type": type} if data is not None else {})
        assert status < 300, f"{method} {path}: {status} {answer.decode()}"
        return answer.decode()

    def get(self, path):
        return json.loads(self.root("GET", path))

    def ask(self, operation, specimen, peer, dry_run=False):
        """One request as `peer`: (status, answer as text). It goes into the traffic that is held against the description."""
        query = {**specimen.query, **({"dry_run": "true"} if dry_run else {})}
        path = re.sub(r"{(\w+)}", lambda match: urllib.parse.quote(specimen.path[match[1]], safe=""), operation.path)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        body = specimen.content if specimen.content is not None else None if specimen.body is None else json.dumps(specimen.body)
        media = None if body is None else "application/json" if specimen.content is None else "text/csv"
        connection = Connection(self.daemon.socket, peer)
        try:
            connection.request(operation.method, path, body, {"Content-Type": media} if media else {})
            answer = connection.getresponse()
            text = (answer.readline() if specimen.endless and answer.status == 200 else answer.read()).decode()
        finally:
            connection.close()
        self.traffic.append({"operation": operation.id, "path": specimen.path, "query": query, "type": media, "body": body, "status": answer.status,
                             "answer_type": answer.headers["Content-Type"], "answer": text})
        return answer.status, text

    def ask_with_a_large_file(self, peer):
        """A file may be larger than any other body, also where it is only looked at."""
        with_file = next(operation for operation in self.operations if operation.id == "plan.with")
        status, text = self.ask(with_file, Specimen(query={"file_name": "people.csv"}, content=self.people() + "\n" * 2**21), peer)
        assert status == 202, text

    def run(self, operation, specimen, peer, dry_run=False):
        """The same through invitectl: (exit code, what it wrote)."""
        command = [self.tool, "--socket", self.daemon.socket, *(specimen.verb or operation.verb).split(), *map(str, specimen.cli)]
        command += ["--dry-run"] if dry_run else ["--yes"] if operation.confirm else []
        as_peer = {"user": peer.uid, "group": peer.gid, "extra_groups": peer.groups}
        if not specimen.endless:
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, cwd="/", **as_peer)
            return done.returncode, done.stdout + done.stderr
        with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd="/",
                              **as_peer) as process:
            line = process.stdout.readline()
            if line.startswith("{") and '"code"' not in line:
                process.terminate()
                process.wait(30)
                return 0, line
            return process.wait(30), line + process.stdout.read()

    def wait_job(self, answer):
        job = json.loads(answer)["job"]
        self.daemon.wait_for(f"job {job} to end", lambda: self.get(f"/v1/jobs/{job}")["state"] != "running")

    def at_rest(self):
        """Nothing is under way: what changes from now on was asked for."""
        status = self.get("/v1/status")
        under_way = ("provider_tasks", "mails_queued", "mails_claimed", "mails_deferred")
        return not any(status["counts"].get(name) for name in under_way) and not any("for the first time" in text for text in status["waits_for"])

    def facts(self):
        """All that can be listed of what is known, and the whole record. Not: jobs and sources, which tell of the daemon's own runs."""
        self.daemon.wait_for("the daemon to be at rest", self.at_rest)
        own = ("job.list", "source.list", "transport.list")
        lists = [operation for operation in self.operations if operation.lists and "{" not in operation.path and operation.id not in own]
        return {operation.id: self.get(operation.path + "?limit=1000" if "audit" in operation.id or "user" in operation.id else operation.path)["items"]
                for operation in lists}

    def record(self):
        return self.get("/v1/audit?limit=1000")["items"]

    # ---- who and what there is

    def fresh(self, prefix="u"):
        self.count += 1
        return f"{prefix}{self.count}"

    def hire(self, start=60, prefix="u", domain="company.example", **more):
        name = self.fresh(prefix)
        self.root("POST", "/v1/users", {"user_id": name, "name": f"Person {name}", "login_email": f"{name}@{domain}", "start_date": day(start), **more})
        return name

    def user(self, name):
        return self.get(f"/v1/users/{name}")

    def until(self, name, what, seen):
        self.daemon.wait_for(f"{name} to be {what}", lambda: seen(self.user(name)))
        return name

    def sent(self):
        return self.until(self.hire(0), "sent", lambda user: user["invitation"]["state"] == "sent")

    def held(self):
        name = self.hire(0, prefix="held")
        self.until(name, "held", lambda user: user["invitation"]["held"])
        return self.user(name)["invitation"]["id"]

    def connected(self):
        return self.until(self.hire(60, domain="verified.example"), "connected", lambda user: user["connection"] == "connected")

    def in_review(self):
        return self.hire(60, in_review=True)

    def rejected(self):
        name = self.in_review()
        self.root("POST", f"/v1/reviews/{name}/reject", {"reason": "Not known here."})
        return name

    def prepared(self):
        name = self.fresh()
        self.root("POST", "/v1/users", {"user_id": name, "name": f"Person {name}", "company": "north"})
        return name

    def disabled(self):
        name = self.hire()
        self.root("POST", f"/v1/users/{name}/disable")
        return name

    def invitation(self):
        return self.user(self.hire())["invitation"]["id"]

    def open_link(self):
        return self.user(self.sent())["invitation"]["id"]

    def plan(self, department):
        self.hire(60, department=department)
        return json.loads(self.root("POST", "/v1/plans", {"kind": "send-verification", "filter": {"department": department}, "include_scheduled": True}))["plan"]

    def people(self, count=1, start=60):
        """A file with new people."""
        rows = [self.fresh() for _ in range(count)]
        return "user_id,name,login_email,start_date\n" + "".join(f"{name},Person {name},{name}@company.example,{day(start)}\n" for name in rows)

    def batch(self):
        """More mails at once than the brake allows."""
        before = {batch["id"] for batch in self.get("/v1/batches?state=held")["items"]}
        self.wait_job(self.root("POST", "/v1/imports", self.people(5, start=0), "text/csv"))
        return next(batch["id"] for batch in self.get("/v1/batches?state=held")["items"] if batch["id"] not in before)

    def domain(self, method="dns"):
        name = self.fresh("d") + ".example"
        self.root("POST", "/v1/domains", {"name": name, "method": method})
        return name

    def job(self):
        answer = self.root("POST", "/v1/imports?dry_run=true", self.people(), "text/csv")
        self.wait_job(answer)
        return json.loads(answer)["job"]

    def file(self, text):
        path = self.case.folder / (self.fresh("people") + ".csv")
        path.write_text(text)
        return path


def of_user(make, *more, **fields):
    """A command about one user whom `make` brings."""
    def specimen(office):
        name = make(office)
        return Specimen(path={"id": name}, cli=(name, *more), **fields)
    return specimen


def of(field, make, *more, **fields):
    """A command about one thing that is not a user."""
    def specimen(office):
        name = make(office)
        return Specimen(path={field: name}, cli=(name, *more), **fields)
    return specimen


def plain(*cli, **fields):
    return lambda office: Specimen(cli=cli, **fields)


def hand(office):
    name = office.fresh()
    return Specimen(body={"user_id": name, "name": "By Hand"}, cli=("--id", name, "--name", "By Hand"))


def importing(office):
    text = office.people()
    return Specimen(query={"file_name": "people.csv"}, content=text, cli=(office.file(text),))


def planned_with(office):
    text = office.people()
    return Specimen(query={"file_name": "people.csv"}, content=text, verb="plan show", cli=("--with", office.file(text)))


def bulk(office):
    department = office.fresh("department")
    plan = office.plan(department)
    return Specimen(path={"id": plan}, verb="user send-verification", cli=("--department", department, "--include-scheduled"))


def batch(verb):
    def specimen(office):
        held = office.batch()
        return Specimen(path={"id": held}, verb=verb, cli=("--batch", held))
    return specimen


def new_domain(office):
    name = office.fresh("d") + ".example"
    return Specimen(body={"name": name, "method": "assertion"}, cli=(name, "--assert"))


def rehearsing(office):
    out = office.case.folder / office.fresh("rehearsal")
    out.mkdir()
    out.chmod(0o777)
    return Specimen(body={"from": day(0), "to": day(2), "no_mails": True}, cli=("--from", day(0), "--to", day(2), "--no-mails", "--out", out))


SPECIMENS = {
    "user.list": plain("--company", "north", query={"company": "north", "limit": "10", "enabled": "true"}),
    "user.show": of_user(Office.sent),
    "user.add": hand,
    "user.set": of_user(Office.hire, "--department", "Lager", body={"department": "Lager"}),
    "user.import": importing,
    "user.export": plain("--profile", "api", query={"profile": "api"}),
    "user.send-verification": of_user(Office.hire),
    "user.disconnect": of_user(Office.connected),
    "user.reset-password": of_user(Office.connected),
    "user.banner": of_user(Office.prepared, query={"locale": "sv"}),
    "user.self-service": of_user(Office.prepared),
    "user.enable": of_user(Office.disabled),
    "user.disable": of_user(Office.hire),
    # invitectl asks for a plan as the first step of user send-verification: see plan.run.
    "plan.create": plain(body={"kind": "send-verification", "filter": {"company": "north"}}),
    "plan.run": bulk,
    "invitation.list": plain("--state", "scheduled", query={"state": "scheduled"}),
    "invitation.show": of("id", Office.invitation),
    "invitation.release": of("id", Office.held),
    "invitation.discard": of("id", Office.held),
    "invitation.revoke": of("id", Office.open_link),
    "review.list": plain("--state", "rejected", query={"state": "rejected"}),
    "review.show": of_user(Office.in_review),
    "review.approve": of_user(Office.in_review, body={}),
    "review.reject": of_user(Office.in_review, "--reason", "Twice in the list", body={"reason": "Twice in the list"}),
    "review.reopen": of_user(Office.rejected),
    "flow.list": plain(),
    "template.list": plain(),
    "batch.list": plain("--state", "held", query={"state": "held"}),
    "batch.show": of("id", Office.batch),
    "batch.release": batch("invitation release"),
    "batch.discard": batch("invitation discard"),
    "domain.list": plain(),
    "domain.show": of("name", Office.domain),
    "domain.add": new_domain,
    "domain.verify": of("name", Office.domain, exit=1, audited=False),  # the DNS of this test is dead: a look that finds out nothing
    "domain.remove": of("name", Office.domain),
    "source.list": plain(),
    # Its folder is empty: the daemon would see a file there by itself, at a moment of its own.
    "source.sync": plain("hr", query={"source": "hr"}),
    "transport.list": plain(),
    "transport.test": of("name", lambda office: "relay"),
    "transport.resume": of("name", lambda office: "relay"),
    "plugin.list": plain(),
    "plugin.describe": of("name", lambda office: "smtp"),
    "plugin.check": plain(harness.PLUGINS / "smtp.so", body={"path": str(harness.PLUGINS / "smtp.so")}),
    "plan.show": plain("--until", "90d", query={"until": "90d"}),
    "plan.with": planned_with,
    "plan.risk": plain("--until", "90d", query={"until": "90d"}),
    "rehearse": rehearsing,
    "why": of_user(Office.hire),
    "status": plain(),
    "events": plain("--from", "1", query={"from": "1"}, endless=True),
    "job.list": plain(),
    "job.show": of("id", Office.job),
    "job.watch": of("id", Office.job),
    "audit.list": plain("--subject", "domain:verified.example", query={"subject": "domain:verified.example"}),
    "audit.verify": plain(),
    "state.confirm": plain(),
    "openapi": plain(),
}


# Who may what, said once more: whoever looks is a viewer, whoever steers people's mails an operator, and who decides what the
# daemon believes or loads, or lets it work for long, an admin.
ROLE_OF = {command: "viewer" for command in SPECIMENS} | {command: "operator" for command in (
    "user.add user.set user.import user.send-verification user.disconnect user.reset-password user.self-service user.enable user.disable "
    "plan.create plan.run plan.with invitation.release invitation.discard invitation.revoke review.approve review.reject review.reopen "
    "batch.release batch.discard source.sync transport.test transport.resume audit.verify state.confirm").split()} | {
    command: "admin" for command in "domain.add domain.verify domain.remove plugin.check rehearse".split()}


class OfficeCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.office = Office(self)


@unittest.skipIf(os.geteuid() != 0, "becomes other users, as the ones who come to the socket: needs root")
class EveryCommand(OfficeCase):
    def setUp(self):
        super().setUp()
        self.peers = [Peer("nobody", None), Peer("man", "viewer"), Peer("list", "operator"), Peer("irc", "admin")]

    def specimen(self, operation):
        return SPECIMENS[operation.id](self.office)

    def assert_no_trace(self, before, what):
        after = self.office.facts()
        for name in before:
            self.assertEqual(after[name], before[name], f"{what}: {name}")

    def assert_audited(self, operation, specimen, peer, seq):
        if operation.changes and specimen.audited:
            mine = [event for event in self.office.record() if event["seq"] > seq and event["actor"] == peer.actor]
            self.assertTrue(mine, f"{operation.id} as {peer}: nothing in the audit is by {peer.actor}")

    def last_seq(self):
        record = self.office.record()
        return record[0]["seq"] if record else 0

    def test_over_http_each_role_may_what_it_may_and_the_traffic_keeps_the_description(self):
        office = self.office
        # Whoever is in none of the groups does not get as far as the daemon.
        with self.assertRaises(PermissionError):
            Connection(office.daemon.socket, self.peers[0]).request("GET", "/v1/status")
        os.chmod(office.daemon.socket, 0o666)  # from here on the daemon alone decides
        for operation in office.operations:
            with self.subTest(operation.id):
                self.over_http(operation)
        office.ask_with_a_large_file(self.peers[-1])
        self.check_traffic()

    def over_http(self, operation):
        office = self.office
        specimen = self.specimen(operation)
        before = office.facts()
        for peer in self.peers:
            if peer.may(operation.role):
                continue
            status, text = office.ask(operation, specimen, peer)
            problem = json.loads(text)
            self.assertEqual((status, problem["code"]), (403, "not_permitted"), peer)
            self.assertIn(operation.role if peer.role else "viewer", problem["detail"])
            self.assertIn(peer.actor, problem["detail"])
        self.assert_no_trace(before, f"{operation.id} was refused")
        for peer in self.peers:
            if not peer.may(operation.role):
                continue
            if operation.changes:
                status, text = office.ask(operation, specimen, peer, dry_run=True)
                self.assertIn(status, operation.statuses, text)
                if status == 202 and "job" in json.loads(text):
                    office.wait_job(text)
                self.assert_no_trace(before, f"dry run of {operation.id}")
            seq = self.last_seq()
            status, text = office.ask(operation, specimen, peer)
            self.assertIn(status, operation.statuses, text)
            if status == 202 and "job" in json.loads(text):
                office.wait_job(text)
            self.assert_audited(operation, specimen, peer, seq)
            if peer is not self.peers[-1]:
                specimen = self.specimen(operation)
                before = office.facts()

    def test_each_verb_of_invitectl_says_by_its_exit_code_who_may_what(self):
        office = self.office
        for operation in office.operations:
            if operation.id not in ("plan.create", "openapi"):  # not for the command line
                with self.subTest(operation.id):
                    self.by_invitectl(operation)

    def by_invitectl(self, operation):
        office = self.office
        specimen = self.specimen(operation)
        before = office.facts()
        for peer in self.peers:
            if not peer.may(operation.role):
                code, text = office.run(operation, specimen, peer)
                self.assertEqual(code, 4, f"{peer}: {text}")
                self.assertTrue(text.strip())
        self.assert_no_trace(before, f"{operation.id} was refused")
        for peer in self.peers:
            if not peer.may(operation.role):
                continue
            if operation.changes:
                code, text = office.run(operation, specimen, peer, dry_run=True)
                self.assertEqual(code, specimen.exit, f"{peer}, dry run: {text}")
                self.assert_no_trace(before, f"dry run of {operation.id}")
            seq = self.last_seq()
            code, text = office.run(operation, specimen, peer)
            self.assertEqual(code, specimen.exit, f"{peer}: {text}")
            self.assert_audited(operation, specimen, peer, seq)
            if peer is not self.peers[-1]:
                specimen = self.specimen(operation)
                before = office.facts()

    # ---- the description

    def judged(self, traffic):
        packages = npm_packages.installed(OPENAPI, harness.BUILD)
        description, file = self.folder / "openapi.json", self.folder / "traffic.ndjson"
        description.write_text(json.dumps(self.office.description))
        file.write_text("".join(json.dumps(exchange) + "\n" for exchange in traffic))
        done = subprocess.run(["node", OPENAPI / "check_traffic.mjs", packages, description, file], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check_traffic(self):
        traffic = self.office.traffic
        verdict = self.judged(traffic)
        self.assertEqual(verdict["checked"], len(traffic))
        self.assertGreater(len(traffic), 4 * len(self.office.operations))
        self.assertEqual(verdict["violations"], [])
        self.assertEqual(verdict["unseen"], [], "no good answer of these was seen")
        # The check itself: an answer with a field too many, one too few, of another type, with a status or a type of its own.
        good = next(exchange for exchange in traffic if exchange["operation"] == "user.show" and exchange["status"] == 200)
        user = json.loads(good["answer"])
        wrong = {
            "a field too many": {"answer": json.dumps({**user, "colour": "red"})},
            "a field too many inside": {"answer": json.dumps({**user, "invitation": {**user["invitation"], "colour": "red"}})},
            "a field too few": {"answer": json.dumps({name: value for name, value in user.items() if name != "connection"})},
            "another type": {"answer": json.dumps({**user, "enabled": "yes"})},
            "another word": {"answer": json.dumps({**user, "connection": "linked"})},
            "another status": {"status": 299},
            "another kind of body": {"answer_type": "text/html", "answer": "<p>"},
            "an unknown query": {"query": {"colour": "red"}},
        }
        for name, change in wrong.items():
            self.assertNotEqual(self.judged([{**good, **change}])["violations"], [], f"not found: {name}")


class Description(OfficeCase):
    def help_of(self, *path):
        done = subprocess.run([harness.INVITECTL, *path, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                              env={**os.environ, "COLUMNS": "200"})
        self.assertEqual((done.returncode, done.stderr), (0, ""), path)
        return done.stdout

    def verbs(self, *path):
        """Every verb that invitectl has, as its own help lists them: "user list", "why"."""
        help_text = self.help_of(*path)
        if "\nSubcommands:\n" not in help_text:
            return [" ".join(path)]
        names = re.findall(r"^  (\S+)", help_text.split("\nSubcommands:\n")[1].split("\n\n")[0], re.MULTILINE)
        return [verb for name in names for verb in self.verbs(*path, name)]

    def test_each_command_has_a_specimen_and_each_specimen_a_command(self):
        known = {operation.id for operation in self.office.operations}
        self.assertEqual(known - set(SPECIMENS), set(), "a new command needs a specimen in SPECIMENS")
        self.assertEqual(set(SPECIMENS) - known, set())

    def test_each_command_is_for_the_role_that_it_is_meant_for(self):
        for operation in self.office.operations:
            with self.subTest(operation.id):
                self.assertEqual(operation.role, ROLE_OF[operation.id])
                if operation.role == "viewer":
                    self.assertEqual((operation.method, operation.changes), ("GET", False))

    def test_each_verb_has_a_help_that_says_what_it_does_what_it_takes_and_who_may(self):
        operations = {operation.verb: operation for operation in self.office.operations if operation.verb}
        local = {"completion", "version"}  # these ask no daemon
        verbs = self.verbs()
        self.assertEqual(set(verbs), set(operations) | local)
        for verb in verbs:
            with self.subTest(verb):
                text = " ".join(self.help_of(*verb.split()).split())
                if verb in local:
                    self.assertIn(f"Usage: invitectl {verb}", text)
                    continue
                operation = operations[verb]
                described = self.office.description["paths"][operation.path][operation.method.lower()]
                self.assertTrue(text.startswith(f"{described['summary']} Usage: invitectl {verb} "), text)
                self.assertIn(described["description"], text)
                self.assertIn(f"Needs the role {operation.role}.", text)
                self.assertEqual("--dry-run" in text, operation.changes)
                body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                helps = [(parameter["name"], parameter["description"]) for parameter in described.get("parameters", [])]
                helps += [(name, schema["description"]) for name, schema in body.get("properties", {}).items()]
                for name, help_text in helps:
                    if name != "dry_run":
                        self.assertTrue(help_text)
                        self.assertIn(help_text, text, name)

    def test_the_page_about_the_socket_shows_requests_that_work(self):
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "control-api.md").read_text(encoding="utf-8")
        requests = re.findall(r"^\$ (curl .*)$", page, re.MULTILINE)
        self.assertGreater(len(requests), 2)
        for request in requests:
            with self.subTest(request):
                command = [word.replace("/run/invited/control.sock", str(self.office.daemon.socket)) for word in shlex.split(request)]
                done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIsInstance(json.loads(done.stdout), dict)

    def test_the_description_is_without_a_finding_of_the_linter(self):
        packages = npm_packages.installed(OPENAPI, harness.BUILD)
        description = self.folder / "openapi.json"

        def findings(document):
            description.write_text(json.dumps(document))
            done = subprocess.run([packages / "node_modules" / ".bin" / "spectral", "lint", description, "--ruleset", OPENAPI / "spectral.yaml",
                                   "--fail-severity", "hint", "--format", "json", "--quiet"], capture_output=True, text=True, timeout=120,
                                  stdin=subprocess.DEVNULL, cwd=self.folder)
            self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
            found = json.loads(done.stdout or "[]")
            self.assertEqual(done.returncode == 0, found == [], done.stdout)
            return [f"{finding['code']} at {'/'.join(map(str, finding['path']))}: {finding['message']}" for finding in found]

        self.assertEqual(findings(self.office.description), [])
        broken = json.loads(json.dumps(self.office.description))
        broken["paths"]["/v1/users/{id}"]["get"].pop("parameters")
        self.assertNotEqual(findings(broken), [], "the linter finds a path parameter that is not described")


if __name__ == "__main__":
    unittest.main()
