"""Packages from npm that a test needs: those of its package-lock.json, installed once into the build folder."""

import hashlib
import pathlib
import shutil
import subprocess


def installed(source, build):
    """The folder under `build` with the packages of `source`/package-lock.json; installs them if they are not those."""
    source, build = pathlib.Path(source), pathlib.Path(build)
    for program, package in (("node", "nodejs"), ("npm", "npm")):
        if shutil.which(program) is None:
            raise AssertionError(f"{program} is missing (Debian's package {package}): ./dev setup test installs it")
    folder = build / f"npm-{source.name}"
    names = ("package.json", "package-lock.json")
    wanted = hashlib.sha256(b"".join((source / name).read_bytes() for name in names)).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(source / name, folder)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"npm ci fails:\n{done.stdout}{done.stderr}")
    stamp.write_text(wanted)
    return folder
