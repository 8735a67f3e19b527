"""Bad input gets a clear error that names where and why; nothing is half applied; the daemon never ends for it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import day


def without_credentials():
    """The environment of a start by hand."""
    return {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}


class BadConfiguration(harness.Case):
    """Each specimen: what is replaced, by what, and what the operator reads (after "invited.yaml:")."""

    SPECIMENS = [
        ("an unknown key", 'web: {', 'wbe: {', r"\d+:\d+: /wbe: unknown key; did you mean \"web\"\?"),
        ("a missing key", 'web: {listen: "127.0.0.1:0", base_url: "https://invite.example.com"}\n', "", r"\d+:\d+: /: the key \"web\" is missing"),
        ("an unknown zone", "Europe/Stockholm", "Europe/Stokholm", r"1:\d+: /organisation/time_zone: .*did you mean \"Europe/Stockholm\"\?"),
        ("a tab", "state_dir: state", "state_dir:\tstate", r"\d+:\d+: a tab character"),
        ("an open bracket", "plugin_dirs: [", "plugin_dirs: [[", r"\d+:\d+: "),
        ("a public page without TLS", "https://invite.example.com", "http://invite.example.com", r"\d+:\d+: /web/base_url: .*is not encrypted"),
        ("no such transport", "transport: relay", "transport: really", r"\d+:\d+: /mail/transport: .*relay"),
        ("no such plugin", "plugin: file", "plugin: fiel", r"\d+:\d+: .*fiel"),
        ("a plugin's own option", "path: import", "paht: import", r"\d+:\d+: .*paht"),
        ("a plugin option of another type", "path: import", "path: 7", r"\d+:\d+: .*path"),
        ("no TLS and no loopback listen", '127.0.0.1:0', 'localhost:http', r"\d+:\d+: /web/listen: "),
        ("a header in an address", "Example AB <no-reply@example.com>", "Example AB <no-reply@example.com>\\nBcc: x@example.com", r"\d+:\d+: /mail/from: "),
    ]

    def check(self, text, *more, environment=None):
        path = self.write_config(text)
        return path, subprocess.run([harness.INVITED, *more, "--config", path], capture_output=True, text=True, timeout=60, env=environment)

    def test_a_good_file_is_good_and_makes_no_state(self):
        _, done = self.check(self.config_text(), "--check-config")
        self.assertEqual((done.returncode, "good" in done.stderr), (0, True), done.stderr)
        self.assertFalse((self.folder / "state").exists())

    def test_every_mistake_is_told_with_file_and_line_and_exit_78(self):
        good = self.config_text()
        for name, old, new, message in self.SPECIMENS:
            with self.subTest(name):
                self.assertIn(old, good)
                path, done = self.check(good.replace(old, new), "--check-config")
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertRegex(done.stderr, re.escape(str(path)) + ":" + message)
                # Without --check-config the same words, and nothing is begun.
                _, run = self.check(good.replace(old, new))
                self.assertEqual(run.returncode, 78, run.stderr)
                self.assertRegex(run.stderr, message)

    def test_all_mistakes_are_told_at_once(self):
        text = self.config_text().replace("locale: sv", "locale: se").replace("send_hour: 8", "send_hour: 25")
        _, done = self.check(text, "--check-config")
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"invited.yaml:1:\d+: /organisation/locale: ")
        self.assertRegex(done.stderr, r"invited.yaml:4:\d+: /companies/1/send_hour: ")

    def test_a_mistake_of_the_file_hides_none_of_the_plugins_and_is_told_once(self):
        text = self.config_text().replace("Europe/Stockholm", "Europe/Stokholm").replace("path: import", "paht: import").replace("plugin: maildir", "plugni: maildir")
        for text, whole in ((text, True), ("state_dir: []\n" + text.replace("state_dir: state\n", ""), False)):
            _, done = self.check(text, "--check-config")
            self.assertEqual(done.returncode, 78)
            self.assertEqual(done.stderr.count("/organisation/time_zone: "), 1, done.stderr)
            self.assertEqual(done.stderr.count("/transports/0/plugni: "), 1, done.stderr)
            self.assertEqual(done.stderr.count("no transport plugin"), 0, done.stderr)
            # Where nobody knows the state folder no plugin is made.
            self.assertEqual(done.stderr.count("paht"), 1 if whole else 0, done.stderr)
            self.assertFalse((self.folder / "state").exists())

    def test_no_file_is_an_error_that_names_it(self):
        missing = self.folder / "nowhere.yaml"
        done = subprocess.run([harness.INVITED, "--config", missing], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn(str(missing), done.stderr)

    def test_a_link_key_that_is_missing_or_open_to_others_is_told_with_file_line_and_place(self):
        text = self.config_text(link_keys="link_keys: [{id: 1, credential: link_key}]")
        line = text[:text.index("link_keys:")].count("\n") + 1
        at = rf"invited\.yaml:{line}:\d+"
        credentials = self.folder / "credentials"
        from_systemd = {"CREDENTIALS_DIRECTORY": str(self.folder / "run")}
        where = re.escape(f"{credentials}/link_key")
        missing = rf'no secret \W*link_key\W*; looked at {where}'

        def refused(message, environment=None):
            for arguments in (["--check-config"], []):
                done = subprocess.run([harness.INVITED, *arguments, "--config", self.write_config(text)], capture_output=True, text=True, timeout=60,
                                      env={**without_credentials(), **(environment or {})})
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertRegex(done.stderr, at)
                self.assertRegex(done.stderr, rf"/link_keys/0/credential: {message}")

        refused(missing)
        # systemd's folder is the only place where there is one.
        refused(rf'no secret \W*link_key\W*; looked at {re.escape(str(self.folder))}/run/secret_link_key, {re.escape(str(self.folder))}/run/link_key\W',
                from_systemd)
        credentials.mkdir()
        refused(missing)
        (credentials / "link_key").write_text("f" * 64 + "\n")
        (credentials / "link_key").chmod(0o644)
        refused(rf"{where} is open to others \(mode 0644\); run chmod 600 on it")
        (credentials / "link_key").chmod(0o600)
        _, done = self.check(text, "--check-config", environment=without_credentials())
        self.assertEqual(done.returncode, 0, done.stderr)
        (credentials / "link_key").write_text("short\n")
        refused("A link key needs at least 32 octets")

    def test_a_folder_that_is_not_there_or_is_none_is_told_with_file_and_line(self):
        (self.folder / "file").write_text("no folder")
        specimens = (("no templates", "templates_dir", {"templates": "templates_dir: /nowhere"}, "/templates_dir: there is no folder /nowhere"),
                     ("templates in a file", "templates_dir", {"templates": "templates_dir: file"}, f"/templates_dir: {self.folder}/file is not a folder"),
                     ("no plugins", "plugin_dirs", {"plugin_dirs": "plugin_dirs: [/nowhere]"}, "/plugin_dirs/0: there is no folder /nowhere"))
        for name, key, replaced, message in specimens:
            with self.subTest(name):
                text = self.config_text(**replaced)
                line = text[:text.index(key)].count("\n") + 1
                for arguments in (["--check-config"], []):
                    path, done = self.check(text, *arguments)
                    self.assertEqual(done.returncode, 78, done.stderr)
                    self.assertRegex(done.stderr, rf"{re.escape(str(path))}:{line}:\d+")
                    self.assertIn(message, done.stderr)
                    self.assertNotIn("no source plugin", done.stderr)
        both = self.config_text(templates="templates_dir: /nowhere/texts", plugin_dirs="plugin_dirs: [/nowhere]")
        _, done = self.check(both, "--check-config")
        self.assertEqual((done.returncode, done.stderr.count("there is no folder")), (78, 2), done.stderr)

    def test_an_argument_that_is_no_option_is_named_and_nothing_is_begun(self):
        path = self.write_config(self.config_text())
        for arguments, stray in ((["start"], "start"), ([str(path)], str(path)), (["--check-config", "/nowhere.yaml"], "/nowhere.yaml"),
                                 (["--check-config", "--config", str(path), "start"], "start"), (["--help", "me"], "me")):
            with self.subTest(arguments):
                done = subprocess.run([harness.INVITED, *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stdout), (64, ""), done.stderr)
                self.assertIn(f'"{stray}"', done.stderr)
                self.assertIn("--config FILE", done.stderr)
        self.assertFalse((self.folder / "state").exists())

    def test_the_help_names_the_file_that_is_read_without_config(self):
        done = subprocess.run([harness.INVITED, "--help"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        named = re.search(r"\s(/\S+/invited/invited\.yaml)\s", done.stdout)
        self.assertIsNotNone(named, done.stdout)
        # Good or not there, on whatever machine this runs: the words that come back name it.
        done = subprocess.run([harness.INVITED, "--check-config"], capture_output=True, text=True, timeout=60)
        self.assertIn(named.group(1), done.stderr)

    def test_wrong_usage_is_64(self):
        for arguments in (["--frob"], ["--config"]):
            self.assertEqual(subprocess.run([harness.INVITED, *arguments], capture_output=True, timeout=60).returncode, 64)

    def test_a_plugin_that_others_may_write_is_refused(self):
        plugins = self.folder / "plugins"
        shutil.copytree(harness.PLUGINS, plugins)
        (plugins / "manual.so").chmod(0o666)
        done = self.check(self.config_text(plugin_dirs=f'plugin_dirs: ["{plugins}"]'), "--check-config")[1]
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertRegex(done.stderr, r"manual\.so.*may be written by others")
        (plugins / "manual.so").chmod(0o755)
        plugins.chmod(0o777)
        done = self.check(self.config_text(plugin_dirs=f'plugin_dirs: ["{plugins}"]'), "--check-config")[1]
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertRegex(done.stderr, r"folder .*may be written by others")


class BadCircumstances(harness.Case):
    def run_once(self, config):
        return subprocess.run([harness.INVITED, "--config", config], capture_output=True, text=True, timeout=60)

    def test_a_second_daemon_on_the_same_state_is_refused_and_disturbs_nothing(self):
        first = self.new_daemon().start()
        second = self.run_once(first.config)
        self.assertEqual(second.returncode, 69, second.stderr)
        self.assertRegex(second.stderr, r"store\.refused .*state\.db")
        # The same state by another configuration with a socket of its own: refused as well.
        other = self.folder / "other.yaml"
        other.write_text(first.config.read_text().replace("control.sock", "other.sock"))
        self.assertEqual(self.run_once(other).returncode, 69)
        self.add_user(first, "1", start=day(0))
        first.wait_sent("1")

    def test_a_socket_that_another_daemon_answers_is_not_taken_over(self):
        first = self.new_daemon().start()
        other = self.folder / "other.yaml"
        other.write_text(first.config.read_text().replace("state_dir: state", "state_dir: other-state"))
        second = self.run_once(other)
        self.assertEqual(second.returncode, 69, second.stderr)
        self.assertIn("control.sock", second.stderr)
        self.assertEqual(first.run("status").returncode, 0)

    def test_a_taken_web_port_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config = self.write_config(self.config_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
            done = self.run_once(config)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn(f"127.0.0.1:{port}", done.stderr)

    def test_a_state_folder_that_cannot_be_made_or_written_is_told(self):
        (self.folder / "file").write_text("not a folder")
        done = self.run_once(self.write_config(self.config_text(state_dir="state_dir: file/state")))
        self.assertIn(done.returncode, (69, 73), done.stderr)
        self.assertIn("file/state", done.stderr)
        done = self.run_once(self.write_config(self.config_text(state_dir="state_dir: /proc/invited")))
        self.assertIn(done.returncode, (69, 73), done.stderr)
        self.assertIn("/proc/invited", done.stderr)
        done = self.run_once(self.write_config(self.config_text(state_dir="state_dir: file")))
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn(f"{self.folder}/file is not a folder", done.stderr)

    def test_a_database_that_is_none_is_refused_and_left_alone(self):
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        (state / "state.db").write_bytes(b"This is not a database, and it is long enough to be looked at.\n" * 100)
        before = harness.digest(state / "state.db")
        done = self.run_once(self.write_config(self.config_text()))
        self.assertIn(done.returncode, (69, 70, 78), done.stderr)
        self.assertIn("state.db", done.stderr)
        self.assertEqual(harness.digest(state / "state.db"), before)

    def test_sigterm_ends_with_0_also_while_the_mail_server_is_silent(self):
        daemon = self.new_daemon().start()
        self.assertEqual(daemon.stop(10), 0)
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        port = silent.getsockname()[1]
        daemon = self.new_daemon(f'{{name: relay, plugin: smtp, config: {{url: "smtp://127.0.0.1:{port}", connections: 1}}}}').start()
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_for("the mail to be on its way", lambda: daemon.invitation("1")["delivery"]["state"] == "claimed")
        self.assertEqual(daemon.stop(45), 0)
        # Started again it has the mail under way again; told twice, it stops without waiting for it.
        daemon.start()
        daemon.wait_for("the mail to be on its way", lambda: daemon.invitation("1")["delivery"]["state"] == "claimed")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("the daemon to stop", lambda: "daemon.stopped" in daemon.log(5))
        begun = time.monotonic()
        self.assertEqual(daemon.stop(45), 0)
        self.assertLess(time.monotonic() - begun, 15, "a second SIGTERM hurries the stop up")

    def test_sighup_reads_texts_and_level_again_and_a_broken_file_changes_nothing(self):
        daemon = self.new_daemon(log="log: {level: info}").start()
        good = daemon.config.read_text()
        daemon.config.write_text(good.replace("time_zone: Europe/Stockholm", "time_zone: Europe/Nowhere"))
        os.kill(daemon.process.pid, signal.SIGHUP)
        daemon.wait_for("the refusal", lambda: "config.refused" in daemon.log_file.read_text())
        self.assertRegex(daemon.log_file.read_text(), r"invited\.yaml:1:\d+: /organisation/time_zone")
        self.assertEqual(daemon.json("status")["zone"], "Europe/Stockholm")
        daemon.config.write_text(good.replace("level: info", "level: debug"))
        os.kill(daemon.process.pid, signal.SIGHUP)
        daemon.wait_for("the new file to be taken", lambda: "config.reloaded" in daemon.log_file.read_text())
        self.add_user(daemon, "1", start=day(0))
        daemon.wait_sent("1")
        daemon.wait_for("a line of the level debug", lambda: " debug " in daemon.log_file.read_text())


class BadRequests(harness.Case):
    def setUp(self):
        super().setUp()
        self.daemon = self.new_daemon().start()

    def pour(self, family, address, data, read=True):
        """Raw bytes to a socket; what came back before the other end closed or fell silent."""
        with socket.socket(family) as connection:
            connection.settimeout(15)
            connection.connect(address)
            answer = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while read and (piece := connection.recv(65536)):
                    answer += piece
            except (ConnectionError, BrokenPipeError):
                pass
            return answer

    GARBAGE = [
        b"\x00" * 4096,
        b"\xff\xfe\xfd" * 1000,
        b"GET",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz%00%ff/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v/" + b"A" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: y\r\n" * 10_000 + b"\r\n",
        b"POST /v/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /v/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /v/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"EHLO sink.test\r\n",
    ]

    def test_garbage_on_either_socket_costs_one_connection_and_nothing_else(self):
        daemon = self.daemon
        host, port = daemon.web.rsplit(":", 1)
        random = harness.seeded("garbage")
        specimens = self.GARBAGE + [random.randbytes(random.randrange(1, 5000)) for _ in range(30)]
        for data in specimens:
            for family, address in ((socket.AF_INET, (host, int(port))), (socket.AF_UNIX, str(daemon.socket))):
                answer = self.pour(family, address, data)
                if answer:
                    self.assertRegex(answer[:12], rb"^HTTP/1\.[01] [45]\d\d", data[:60])
        self.assertTrue(daemon.running())
        self.assertEqual(daemon.json("user", "list")["items"], [])
        self.assertEqual(daemon.browse("GET", "/v/nothing")[0], 404)

    def test_a_strangers_link_gets_one_neutral_page_whatever_it_is(self):
        daemon = self.daemon
        pages = set()
        for token in ("A", "A" * 43, "A" * 64, "%41%42", "..%2f..%2fstate.db", "aaaa-bbbb_cccc", "0" * 200):
            status, headers, page = daemon.browse("GET", "/v/" + token)
            self.assertEqual(headers["Cache-Control"], "no-store")
            pages.add((status, page))
        self.assertEqual(len(pages), 1, "one answer for all of them")
        self.assertEqual(harness.heading_of(pages.pop()[1]), "We do not recognise this link")

    def test_the_api_answers_bad_bodies_with_a_problem_that_points_at_the_place(self):
        good = {"user_id": "1", "name": "A"}
        specimens = [
            ("unknown field", {**good, "nmae": "x"}, 422, "/nmae"),
            ("wrong type", {**good, "name": 7}, 422, "/name"),
            ("null", {**good, "name": None}, 422, "/name"),
            ("missing", {"name": "A"}, 422, "/user_id"),
            ("no date", {**good, "start_date": "2026-02-30"}, 422, "/start_date"),
            ("list for text", {**good, "login_email": ["a@company.example"]}, 422, "/login_email"),
            ("text for list", {**good, "roles": "a"}, 422, "/roles"),
            ("text for flag", {**good, "in_review": "yes"}, 422, "/in_review"),
            ("two addresses", {**good, "login_email": "a@company.example", "confirm_email": "b@company.example"}, 422, "/confirm_email"),
            ("unknown company", {**good, "company": "south"}, 422, "/company"),
            ("control character", {**good, "name": "A\r\nBcc: x@example.com"}, 422, "/name"),
            ("unknown language", {**good, "locale": "de"}, 422, "/locale"),
            ("ends before it starts", {**good, "start_date": "2026-12-01", "end_date": "2026-11-01"}, 422, "/end_date"),
        ]
        for name, body, status, pointer in specimens:
            with self.subTest(name):
                got, headers, data = self.daemon.ask("POST", "/v1/users", json.dumps(body))
                self.assertEqual(got, status, data)
                self.assertEqual(headers["Content-Type"], "application/problem+json")
                problem = json.loads(data)
                self.assertEqual(problem["status"], status)
                self.assertTrue(problem["type"] and problem["title"] and problem["detail"], problem)
                self.assertIn(pointer, [error["where"] for error in problem["errors"]])
        for body, status in ((b"{", 400), (b"[]", 400), (b'"x"', 400), (b"\xff\xfe", 400), (b'{"user_id": "1", "user_id": "2", "name": "A"' * 10, 400),
                             (b"[" * 100_000, 400), (b'{"name": "' + b"x" * 2_000_000 + b'"}', 413)):
            with self.subTest(body[:20]):
                try:
                    self.assertEqual(self.daemon.ask("POST", "/v1/users", body)[0], status)
                except (ConnectionError, BrokenPipeError):
                    self.assertEqual(status, 413, "a body over the limit may be cut off")
        self.assertEqual(self.daemon.ask("GET", "/v1/nothing")[0], 404)
        self.assertEqual(self.daemon.ask("DELETE", "/v1/users")[0], 405)
        self.assertEqual(self.daemon.ask("GET", "/v1/users?limt=3")[0], 422)
        self.assertEqual(self.daemon.ask("GET", "/v1/users?limit=many")[0], 422)
        self.assertEqual(self.daemon.ask("POST", "/v1/plans", '{"kind": "send-verification", "filter": {}}')[0], 422)
        self.assertEqual(self.daemon.json("user", "list")["items"], [], "nothing is half applied")

    def imported(self, data, code):
        path = self.folder / "specimen.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        done = self.daemon.run("user", "import", path, "--json")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)["rows"] if done.stdout.strip() else [], done.stderr

    def test_a_bad_row_never_stops_the_file_and_a_bad_address_never_stops_the_row(self):
        rows, _ = self.imported(
            "user_id,name,login_email,start_date,department\n"
            "1,Good One,one@company.example,2026-12-01,Lager\n"
            "2,Bad Date,two@company.example,2026-02-30,Lager\n"
            "3,Bad Mail,three@@company,2026-12-01,Lager\n"
            ",No Id,four@company.example,2026-12-01,Lager\n"
            "1,Same Id,five@company.example,2026-12-01,Lager\n"
            "6,Too Many,six@company.example,2026-12-01,Lager,extra,cells\n"
            "7,Same Mail,one@company.example,2026-12-01,Lager\n"
            '8,"Line\nBreak",eight@company.example,2026-12-01,Lager\n'
            "9,Good Nine,nine@company.example,2026-12-01,Lager\n",
            3)
        results = {row["line"]: row["result"] for row in rows}
        self.assertEqual(results[2], "created")
        self.assertEqual((results[3], {row["line"]: row for row in rows}[3]["column"]), ("rejected: invalid_date", "start_date"))
        self.assertEqual(results[4], "ignored: invalid_email")
        self.assertEqual({row["line"]: row for row in rows}[4]["applied"], "created")
        self.assertEqual(results[5], "rejected: user_id_missing")
        self.assertEqual(results[6], "ignored: duplicate_in_file")
        self.assertRegex(results[7], "^rejected: ")
        self.assertEqual(results[8], "ignored: duplicate_email")
        self.assertRegex(results[9], "^rejected: ")
        self.assertEqual(results[11], "created", "line numbers count lines of the file, also after a line break in a cell")
        self.assertTrue(all(row["message"] for row in rows if not row["result"] in ("created", "updated", "unchanged")))
        self.assertEqual([user["id"] for user in self.daemon.json("user", "list")["items"]], ["1", "3", "7", "9"])
        self.assertEqual(self.daemon.user("3")["login_email"], "")
        self.assertEqual(self.daemon.user("3")["department"], "Lager")

    def test_a_file_that_is_none_is_refused_as_a_whole_with_the_place(self):
        for name, data in (("empty", b""), ("no header", b"1,Anna,anna@company.example\n"), ("unknown column", b"user_id,nmae\n1,A\n"),
                           ("column twice", b"user_id,name,name\n1,A,B\n"), ("no user_id", b"name,login_email\nA,a@company.example\n"),
                           ("not UTF-8 in the header", b"user_id,n\xe4me\n1,A\n"), ("zeros", b"\x00" * 2000), ("UTF-16", "user_id,name\n1,A\n".encode("utf-16")),
                           ("a picture", b"\x89PNG\r\n\x1a\n" + b"\x00\x01\x02" * 500)):
            with self.subTest(name):
                rows, error = self.imported(data, 1)
                self.assertEqual(rows, [])
                self.assertRegex(error, r"file is empty" if not data else r"line \d+")
        self.assertEqual(self.daemon.json("user", "list")["items"], [])

    def test_a_bad_file_in_the_folder_ends_in_failed_with_a_result_and_others_are_read(self):
        folder = self.folder / "import"
        (folder / ".bad").write_bytes(b"user_id,nmae\n1,A\n")
        (folder / ".bad").rename(folder / "bad.csv")
        (self.folder / "secret.csv").write_text("user_id,name\nsecret,Through A Link\n")
        (folder / "link.csv").symlink_to(self.folder / "secret.csv")
        os.mkfifo(folder / "pipe.csv")
        (folder / ".good").write_text("user_id,name\n5,Good Five\n")
        (folder / ".good").rename(folder / "good.csv")
        self.daemon.wait_for("the good file to be read", lambda: (folder / "done" / "good.csv").exists())
        self.daemon.wait_for("the bad file to be put aside", lambda: (folder / "failed" / "bad.csv").exists())
        beside = "".join(path.read_text() for path in (folder / "failed").iterdir() if "result" in path.name)
        self.assertIn("nmae", beside)
        self.assertEqual([user["id"] for user in self.daemon.json("user", "list")["items"]], ["5"])
        self.assertTrue((self.folder / "secret.csv").exists())

    def test_a_file_that_is_still_being_written_is_not_read(self):
        folder = self.folder / "import"
        with (folder / "growing.csv").open("w") as out:
            out.write("user_id,name\n1,Half A Na")
            out.flush()
            (folder / ".other").write_text("user_id,name\n2,Whole\n")
            (folder / ".other").rename(folder / "other.csv")
            self.daemon.wait_for("the whole file to be read", lambda: (folder / "done" / "other.csv").exists())
            self.assertTrue((folder / "growing.csv").exists())
            out.write("me\n")
        self.daemon.wait_for("the file to be read when it is whole", lambda: (folder / "done" / "growing.csv").exists())
        self.assertEqual(self.daemon.user("1")["name"], "Half A Name")

    def test_many_connections_that_say_nothing_do_not_shut_others_out(self):
        host, port = self.daemon.web.rsplit(":", 1)
        silent = [socket.create_connection((host, int(port)), timeout=10) for _ in range(60)]
        try:
            self.assertEqual(self.daemon.browse("GET", "/v/nothing")[0], 404)
            self.assertEqual(self.daemon.run("status").returncode, 0)
        finally:
            for connection in silent:
                connection.close()


if __name__ == "__main__":
    unittest.main()
