"""PRODUCT §7 rule 9: a fresh install, a restored backup or a copied state folder mails nobody before an operator says so."""

import shutil
import unittest

import harness
from harness import day


class RestoredState(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = harness.SmtpServer(self)

    def begin(self):
        daemon = self.new_daemon(self.server.transport()).start()
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_sent("1")
        return daemon

    def assert_held(self, daemon, why):
        """Held for a new mail, too, while everything else works."""
        status = daemon.json("status")
        self.assertFalse(status["sending"])
        self.assertFalse(status["ready"])
        self.assertIn(why, " ".join(status["waits_for"]))
        before = len(self.server.mails())
        self.add_user(daemon, "held", start=day(0))
        self.assertIn(daemon.invitation("held")["state"], ("released", "scheduled"))
        self.assertEqual(daemon.invitation("held")["delivery"]["attempts"], 0)
        daemon.ctl("user", "list")
        # It also survives a restart: only a person opens it.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertFalse(daemon.json("status")["sending"])
        self.assertEqual(len(self.server.mails()), before)
        self.assertEqual(daemon.run("state", "confirm").returncode, 2, "only with a confirmation")
        self.assertFalse(daemon.json("status")["sending"])
        daemon.ctl("state", "confirm", "--yes")
        daemon.wait_sent("held")
        self.assertEqual(len(self.server.mails()), before + 1)
        self.assertTrue(daemon.json("status")["sending"])
        # Once confirmed, the next start is an ordinary one.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertTrue(daemon.json("status")["sending"])

    def test_a_fresh_install_is_not_held_and_an_ordinary_restart_neither(self):
        daemon = self.begin()
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertTrue(daemon.json("status")["sending"])
        daemon.kill()
        daemon.start()
        self.assertTrue(daemon.json("status")["sending"])
        self.assertEqual(len(self.server.mails()), 1)

    def test_the_embedded_defaults_reach_nobody(self):
        daemon = self.new_daemon(sources=None, transports=None, identities=None,
                                 mail='mail: {from: "Example AB <no-reply@example.com>"}').start()
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_sent("1")
        written = list((self.folder / "state" / "outbox" / "new").iterdir())
        self.assertEqual(len(written), 1)
        self.assertEqual(harness.Mail(written[0].read_bytes()).to, "person1@company.example")
        daemon.press(harness.Mail(written[0].read_bytes()).link)
        daemon.wait_connected("1")
        self.assertEqual(self.server.mails(), [])

    def test_a_copied_state_folder_mails_nobody(self):
        daemon = self.begin()
        self.assertEqual(daemon.stop(), 0)
        elsewhere = self.folder / "copy"
        elsewhere.mkdir()
        shutil.copytree(self.folder / "state", elsewhere / "state")
        copy = self.new_daemon(self.server.transport(), folder=elsewhere).start()
        self.assert_held(copy, "copied or restored")

    def test_a_copy_taken_while_something_waits_sends_it_only_after_the_confirmation(self):
        daemon = self.new_daemon(self.server.transport()).start()
        self.add_user(daemon, "1", start=day(30))
        self.assertEqual(daemon.stop(), 0)
        elsewhere = self.folder / "copy"
        elsewhere.mkdir()
        shutil.copytree(self.folder / "state", elsewhere / "state")
        copy = self.new_daemon(self.server.transport(), folder=elsewhere).start()
        # An explicit send is held as well: nobody has said that this state may mail.
        copy.ctl("user", "send-verification", "1")
        self.assertEqual(copy.stop(), 0)
        copy.start()
        self.assertEqual(self.server.mails(), [])
        copy.ctl("state", "confirm", "--yes")
        copy.wait_sent("1")
        self.assertEqual(len(self.server.mails()), 1)

    def test_a_backup_restored_over_the_state_mails_nobody_twice(self):
        daemon = self.new_daemon(self.server.transport()).start()
        self.add_user(daemon, "1", start=day(30))
        self.assertEqual(daemon.stop(), 0)
        backup = self.folder / "backup.db"
        shutil.copyfile(self.folder / "state" / "state.db", backup)
        daemon.start()
        daemon.ctl("user", "send-verification", "1")
        daemon.wait_sent("1")
        self.assertEqual(daemon.stop(), 0)
        # The older content in the same file: the inode says nothing, the counter does.
        (self.folder / "state" / "state.db").write_bytes(backup.read_bytes())
        daemon.start()
        self.assertEqual(daemon.invitation("1")["state"], "scheduled")
        self.assert_held(daemon, "older than the last run")

    def test_a_folder_restored_over_itself_mails_nobody_twice(self):
        daemon = self.new_daemon(self.server.transport()).start()
        self.add_user(daemon, "1", start=day(30))
        self.assertEqual(daemon.stop(), 0)
        state, backup = self.folder / "state", self.folder / "backup"
        shutil.copytree(state, backup)
        daemon.start()
        daemon.ctl("user", "send-verification", "1")
        daemon.wait_sent("1")
        self.assertEqual(daemon.stop(), 0)
        # As cp -a does: every file keeps its inode and gets its old times back.
        for path in backup.rglob("*"):
            if path.is_file():
                there = state / path.relative_to(backup)
                there.write_bytes(path.read_bytes())
                shutil.copystat(path, there)
        daemon.start()
        self.assertEqual(daemon.invitation("1")["state"], "scheduled")
        self.assert_held(daemon, "restored over itself")

    def test_a_lost_database_beside_a_used_folder_mails_nobody(self):
        daemon = self.begin()
        self.assertEqual(daemon.stop(), 0)
        for path in (self.folder / "state").glob("state.db*"):
            path.unlink()
        daemon.start()
        self.assert_held(daemon, "lost or removed")


if __name__ == "__main__":
    unittest.main()
