"""The built daemon under another clock: across a start-date boundary, and across the night in which Stockholm leaves summer
time (24–25 October 2026). The clock stands still between the moves, so each boundary is met to the second."""

import unittest

import harness


class UnderAnotherClock(harness.Case):
    def begin(self, at, **replaced):
        self.server = harness.SmtpServer(self)
        self.clock = harness.FakeClock(self.folder, at)
        self.daemon = self.new_daemon(self.server.transport(), environment=self.clock.environment(), **replaced).start()
        self.assertEqual(self.daemon.json("status")["now"][:16].replace("T", " "), at[:16], "the daemon lives under this clock")

    def mail_to(self, user_id):
        found = self.server.to(f"person{user_id}@company.example")
        self.assertEqual(len(found), 1, f"one mail to user {user_id}")
        return found[0]

    def recipients(self):
        return sorted(mail.to.removesuffix("@company.example").removeprefix("person") for mail in self.server.mails())

    def heading(self, user_id):
        return self.daemon.heading(self.mail_to(user_id).link)

    def test_a_hire_in_three_days_gets_the_mail_at_nine_on_the_eve_and_not_before(self):
        self.begin("2026-11-22 10:00:00")  # Sunday, 11:00 in Stockholm
        daemon = self.daemon
        self.add_user(daemon, "1", start="2026-11-25")
        item = daemon.json("plan", "show", "--until", "60d")["items"][0]
        self.assertEqual((item["user"], item["action"], item["local"], item["zone"], item["at"]),
                         ("1", "send", "2026-11-24T09:00", "Europe/Stockholm", "2026-11-24T08:00:00Z"))
        # The company "early" sends at 08:00: its mail proves that the scheduler has looked at this day.
        self.add_user(daemon, "2", "--company", "early", start="2026-11-25")
        self.clock.set("2026-11-24 07:59:59")
        daemon.wait_sent("2")
        self.assertEqual(self.recipients(), ["2"])
        self.assertEqual(daemon.invitation("1")["state"], "scheduled")
        self.clock.set("2026-11-24 08:00:00")
        sent = daemon.wait_sent("1")
        self.assertEqual((sent["accepted_at"], sent["ends_at"]), ("2026-11-24T08:00:00Z", "2026-11-28T23:00:00Z"))
        self.assertEqual(self.recipients(), ["1", "2"])

    def test_what_fell_due_while_the_daemon_was_down_goes_out_at_its_start_earliest_start_first_and_once(self):
        self.begin("2026-11-22 10:00:00")
        daemon = self.daemon
        self.add_user(daemon, "2", start="2026-11-26")
        self.add_user(daemon, "1", start="2026-11-25")
        self.add_user(daemon, "3", start="2026-12-24")
        self.assertEqual(daemon.stop(), 0)
        self.clock.set("2026-11-25 08:30:00")
        daemon.start()
        daemon.wait_sent("1")
        daemon.wait_sent("2")
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        # Nothing twice: a mail asked for after the second start is out, and no other one with it.
        self.add_user(daemon, "4", start="2026-11-25")
        daemon.wait_sent("4")
        self.assertEqual(self.recipients(), ["1", "2", "4"])
        self.assertEqual(daemon.invitation("3")["state"], "scheduled")
        self.assertEqual(daemon.invitation("1")["delivery"]["attempts"], 1)

    def test_a_link_accepted_before_the_night_of_the_clock_change_ends_at_the_first_instant_of_the_sixth_date(self):
        self.begin("2026-10-23 07:00:00")  # Friday, 09:00 in Stockholm, summer time
        daemon = self.daemon
        for user in ("1", "2", "3", "4"):
            self.add_user(daemon, user, start="2026-10-24")
            sent = daemon.wait_sent(user)
            self.assertEqual((sent["accepted_at"], sent["ends_at"]), ("2026-10-23T07:00:00Z", "2026-10-27T23:00:00Z"))
        self.assertIn("27", self.mail_to("1").text.split("/v/")[1], "the mail names the last day")
        self.clock.set("2026-10-25 00:30:00")  # 02:30, the first time
        self.assertEqual(self.heading("1"), "Confirm your email address")
        self.clock.set("2026-10-25 01:30:00")  # 02:30, the second time
        self.assertEqual(self.heading("1"), "Confirm your email address")

        self.clock.set("2026-10-27 22:59:59")
        self.assertEqual(daemon.press(self.mail_to("1").link)[0], 200)
        daemon.wait_connected("1")
        in_time = harness.form_of(daemon.browse("GET", self.mail_to("2").link)[2])
        too_late = harness.form_of(daemon.browse("GET", self.mail_to("3").link)[2])

        self.clock.set("2026-10-27 23:00:00")
        self.assertEqual(self.heading("4"), "The link has expired")
        daemon.wait_for("the sweep to store the end", lambda: daemon.invitation("4")["state"] == "expired")
        self.assertEqual(daemon.invitation("1")["state"], "connected", "the sweep touches no connection")
        # A form that was opened in time may be posted up to 15 minutes after the end, not later.
        self.clock.set("2026-10-27 23:14:59")
        daemon.browse("POST", self.mail_to("2").link, in_time)
        daemon.wait_connected("2")
        self.clock.set("2026-10-27 23:15:00")
        daemon.browse("POST", self.mail_to("3").link, too_late)
        self.assertEqual(self.heading("3"), "The link has expired")
        self.assertNotEqual(daemon.user("3")["connection"], "connected")
        events = [event["subject"] for event in daemon.json("audit", "list", "--all")["items"] if event["action"] == "invitation.expired"]
        self.assertEqual(len(events), 3, events)

    def test_an_expired_link_offers_a_new_one_with_five_new_days_and_the_old_one_stays_dead(self):
        self.begin("2026-10-23 07:00:00")
        daemon = self.daemon
        self.add_user(daemon, "1", start="2026-10-24")
        daemon.wait_sent("1")
        old = self.mail_to("1").link
        self.clock.set("2026-10-27 23:00:00")
        daemon.wait_for("the link to expire", lambda: daemon.invitation("1")["state"] == "expired")
        status, _, page = daemon.press(old)
        self.assertEqual((status, harness.heading_of(page)), (200, "A new link has been requested"))
        sent = daemon.wait_sent("1")
        self.assertEqual(sent["ends_at"], "2026-11-01T23:00:00Z")  # 28 October local and four more days
        self.assertEqual(daemon.heading(old), "There is a newer link")
        newest = self.server.mails()[-1]
        self.assertNotEqual(newest.link, old)
        daemon.press(newest.link)
        daemon.wait_connected("1")

    def test_the_day_after_the_night_of_the_clock_change_sends_at_nine_of_the_new_time(self):
        self.begin("2026-10-23 07:00:00")
        daemon = self.daemon
        self.add_user(daemon, "1", start="2026-10-26")
        self.add_user(daemon, "2", "--company", "early", start="2026-10-26")
        plan = {item["user"]: item for item in daemon.json("plan", "show", "--until", "60d")["items"]}
        self.assertEqual((plan["1"]["local"], plan["1"]["at"]), ("2026-10-25T09:00", "2026-10-25T08:00:00Z"))
        self.clock.set("2026-10-25 07:00:00")  # 08:00 winter time; nine by the clock of the evening before
        daemon.wait_sent("2")
        self.clock.set("2026-10-25 07:59:59")
        self.add_user(daemon, "3", "--company", "early", start="2026-10-25")
        daemon.wait_sent("3")
        self.assertEqual(self.recipients(), ["2", "3"])
        self.clock.set("2026-10-25 08:00:00")
        self.assertEqual(daemon.wait_sent("1")["ends_at"], "2026-10-29T23:00:00Z")

    def test_a_leaver_is_disabled_and_disconnected_on_the_sixth_day_after_the_end(self):
        self.begin("2026-10-01 07:00:00")
        daemon = self.daemon
        self.add_user(daemon, "1", "--end-date", "2026-10-31", start="2026-09-01")
        daemon.wait_sent("1")
        daemon.press(self.mail_to("1").link)
        daemon.wait_connected("1")
        self.assertEqual(daemon.stop(), 0)
        self.clock.set("2026-11-05 22:59:59")  # still 5 November in Stockholm
        daemon.start()
        self.add_user(daemon, "2", start="2026-11-05")
        daemon.wait_sent("2")
        self.assertTrue(daemon.user("1")["enabled"])
        self.assertEqual(daemon.stop(), 0)
        self.clock.set("2026-11-05 23:00:00")
        daemon.start()
        daemon.wait_for("the leaver to be disabled", lambda: not daemon.user("1")["enabled"])
        daemon.wait_for("the connection to be removed", lambda: daemon.user("1")["connection"] == "not_connected")


if __name__ == "__main__":
    unittest.main()
