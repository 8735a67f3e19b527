"""What a plugin of somebody else does to the whole daemon: its routes, its beginning."""

import socket
import unittest

import harness

SPECIMENS = harness.BUILD / "tests" / "specimens"


class Plugins(harness.Case):
    def with_route(self, **more):
        return self.new_daemon(plugin_dirs=f'plugin_dirs: ["{harness.PLUGINS}", "{SPECIMENS}"]',
                               sources="sources:\n  - {name: manual, plugin: manual}\n"
                                       "  - {name: pushed, plugin: good_source, config: {route: /hr, count: 0}}", **more)

    def test_what_is_pushed_over_a_route_shows_in_log_and_status(self):
        daemon = self.with_route().start()
        connection = harness.http.client.HTTPConnection(daemon.web, timeout=60)
        self.addCleanup(connection.close)

        def post(body):
            connection.request("POST", "/hr/people", body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

        status, headers, body = post("anna")
        self.assertEqual((status, body, headers["Content-Type"]), (201, "/hr/people\n", "text/plain"))
        self.assertEqual(post("x" * 5000)[0], 201, "more than a page's form may carry")
        pushed = [one for one in daemon.json("source", "list")["items"] if one["name"] == "pushed"]
        self.assertIn("2 rows since the start", str(pushed))
        log = daemon.log_file.read_text()
        self.assertEqual(log.count("source.fetched Pushed records applied source=pushed rows=1"), 2)
        self.assertRegex(log, r"source\.row_refused .*source=pushed")

    def test_the_service_manager_is_asked_for_time_before_the_daemon_is_ready(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.folder / "notify"))
            manager.settimeout(30)
            self.with_route(environment={"NOTIFY_SOCKET": str(self.folder / "notify")}).start()
            self.assertEqual(manager.recv(4096), b"EXTEND_TIMEOUT_USEC=60000000")
            self.assertTrue(manager.recv(4096).startswith(b"READY=1"))


if __name__ == "__main__":
    unittest.main()
