"""Files of the HR system, in and out again: the results to the letter, the round trip, the filter, the folder."""

import csv
import io
import json
import pathlib
import subprocess

import harness
from harness import day

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "samples"
BOM = "\ufeff"


class Files(harness.Case):
    def setUp(self):
        super().setUp()
        self.daemon = self.new_daemon().start()

    def write(self, name, text, encoding="utf-8"):
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return path

    def imported(self, path, *more, code=0):
        return self.daemon.json("user", "import", path, *more, code=code)

    def export(self, *arguments):
        # Bytes: nothing on the way may turn line ends.
        done = subprocess.run(self.daemon.command("user", "export", *arguments), capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def rows(self, text, delimiter=";"):
        return list(csv.DictReader(io.StringIO(text.removeprefix(BOM), newline=""), delimiter=delimiter))

    def results(self, answer):
        return [(row["line"], row["user"], row["result"]) for row in answer["rows"]]

    def some_people(self):
        """Everything a field may hold, and people in every state of a connection."""
        daemon = self.daemon
        daemon.ctl("user", "add", "--id", "0007", "--name", "=cmd|' /C calc'!A0", "--department", "-2+3", "--alias", "'=quoted'", "--signature", "+46",
                   "--card-id", "007", "--external-ref", '@SUM("a";1)', "--company", "north", "--authorised-companies", "early,north",
                   "--roles", "boss,planner", "--locale", "en")
        daemon.ctl("user", "add", "--id", "Åsa", "--given-name", "Åsa", "--family-name", 'Öberg "Ö", jr; II', "--login-email", "asa@company.example",
                   "--start-date", day(0), "--end-date", day(300), "--employment-template", "Tillsvidare")
        daemon.ctl("user", "add", "--id", "3", "--name", "Hired Twice", "--start-date", "2024-01-01", "--end-date", day(30))
        daemon.ctl("user", "set", "3", "--start-date", day(60), "--end-date", "")
        daemon.ctl("user", "add", "--id", "4", "--name", " In  blanks ", "--in-review", "--start-date", day(5), "--login-email", "four@company.example")
        daemon.ctl("user", "add", "--id", "5", "--name", "Gone", "--login-email", "gone@company.example")
        daemon.ctl("user", "disable", "5")
        daemon.ctl("domain", "add", "verified.example", "--assert", "--yes")
        daemon.ctl("user", "add", "--id", "6", "--name", "Connected", "--login-email", "Six@Verified.Example", "--start-date", day(60))
        daemon.wait_connected("6")
        daemon.wait_sent("Åsa")

    def everything(self):
        """All that the daemon says about its users, but for the times of events."""
        return self.daemon.json("user", "list", "--all")["items"]

    def test_out_and_in_again_changes_nothing_in_every_form(self):
        self.some_people()
        before = self.everything()
        audit = self.daemon.json("audit", "list", "--limit", "1")["items"][0]["seq"]
        forms = [["--profile", profile, "--language", language, "--delimiter", delimiter]
                 for profile in ("flex-employees-users", "api") for language in ("sv", "en") for delimiter in ("comma", "semicolon", "tab")]
        for form in [[], *forms]:
            with self.subTest(form=form):
                path = self.write("round.csv", self.export(*form))
                for more in (["--dry-run"], []):
                    answer = self.imported(path, *more)
                    self.assertEqual({row["result"] for row in answer["rows"]}, {"unchanged"}, answer)
                    self.assertEqual(answer["counts"], {"created": 0, "updated": 0, "unchanged": 6, "ignored": 0, "rejected": 0})
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.daemon.json("audit", "list", "--limit", "1")["items"][0]["seq"], audit, "nothing happened, so nothing is in the record")

    def test_out_and_in_again_changes_nothing_when_the_configuration_knows_less_by_then(self):
        self.some_people()
        path = self.write("users.csv", self.export("--profile", "api"))
        self.daemon.stop()
        text = self.config_text(companies="", templates="employment_templates: [{name: Other}]", allowed="allowed_domains: [elsewhere.example]")
        self.write_config(text)
        self.daemon.start()
        before = self.everything()
        answer = self.imported(path)
        self.assertEqual({row["user"]: row["result"] for row in answer["rows"] if row["result"] != "unchanged"}, {}, answer)
        self.assertEqual(self.everything(), before)

    def test_into_an_empty_daemon_it_makes_the_same_users(self):
        self.some_people()
        path = self.write("users.csv", self.export())
        other = self.new_daemon(folder=self.folder / "other").start()
        answer = other.json("user", "import", path)
        self.assertEqual(answer["counts"]["created"], 6, answer)
        fields = ("id", "name", "given_name", "family_name", "login_email", "company", "department", "roles", "locale", "alias", "signature", "card_id",
                  "external_ref", "authorised_companies", "enabled", "start_date", "end_date", "employment_template")
        mine, theirs = ({user["id"]: {field: user[field] for field in fields} for user in daemon.json("user", "list", "--all")["items"]}
                        for daemon in (self.daemon, other))
        self.assertEqual(theirs, mine)

    def test_the_template_has_the_names_of_its_language_and_no_formula_runs(self):
        self.some_people()
        text = self.export("--language", "sv")
        self.assertTrue(text.startswith(BOM + "Användar-id;"))
        rows = {row["Användar-id"]: row for row in self.rows(text)}
        self.assertEqual(rows["Åsa"]["E-post Visma Connect"], "asa@company.example")
        self.assertEqual((rows["0007"]["Företag"], rows["0007"]["Behöriga företag"]), ("Example North", "Example Early,Example North"))
        self.assertEqual((rows["0007"]["Användaren är aktiverad"], rows["5"]["Användaren är aktiverad"]), ("Ja", "Nej"))
        self.assertEqual(rows["0007"]["Språk"], "Engelska")
        for row in rows.values():
            for name, value in row.items():
                self.assertNotIn(value[:1], tuple("=+-@\t"), f"{name}: {value}")
        english = self.rows(self.export("--language", "en"))
        self.assertIn("Email Visma Connect", english[0])
        self.assertEqual(english[0]["User is enabled"], "Yes")
        api = self.rows(self.export("--profile", "api"), ",")
        self.assertEqual(api[0]["authorised_companies"], "early,north")

    def test_the_filter_is_the_list_s(self):
        self.some_people()
        for filters in (["--company", "north"], ["--connection", "connected"], ["--connection", "pending"], ["--enabled", "false"], ["--search", "öberg"],
                        ["--start-after", day(30)], ["--role", "boss"], ["--authorised-company", "early"], ["--invitation", "sent"],
                        ["--department", "nowhere"], ["--start-before", day(2), "--enabled", "true"]):
            with self.subTest(filters=filters):
                listed = [user["id"] for user in self.daemon.json("user", "list", "--all", *filters)["items"]]
                exported = [row["User-ID"] for row in self.rows(self.export("--language", "en", *filters))]
                self.assertEqual(exported, listed)

    def test_the_samples_of_both_languages_mean_the_same(self):
        swedish = self.imported(SAMPLES / "users-sv.csv")
        self.assertEqual(self.results(swedish), [(line, str(1999 + line), "created") for line in (2, 3, 4, 5)])
        english = self.imported(SAMPLES / "users-en.csv")
        self.assertEqual(english["counts"]["unchanged"], 4, english)
        user = self.daemon.user("2001")
        self.assertEqual((user["name"], user["company"], user["roles"], user["card_id"], user["locale"], user["start_date"]),
                         ("Åsa Öberg", "north", ["Attestant", "Planerare"], "004711", "sv", "2027-02-01"))
        self.assertFalse(self.daemon.user("2004")["enabled"])

    def test_the_results_are_to_the_letter(self):
        daemon = self.daemon
        daemon.ctl("domain", "add", "verified.example", "--assert", "--yes")
        self.add_user(daemon, "1", email="one@verified.example")
        daemon.wait_connected("1")
        self.add_user(daemon, "2", email="two@company.example")
        text = ("Kön;E-post Visma Connect;Användar-id;Namn;Avdelning;Startdatum;Användaren är aktiverad;Företag\r\n"
                "K;other@company.example;1;;Lager;;;\r\n"          # a connected user's address is not changed, the rest counts
                "K;not an address;2;;Lager;;;\r\n"                 # a bad address is ignored, the rest counts
                ";;2;;Ekonomi;;;\r\n"                              # the same user again
                f"M;three@company.example;3;Cleo;Lager;{day(40)};Ja;Example North\r\n"
                "M;four@company.example;4;Disa;Lager;soon;;\r\n"
                "M;five@company.example;5;Emil;Lager;;kanske;\r\n"
                "M;six@company.example;6;Fia;Lager;;;Example West\r\n"
                "M;THREE@company.example;7;Gus;Lager;;;\r\n"
                ";nobody@company.example;;Hal;Lager;;;\r\n"
                "M;too;few\r\n")
        expected = [
            (1, "", "noted: columns_not_used", "", ""),
            (2, "1", "ignored: connected", "E-post Visma Connect", "login_email"),
            (3, "2", "ignored: invalid_email", "E-post Visma Connect", "login_email"),
            (4, "2", "ignored: duplicate_in_file", "Användar-id", "user_id"),
            (5, "3", "created", "", ""),
            (6, "4", "rejected: invalid_date", "Startdatum", "start_date"),
            (7, "5", "rejected: invalid_flag", "Användaren är aktiverad", "enabled"),
            (8, "6", "rejected: unknown_company", "Företag", "company"),
            (9, "7", "ignored: duplicate_email", "E-post Visma Connect", "login_email"),
            (10, "", "rejected: user_id_missing", "Användar-id", "user_id"),
            (11, "", "rejected: wrong_cell_count", "", ""),
        ]
        path = self.write("people.csv", text)

        def told(answer):
            return [(row["line"], row["user"], row["result"], row["column"], row["field"]) for row in answer["rows"]]

        dry = self.imported(path, "--dry-run", code=3)
        self.assertEqual(told(dry), expected)
        self.assertEqual(daemon.user("1")["department"], "", "a dry run changes nothing")
        real = self.imported(path, code=3)
        self.assertEqual(real["rows"], dry["rows"])
        self.assertEqual(real["counts"], {"created": 1, "updated": 0, "unchanged": 0, "ignored": 4, "rejected": 5})
        for row in real["rows"][1:4]:
            self.assertTrue(row["message"])
        self.assertEqual((daemon.user("1")["login_email"], daemon.user("1")["department"]), ("one@verified.example", "Lager"))
        self.assertEqual((daemon.user("2")["login_email"], daemon.user("2")["department"]), ("two@company.example", "Lager"))
        self.assertEqual((daemon.user("3")["company"], daemon.user("3")["name"]), ("north", "Cleo"))
        self.assertEqual((daemon.user("7")["name"], daemon.user("7")["login_email"]), ("Gus", ""))
        again = self.imported(path, code=3)
        self.assertEqual(again["counts"], {"created": 0, "updated": 0, "unchanged": 1, "ignored": 4, "rejected": 5})

    def test_a_file_of_an_older_windows_in_the_folder_ends_with_results_in_its_own_words(self):
        text = "Användar-id;Förnamn;Efternamn;E-post Visma Connect;Kön\r\n21;Åsa;Öberg;nowhere;K\r\n22;Björn;Ek;bjorn@company.example;M\r\n"
        staged = self.folder / "import" / ".hr.csv.part"
        staged.write_bytes(text.encode("cp1252"))
        staged.rename(self.folder / "import" / "hr.csv")
        table = self.folder / "import" / "done" / "hr.csv.result.csv"
        self.daemon.wait_for("the results of the file", table.exists)
        rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
        self.assertEqual([(row["line"], row["user_id"], row["result"], row["column"]) for row in rows],
                         [("1", "", "noted: columns_not_used", ""), ("1", "", "noted: read_as_windows_1252", ""),
                          ("2", "21", "ignored: invalid_email", "E-post Visma Connect"), ("3", "22", "created", "")])
        self.assertEqual(self.daemon.user("21")["name"], "Åsa Öberg")

    def test_w11_a_file_that_was_put_just_before_the_start_is_read_before_anything_leaves(self):
        self.assertEqual(self.daemon.stop(), 0)
        daemon = self.daemon = self.new_daemon(f'{{name: relay, plugin: smtp, config: {{url: "smtp://127.0.0.1:{harness.free_port()}"}}}}').start()
        for user in ("leaves", "stays"):
            self.add_user(daemon, user, start=day(0))
        daemon.wait_for("a try", lambda: daemon.invitation("leaves")["delivery"]["attempts"] > 0)
        self.assertEqual(daemon.stop(), 0)
        daemon = self.daemon = self.new_daemon()
        # Not renamed into the folder: it counts only when it stood still for two seconds.
        (self.folder / "import" / "late.csv").write_text("user_id,enabled\nleaves,false\n")
        daemon.start()
        daemon.wait_sent("stays")
        self.assertTrue((self.folder / "import" / "done" / "late.csv").exists())
        self.assertEqual(daemon.user("leaves")["invitation"]["state"], "cancelled")
        self.assertEqual([mail.to for mail in self.maildir()], ["personstays@company.example"])

    def test_the_total_is_known_while_a_file_is_imported(self):
        path = self.write("many.csv", "User-ID;Name\n" + "".join(f"{n};Person {n}\n" for n in range(1, 3001)))
        done = self.daemon.run("user", "import", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of 3000, 50 %", done.stderr)
        job = self.daemon.json("job", "list", "--limit", "1")["items"][0]
        self.assertEqual((job["done"], job["total"]), (3000, 3000))

    def test_a_refused_file_says_why_and_nothing_else(self):
        path = self.write("people.csv", "Namn;E-post Visma Connect\nÅsa;asa@company.example\n")
        done = self.daemon.run("user", "import", path)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.startswith("invitectl: The job failed: people.csv, line 1: there is no column \"Användar-id\""), done.stderr)
        self.assertEqual(self.everything(), [])

    def test_a_user_called_export_is_a_user(self):
        self.add_user(self.daemon, "export")
        self.assertEqual(self.daemon.user("export")["id"], "export")
        status, headers, body = self.daemon.ask("GET", "/v1/exports?profile=api")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
        self.assertIn(b"\r\nexport,", body)
        self.assertEqual(json.loads(self.daemon.ask("GET", "/v1/exports?profile=excel")[2])["code"], "bad_request")
