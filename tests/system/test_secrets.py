"""PRODUCT §7 rule 8: no live link and no secret in the database, a log or an answer; only the mail holds the link."""

import os
import unittest

import harness
from harness import day


class Secrets(harness.Case):
    PASSWORD = "Krokodil-7f2e19"

    def files(self, *, without=()):
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not any(path.is_relative_to(self.folder / name) for name in without):
                yield path

    def test_a_live_link_stands_in_the_mail_and_nowhere_else(self):
        # smtp, so that the daemon's folder holds no mail at all.
        server = harness.SmtpServer(self)
        daemon = self.new_daemon(server.transport(), log="log: {level: trace}").start()
        outputs = []

        def look(*arguments, code=0):
            outputs.append(daemon.ctl(*arguments, code=code))

        people = self.folder / "people.csv"
        people.write_text("user_id,name,login_email,start_date\n" + "".join(f"{n},Person {n},person{n}@company.example,{day(0)}\n" for n in (1, 2, 3)))
        look("user", "import", people, "--verbose")
        self.add_user(daemon, "4", start=day(30))
        look("user", "send-verification", "--all", "--include-scheduled", "--yes", "--expect", "1", "--json")
        for user in ("1", "2", "3", "4"):
            daemon.wait_sent(user)
        mails = {mail.to: mail for mail in server.mails()}
        self.assertEqual(len(mails), 4)
        tokens = [mail.token for mail in mails.values()]
        # One is used, one superseded, one revoked, one stays live; strangers try what is no link of ours.
        pages = [daemon.press(mails["person1@company.example"].link)[2]]
        daemon.wait_connected("1")
        look("user", "send-verification", "2")
        daemon.wait_sent("2")
        tokens += [mail.token for mail in server.mails() if mail.token not in tokens]
        self.assertEqual(len(tokens), 5)
        look("invitation", "revoke", daemon.invitation("3")["id"], "--yes")
        for link in [mail.link for mail in server.mails()] + ["https://invite.example.com/v/" + tokens[0][:-1] + "x"]:
            for method, form in (("GET", None), ("HEAD", None), ("POST", {"do": "confirm", "nonce": "1.abc"}), ("PUT", None)):
                pages.append(daemon.browse(method, link, form)[2])
        for arguments in (["user", "list"], ["user", "show", "2"], ["invitation", "list", "--all"], ["audit", "list", "--all"], ["status"], ["job", "list"],
                          ["why", "2"], ["plan", "show", "--until", "60d"], ["transport", "list"], ["source", "list"]):
            look(*arguments)
            look(*arguments, "--json")
        for job in daemon.json("job", "list")["items"]:
            outputs.append(daemon.ask("GET", f"/v1/jobs/{job['id']}/events")[2].decode())
        invitation = daemon.invitation("2")["id"]
        look("invitation", "show", invitation, "--json")
        self.assertEqual(daemon.stop(), 0)

        # A token is 27 characters or more of which any half is a secret, too.
        pieces = [piece.encode() for token in tokens for piece in (token, token[len(token) // 2:])]
        searched = 0
        for path in self.files():
            data = path.read_bytes()
            searched += 1
            for piece in pieces:
                self.assertNotIn(piece, data, f"a live link stands in {path.relative_to(self.folder)}")
        self.assertGreater(searched, 4)
        for text in outputs:
            for piece in pieces:
                self.assertNotIn(piece.decode(), text)
        for page in pages:
            for token in tokens:
                self.assertNotIn(token, page, "a page does not repeat the whole link")
        self.assertNotIn("person1@company.example", daemon.log_file.read_text(), "the log masks addresses")

    def test_a_credential_stands_in_its_own_file_and_nowhere_else(self):
        server = harness.SmtpServer(self)
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o700)
        (folder / "relay-password").write_text(self.PASSWORD + "\n")
        (folder / "relay-password").chmod(0o600)
        transport = (f'{{name: relay, plugin: smtp, config: {{url: "smtp://127.0.0.1:{server.port}", connections: 1, '
                     'username: someone, password_credential: relay-password}}')
        daemon = self.new_daemon(transport, environment={"CREDENTIALS_DIRECTORY": str(folder)}, log="log: {level: trace}").start()
        self.add_user(daemon, "1", start=day(0))
        # The server offers no AUTH: the transport has trouble, says so, and names no secret.
        daemon.wait_for("the transport to tell its trouble", lambda: daemon.json("transport", "list")["items"][0]["detail"])
        outputs = [daemon.ctl("transport", "list", "--json"), daemon.ctl("status"), daemon.ctl("plugin", "list", "--json")]
        self.assertEqual(daemon.stop(), 0)
        for path in self.files(without=["credentials"]):
            self.assertNotIn(self.PASSWORD.encode(), path.read_bytes(), str(path))
        self.assertNotIn(self.PASSWORD, "".join(outputs))
        self.assertEqual(server.mails(), [])

    def test_started_by_hand_it_takes_credentials_from_the_folder_beside_the_configuration(self):
        server = harness.SmtpServer(self)
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o700)
        (folder / "link-key").write_text("0123456789abcdef" * 4 + "\n")
        (folder / "link-key").chmod(0o600)
        # An empty value is as good as none.
        daemon = self.new_daemon(server.transport(), environment={"CREDENTIALS_DIRECTORY": ""},
                                 link_keys="link_keys: [{id: 1, credential: link-key}]").start()
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_sent("1")
        daemon.press(server.mails()[0].link)
        daemon.wait_connected("1")
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse((self.folder / "state" / "link.key").exists())
        self.assertFalse((self.folder / "state" / "credentials").exists())

    def test_the_folder_of_the_socket_is_for_all_to_enter(self):
        daemon = self.new_daemon(control="control: {socket: run/invited/control.sock}")
        daemon.socket = self.folder / "run" / "invited" / "control.sock"
        daemon.start()
        self.assertEqual(daemon.run("status").returncode, 0)
        for path in (daemon.socket.parent, daemon.socket.parent.parent):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o755, str(path))
        self.assertEqual(os.stat(daemon.socket).st_mode & 0o777, 0o660)
        self.assertEqual(os.stat(self.folder / "state").st_mode & 0o777, 0o700)

    def test_what_the_daemon_writes_is_for_its_own_user_only(self):
        daemon = self.new_daemon().start()
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_sent("1")
        self.assertEqual(os.stat(daemon.socket).st_mode & 0o777, 0o660)
        self.assertEqual(os.stat(self.folder / "state").st_mode & 0o777, 0o700)
        for path in [*(self.folder / "state").rglob("*"), self.folder / "accounts.jsonl", *(self.folder / "mails" / "new").iterdir()]:
            if path.exists():
                self.assertEqual(os.stat(path).st_mode & 0o077, 0, f"{path} is open to others")


if __name__ == "__main__":
    unittest.main()
