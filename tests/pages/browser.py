"""Debian's Chromium, driven by playwright-core, with axe-core and html-validate: what the tests of the pages look with.

The packages are those of package-lock.json, installed once into the build folder.
"""

import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import npm_packages  # noqa: E402

PATIENCE_S = 60  # for one answer


class Browser:
    """One Chromium for as long as this lives, with a home of its own, which ends with it."""

    def __init__(self, build):
        if shutil.which("chromium") is None:
            raise AssertionError("chromium is missing (Debian's package chromium): ./dev setup test installs it")
        packages = npm_packages.installed(HERE, build)
        self.home = tempfile.mkdtemp(prefix="invited-chromium-")
        environment = {**os.environ, "HOME": self.home, "XDG_CONFIG_HOME": self.home, "XDG_CACHE_HOME": self.home, "NO_COLOR": "1"}
        self.process = subprocess.Popen(["node", HERE / "browser.mjs", packages], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env=environment)
        try:
            self.version = self.answer()["ready"]
        except BaseException:
            self.stop()
            raise

    def answer(self):
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            raise AssertionError(f"Chromium did not answer within {PATIENCE_S} s")
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the browser's helper ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def ask(self, do, **what):
        self.process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def tab(self, **options):
        """`scripts`: as if the person had switched them off; `bypass_csp`: as a browser that minds no policy; `fresh`: on a machine where no page
        of ours was opened before."""
        return Tab(self, self.ask("open", **options)["page"])

    def validate(self, source):
        return self.ask("validate", source=source)["problems"]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)


class Tab:
    """A window. Our pages keep nothing in a browser (audit() looks), so a window may be one that another test had before."""

    def __init__(self, browser, name):
        self.browser = browser
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ask("close")

    def ask(self, do, **what):
        return self.browser.ask(do, page=self.name, **what)

    def go(self, url):
        return self.ask("go", url=url)["status"]

    def heading(self):
        return self.ask("heading")["heading"]

    def text(self):
        return self.ask("heading")["text"]

    def fill(self, field, value):
        self.ask("fill", field=field, value=value)

    def value(self, field):
        return self.ask("value", field=field)["value"]

    def press(self):
        return self.ask("press")["heading"]

    def back(self):
        """The browser's own button; the heading that stands there now."""
        return self.ask("back")["heading"]

    def reload(self):
        return self.ask("reload")["heading"]

    def audit(self, shot=None):
        return self.ask("audit", shot=str(shot) if shot else None)
