"""A domain from "add" to "lapsed" and back: the daemon, invitectl, and a real DNS server under another clock."""

import os
import pwd
import re
import signal
import subprocess
import tempfile
import unittest

import harness

RECORD = "_invited-challenge.company.example"


class DnsServer:
    """Debian's dnsmasq with the TXT records that the test publishes; it knows the zone "example" and nothing else."""

    def __init__(self, case, folder):
        self.folder = folder
        self.port = harness.free_port()
        self.process = None
        case.addCleanup(self.stop)

    def publish(self, *values):
        """From now on these are the TXT records of the challenge's name; values longer than 255 octets are split by the server."""
        self.stop()
        config = self.folder / "dnsmasq.conf"
        lines = [f"port={self.port}", "listen-address=127.0.0.1", "bind-interfaces", "no-resolv", "no-hosts", "pid-file=", "local=/example/",
                 f"user={pwd.getpwuid(os.geteuid()).pw_name}"]
        config.write_text("\n".join(lines + [f'txt-record={RECORD},"{value}"' for value in values]) + "\n")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["/usr/sbin/dnsmasq", f"--conf-file={config}", "--keep-in-foreground", "--log-facility=-"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        harness.wait_for("dnsmasq to start", lambda: b"started" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def said(self):
        return os.pread(self.log.fileno(), 10_000, 0)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)
            self.log.close()
            self.process = None


class Domains(harness.Case):
    def setUp(self):
        super().setUp()
        self.clock = harness.FakeClock(self.folder, "2026-11-22 10:00:00")
        self.dns = DnsServer(self, self.folder)
        self.daemon = self.new_daemon("{name: relay, plugin: maildir, config: {path: mails}}", environment=self.clock.environment(),
                                      dns=f'dns: {{servers: ["127.0.0.1:{self.dns.port}"], timeout_ms: 300, tries: 1}}').start()

    def show(self):
        return self.daemon.json("domain", "show", "company.example")

    def look(self, found, code=1):
        answer = self.daemon.json("domain", "verify", "company.example", code=code)
        self.assertEqual(answer["check"]["found"], found, answer)
        return answer

    def recipients(self):
        return sorted(mail.to for mail in self.maildir())

    def test_a_domain_is_proven_lapses_and_comes_back(self):
        daemon = self.daemon
        self.add_user(daemon, "1", start="2026-12-24")
        self.assertEqual(daemon.invitation("1")["state"], "scheduled")

        dry = daemon.json("domain", "add", "company.example", "--dry-run")
        self.assertEqual((dry["state"], dry["record"]), ("pending", None))
        daemon.ctl("domain", "show", "company.example", code=5)
        text = daemon.ctl("domain", "add", "Company.example")
        self.assertIn("company.example: pending", text)
        self.assertIn(RECORD, text)
        added = self.show()
        self.assertEqual((added["state"], added["method"], added["record"]["name"], added["record"]["type"]), ("pending", "dns", RECORD, "TXT"))
        value = added["record"]["value"]
        self.assertRegex(value, r"^invited-verification=[a-z2-7]{32}$")
        self.assertIn(value, text)
        self.assertIn("invitectl domain verify company.example", text)
        self.assertEqual(daemon.json("domain", "add", "company.example")["record"]["value"], value, "added again, the record stays")

        # No server, no record, other records: each is told, none proves anything, and exit 1 says so to a script.
        silent = self.look("no_answer")
        self.assertIn("Nothing changes", silent["detail"])
        self.dns.publish()
        self.look("missing")
        self.dns.publish("v=spf1 -all", "invited-verification=" + "a" * 32)
        self.assertEqual(sorted(self.look("wrong")["check"]["seen"]), ["invited-verification=" + "a" * 32, "v=spf1 -all"])
        self.assertIn("v=spf1 -all", daemon.ctl("domain", "verify", "company.example", code=1))
        self.assertEqual(daemon.user("1")["connection"], "not_connected")

        # The record, among others that fill more than one datagram: the waiting hire is connected without a mail.
        self.dns.publish("v=spf1 -all", "x" * 700, value)
        self.assertEqual(daemon.json("domain", "verify", "company.example", "--dry-run")["state"], "verified")
        self.assertEqual(self.show()["state"], "pending")
        self.assertEqual(self.look("right", code=0)["state"], "verified")
        daemon.wait_connected("1")
        self.assertEqual(self.maildir(), [])
        daemon.ctl("domain", "add", "company.example", "--assert", "--yes", code=1)

        # The record goes away: told after a day, lapsed after three more, all by the daemon's own looks.
        self.dns.publish()
        self.clock.set("2026-11-23 10:00:00")
        daemon.wait_for("the daemon to miss the record", lambda: self.show()["failing_since"])
        self.assertEqual((self.show()["state"], self.show()["lapses_at"]), ("verified", "2026-11-26T10:00:00Z"))
        # A dead server lapses nothing.
        self.dns.stop()
        self.clock.set("2026-11-27 10:00:00")
        daemon.wait_for("the daemon to meet the dead server", lambda: self.show()["checked_at"] == "2026-11-27T10:00:00Z")
        self.assertEqual(self.show()["state"], "verified")
        self.dns.publish("v=spf1 -all")
        self.clock.set("2026-11-27 10:10:00")
        daemon.wait_for("the domain to lapse", lambda: self.show()["state"] == "lapsed")
        self.assertIn("domain.lapsed", daemon.log_file.read_text())
        self.add_user(daemon, "2", start="2026-11-27")
        daemon.wait_sent("2")
        self.assertEqual(self.recipients(), ["person2@company.example"])
        self.assertEqual(daemon.user("1")["connection"], "connected")

        # It comes back by itself, and so does whoever waits.
        self.dns.publish(value)
        self.clock.set("2026-11-27 11:10:00")
        daemon.wait_connected("2")
        self.assertEqual(self.show()["state"], "verified")
        self.assertEqual(self.recipients(), ["person2@company.example"])

        daemon.ctl("domain", "remove", "company.example")
        self.assertEqual(daemon.json("domain", "list")["items"], [])
        self.assertEqual(daemon.user("2")["connection"], "connected")
        events = daemon.json("audit", "list", "--subject", "domain:company.example", "--all")["items"]
        self.assertEqual([(event["action"], event["reason"]) for event in reversed(events)],
                         [("domain.added", "dns"), ("domain.verified", "dns"), ("domain.lapsed", "wrong"), ("domain.verified", "dns"), ("domain.removed", "")])
        self.assertEqual([event["actor"] == "daemon" for event in reversed(events)], [False, False, True, True, False])

    def test_an_assertion_needs_a_yes_and_is_never_looked_up(self):
        daemon = self.daemon
        daemon.ctl("domain", "add", "company.example", "--assert", code=2)
        self.assertEqual(daemon.json("domain", "list")["items"], [])
        self.assertRegex(daemon.ctl("domain", "add", "company.example", "--assert", "--yes"), re.compile(r"^company\.example: verified$", re.MULTILINE))
        daemon.ctl("domain", "verify", "company.example", code=1)
        self.clock.set("2027-11-22 10:00:00")
        self.add_user(daemon, "1", start="2027-12-24")
        daemon.wait_connected("1")
        shown = self.show()
        self.assertEqual((shown["state"], shown["method"], shown["checked_at"], shown["record"]), ("verified", "assertion", None, None))
        # The proof takes the assertion's place when it is there.
        value = daemon.json("domain", "add", "company.example")["record"]["value"]
        self.assertEqual((self.show()["state"], self.show()["method"]), ("verified", "assertion"))
        self.dns.publish(value)
        self.assertEqual(self.look("right", code=0)["method"], "dns")


if __name__ == "__main__":
    unittest.main()
