#!/usr/bin/env python3
"""The rules of the house that a compiler does not know, each with its reason.

    house_rules.py [ROOT]      check a source tree (its own without ROOT); prints path:line: what, and why it matters; exit 1 if anything is found
    house_rules.py --self-test plant one violation of each rule in a scratch tree and see it caught, and nothing else
    house_rules.py --list      the rules and their reasons
"""
import pathlib
import re
import sys
import tempfile

# Layer -> layers it may include besides itself. The order is that of the libraries: nobody names a later one.
LAYERS = {
    "core": set(),
    "model": {"core"},
    "api": {"core"},
    "config": {"core", "model"},
    "dns": {"core", "model"},
    "render": {"core", "model"},
    "store": {"core", "model"},
    "plugin": {"core", "model", "config"},
    "service": {"core", "model", "store", "render"},
    "rehearsal": {"core", "model", "store", "service"},
    "web": {"core", "model", "store", "service", "render"},
    "control": {"core", "model", "store", "service", "plugin", "api"},
    "app": {"core", "model", "api", "config", "dns", "render", "store", "plugin", "service", "rehearsal", "web", "control"},
}
CTL_MAY = {"core", "api"}

REASONS = {
    "layers": "the allow-list has no circles, so each layer can be read, tested and simulated without those above it",
    "sdk-c": "the C contract must compile for anybody: C standard headers and its own, nothing else",
    "sdk-cpp": "plugin authors have the SDK and a standard library, not this tree and not its libraries",
    "plugins": "plugins are built exactly as an outsider would build them: sdk/, their own files, system libraries",
    "clock": "only core/clock reads the time, so that tests and the simulator can move it",
    "random": "only core/random draws randomness, so that one seed replays a run",
    "sleep": "a sleep is a race with a delay: wait for the event, or let the clock be moved",
    "detached": "nothing is started that cannot be stopped and awaited",
    "co-await-choice": "g++ 12 crashes where `? :` chooses between co_awaits: write an if",
    "co-await-closure": "g++ 12 destroys such a closure twice: docs/decisions/0005-closures-in-co-await.md",
    "stdout": "layers return and log; only programs print",
    "sql": "the store is the only place that knows SQL",
    "machine-path": "a path of one machine in the tree works on that machine only",
}

# Where a rule does not hold, and why. One that is no longer needed is reported.
EXCEPTIONS = {
    ("clock", "daemon/core/clock.cpp"): "this is the clock",
    ("random", "daemon/core/random.cpp"): "this is the generator",
    ("clock", "daemon/core/sd_notify.cpp"): "systemd compares RELOADING=1 with CLOCK_MONOTONIC itself, not with our clock",
    ("detached", "daemon/plugin/own_thread.cpp"): "a plugin call that never returns cannot be stopped, only left behind",
}

SOURCE = {".c", ".h", ".cpp", ".hpp", ".cc", ".in"}
C_HEADERS = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
             "stdio.h", "stdlib.h", "string.h", "time.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

CLOCK = re.compile(r"\b(?:system_clock|steady_clock|high_resolution_clock|utc_clock)\s*::\s*now\b"
                   r"|(?<![\w.>])(?:std\s*::\s*|::\s*)?time\s*\(\s*(?:nullptr|NULL|0|&\s*\w+)\s*\)"
                   r"|\b(?:gettimeofday|clock_gettime|timespec_get)\s*\(")
PLUGIN_CLOCK = re.compile(CLOCK.pattern.replace("|steady_clock", ""))
RANDOM = re.compile(r"\brandom_device\b|\bmt19937\w*\b|(?<![\w.>])(?:std\s*::\s*|::\s*)?s?rand\s*\("
                    r"|\b(?:getrandom|getentropy|arc4random\w*|random_shuffle|RAND_bytes)\s*\(|\brandombytes_\w+")
