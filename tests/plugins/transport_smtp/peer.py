"""A real SMTP server (aiosmtpd) for the tests: prints "PORT n" when it listens, then one JSON line per mail.

Usage: peer.py CERT KEY starttls|smtps|clear [login]
"""
import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 5.1.1 <%s>: no such user" % address
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "utf8": envelope.smtp_utf8,
            "tls": session.ssl is not None, "login": bool(session.authenticated),
            "content": base64.b64encode(envelope.original_content).decode()}), flush=True)
        return "250 2.0.0 Ok: queued as peer-1"


def authenticate(server, session, envelope, mechanism, data):
    # handled=False: aiosmtpd shall give the answer itself.
    good = (data.login, data.password) == (b"invited", b"pencil")
    return AuthResult(success=good, handled=False)


async def main():
    cert, key, mode = sys.argv[1:4]
    login = "login" in sys.argv[4:]
    context = None
    if mode != "clear":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)

    def make():
        return SMTP(Handler(), hostname="peer.example", enable_SMTPUTF8=True, loop=asyncio.get_running_loop(),
                    tls_context=context if mode == "starttls" else None, require_starttls=mode == "starttls",
                    authenticator=authenticate if login else None, auth_required=login, auth_require_tls=mode == "starttls")

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", 0, ssl=context if mode == "smtps" else None)
    print("PORT", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
