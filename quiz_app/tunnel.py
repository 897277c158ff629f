"""A tunnel from the internet to this machine with ngrok: opened, checked, watched, and reopened when it drops.

ngrok's agent runs here and forwards requests to the public address, with X-Forwarded headers: it is the only trusted
proxy. A problem with the tunnel never stops the local server; it is reported in one sentence, with the next step.
"""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx
import segno

from quiz_app.settings import Settings
from quiz_app.version import __version__

if TYPE_CHECKING:
    from pyngrok.conf import PyngrokConfig

WATCH_S = 10.0
START_S = 15.0
MOST_WAIT_S = 60.0
# On free accounts, ngrok shows browsers a warning page. A request with this header skips it, but only a program can
# send one: https://ngrok.com/docs/pricing-limits/free-plan-limits
SKIP_WARNING = {"ngrok-skip-browser-warning": "1"}
WARNING_NOTE = (
    "With a free ngrok account, each reader first sees a warning page from ngrok and must press 'Visit Site'; a link "
    "cannot skip it. Paid accounts do not show it."
)
# https://ngrok.com/docs/errors/
SENTENCES = {
    "ERR_NGROK_4018": "ngrok needs a token: copy yours from https://dashboard.ngrok.com and set DISCERN_NGROK_TOKEN.",
    "ERR_NGROK_105": "ngrok does not accept the token: copy it again from https://dashboard.ngrok.com.",
    "ERR_NGROK_107": "ngrok says the token was withdrawn: copy a new one from https://dashboard.ngrok.com.",
    "ERR_NGROK_108": "ngrok is running elsewhere with this account: stop it there, or use another account.",
    "ERR_NGROK_121": "This ngrok is too old for the service: run 'ngrok update'.",
    "ERR_NGROK_319": "ngrok_domain is not reserved for this account: reserve it at https://dashboard.ngrok.com.",
    "ERR_NGROK_320": "ngrok_domain belongs to another account: reserve one at https://dashboard.ngrok.com.",
    "ERR_NGROK_334": "ngrok_domain is in use by another tunnel: stop that one.",
}


class TunnelError(Exception):
    """The tunnel could not be opened; the message says why, and what to do next."""