SLEEP = re.compile(r"\bthis_thread\s*::\s*sleep_(?:for|until)\b|(?<![\w.>:])(?:std\s*::\s*|::\s*)?(?:sleep|usleep|nanosleep)\s*\(")
# A closure with captures of its own in the call that is awaited; [&] and [] are harmless.
CO_AWAIT_CHOICE = re.compile(r"\?\s*(?:[^?;{}]*:\s*)?co_await\b")
CO_AWAIT_CLOSURE = re.compile(r"co_await (?!\[&\])[^;{}]*[(,]\s*\[(?!&?\])[^\[\]]+\]\s*[({]")
DETACHED = re.compile(r"\bdetached\b|\.\s*detach\s*\(\s*\)")
STDOUT = re.compile(r"\bstd\s*::\s*cout\b|(?<![\w.>])(?:std\s*::\s*|::\s*)?(?:printf|puts|putchar)\s*\(|\bfmt\s*::\s*print\s*\(")
SQL = re.compile(r"\bSELECT\s[^;]*?\bFROM\b|\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b"
                 r"|\bCREATE\s+(?:UNIQUE\s+)?(?:TABLE|INDEX)\b", re.I | re.S)
MACHINE_PATH = re.compile(r"(?<![\w.:/}>])/(?:wor" + r"k|hom" + r"e|Use" + r"rs)/\w")
# Tests invent people, and those have homes.
TEST_MACHINE_PATH = re.compile(r"(?<![\w.:/}>])/wor" + r"k/\w")

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """(code without comments and literals, literals only), both with every character at its place."""
    code, literals, at = [], [], 0
    for match in TOKEN.finditer(text):
        # 1'000'000 is a number.
        if match.group().startswith("'") and match.start() and text[match.start() - 1].isalnum():
            continue
        code.append(text[at:match.start()])
        literals.append(blank(text[at:match.start()]))
        is_comment = match.group().startswith(("//", "/*"))
        code.append(blank(match.group()))
        literals.append(blank(match.group()) if is_comment else match.group())
        at = match.end()
    code.append(text[at:])
    literals.append(blank(text[at:]))
    return "".join(code), "".join(literals)


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.found = []

    def report(self, rule, path, line, what):
        self.found.append((str(path.relative_to(self.root)), line, rule, what))

    def search(self, rule, path, text, pattern, what):
        for match in pattern.finditer(text):
            shown = " ".join(match.group().split())
            self.report(rule, path, text.count("\n", 0, match.start()) + 1, what.format(shown))

    def files(self, folder, suffixes=SOURCE):
        base = self.root / folder
        for path in sorted(base.rglob("*")) if base.is_dir() else []:
            if path.is_file() and path.suffix in suffixes:
                yield path

    def includes(self, path):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1) == '"', match.group(2)

    def check_layer(self, path, layer, may):
        for line, quoted, name in self.includes(path):
            first = name.split("/")[0]
            if ".." in name.split("/"):
                self.report("layers", path, line, f'"{name}": includes are written from daemon/, never with ..')
            elif first in LAYERS and "/" in name:
                if first != layer and first not in may:
                    allowed = ", ".join(sorted(may)) or "nothing of ours"
                    self.report("layers", path, line, f"{layer} may not include {name} (it may include: {allowed})")
            elif name.startswith("invited/cpp/"):
                self.report("layers", path, line, f"{name}: the C++ SDK is for plugins")
            elif name.startswith("invited/") and layer != "plugin":
                self.report("layers", path, line, f"{name}: only the layer plugin knows the C contract")
            elif quoted and first in {"support", "tests"}:
                self.report("layers", path, line, f"{name}: nothing includes tests")

    def check_code(self, path, code, clock):
        self.search("clock", path, code, clock, "{} reads the time")
        self.search("random", path, code, RANDOM, "{} draws randomness")
        self.search("sleep", path, code, SLEEP, "{} sleeps")
        self.search("detached", path, code, DETACHED, "{}")
        self.search("co-await-closure", path, code, CO_AWAIT_CLOSURE, "{}")
        self.search("co-await-choice", path, code, CO_AWAIT_CHOICE, "{}")

    def daemon(self):
        for path in self.files("daemon"):
            relative = path.relative_to(self.root / "daemon")
            layer = relative.parts[0]
            if layer not in LAYERS:
                self.report("layers", path, 1, f"daemon/{layer} is not a layer that this test knows")
                continue
            self.check_layer(path, layer, LAYERS[layer])
            code, literals = split(path.read_text(errors="replace"))
            self.check_code(path, code, CLOCK)
            if layer != "app":
                self.search("stdout", path, code, STDOUT, "{} prints")
            if layer != "store":
                self.search("sql", path, literals, SQL, "SQL: {}")

    def ctl(self):
        for path in self.files("ctl"):
            self.check_layer(path, "ctl", CTL_MAY)
            code, literals = split(path.read_text(errors="replace"))
            self.check_code(path, code, CLOCK)
            self.search("sql", path, literals, SQL, "SQL: {}")

    def sdk(self):
        for path in self.files("sdk/include"):
            for line, quoted, name in self.includes(path):
                ours = name.startswith("invited/") or quoted and (path.parent / name).is_file()
                if path.suffix == ".h":
                    if not (ours and not name.endswith(".hpp")) and name not in C_HEADERS:
                        self.report("sdk-c", path, line, f"{name} is neither C standard nor part of the contract")
                elif not ours and ("/" in name or quoted or name.endswith(".h") and name not in C_HEADERS):
                    self.report("sdk-cpp", path, line, f"{name} is neither C++ standard nor part of the SDK")

    def plugins(self):
        for path in self.files("plugins"):
            own = self.root / "plugins" / path.relative_to(self.root / "plugins").parts[0]
            for line, quoted, name in self.includes(path):
                inside = [base / name for base in (path.parent, own)]
                resolved = [p for p in inside if p.is_file()]
                in_own = any(own.resolve() in p.resolve().parents for p in resolved)
                if name.startswith("invited/") or in_own:
                    continue
                if quoted or (self.root / "daemon" / name).is_file() or (self.root / "tests" / name).is_file():
                    self.report("plugins", path, line, f"{name} is neither the SDK, nor a file of this plugin, nor a system library")
            code, _ = split(path.read_text(errors="replace"))
            self.check_code(path, code, PLUGIN_CLOCK)

    def tests(self):
        for path in self.files("tests"):
            code, _ = split(path.read_text(errors="replace"))
            self.search("sleep", path, code, SLEEP, "{} sleeps")

    def paths(self):
        for folder in ("cmake", "config", "ctl", "daemon", "docs", "plugins", "sdk", "systemd", "tests", "bench"):
            for path in self.files(folder, SOURCE | {".md", ".txt", ".cmake", ".py", ".sh", ".yaml", ".json", ".tpl", ".po"}):
                pattern = TEST_MACHINE_PATH if folder == "tests" else MACHINE_PATH
                self.search("machine-path", path, path.read_text(errors="replace"), pattern, "{}…")

    def run(self):
        for part in (self.daemon, self.ctl, self.sdk, self.plugins, self.tests, self.paths):
            part()
        kept = [finding for finding in self.found if (finding[2], finding[0]) not in EXCEPTIONS]
        used = {(finding[2], finding[0]) for finding in self.found}
        for rule, name in EXCEPTIONS.keys() - used:
            if (self.root / name).is_file():
                kept.append((name, 1, rule, "the exception for this file is not needed any more; remove it"))
        return sorted(kept)


