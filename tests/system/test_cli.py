"""The public calls of invitectl against the real daemon: shapes, exit codes, roles, and who a bulk send leaves out."""

import grp
import json
import os
import pwd
import shutil
import subprocess
import unittest

import harness
from harness import day


class PublicCalls(harness.Case):
    def setUp(self):
        super().setUp()
        self.daemon = self.new_daemon().start()

    def test_the_public_calls_have_the_public_shape(self):
        daemon = self.daemon
        start = day(60)
        daemon.ctl("user", "add", "--id", "14", "--name", "A. Example", "--login-email", "a.example@company.example", "--start-date", start)
        user = daemon.json("user", "show", "14")
        self.assertEqual((user["id"], user["login_email"]), ("14", "a.example@company.example"))
        self.assertEqual(user["connection"], "not_connected")
        self.assertEqual(user["invitation"]["state"], "scheduled")
        self.assertIsNone(user["invitation"]["ends_at"])
        eve = day(59)
        plan = daemon.json("plan", "show", "--until", "60d")
        self.assertEqual(set(plan["items"][0]), {"user", "name", "action", "local", "zone", "at", "ends_at", "reason", "text"})
        item = plan["items"][0]
        self.assertEqual((item["user"], item["action"], item["local"], item["zone"]), ("14", "send", eve + "T09:00", "Europe/Stockholm"))
        self.assertRegex(item["at"], rf"^{eve}T0[78]:00:00Z$")
        why = daemon.json("why", "14")
        self.assertEqual(why["next"], item)
        self.assertTrue(why["reasons"])
        for reason in why["reasons"]:
            self.assertEqual(set(reason), {"code", "text"})
        self.assertEqual(why["reasons"][-1]["code"], item["reason"])

        # user import FILE [--dry-run]
        people = self.folder / "people.csv"
        people.write_text(f"user_id,name,login_email,start_date\n15,B,b@company.example,{day(0)}\n16,C,c@company.example,{start}\n")
        dry = daemon.json("user", "import", people, "--dry-run")
        self.assertEqual([row["result"] for row in dry["rows"]], ["created", "created"])
        daemon.ctl("user", "show", "15", code=5)
        real = daemon.json("user", "import", people)
        self.assertEqual(real["rows"], dry["rows"], "a dry run says what the import then does")
        sent = daemon.wait_sent("15")
        self.assertRegex(sent["ends_at"], r"^\d{4}-\d\d-\d\dT\d\d:00:00Z$")
        self.assertEqual(daemon.user("15")["connection"], "pending")

        # review list, review approve
        daemon.ctl("user", "add", "--id", "17", "--name", "D", "--login-email", "d@company.example", "--start-date", day(0), "--in-review")
        reviews = daemon.json("review", "list")["items"]
        self.assertEqual([(review["user"], review["state"]) for review in reviews], [("17", "pending")])
        self.assertIsNone(daemon.json("why", "17")["next"])
        self.assertEqual(daemon.json("why", "17")["reasons"][-1]["code"], "in_review")
        self.assertEqual(daemon.json("review", "approve", "17")["state"], "approved")
        daemon.wait_sent("17")
        self.assertEqual(daemon.json("review", "list")["items"], [])

        # domain add NAME --assert --yes: who is new there is connected without a mail
        daemon.ctl("domain", "add", "verified.example", "--assert", "--yes")
        self.add_user(daemon, "18", email="e@verified.example", start=start)
        daemon.wait_connected("18")

        # user send-verification --all --yes --expect N; a single user by id
        answer = daemon.json("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", "2")
        self.assertEqual((answer["sent"], answer["failed"]), (2, 0))
        daemon.wait_sent("14")
        self.add_user(daemon, "19", start=start)
        self.assertEqual(daemon.json("user", "send-verification", "19")["action"], "send")
        daemon.wait_sent("19")
        self.assertEqual(sorted(mail.to.split("@")[0] for mail in self.maildir()), ["a.example", "b", "c", "d", "person19"])

    def test_each_exit_code_means_what_the_help_says(self):
        daemon = self.daemon
        self.add_user(daemon, "1", start=day(60))
        ctl = daemon.run
        self.assertEqual(ctl("user", "list").returncode, 0)
        done = ctl("user", "add", "--id", "1", "--name", "Again")
        self.assertEqual(done.returncode, 1, "a conflict is a failure")
        self.assertIn("already", done.stderr)
        for arguments in (["user", "frobnicate"], ["user", "show"], ["user", "list", "--limit", "many"], ["user", "list", "--colour", "blue"],
                          ["user", "add", "--id", "2", "--name", "B", "--start-date", "2026-02-30"], ["user", "send-verification"],
                          ["user", "send-verification", "--all", "--include-scheduled"],  # nobody at the terminal to confirm
                          ["user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", "7"], ["state", "confirm"], ["plan", "show", "--until", "soon"]):
            done = ctl(*arguments)
            self.assertEqual(done.returncode, 2, f"{arguments}: {done.stdout}{done.stderr}")
            self.assertTrue(done.stderr.strip())
        self.assertEqual(self.maildir(), [], "what was not confirmed was not done")
        bad = self.folder / "bad.csv"
        bad.write_text("user_id,name,start_date\n3,C,2026-12-01\n4,D,2026-02-30\n")
        self.assertEqual(ctl("user", "import", bad).returncode, 3)
        self.assertEqual(ctl("user", "import", bad, "--dry-run").returncode, 3)
        self.assertIn(ctl("user", "import", self.folder / "none.csv").returncode, (1, 2))
        for arguments in (["user", "show", "nobody"], ["why", "nobody"], ["invitation", "show", "018f0000-0000-7000-8000-000000000000"],
                          ["review", "approve", "nobody"], ["job", "show", "018f0000-0000-7000-8000-000000000000"], ["plugin", "describe", "nothing"],
                          ["domain", "remove", "unknown.example"]):
            done = ctl(*arguments)
            self.assertEqual(done.returncode, 5, f"{arguments}: {done.stdout}{done.stderr}")
        nowhere = subprocess.run([harness.INVITECTL, "--socket", self.folder / "nowhere.sock", "status"], capture_output=True, text=True, timeout=60)
        self.assertEqual(nowhere.returncode, 69, nowhere.stderr)
        self.assertIn("nowhere.sock", nowhere.stderr)
        by_environment = subprocess.run([harness.INVITECTL, "status"], capture_output=True, text=True, timeout=60, env={**os.environ, "INVITED_SOCKET": str(daemon.socket)})
        self.assertEqual(by_environment.returncode, 0, by_environment.stderr)
        # With --json an error is a document, too, and stdout stays clean for the answer.
        done = ctl("user", "show", "nobody", "--json")
        self.assertEqual(done.returncode, 5)
        self.assertIn("nobody", done.stdout + done.stderr)

    def test_a_dry_run_of_every_change_changes_nothing(self):
        daemon = self.daemon
        self.add_user(daemon, "1", start=day(60))
        self.add_user(daemon, "2", "--in-review", start=day(0))
        self.add_user(daemon, "3", start=day(0))
        daemon.wait_sent("3")
        invitation = daemon.invitation("3")["id"]
        look = lambda: (daemon.json("user", "list", "--all")["items"], daemon.json("audit", "list", "--all")["items"], daemon.json("domain", "list")["items"])
        before = look()
        for arguments in (["user", "add", "--id", "9", "--name", "N", "--start-date", day(0)], ["user", "set", "1", "--name", "Other"],
                          ["user", "send-verification", "1"], ["user", "send-verification", "--all", "--include-scheduled"], ["user", "disable", "1"],
                          ["user", "enable", "1"], ["user", "disconnect", "3"], ["review", "approve", "2"], ["review", "reject", "2", "--reason", "no"],
                          ["domain", "add", "company.example", "--assert"], ["invitation", "revoke", invitation]):
            done = daemon.run(*arguments, "--dry-run", "--json")
            self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
            json.loads(done.stdout)
        self.assertEqual(look(), before)
        self.assertEqual(len(self.maildir()), 1)

    def test_lists_can_be_filtered_the_same_way_everywhere(self):
        daemon = self.daemon
        self.add_user(daemon, "1", "--company", "north", "--department", "Lager", start=day(60))
        self.add_user(daemon, "2", "--company", "north", start=day(30))
        self.add_user(daemon, "3", "--department", "Lager", start=day(30))
        ids = lambda *filters: [user["id"] for user in daemon.json("user", "list", *filters)["items"]]
        self.assertEqual(ids("--company", "north"), ["1", "2"])
        self.assertEqual(ids("--company", "north", "--department", "Lager"), ["1"])
        self.assertEqual(ids("--start-before", day(45)), ["2", "3"])
        self.assertEqual(ids("--search", "person3@"), ["3"])
        self.assertEqual(ids("--connection", "connected"), [])
        self.assertEqual(ids("--limit", "2"), ["1", "2"])
        plan = daemon.json("user", "send-verification", "--department", "Lager", "--include-scheduled", "--dry-run")
        self.assertEqual((plan["matched"], plan["send"]), (2, 2))
        self.assertEqual(daemon.json("user", "send-verification", "--department", "Lager", "--include-scheduled", "--yes", "--expect", "2")["sent"], 2)
        daemon.wait_sent("1")
        daemon.wait_sent("3")
        self.assertEqual(daemon.invitation("2")["state"], "scheduled")
        self.assertEqual(daemon.ctl("user", "list", "-o", "name").split(), ["1", "2", "3"])
        self.assertEqual(daemon.ctl("user", "list", "-o", "csv").splitlines()[0].split(",")[0], "id")

    def test_events_tell_what_happens_while_it_happens(self):
        follower = subprocess.Popen(self.daemon.command("events", "--from", "1", "-o", "ndjson"), stdout=subprocess.PIPE, text=True)
        try:
            self.add_user(self.daemon, "1", start=day(0))
            seen = []
            for line in follower.stdout:
                event = json.loads(line)
                if "action" in event:
                    seen.append((event["action"], event["subject"]))
                if event.get("action") == "invitation.sent":
                    break
            self.assertIn(("user.created", "user:1"), seen)
        finally:
            follower.kill()
            follower.wait(10)
            follower.stdout.close()

    def test_the_daemon_describes_its_whole_interface(self):
        status, _, data = self.daemon.ask("GET", "/openapi.json")
        document = json.loads(data)
        self.assertEqual((status, document["openapi"][:3]), (200, "3.1"))
        self.assertIn("/v1/users", document["paths"])
        names = {plugin["name"] for plugin in self.daemon.json("plugin", "list")["items"]}
        self.assertLessEqual({"manual", "file", "maildir", "directory"}, names)
        self.assertEqual(self.daemon.json("plugin", "describe", "maildir")["roles"], ["transport"])
        self.assertTrue(self.daemon.json("transport", "test", "relay")["ok"])
        self.assertTrue(self.daemon.json("audit", "verify")["ok"])


