#!/usr/bin/env python3
"""The unit files as systemd itself judges them.

    units.py SERVICE SOCKET SYSUSERS CATALOGUE    the files as configured by the build

Checks: `systemd-analyze verify` is silent, the exposure is at most 1.5 of 10, sysusers and the journal accept their
files, and each check fails on a copy with a planted fault. Exit 77 (skipped) where systemd-analyze is not installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

THRESHOLD = 15  # tenths; redis, the best of Debian's network daemons, has 12


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).strip()


def verify(folder):
    code, said = run("systemd-analyze", "verify", str(folder / "invited.service"), str(folder / "invited.socket"))
    # Other units of this machine may have faults of their own.
    ours = [line for line in said.splitlines() if "invited" in line]
    return (code == 0 and not ours), said


def exposure(folder):
    code, said = run("systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager",
                     str(folder / "invited.service"))
    return code == 0, said.splitlines()[-1] if said else "no answer"


def sysusers(folder):
    code, said = run("systemd-sysusers", "--dry-run", f"--root={folder}", str(folder / "invited.sysusers"))
    return code == 0 and "Failed" not in said, said


def catalogue(folder):
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "usr/lib/systemd/catalog").mkdir(parents=True)
    (root / "var/lib/systemd/catalog").mkdir(parents=True)
    text = (folder / "invited.catalog").read_text()
    (root / "usr/lib/systemd/catalog/invited.catalog").write_text(text)
    code, said = run("journalctl", f"--root={root}", "--update-catalog")
    if code != 0:
        return False, said
    code, listed = run("journalctl", f"--root={root}", "--list-catalog")
    return code == 0 and len(listed.splitlines()) == len(re.findall(r"^-- ", text, re.M)), listed


CHECKS = {
    "systemd-analyze verify": (verify, "invited.service", lambda t: t.replace("WatchdogSec=30s", "WatchdogSecs=30s")),
    "systemd-analyze verify, socket": (verify, "invited.socket", lambda t: t.replace("ListenStream=/run", "ListenStream=run")),
    "systemd-analyze security": (exposure, "invited.service", lambda t: t.replace("ProtectSystem=strict\n", "")
                                 .replace("PrivateDevices=yes\n", "").replace("RestrictNamespaces=yes\n", "")),
    "systemd-sysusers": (sysusers, "invited.sysusers", lambda t: t.replace("g invited-admin -", "x invited-admin -")),
    "journalctl --update-catalog": (catalogue, "invited.catalog", lambda t: t + "\n-- 12\nSubject: too short an id\n\nText\n"),
}


def main(arguments):
    if shutil.which("systemd-analyze") is None:
        print("skipped: systemd-analyze is not installed")
        return 77
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, target in zip(arguments, ("invited.service", "invited.socket", "invited.sysusers", "invited.catalog")):
            text = pathlib.Path(file).read_text()
            # The daemon need not be installed for its unit to be judged.
            (folder / target).write_text(re.sub(r"(?<==)[^=\s]+/sbin/invited(?= --)", "/usr/bin/true", text))
        for title, (check, target, plant) in CHECKS.items():
            good, said = check(folder)
            text = (folder / target).read_text()
            planted = plant(text)
            (folder / target).write_text(planted)
            caught = planted != text and not check(folder)[0]
            (folder / target).write_text(text)
            if good and caught:
                print(f"good: {title}")
                continue
            failures += 1
            print(f"FAILED: {title}: " + (said if not good else "a planted fault is not caught"))
        print(exposure(folder)[1])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