def circles():
    """Layers that can reach themselves through the allow-list."""
    def reach(layer, seen):
        for below in LAYERS[layer]:
            if below not in seen:
                seen.add(below)
                reach(below, seen)
        return seen
    return [layer for layer in LAYERS if layer in reach(layer, set())]


def show(found):
    for path, line, rule, what in found:
        print(f"{path}:{line}: [{rule}] {what}\n    because {REASONS[rule]}")


# Good neighbours: each comes close to a rule and must not be caught.
CLEAN = {
    "daemon/core/clock.cpp": "#include \"core/clock.hpp\"\nauto n = std::chrono::system_clock::now();\n",
    "daemon/core/random.cpp": "void f() { randombytes_buf(p, n); }\n",
    "daemon/model/user.cpp": "#include \"core/result.hpp\"\n#include <time.h>\n// std::random_device, sleep(1), detached, system_clock::now()\n"
                             "const char* s = \"std::cout << time(nullptr)\";\nint x = 1'000'000; char c = '\"'; int y = lifetime(0);\n"
                             "auto t = clock.time(0); co_await clock.sleep_for(pause);\n",
    "daemon/store/rows.cpp": "#include \"model/user.hpp\"\nauto q = R\"(SELECT id FROM users)\";\n",
    "daemon/control/words.cpp": "auto text = \"Select one of the users, then update it\"; // DELETE FROM users\n",
    "daemon/plugin/load.cpp": "#include <invited/abi.h>\n#include \"config/config.hpp\"\n",
    "daemon/app/main.cpp": "#include \"web/server.hpp\"\nvoid f() { std::cout << 1; }\n",
    "ctl/main.cpp": "#include \"api/commands.hpp\"\nvoid f() { std::cout << 1; }\n",
    "sdk/include/invited/abi.h": "#include <stdint.h>\n",
    "sdk/include/invited/cpp/module.hpp": "#include <string>\n#include <invited/abi.h>\n",
    "plugins/smtp/smtp.cpp": "#include <invited/cpp/module.hpp>\n#include \"reply.hpp\"\n#include <boost/asio.hpp>\n"
                             "auto n = std::chrono::steady_clock::now();\n",
    "plugins/smtp/reply.hpp": "#include <string>\n",
    "tests/model/user_test.cpp": "#include \"support/manual_clock.hpp\"\nauto n = std::chrono::system_clock::now();\n"
                                "auto p = \"/hom" + "e/anna/people.csv\";\n",
    "systemd/note.txt": "ProtectHome, /etc/invited, https://example.com/work/it\n",
}

