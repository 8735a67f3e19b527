"""Debian's Chromium, driven by playwright-core, with axe-core and html-validate: what the tests of the pages look with.

The packages are those of package-lock.json, installed once into the build folder.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def npm_folder(build):
    """Where the packages are; installs them if they are not those of the lock file."""
    for program, package in (("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")):
        if shutil.which(program) is None:
            raise AssertionError(f"{program} is missing (Debian's package {package}): ./dev setup test installs it")
    folder = build / "npm-pages"
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json"))).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"npm ci fails:\n{done.stdout}{done.stderr}")
    stamp.write_text(wanted)
    return folder


class Browser:
    """One Chromium for as long as this lives."""

    def __init__(self, build):
        environment = {**os.environ, "NO_COLOR": "1"}
        self.process = subprocess.Popen(["node", HERE / "browser.mjs", npm_folder(build)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.version = self.answer()["ready"]

    def answer(self):
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


class Tab:
    """A window of its own: no cookie, no cache, no history is shared with another."""

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

    def audit(self, shot=None):
        return self.ask("audit", shot=str(shot) if shot else None)
