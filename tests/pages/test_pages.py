"""Every page an invited person can meet, in a real browser: fits 320 px and a desktop, in Swedish and English, in the dark, with nothing that
axe-core or html-validate finds; and the ways through them, by mouse, by keyboard, without scripts, and after a mail scanner.

Screenshots go to the folder that INVITED_SHOTS names, if it does.
"""

import functools
import http.server
import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import browser  # noqa: E402
import harness  # noqa: E402
from harness import day  # noqa: E402

WRITE_PAGES = harness.BUILD / "bin" / "write_pages"
SHOTS = os.environ.get("INVITED_SHOTS")
chromium = None


def setUpModule():
    global chromium
    chromium = browser.Browser(harness.BUILD)


def tearDownModule():
    chromium.stop()


class PageCase(harness.Case):
    def audit(self, tab, name, language):
        """The page that the tab shows now."""
        if SHOTS:
            pathlib.Path(SHOTS).mkdir(parents=True, exist_ok=True)
        seen = tab.audit(pathlib.Path(SHOTS) / f"{name}.{language}" if SHOTS else None)
        self.assertEqual(seen["problems"], [], f"{name} in {language}")
        self.assertEqual(seen["language"], language, name)
        self.assertGreater(seen["elements"], 20, f"{name}: an empty page passes every check")