# (rule, file, line it must be found in, text)
PLANTED = [
    ("layers", "daemon/model/a.cpp", 1, "#include \"store/store.hpp\"\n"),
    ("layers", "daemon/config/a.cpp", 2, "#include \"model/user.hpp\"\n#include \"service/intake.hpp\"\n"),
    ("layers", "daemon/service/a.cpp", 1, "#include \"plugin/host.hpp\"\n"),
    ("layers", "daemon/control/a.cpp", 1, "#include <web/server.hpp>\n"),
    ("layers", "daemon/core/a.cpp", 1, "#include \"../model/user.hpp\"\n"),
    ("layers", "daemon/service/b.cpp", 1, "#include <invited/abi.h>\n"),
    ("layers", "daemon/plugin/b.cpp", 1, "#include <invited/cpp/module.hpp>\n"),
    ("layers", "daemon/core/c.cpp", 1, "#include \"support/manual_clock.hpp\"\n"),
    ("layers", "daemon/extra/a.cpp", 1, "int x;\n"),
    ("layers", "ctl/a.cpp", 1, "#include \"store/store.hpp\"\n"),
    ("sdk-c", "sdk/include/invited/a.h", 1, "#include <sys/socket.h>\n"),
    ("sdk-c", "sdk/include/invited/b.h", 1, "#include <invited/cpp/module.hpp>\n"),
    ("sdk-cpp", "sdk/include/invited/cpp/a.hpp", 1, "#include <boost/json.hpp>\n"),
    ("sdk-cpp", "sdk/include/invited/cpp/b.hpp", 1, "#include \"core/log.hpp\"\n"),
    ("plugins", "plugins/smtp/a.cpp", 1, "#include \"core/log.hpp\"\n"),
    ("plugins", "plugins/smtp/b.cpp", 1, "#include \"../manual/manual.hpp\"\n"),
    ("plugins", "plugins/smtp/c.cpp", 1, "#include <core/clock.cpp>\n"),
    ("clock", "daemon/service/c.cpp", 2, "/* it is\n */ auto n = std::chrono::system_clock::now();\n"),
    ("clock", "daemon/web/a.cpp", 1, "auto n = std::chrono::steady_clock::now();\n"),
    ("clock", "daemon/store/a.cpp", 1, "auto n = std::time(nullptr);\n"),
    ("clock", "daemon/store/b.cpp", 1, "auto n = time(0);\n"),
    ("clock", "ctl/b.cpp", 1, "gettimeofday(&tv, nullptr);\n"),
    ("clock", "plugins/smtp/d.cpp", 1, "auto n = std::chrono::system_clock::now();\n"),
    ("random", "daemon/service/d.cpp", 1, "std::random_device d;\n"),
    ("random", "daemon/service/e.cpp", 1, "int r = rand();\n"),
    ("random", "daemon/core/token.cpp", 1, "randombytes_buf(p, n);\n"),
    ("random", "plugins/smtp/e.cpp", 1, "getrandom(p, n, 0);\n"),
    ("sleep", "tests/model/a.cpp", 1, "std::this_thread::sleep_for(1s);\n"),
    ("sleep", "tests/model/b.cpp", 1, "sleep(1);\n"),
    ("sleep", "daemon/app/a.cpp", 1, "::usleep(10);\n"),
    ("co-await-closure", "daemon/web/e.cpp", 1, "auto x = co_await store_.read([key](Db& db) { return 1; });\n"),
    ("co-await-choice", "daemon/web/h.cpp", 1, "auto x = dry ? co_await a() : co_await b();\n"),
    ("co-await-choice", "daemon/web/i.cpp", 1, "auto x = dry ? 0\n : co_await b();\n"),
    ("detached", "daemon/web/b.cpp", 1, "asio::co_spawn(e, f(), asio::detached);\n"),
    ("detached", "daemon/web/c.cpp", 1, "std::thread(f).detach();\n"),
    ("stdout", "daemon/service/f.cpp", 1, "std::cout << 1;\n"),
    ("stdout", "daemon/core/d.cpp", 1, "std::printf(\"x\");\n"),
    ("sql", "daemon/service/g.cpp", 1, "auto q = \"SELECT id FROM users\";\n"),
    ("sql", "daemon/control/b.cpp", 2, "auto q = R\"(\n  update users set name = 1)\";\n"),
    ("sql", "ctl/c.cpp", 1, "auto q = \"delete from users\";\n"),
    ("detached", "daemon/plugin/own_thread.cpp", 1, "// an exception that is not needed\n"),
    ("machine-path", "tests/model/c.cpp", 1, "auto p = \"/wor" + "k/tree\";\n"),
    ("machine-path", "docs/a.md", 1, "see /hom" + "e/someone/notes\n"),
]