class BulkSend(harness.Case):
    def test_a_bulk_send_reaches_exactly_the_right_users_and_counts_the_others_by_reason(self):
        daemon = self.new_daemon().start()
        daemon.ctl("domain", "add", "verified.example", "--assert", "--yes")
        people = {
            "waits": lambda: self.add_user(daemon, "waits"),  # not a hire: saved, waits for this
            "connected": lambda: self.add_user(daemon, "connected", email="connected@verified.example"),
            "no_login_email": lambda: self.add_user(daemon, "no_login_email", email="", start=day(0)),
            "in_review": lambda: self.add_user(daemon, "in_review", "--in-review", start=day(0)),
            "disabled": lambda: self.add_user(daemon, "disabled"),
            "scheduled": lambda: self.add_user(daemon, "scheduled", start=day(60)),
            "cooldown": lambda: self.add_user(daemon, "cooldown", start=day(0)),
            "verified_domain": lambda: self.add_user(daemon, "verified_domain", email="revoked@later.example", start=day(0)),
        }
        for add in people.values():
            add()
        daemon.wait_connected("connected")
        daemon.ctl("user", "disable", "disabled")
        daemon.wait_sent("cooldown")
        # Revoked by a person, so the domain alone does not connect; an explicit send does, without a mail.
        daemon.wait_sent("verified_domain")
        daemon.ctl("invitation", "revoke", daemon.invitation("verified_domain")["id"], "--yes")
        daemon.ctl("domain", "add", "later.example", "--assert", "--yes")
        mails = len(self.maildir())

        plan = daemon.json("user", "send-verification", "--all", "--dry-run")
        self.assertEqual((plan["matched"], plan["send"], plan["connect"]), (8, 1, 1), plan)
        self.assertEqual({reason: count for reason, count in plan["skipped"].items() if count}, {reason: 1 for reason in people if reason != "waits"})
        self.assertEqual(len(self.maildir()), mails)
        self.assertEqual(daemon.run("user", "send-verification", "--all", "--yes", "--expect", "8").returncode, 2)

        done = daemon.json("user", "send-verification", "--all", "--yes", "--expect", "1")
        self.assertEqual((done["sent"], done["connected"], done["failed"]), (1, 1, 0))
        daemon.wait_sent("waits")
        daemon.wait_connected("verified_domain")
        self.assertEqual(len(self.maildir()), mails + 1)
        # Run twice, the second sends nothing.
        again = daemon.json("user", "send-verification", "--all", "--yes", "--expect", "0")
        self.assertEqual((again["sent"], again["connected"]), (0, 0))
        self.assertEqual(again["skipped"]["cooldown"], 2)
        # The two overrides.
        both = daemon.json("user", "send-verification", "--all", "--include-scheduled", "--include-recent", "--dry-run")
        self.assertEqual(both["send"], 3)
        self.assertEqual(daemon.json("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", "1")["sent"], 1)
        daemon.wait_sent("scheduled")
        self.assertEqual(len(self.maildir()), mails + 2)

    def test_a_single_send_never_passes_the_last_approval(self):
        daemon = self.new_daemon().start()
        self.add_user(daemon, "1", "--in-review", start=day(0))
        refused = daemon.run("user", "send-verification", "1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("review", refused.stderr)
        daemon.ctl("review", "reject", "1", "--reason", "wrong person")
        self.assertEqual(daemon.run("user", "send-verification", "1").returncode, 1)
        self.add_user(daemon, "2", start=day(0))
        daemon.wait_sent("2")
        self.assertEqual([mail.to for mail in self.maildir()], ["person2@company.example"])


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "only root can become others")
class Roles(harness.Case):
    """Roles by Unix group; groups that every Debian has stand in for the daemon's own."""

    VIEWERS, OPERATORS, ADMINS = "games", "mail", "news"

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o711)
        control = f"control: {{socket: control.sock, roles: {{viewer: {self.VIEWERS}, operator: {self.OPERATORS}, admin: {self.ADMINS}}}}}"
        self.daemon = self.new_daemon(control=control).start()
        # The checkout may lie where others cannot look.
        self.tool = self.folder / "invitectl"
        shutil.copy(harness.INVITECTL, self.tool)
        self.tool.chmod(0o755)

    def run_as(self, groups, *arguments):
        nobody = pwd.getpwnam("nobody")
        numbers = [str(grp.getgrnam(name).gr_gid) for name in groups]
        become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"] + ([f"--groups={','.join(numbers)}"] if numbers else ["--clear-groups"])
        return subprocess.run([*become, self.tool, "--socket", self.daemon.socket, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def test_each_role_may_what_it_may_and_the_rest_is_exit_4(self):
        self.add_user(self.daemon, "1", start=day(60))
        everyone = self.VIEWERS  # the socket belongs to the viewers' group; operators and admins are members of it, too
        look, change, own = ["user", "list"], ["user", "set", "1", "--department", "Lager"], ["domain", "add", "x.example", "--assert", "--yes"]
        for groups, allowed in (([everyone], [0, 4, 4]), ([everyone, self.OPERATORS], [0, 0, 4]), ([everyone, self.ADMINS], [0, 0, 0]), ([], [4, 4, 4])):
            for arguments, code in zip((look, change, own), allowed):
                done = self.run_as(groups, *arguments)
                self.assertEqual(done.returncode, code, f"{groups} {arguments}: {done.stdout}{done.stderr}")
                if code == 4:
                    self.assertTrue(done.stderr.strip())
        actors = {event["actor"] for event in self.daemon.json("audit", "list", "--all")["items"] if event["action"] == "user.updated"}
        self.assertEqual(actors, {f"uid:{pwd.getpwnam('nobody').pw_uid} (nobody)"})


if __name__ == "__main__":
    unittest.main()