class Rendered(PageCase):
    """Each state as the renderer makes it: the bytes of all, the looks of those that a daemon shows once in a blue moon."""

    RARE = ("confirm-wide", "expired", "not-allowed", "superseded-unsent", "unavailable")

    def test_every_state_in_both_languages(self):
        subprocess.run([WRITE_PAGES, self.folder], check=True, timeout=60)
        handler = functools.partial(QuietFiles, directory=self.folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        pages = sorted(self.folder.glob("*.html"))
        self.assertGreater(len(pages), 50)
        with chromium.tab() as tab:
            for page in pages:
                state, language = page.stem.split(".")
                with self.subTest(page=page.name):
                    self.assertEqual(chromium.validate(page.read_text()), [], page.name)
                    if state not in self.RARE:
                        continue
                    tab.go(f"http://127.0.0.1:{server.server_port}/{page.name}")
                    self.audit(tab, f"rendered-{state}", language)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class LivePages(PageCase):
    """The built daemon behind a browser."""

    ORGANISATION = ('organisation: {name: "Example AB", time_zone: Europe/Stockholm, locale: sv, phase: preparation,\n'
                    '  sign_in: {help: {sv: "Samma lösenord som i e-posten.", en: "The same password as for your mail."}}}')

    def daemon_with_pages(self, environment=None, **replaced):
        port = harness.free_port()
        replaced.setdefault("organisation", self.ORGANISATION)
        self.daemon = self.new_daemon(web=f'web: {{listen: "127.0.0.1:{port}", base_url: "http://127.0.0.1:{port}"}}', environment=environment,
                                      **replaced)
        return self.daemon.start()

    def invited(self, user_id, language="en", **more):
        """A new hire of today whose mail is out; the link."""
        self.add_user(self.daemon, user_id, "--locale", language, start=day(0), **more)
        self.daemon.wait_sent(user_id)
        return self.newest_link(user_id)

    def newest_link(self, user_id):
        invitation = self.daemon.invitation(user_id)
        mails = [mail for mail in self.maildir() if mail.id.strip("<>") == invitation["delivery"]["message_id"].strip("<>")]
        self.assertEqual(len(mails), 1, f"the mail of user {user_id}")
        return mails[0].link

    def self_service(self, user_id):
        return self.daemon.json("user", "self-service", user_id)["url"]

    def look(self, url, name, heading, status=200, languages=("sv", "en")):
        """One URL as it is, in both languages: headings, bytes, looks."""
        headings = set()
        with chromium.tab() as tab:
            for language in languages:
                answered, headers, source = self.daemon.browse("GET", f"{url}?lang={language}")
                self.assertEqual(answered, status, f"{name}: {harness.heading_of(source)}")
                self.assertEqual(headers["Cache-Control"], "no-store", name)
                self.assertTrue(headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; form-action 'self'; "), name)
                self.assertNotIn(url.rsplit("/", 1)[1], source, f"{name}: the token stands in the page")
                self.assertEqual(chromium.validate(source), [], name)
                self.assertEqual(tab.go(f"{url}?lang={language}"), status)
                headings.add(tab.heading())
                self.audit(tab, name, language)
        self.assertIn(heading, headings)
        self.assertEqual(len(headings), len(languages))

    def everything(self):
        """What a visit could have changed."""
        users = [{**user, "updated_at": None} for user in self.daemon.json("user", "list", "--all")["items"]]
        return users, self.daemon.json("audit", "list", "--all")["items"], len(self.maildir())


class Landing(LivePages):
    def test_every_state_of_a_link(self):
        daemon = self.daemon_with_pages()
        base = f"http://{daemon.web}"
        opened = self.invited("1")
        superseded = self.invited("2")
        daemon.ctl("user", "send-verification", "2")
        daemon.wait_for("the newer mail", lambda: len([m for m in self.maildir() if m.to == "person2@company.example"]) == 2)
        revoked = self.invited("3")
        daemon.ctl("invitation", "revoke", daemon.invitation("3")["id"], "--yes")
        self.look(opened, "landing-open", "Confirm your email address")
        self.look(superseded, "landing-superseded", "There is a newer link", 410)
        self.look(revoked, "landing-revoked", "The link has been withdrawn", 410)
        self.look(f"{base}/v/{'a' * 60}", "landing-unknown", "We do not recognise this link", 404)
        self.look(f"{base}/no-such-page", "landing-not-found", "Page not found", 404)

        # A form that is not ours is shown again, with a word about it.
        status, _, source = daemon.browse("POST", opened, {"do": "confirm", "lang": "en"})
        self.assertEqual(status, 200)
        self.assertIn('role="alert"', source)
        self.assertEqual(chromium.validate(source), [])

        with chromium.tab(scripts=False) as tab:  # the way needs no script
            tab.go(opened)
            self.assertEqual(tab.press(), "Your email address is confirmed")
            self.assertIn("The same password as for your mail.", tab.text())
            daemon.wait_connected("1")
            self.assertEqual(tab.back(), "You are already connected")
        self.look(opened, "landing-used", "You are already connected")
        shown = daemon.user("1")
        self.assertEqual(shown["sign_in_url"], "https://login.example.com")
        self.assertEqual(shown["sign_in_help"], "The same password as for your mail.")

        for language, heading in (("sv", "Din e-postadress är bekräftad"), ("en", "Your email address is confirmed")):
            with chromium.tab() as tab:
                tab.go(f"{self.invited(f'confirm-{language}')}?lang={language}")
                self.assertEqual(tab.ask("press_by_keyboard")["heading"], heading)
                self.audit(tab, "landing-connected", language)
                self.assertEqual(tab.reload(), {"sv": "Du är redan ansluten", "en": "You are already connected"}[language])

        with chromium.tab() as tab:  # a hand that clicks everything twice
            tab.go(self.invited("twice"))
            self.assertIn(tab.ask("press_twice")["heading"], ("Your email address is confirmed", "You are already connected"))
        daemon.wait_connected("twice")
        made = [account["login_email"] for account in harness.accounts(self.folder / "accounts.jsonl")]
        self.assertEqual(made.count("persontwice@company.example"), 1)

    def test_too_many_presses(self):
        self.daemon_with_pages()
        link = self.invited("1")
        for _ in range(20):
            self.daemon.browse("POST", link, {"do": "confirm"})
        status, _, source = self.daemon.browse("POST", link, {"do": "confirm"})
        self.assertEqual((status, harness.heading_of(source)), (429, "Too many attempts"))
        self.assertEqual(chromium.validate(source), [])
        for language, heading in (("sv", "För många försök"), ("en", "Too many attempts")):
            with chromium.tab() as tab:
                tab.go(f"{link}?lang={language}")
                for _ in range(21):
                    self.daemon.browse("POST", link, {"do": "confirm"})
                self.assertEqual(tab.press(), heading)
                self.audit(tab, "landing-limited", language)
        self.assertIn(429, [self.daemon.browse("GET", link)[0] for _ in range(150)])  # 120 a minute

    def test_the_provider_is_down(self):
        daemon = self.daemon_with_pages()
        (self.folder / "accounts.jsonl").mkdir()  # the register cannot be opened
        for language, heading in (("sv", "Din bekräftelse är sparad"), ("en", "Your confirmation is stored")):
            link = self.invited(f"down-{language}")
            with chromium.tab() as tab:
                tab.go(f"{link}?lang={language}")
                self.assertEqual(tab.press(), heading)
                self.audit(tab, "landing-connecting", language)
        self.look(link, "landing-still-connecting", "Your confirmation is stored")
        (self.folder / "accounts.jsonl").rmdir()
        daemon.wait_connected("down-en")
        self.look(link, "landing-connected-at-last", "You are already connected")

    def test_five_days_later(self):
        clock = harness.FakeClock(self.folder, "2026-10-23 07:00:00")
        daemon = self.daemon_with_pages(environment=clock.environment())
        links = {}
        for user_id, language in (("1", "en"), ("2", "sv"), ("3", "en")):
            self.add_user(daemon, user_id, "--locale", language, start="2026-10-23")
            daemon.wait_sent(user_id)
            links[user_id] = self.newest_link(user_id)
        clock.set("2026-10-27 23:00:00")
        daemon.wait_for("the links to expire", lambda: all(daemon.invitation(u)["state"] == "expired" for u in links))
        self.look(links["1"], "landing-expired", "The link has expired", 410)
        for user_id, language, heading in (("1", "en", "A new link has been requested"), ("2", "sv", "En ny länk är beställd")):
            with chromium.tab() as tab:
                tab.go(f"{links[user_id]}?lang={language}")
                self.assertEqual(tab.press(), heading)
                self.audit(tab, "landing-requested", language)
        daemon.ctl("user", "disable", "3")
        self.look(links["3"], "landing-expired-ask", "The link has expired", 410)


class Scanners(LivePages):
    """What stands between a mailbox and a person (PRODUCT §4): nothing it does may change anything, and the link works afterwards."""

    def test_a_scanner_that_opens_runs_scripts_and_posts(self):
        daemon = self.daemon_with_pages()
        link = self.invited("1")
        before = self.everything()
        for _ in range(3):
            for method in ("HEAD", "GET"):
                self.assertEqual(daemon.browse(method, link, headers={"User-Agent": "scanner"})[0], 200)
        self.assertEqual(self.everything(), before, "HEAD and GET change nothing")
        form = harness.form_of(daemon.browse("GET", link)[2])
        for fields in ({}, {"do": "confirm"}, {**form, "nonce": ""}, {**form, "nonce": form["nonce"][:-1]}):
            daemon.browse("POST", link, fields)
        with chromium.tab(fresh=True) as tab:
            tab.go(link)
            self.assertEqual(tab.ask("fetch_by_script")["status"], 0, "the page's policy lets no script send anything")
        with chromium.tab(bypass_csp=True, fresh=True) as tab:
            tab.go(link)
            self.assertEqual(tab.ask("fetch_by_script")["status"], 403)
        with chromium.tab(fresh=True) as tab:
            tab.go(link)
            self.assertEqual(tab.ask("submit_by_script"), {"status": 403, "heading": "Confirm your email address"})
            self.assertIn("once more", tab.text())
            self.audit(tab, "landing-open-again", "en")
        self.assertEqual(self.everything(), before)

        with chromium.tab(fresh=True) as tab:  # and then comes the person
            tab.go(link)
            self.assertEqual(tab.press(), "Your email address is confirmed")
        daemon.wait_connected("1")

    def test_a_scanner_that_presses_the_button_like_a_hand_leaves_the_person_a_way_in(self):
        daemon = self.daemon_with_pages()
        link = self.invited("1")
        with chromium.tab(fresh=True) as tab:
            tab.go(link)
            tab.press()
        daemon.wait_connected("1")
        after = self.everything()
        with chromium.tab(fresh=True) as tab:
            tab.go(link)
            self.assertEqual(tab.heading(), "You are already connected")
            self.assertIn("Forgot your password?", tab.text())
        self.assertEqual(self.everything(), after)


class SelfService(LivePages):
    def enter(self, tab, email, again=None):
        tab.fill("email", email)
        tab.fill("confirm_email", again if again is not None else email)
        return tab.press()

    def test_a_person_types_her_address_and_gets_the_mail(self):
        daemon = self.daemon_with_pages()
        daemon.json("user", "add", "--id", "14", "--name", "Anna Berg", "--locale", "en")
        daemon.json("user", "add", "--id", "15", "--name", "Ben Hall", "--login-email", "ben@company.example")
        banner = daemon.json("user", "banner", "14")
        self.assertEqual((banner["show"], banner["reason"], banner["phase"]), (True, "not_connected", "preparation"))
        url = self.self_service("14")
        self.look(url, "self-service", "Connect your sign-in")
        before = self.everything()
        for method in ("HEAD", "GET", "GET"):
            self.assertEqual(daemon.browse(method, url)[0], 200)
        daemon.browse("POST", url, {"do": "save", "email": "thief@company.example", "confirm_email": "thief@company.example"})
        with chromium.tab() as tab:
            tab.go(url)
            thief = {"email": "thief@company.example", "confirm_email": "thief@company.example"}
            self.assertEqual(tab.ask("submit_by_script", fields=thief)["status"], 403)
        self.assertEqual(self.everything(), before)

        faults = (("invalid", "anna@", "anna@", {"sv": "ser inte ut som", "en": "does not look like"}),
                  ("mismatch", "anna@company.example", "ana@company.example", {"sv": "inte lika", "en": "not the same"}),
                  ("unusable", "ben@company.example", "BEN@company.example", {"sv": "inte lika", "en": "not the same"}),
                  ("unusable", "ben@company.example", "ben@company.example", {"sv": "kan inte användas", "en": "cannot be used"}),
                  ("escaped", '"><b>x', '"><b>x', {"sv": "ser inte ut som", "en": "does not look like"}))
        for language in ("sv", "en"):
            for name, email, again, words in faults:
                with self.subTest(fault=name, language=language), chromium.tab(scripts=name != "escaped") as tab:
                    tab.go(f"{url}?lang={language}")
                    self.enter(tab, email, again)
                    self.assertIn(words[language], tab.text())
                    self.assertEqual((tab.value("email"), tab.value("confirm_email")), (email, again), "what was typed is kept")
                    self.assertNotIn("Ben", tab.text())
                    if name != "escaped":
                        self.audit(tab, f"self-service-{name}", language)
        form = harness.form_of(daemon.browse("GET", url)[2])
        for email in ("anna@", "ben@company.example", '"><b>x'):
            status, _, source = daemon.browse("POST", url, {**form, "email": email, "confirm_email": email})
            self.assertEqual(status, 422)
            self.assertEqual(chromium.validate(source), [])
        self.assertEqual(daemon.user("14")["login_email"], "")

        with chromium.tab(scripts=False) as tab:
            tab.go(url)
            self.assertEqual(self.enter(tab, " anna@company.example "), "Check your email")
            self.assertNotIn("anna@company.example", tab.text(), "the address is masked")
        daemon.wait_sent("14")
        with chromium.tab() as tab:  # pressed again, from a second window
            tab.go(f"{url}?lang=sv")
            self.assertEqual(self.enter(tab, "anna@company.example"), "Titta i din e-post")
            self.audit(tab, "self-service-sent", "sv")
        with chromium.tab() as tab:  # … and in a hurry; reloads; goes back
            tab.go(url)
            tab.fill("email", "anna@company.example")
            tab.fill("confirm_email", "anna@company.example")
            self.assertEqual(tab.ask("press_twice")["heading"], "Check your email")
            self.audit(tab, "self-service-sent", "en")
            self.assertIn(tab.reload(), ("Check your email", "Connect your sign-in"))
            self.assertEqual(tab.back(), "Connect your sign-in")
            self.assertIn("An email was sent to a***@company.example", tab.text())
        self.assertEqual(len([mail for mail in self.maildir() if mail.to == "anna@company.example"]), 1)
        self.assertEqual(daemon.json("user", "banner", "14")["reason"], "mail_on_its_way")
        self.look(url, "self-service-mail-out", "Connect your sign-in")

        # A wrong address is corrected the same way: the older link is over.
        older = self.newest_link("14")
        with chromium.tab() as tab:
            tab.go(url)
            self.assertEqual(self.enter(tab, "anna.berg@company.example"), "Check your email")
        daemon.wait_for("the mail to the right address", lambda: any(mail.to == "anna.berg@company.example" for mail in self.maildir()))
        daemon.wait_sent("14")
        self.assertEqual(daemon.heading(older), "There is a newer link")
        with chromium.tab() as tab:
            tab.go(self.newest_link("14"))
            self.assertEqual(tab.press(), "Your email address is confirmed")
        daemon.wait_connected("14")
        self.look(url, "self-service-used", "You are already connected")
        self.assertFalse(daemon.json("user", "banner", "14")["show"])

        # After a deleted connection it begins anew.
        daemon.ctl("user", "disconnect", "14", "--yes")
        self.assertTrue(daemon.json("user", "banner", "14")["show"])
        newer = self.self_service("14")
        self.look(newer, "self-service-saved", "Connect your sign-in")
        self.look(url, "self-service-over", "This page is no longer valid", 404)
        unknown = f"http://{daemon.web}/s/{'a' * 60}"
        self.assertEqual(daemon.browse("GET", url)[2], daemon.browse("GET", unknown)[2], "an older page and none look alike")

        log = daemon.log_file.read_text()
        for secret in (url, newer):
            self.assertNotIn(secret.rsplit("/", 1)[1], log)

    def test_whatever_is_typed_is_an_address_or_a_fault(self):
        daemon = self.daemon_with_pages()
        for user in ("14", "15"):
            daemon.json("user", "add", "--id", user, "--name", "Anna Berg", "--locale", "sv")
        url = self.self_service("14")
        form = harness.form_of(daemon.browse("GET", url)[2])
        before = self.everything()
        for typed in ("anna", "anna@company", "anna@company,example", "anna.company.example", "anna@co.uk", "Anna Berg <anna@company.example>",
                      "anna@company.example, bo@company.example", "anna@räk_smörgås.example", "anna@\u202ecompany.example", "a" * 65 + "@company.example",
                      "anna@" + ".".join(["w" * 60] * 5) + ".example", "anna@company.example" * 30):
            status, _, source = daemon.browse("POST", url, {**form, "email": typed, "confirm_email": typed})
            self.assertEqual(status, 422, typed)
            self.assertIn("ser inte ut som en", source, typed)
            self.assertEqual(chromium.validate(source), [], typed)
        with chromium.tab() as tab:  # the longest that can be typed
            tab.go(url)
            self.enter(tab, "w" * 320)
            self.audit(tab, "self-service-long", "sv")
        self.assertEqual(self.everything(), before)

        with chromium.tab() as tab:
            tab.go(url)
            self.assertEqual(self.enter(tab, "Åsa.Öberg@Räksmörgås.example"), "Titta i din e-post")
            self.assertIn("***@räksmörgås.example", tab.text().lower())
            tab.go(self.self_service("15"))  # the same, as a machine writes it
            self.enter(tab, "åsa.öberg@xn--rksmrgs-5wao1o.example")
            self.assertIn("kan inte användas", tab.text())
        invitation = daemon.wait_sent("14")
        self.assertEqual(invitation["state"], "sent")

    def test_a_page_of_yesterday_says_where_to_open_it_again(self):
        clock = harness.FakeClock(self.folder, "2026-10-23 07:00:00")
        daemon = self.daemon_with_pages(environment=clock.environment())
        for user in ("14", "15"):
            daemon.json("user", "add", "--id", user, "--name", "Anna Berg", "--locale", "en")
        quick, late = self.self_service("14"), self.self_service("15")
        with chromium.tab(fresh=True) as first, chromium.tab(fresh=True) as second:
            first.go(quick)
            second.go(late)
            clock.set("2026-10-23 07:31:00")
            self.look(quick, "self-service-expired", "This page is no longer valid", 404)
            self.assertEqual(self.enter(first, "anna@company.example"), "Check your email")  # opened in time
            clock.set("2026-10-23 07:46:00")
            self.assertEqual(self.enter(second, "ben@company.example"), "This page is no longer valid")
        self.assertEqual(daemon.user("15")["login_email"], "")

    def test_an_address_that_no_server_takes_is_mended_by_the_person(self):
        server = harness.SmtpServer(self, refuse={"ana@company.example": "550 5.1.1 No such mailbox here"})
        daemon = self.daemon_with_pages(transport=server.transport())
        daemon.json("user", "add", "--id", "14", "--name", "Anna Berg", "--locale", "en")
        url = self.self_service("14")
        with chromium.tab() as tab:
            tab.go(url)
            self.assertEqual(self.enter(tab, "ana@company.example"), "Check your email")
            daemon.wait_for("the mail to come back", lambda: daemon.json("user", "banner", "14")["reason"] == "not_connected")
            self.look(url, "self-service-mail-back", "Connect your sign-in")
            tab.go(url)
            self.assertIn("could not be delivered", tab.text())
            self.assertEqual(self.enter(tab, "anna@company.example"), "Check your email")
        daemon.wait_sent("14")
        self.assertEqual([mail.to for mail in server.mails()], ["anna@company.example"])

    def test_a_verified_domain_connects_at_once_and_the_mail_says_where_to_sign_in(self):
        daemon = self.daemon_with_pages(organisation=self.ORGANISATION.replace("sign_in: {", "sign_in: {ready_mail: true, url: \"https://portal.example.com\", "))
        daemon.ctl("domain", "add", "company.example", "--assert", "--yes")
        for language, heading, subject in (("sv", "Din e-postadress är bekräftad", "Din inloggning till Example AB är klar"),
                                           ("en", "Your email address is confirmed", "Your sign-in to Example AB is ready")):
            user, address = f"at-{language}", f"anna.{language}@company.example"
            daemon.json("user", "add", "--id", user, "--name", "Anna Berg", "--locale", language)
            url = self.self_service(user)
            with chromium.tab() as tab:
                tab.go(url)
                self.assertEqual(self.enter(tab, address), heading)
                self.audit(tab, "self-service-connected", language)
            mails = daemon.wait_for("the mail", lambda: [mail for mail in self.maildir() if mail.to == address])
            self.assertEqual([str(mail.message["Subject"]) for mail in mails], [subject])
            self.assertIn("https://portal.example.com", mails[0].text)
            self.assertNotIn("/v/", mails[0].text)
            self.assertEqual(daemon.user(user)["sign_in_url"], "https://portal.example.com")
            daemon.wait_for("the outcome", lambda: daemon.user(user)["sign_in_mail"]["state"] == "accepted")

    def test_a_hire_in_review_is_told_to_wait(self):
        daemon = self.daemon_with_pages()
        for language, heading in (("sv", "Din adress är sparad"), ("en", "Your address is saved")):
            user, address = f"hire-{language}", f"hire.{language}@company.example"
            daemon.json("user", "add", "--id", user, "--name", "Anna Berg", "--locale", language, "--start-date", day(0), "--in-review")
            with chromium.tab() as tab:
                tab.go(self.self_service(user))
                self.assertEqual(self.enter(tab, address), heading)
                self.audit(tab, "self-service-in-review", language)
            self.assertEqual(daemon.json("user", "banner", user)["reason"], "in_review")
            self.assertEqual([mail for mail in self.maildir() if mail.to == address], [])
            daemon.ctl("review", "approve", user)
            daemon.wait_sent(user)


if __name__ == "__main__":
    unittest.main()
