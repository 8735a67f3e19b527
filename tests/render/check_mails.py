"""Reads every mail that write_mails makes with Python's email package and compares it with what was meant.

usage: check_mails.py WRITE_MAILS FOLDER
"""
import email
import email.header
import email.policy
import email.utils
import html.parser
import json
import pathlib
import shutil
import subprocess
import sys
import traceback

HEADERS = sorted(["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version",
                  "Content-Type"])
SUBJECT = {"sv": "Bekräfta din e-postadress för {}", "en": "Confirm your email address for {}"}


class Html(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.tags, self.text = [], set(), ""

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("href", "src", "action")]

    def handle_data(self, data):
        self.text += data


def display_name(raw):
    # The newer parser of Python 3.11 keeps the blanks between encoded words, against RFC 2047; the older one is right.
    header = email.message_from_bytes(raw)["To"]
    ((name, _),) = email.utils.getaddresses([str(header).replace("\r\n", "")])
    return str(email.header.make_header(email.header.decode_header(name))).strip()


def check(path):
    raw = path.read_bytes()
    want = json.loads(path.with_suffix(".json").read_text())
    lines = raw.split(b"\r\n")
    assert lines[-1] == b"" and not any(b"\r" in line or b"\n" in line for line in lines), "line ends"
    assert max(map(len, lines)) <= 998, "line too long"
    assert want["eight_bit"] == any(byte > 127 for byte in raw), "eight_bit"
    assert want["eight_bit"] == want["needs_smtputf8"]

    message = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
    for part in message.walk():
        assert not part.defects, part.defects
        for name, value in part.items():
            assert not value.defects or want["needs_smtputf8"], (name, value.defects)
    assert sorted(message.keys()) == HEADERS, message.keys()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == want["locale"]
    assert message["Message-ID"] == want["message_id"]
    assert message["Date"].datetime.isoformat() == "2026-10-23T09:00:05+02:00"
    shown = lambda text: text.replace("=?", "= ?")
    assert message["Subject"] == SUBJECT[want["locale"]].format(shown(want["organisation"])), message["Subject"]
    (to,) = message["To"].addresses
    assert display_name(raw) == shown(want["name"]), (display_name(raw), want["name"])
    # Python keeps bytes above 127 of a header as surrogates; decode them for the comparison.
    spec = to.addr_spec.encode("utf-8", "surrogateescape").decode()
    assert spec == want["envelope_to"], spec

    assert message.get_content_type() == "multipart/alternative"
    text, page = message.iter_parts()
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    body = text.get_content()
    assert want["link"] in body.splitlines(), "link alone on its line"
    assert want["last_day"] in " ".join(body.split())
    assert want["name"] in " ".join(body.split()), body
    assert all(len(line) <= 70 or " " not in line.strip() or "x" * 50 in line for line in body.splitlines()), body

    parsed = Html()
    parsed.feed(page.get_content())
    parsed.close()
    assert parsed.links == [want["link"]] * 2, parsed.links
    assert not parsed.tags & {"script", "img", "iframe", "object", "form", "link"}, parsed.tags
    assert want["name"] in parsed.text and want["last_day"] in parsed.text, parsed.text


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([program, folder], check=True, timeout=30)
    mails = sorted(folder.glob("*.eml"))
    failed = 0
    for path in mails:
        try:
            check(path)
        except Exception as error:
            failed += 1
            print(f"{path}:{traceback.extract_tb(error.__traceback__)[-1].lineno}: {type(error).__name__}: {error}")
    print(f"{len(mails)} mails, {failed} not as meant")
    sys.exit(failed > 0 or len(mails) < 100)


main()
