"""From a row in HR's file to a working sign-in: every real part in its place, mails through Debian's smtp-sink."""

import unittest

import harness
from harness import day


class WholeWay(harness.Case):
    PEOPLE = ("user_id,name,login_email,company,department,locale,start_date\n"
              "1,Anna Berg,anna.berg@company.example,,Ekonomi,sv,{today}\n"
              "2,Ben Hall,ben.hall@company.example,north,Support,en,{tomorrow}\n"
              "3,Clara Nilsson,clara.nilsson@company.example,,Lager,sv,{later}\n")

    def setUp(self):
        super().setUp()
        self.sink = harness.SmtpSink(self)
        self.daemon = self.new_daemon(self.sink.transport()).start()

    def people(self):
        return self.PEOPLE.format(today=day(0), tomorrow=day(1), later=day(60))

    def drop(self, name, text):
        """HR's file arrives by rename, as a careful export does it."""
        folder = self.folder / "import"
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.rename(folder / name)

    def wait_done(self, name):
        done = self.folder / "import" / "done" / name
        self.daemon.wait_for(f"{name} to be moved to done/", done.exists)
        return done

    def mail_to(self, address):
        found = [mail for mail in self.sink.mails() if mail.to == address]
        self.assertEqual(len(found), 1, f"one mail to {address}")
        return found[0]

    def accounts(self):
        return harness.accounts(self.folder / "accounts.jsonl")

    def state_of(self, *users):
        return [{**self.daemon.user(user), "updated_at": None} for user in users]

    def test_a_hire_comes_by_file_and_ends_as_a_connected_account(self):
        daemon = self.daemon
        self.drop("people.csv", self.people())
        done = self.wait_done("people.csv")
        anna = daemon.wait_sent("1")
        daemon.wait_sent("2")
        self.assertEqual(daemon.invitation("3")["state"], "scheduled")

        # The result file stands beside the file that was read, one line a row.
        result = done.with_name("people.csv.result.csv")
        self.assertTrue(result.exists(), sorted(path.name for path in done.parent.iterdir()))
        lines = result.read_text(encoding="utf-8").splitlines()
        self.assertEqual([line.split(",")[:3] for line in lines[1:]], [["2", "1", "created"], ["3", "2", "created"], ["4", "3", "created"]])

        # The mail, as another program reads it.
        mail = self.mail_to("anna.berg@company.example")
        self.assertEqual(str(mail.message["From"]), "Example AB <no-reply@example.com>")
        self.assertEqual(mail.message.get_content_type(), "multipart/alternative")
        self.assertIn("Anna Berg", mail.text)
        self.assertTrue(mail.link.startswith("https://invite.example.com/v/"), mail.link)
        self.assertIn(mail.link, mail.html.replace("&amp;", "&"))
        self.assertEqual(mail.id.strip("<>"), anna["delivery"]["message_id"].strip("<>"))
        self.assertEqual(mail.message["Content-Language"] or "sv", "sv")
        self.assertNotEqual(self.mail_to("ben.hall@company.example").message["Subject"], mail.message["Subject"], "English for the English company")

        # A mail scanner opens the link, and again: nothing changes.
        before = self.state_of("1"), daemon.json("audit", "list", "--all")["items"]
        for method in ("HEAD", "GET", "GET", "HEAD", "OPTIONS", "GET"):
            status, headers, page = daemon.browse(method, mail.link)
            self.assertEqual(status, 405 if method == "OPTIONS" else 200, page)
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("anna.berg@", page, "the address is masked")
        self.assertEqual((self.state_of("1"), daemon.json("audit", "list", "--all")["items"]), before)
        self.assertEqual(self.accounts(), [])

        # A form without its hidden fields is not the page's own: still nothing.
        daemon.browse("POST", mail.link, {"do": "confirm"})
        self.assertEqual(daemon.user("1")["connection"], "pending")

        # The person presses the button.
        status, _, page = daemon.press(mail.link)
        self.assertEqual(status, 200)
        daemon.wait_connected("1")
        user = daemon.user("1")
        self.assertEqual(user["invitation"]["state"], "connected")
        self.assertEqual(user["sign_in_url"], "https://login.example.com")
        self.assertIn("https://login.example.com", daemon.browse("GET", mail.link)[2])
        self.assertEqual([(account["external_id"], account["login_email"]) for account in self.accounts()],
                         [(user["key"], "anna.berg@company.example")])

        # Pressing twice is friendly and makes nothing a second time.
        form = {"do": "confirm", "nonce": "", "lang": "en"}
        status, _, page = daemon.browse("POST", mail.link, form)
        self.assertEqual((status, harness.heading_of(page)), (200, "You are already connected"))
        self.assertEqual(len(self.accounts()), 1)

        # The same file again changes nothing and mails nobody.
        before = self.state_of("1", "2", "3")
        self.drop("again.csv", self.people())
        again = self.wait_done("again.csv")
        rows = again.with_name("again.csv.result.csv").read_text(encoding="utf-8").splitlines()[1:]
        self.assertEqual({row.split(",")[2] for row in rows}, {"unchanged"})
        self.assertEqual(self.state_of("1", "2", "3"), before)
        self.add_user(daemon, "99", start=day(0))  # a later mail is out, so an earlier one would be, too
        daemon.wait_sent("99")
        self.assertEqual(sorted(mail.to for mail in self.sink.mails()),
                         ["anna.berg@company.example", "ben.hall@company.example", "person99@company.example"])
        self.assertTrue(daemon.json("audit", "verify")["ok"])

    def test_a_hire_comes_by_import_and_ends_as_a_connected_account(self):
        daemon = self.daemon
        path = self.folder / "people.csv"
        path.write_text(self.people(), encoding="utf-8")
        dry = daemon.json("user", "import", path, "--dry-run")
        self.assertEqual([row["result"] for row in dry["rows"]], ["created"] * 3)
        self.assertEqual(daemon.json("user", "list")["items"], [])
        real = daemon.json("user", "import", path)
        self.assertEqual([(row["line"], row["user"], row["result"]) for row in real["rows"]], [(2, "1", "created"), (3, "2", "created"), (4, "3", "created")])
        self.assertEqual(real["counts"]["created"], 3)
        daemon.wait_sent("2")
        daemon.press(self.mail_to("ben.hall@company.example").link)
        daemon.wait_connected("2")
        self.assertEqual([account["external_id"] for account in self.accounts()], [daemon.user("2")["key"]])
        again = daemon.json("user", "import", path)
        self.assertEqual([row["result"] for row in again["rows"]], ["unchanged"] * 3)

    def test_a_connected_user_keeps_the_login_email_and_a_deleted_connection_takes_another(self):
        daemon = self.daemon
        self.add_user(daemon, "7", email="old@company.example", start=day(0))
        daemon.wait_sent("7")
        daemon.press(self.mail_to("old@company.example").link)
        daemon.wait_connected("7")
        kept = daemon.json("user", "set", "7", "--login-email", "new@company.example", "--department", "Lager", code=3)
        self.assertEqual((kept["result"], kept["applied"]), ("ignored: connected", "updated"))
        self.assertEqual((kept["user"]["login_email"], kept["user"]["department"]), ("old@company.example", "Lager"))
        daemon.ctl("user", "disconnect", "7", "--yes")
        daemon.wait_for("the provider to be told", lambda: not self.accounts())
        self.assertEqual(daemon.user("7")["connection"], "not_connected")
        self.assertEqual(daemon.heading(self.mail_to("old@company.example").link), "The link has been withdrawn")
        daemon.ctl("user", "set", "7", "--login-email", "new@company.example")
        daemon.ctl("user", "send-verification", "7")
        daemon.wait_sent("7")
        daemon.press(self.mail_to("new@company.example").link)
        daemon.wait_connected("7")
        self.assertEqual([(account["external_id"], account["login_email"]) for account in self.accounts()],
                         [(daemon.user("7")["key"], "new@company.example")])


if __name__ == "__main__":
    unittest.main()
