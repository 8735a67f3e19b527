"""kill -9 at any moment of a bulk send: nothing is lost, copies are equal and few, a restart goes on by itself."""

import collections
import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import unittest

import harness
from harness import day

PEOPLE = 300
CONNECTIONS = 4


class Killer:
    """Kills the daemon out of the mail server's own thread, at one moment of the protocol."""

    def __init__(self):
        self.lock = threading.Lock()
        self.armed = None
        self.kills = 0

    def arm(self, pid, phase, after):
        with self.lock:
            self.armed = (pid, phase, after)

    def __call__(self, phase, count):
        with self.lock:
            if self.armed is None or phase != self.armed[1] or count < self.armed[2]:
                return
            pid, self.armed = self.armed[0], None
            self.kills += 1
            os.kill(pid, signal.SIGKILL)


class Kill(harness.Case):
    def import_people(self, daemon, count=PEOPLE):
        path = self.folder / "people.csv"
        with path.open("w", encoding="utf-8") as out:
            out.write("user_id,name,login_email,start_date\n")
            for n in range(count):
                out.write(f"{n},Person {n},person{n}@company.example,{day(300)}\n")
        daemon.ctl("user", "import", path)

    def states(self, daemon):
        """Invitations by state."""
        counts = daemon.json("status")["counts"]
        return {key.removeprefix("invitations_"): n for key, n in counts.items() if key.startswith("invitations_") and n}

    def check_copies(self, server, kills):
        by_id = collections.defaultdict(list)
        for mail in server.mails():
            by_id[mail.id].append(mail)
        for copies in by_id.values():
            self.assertEqual(len({(copy.to, copy.link, copy.text) for copy in copies}), 1, "copies are equal")
        extra = sum(len(copies) - 1 for copies in by_id.values())
        self.assertLessEqual(extra, kills * CONNECTIONS, "more than one extra copy per connection and kill")
        self.assertEqual(len(by_id), len({copies[0].to for copies in by_id.values()}), "one Message-ID per person")
        return extra

    def test_a_bulk_send_survives_kills_at_random_moments(self):
        random = harness.seeded("kill")
        killer = Killer()
        server = harness.SmtpServer(self, on_event=killer)
        daemon = self.new_daemon(server.transport(CONNECTIONS), log="log: {level: info}").start()
        self.import_people(daemon)
        bulk = None
        rounds = 8
        for number in range(rounds):
            # Each kill waits for some more mails, so that no mail is on its way in three kills in a row.
            after = len(server.mails()) + random.randrange(0 if number == 0 else 20, 30)
            killer.arm(daemon.process.pid, random.choice(["mail", "rcpt", "data", "dot", "dot", "answered", "answered"]), after)
            if number == 0:
                command = daemon.command("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", PEOPLE)
                bulk = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                self.addCleanup(bulk.stderr.close)
            daemon.wait_for(f"kill {number + 1} of {rounds} ({len(server.mails())} mails)", lambda: not daemon.running())
            self.assertEqual(daemon.process.returncode, -signal.SIGKILL)
            daemon.start()  # goes on by itself: nobody asks for it again
        self.assertIn(bulk.wait(60), (0, 1, 69))
        daemon.wait_for("all invitations to be sent", lambda: self.states(daemon) == {"sent": PEOPLE})
        self.assertEqual({mail.to for mail in server.mails()}, {f"person{n}@company.example" for n in range(PEOPLE)}, "nobody is lost")
        extra = self.check_copies(server, killer.kills)
        print(f"{killer.kills} kills, {extra} extra copies, {server.connections} connections", flush=True)
        self.assertEqual(killer.kills, rounds)
        held = [item for item in daemon.json("invitation", "list", "--all")["items"] if item["held"]]
        self.assertEqual(held, [])
        self.assertTrue(daemon.json("audit", "verify")["ok"])
        # And the second run of the same bulk send reaches nobody.
        again = daemon.json("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", "0")
        self.assertEqual(again["sent"], 0)
        self.assertEqual(again["skipped"]["cooldown"], PEOPLE)

    def test_a_bulk_send_that_is_killed_while_it_is_being_released_goes_on_by_itself(self):
        count = 1000
        killer = Killer()
        server = harness.SmtpServer(self, on_event=killer)
        daemon = self.new_daemon(server.transport(CONNECTIONS), log="log: {level: info}").start()
        self.import_people(daemon, count)
        killer.arm(daemon.process.pid, "mail", 0)  # the first mail leaves while most are not released yet
        daemon.run("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", count)
        daemon.wait_for("the kill", lambda: not daemon.running())
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "state.db")) as state:
            open_items = state.execute("SELECT count(*) FROM invitations WHERE state = 'scheduled'").fetchone()[0]
        self.assertGreater(open_items, 0, "the kill came too late to mean anything")
        daemon.start()
        daemon.wait_for("everybody to be released", lambda: "scheduled" not in self.states(daemon))
        daemon.wait_for("everybody to get a mail", lambda: len({mail.to for mail in server.mails()}) == count)
        self.check_copies(server, 1)

    def test_a_mail_taken_before_the_kill_goes_out_again_with_the_same_message_id_and_link(self):
        killer = Killer()
        server = harness.SmtpServer(self, on_event=killer)
        daemon = self.new_daemon(server.transport(1)).start()
        killer.arm(daemon.process.pid, "dot", 1)
        daemon.run("user", "add", "--id", "1", "--name", "A", "--login-email", "person1@company.example", "--start-date", day(0))
        daemon.wait_for("the kill", lambda: not daemon.running())
        daemon.start()
        daemon.wait_sent("1")
        first, second = server.mails()
        self.assertEqual((first.id, first.link), (second.id, second.link))
        daemon.press(first.link)
        daemon.wait_connected("1")
        actions = [event["action"] for event in daemon.json("audit", "list", "--all")["items"]]
        self.assertIn("delivery.uncertain", actions)

    def test_a_kill_between_the_press_of_the_button_and_the_account_loses_no_confirmation(self):
        server = harness.SmtpServer(self)
        daemon = self.new_daemon(server.transport(1)).start()
        for user in ("1", "2", "3", "4"):
            self.add_user(daemon, user, start=day(0))
            daemon.wait_sent(user)
            link = server.to(f"person{user}@company.example")[0].link
            form = harness.form_of(daemon.browse("GET", link)[2])
            pressed = threading.Thread(target=self.press_until_the_kill, args=(daemon, link, form))
            pressed.start()
            # What is durable decides: the kill comes as soon as the confirmation can be seen.
            daemon.wait_for("the confirmation", lambda: daemon.invitation(user)["state"] in ("verified", "connected"))
            daemon.kill()
            pressed.join(60)
            daemon.start()
            daemon.wait_connected(user)
        accounts = harness.accounts(self.folder / "accounts.jsonl")
        self.assertEqual(sorted(account["login_email"] for account in accounts), [f"person{n}@company.example" for n in (1, 2, 3, 4)])

    def press_until_the_kill(self, daemon, link, form):
        try:
            daemon.browse("POST", link, form)
        except OSError:
            pass  # the daemon was killed under it
        except Exception as error:  # http.client's own, for the same reason
            if not type(error).__module__.startswith("http"):
                raise

    def test_an_import_that_is_killed_and_given_again_ends_as_if_it_had_run_once(self):
        server = harness.SmtpServer(self)
        daemon = self.new_daemon(server.transport(CONNECTIONS), log="log: {level: info}").start()
        path = self.folder / "many.csv"
        with path.open("w", encoding="utf-8") as out:
            out.write("user_id,name,login_email,start_date\n")
            for n in range(5000):
                out.write(f"{n},Person {n},person{n}@company.example,{day(300)}\n")
        running = subprocess.Popen(daemon.command("user", "import", path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon.wait_for("the first rows", lambda: daemon.json("status")["counts"]["users"] > 0)
        daemon.kill()
        self.assertIn(running.wait(60), (0, 1, 69))
        daemon.start()
        counts = daemon.json("user", "import", path)["counts"]
        self.assertEqual(counts.get("created", 0) + counts.get("unchanged", 0), 5000, counts)
        self.assertEqual(daemon.json("status")["counts"]["users"], 5000)
        self.assertEqual(self.states(daemon), {"scheduled": 5000})


if __name__ == "__main__":
    unittest.main()