def write(root, name, text):
    path = pathlib.Path(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def self_test():
    failures = [f"the allow-list has a circle at {layer}" for layer in circles()]
    with tempfile.TemporaryDirectory() as root:
        for name, text in CLEAN.items():
            write(root, name, text)
        for path, line, rule, what in Checker(root).run():
            failures.append(f"caught though it is good: {path}:{line}: [{rule}] {what}")
        for rule, name, line, text in PLANTED:
            path = write(root, name, text)
            caught = [(r, p, n) for p, n, r, _ in Checker(root).run() if p == name]
            if caught != [(rule, name, line)]:
                failures.append(f"planted [{rule}] at {name}:{line}, caught {caught or 'nothing'}")
            path.unlink()
    failures += [f"no violation is planted for [{rule}]" for rule in REASONS if rule not in {p[0] for p in PLANTED}]
    for failure in failures:
        print(failure)
    print(f"{len(PLANTED)} planted violations of {len(REASONS)} rules, {len(failures)} failures")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if arguments == ["--list"]:
        for rule, reason in REASONS.items():
            print(f"{rule:13} {reason}")
        for (rule, name), reason in EXCEPTIONS.items():
            print(f"{rule:13} except in {name}: {reason}")
        return 0
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__)
        return 2
    found = Checker(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2]).run()
    show(found)
    print(f"{len(REASONS)} rules, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
