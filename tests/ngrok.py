"""A replacement for the ngrok program: it uses the same protocol with pyngrok as the agent, and forwards real requests.

Run as `ngrok start --none --log stdout [--config FILE] [--authtoken TOKEN]`. How it behaves is in `state.json` beside
it: `token` (the one accepted), `error` (said at the start, then it ends), `refuse` (status and body of POST), `old`
(knows no endpoints), `gone` (carries nothing more), `port` (of the public address).
"""

import argparse
import http.client
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

STATE = Path(sys.argv[0]).with_name("state.json")


def state():
    return json.loads(STATE.read_text())


def log(**words):
    print(" ".join(f'{name}="{value}"' if " " in str(value) else f"{name}={value}" for name, value in words.items()))
    sys.stdout.flush()


class Public(BaseHTTPRequestHandler):
    """The public address: forwards requests to the upstream, like the service."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if state().get("gone"):
            return self.tell(502, b"ERR_NGROK_8012")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        # As the service does, whatever the client claimed.
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("x-forwarded")}
        headers |= {
            "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": self.headers["Host"]
        }  # fmt: skip
        upstream.request(self.command, self.path, body, headers)
        response = upstream.getresponse()
        data = response.read()
        upstream.close()
        return self.tell(response.status, data, [
            pair for pair in response.getheaders() if pair[0].lower() not in ("content-length", "transfer-encoding")
        ])  # fmt: skip

    do_POST = do_GET  # noqa: N815

    def tell(self, status, data, headers=()):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Agent(Public):
    """The agent's own address."""

    endpoints: ClassVar = {}

    def do_GET(self):
        if state().get("old"):
            return self.tell(404 if "endpoints" in self.path else 200, b"{}")
        if self.command == "GET":
            return self.tell(200, json.dumps({"endpoints": list(self.endpoints.values())}).encode())
        if self.command == "DELETE":
            self.endpoints.pop(self.path.rsplit("/", 1)[-1], None)
            return self.tell(204, b"")
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if refusal := state().get("refuse"):
            return self.tell(*[refusal[0], refusal[1].encode()])
        public = ThreadingHTTPServer(("127.0.0.1", state().get("port", 0)), Public)
        public.upstream = urlsplit(asked["upstream"]["url"]).netloc
        threading.Thread(target=public.serve_forever, daemon=True).start()
        told = {"name": asked["name"], "url": f"http://127.0.0.1:{public.server_port}", "asked": asked}
        self.endpoints[asked["name"]] = told
        return self.tell(201, json.dumps(told).encode())

    do_POST = do_DELETE = do_GET  # noqa: N815


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["start"])
    parser.add_argument("--none", action="store_true", required=True)
    parser.add_argument("--log", choices=["stdout"], required=True)
    parser.add_argument("--config")
    parser.add_argument("--authtoken", default="")
    given = parser.parse_args()
    STATE.with_name("pid").write_text(str(os.getpid()))
    error = state().get("error")
    if not error and given.authtoken != state()["token"]:
        error = "authentication failed: The authtoken you specified is not valid. ERR_NGROK_105"
    if error:
        log(t="2026-01-01T00:00:00+0000", lvl="eror", msg="session closing", obj="tunnels.session", err=error)
        sys.exit(1)
    agent = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    log(lvl="info", msg="starting web service", obj="web", addr=f"127.0.0.1:{agent.server_port}")
    threading.Thread(target=agent.serve_forever, daemon=True).start()
    log(lvl="info", msg="tunnel session started", obj="tunnels.session")
    log(lvl="info", msg="client session established", obj="csess")
    threading.Event().wait()


if __name__ == "__main__":
    main()