class Tunnel:
    """A tunnel to `http://127.0.0.1:port`. `paths` are links shown with each public address, by description."""

    def __init__(
        self, settings: Settings, port: int, paths: dict[str, str], say: Callable[[str], None] = print,
        watch_s: float = WATCH_S,
    ) -> None:  # fmt: skip
        self.settings, self.port, self.paths, self.say, self.watch_s = settings, port, paths, say, watch_s
        self.address = ""  # the public address when last opened
        self._config: PyngrokConfig | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_open, name="tunnel", daemon=True)

    def start(self) -> None:
        """Open the tunnel and keep it open while the server runs."""
        self.settings.tunnel_address.unlink(missing_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it for good."""
        self._stopping.set()
        self._close()
        self._thread.join(timeout=5)
        self.settings.tunnel_address.unlink(missing_ok=True)

    def _keep_open(self) -> None:
        wait, said = self.watch_s, ""
        while not self._stopping.is_set():
            try:
                self._open()
                wait, said = self.watch_s, ""
                self._watch()
            except TunnelError as error:
                if str(error) != said:  # say it once, however often it is tried
                    self.say(
                        f"No tunnel: {error} The server on this machine keeps running; the tunnel will be tried again."
                    )
                said = str(error)
                self._close()
                self._stopping.wait(wait)
                wait = min(2 * wait, MOST_WAIT_S)

    def _open(self) -> None:
        """Open and check the tunnel, and print its address. Raises TunnelError."""
        ngrok = self._ngrok()
        silent = threading.Timer(START_S, self._end_silent)
        silent.start()
        options = {"url": f"https://{self.settings.ngrok_domain}"} if self.settings.ngrok_domain else {}
        try:
            opened = ngrok.connect(str(self.port), "http", pyngrok_config=self._config, **options)
        except Exception as error:  # pyngrok does not catch what urllib, the shell or the YAML reader raise
            raise TunnelError(sentence(error)) from error
        finally:
            silent.cancel()
        address = str(opened.public_url).rstrip("/")
        if not self._answers(address):
            raise TunnelError(f"{address} was opened, but does not lead here; check https://status.ngrok.com.")
        self.settings.tunnel_address.write_text(address, "utf-8")
        self._tell(address)

    def _end_silent(self) -> None:
        """End an ngrok process that prints nothing: pyngrok waits for its next line forever, holding its lock."""
        from pyngrok import process

        if self._config is not None and (running := process._current_processes.get(self._config.ngrok_path)):
            running.proc.kill()

    def _ngrok(self) -> Any:
        try:
            from pyngrok import conf, ngrok
        except ImportError:
            raise TunnelError("pyngrok is not installed: run pip install 'discern[tunnel]'.") from None
        if self._config is None:
            path = self.settings.ngrok_path or shutil.which("ngrok")
            if path and not Path(path).is_file():
                raise TunnelError(f"ngrok_path: there is no program at {path}; correct it, or leave it empty.")
            token = self.settings.ngrok_token or None
            # If we have a token, ignore ngrok's own configuration, which may contain another one.
            config = str(self.settings.instance / "ngrok.yml") if token else None
            self._config = conf.PyngrokConfig(ngrok_path=path, auth_token=token, config_path=config)
        return ngrok

    def _tell(self, address: str) -> None:
        if self.address and address == self.address:
            self.say(f"The tunnel is open again at the same address: {address}")
            return
        if self.address:
            self.say(
                f"The tunnel is open again at a NEW address: {address}\n"
                f"Links that begin with {self.address} no longer work. The rest of each link is still valid: "
                "send every reader the link with the new address."
            )
        else:
            self.say(f"The tunnel is open: {address}")
        self.address = address
        for name, path in self.paths.items():
            self.say(f"{name}: {address}{path}")
            self.say(_qr_code(f"{address}{path}"))
        if not self.settings.tunnel_researcher:
            self.say("The researcher's pages can only be reached from this machine (setting tunnel_researcher).")
        self.say(WARNING_NOTE)

    def _watch(self) -> None:
        """Return, so that the tunnel is reopened, when it has failed twice in a row, or at once if ngrok has ended."""
        from pyngrok import process

        failed = 0
        while not self._stopping.wait(self.watch_s):
            running = self._config is not None and process.is_process_running(self._config.ngrok_path)
            failed = 0 if running and self._answers(self.address) else failed + 1
            if failed == 2 or not running:
                self.say("The tunnel has dropped; reopening it ...")
                self._close()
                return

    def _answers(self, address: str) -> bool:
        """Whether this application answers at the public address."""
        try:
            told = httpx.get(f"{address}/healthz", headers=SKIP_WARNING, timeout=10).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return False
        return isinstance(told, dict) and told.get("version") == __version__

    def _close(self) -> None:
        if self._config is not None:
            from pyngrok import process

            process.kill_process(self._config.ngrok_path)


def sentence(error: Exception) -> str:
    """What went wrong with ngrok, and what to do next."""
    from pyngrok import exception

    words = " ".join([str(error), str(getattr(error, "ngrok_error", "")), str(getattr(error, "body", ""))])
    for code, said in SENTENCES.items():
        if code in words.replace(",", " ").replace(".", " ").replace('"', " ").replace("\n", " ").split():
            return said
    if isinstance(error, exception.PyngrokNgrokInstallError):
        return (
            "ngrok is not installed and could not be downloaded: install it from https://ngrok.com and set ngrok_path."
        )
    if isinstance(error, exception.PyngrokNgrokHTTPError) and error.status_code == 404:
        return "This ngrok is too old for pyngrok: run 'ngrok update'."
    if "unable to start" in words:
        return f"ngrok was not ready after {START_S:g} s; it may be too old: run 'ngrok update'."
    if "failed to dial" in words or "no such host" in words:
        return "ngrok cannot reach its service: is this machine connected to the internet?"
    if isinstance(error, PermissionError):
        return f"{error.filename} cannot be run: make it executable."
    return f"ngrok said: {str(error).strip().splitlines()[0]}"


def _qr_code(link: str) -> str:
    out = io.StringIO()
    segno.make(link).terminal(out, compact=True)
    return out.getvalue()


class OnlyHere:
    """Restricts the researcher's pages and the metrics to this machine: through the tunnel they are not found.

    Requests through the tunnel have a header that ngrok adds and no client can remove, and use the tunnel's host name;
    either is enough to recognise them.
    """

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self.app, self.settings = app, settings

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = self.settings.reached_at.partition("://")[2]
        through = "HTTP_X_FORWARDED_FOR" in environ or (name and environ.get("HTTP_HOST") == name)
        if through and environ.get("PATH_INFO", "").strip("/").partition("/")[0] in ("", "researcher", "metrics"):
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"There is nothing here. Please use the link that you were sent.\n"]
        return self.app(environ, start_response)
