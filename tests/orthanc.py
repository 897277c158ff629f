"""A real archive for tests: Orthanc with its DICOMweb plug-in, on its own ports and folder, and a line to it."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pydicom

from tests.conftest import missing
from tests.server import free_port
from tests.uploads import dicom

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextmanager
def archive(folder: Path) -> Iterator[str]:
    """The address of its DICOMweb; the user is `reader`, the password `secret`."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if not program or not PLUGIN.exists():
        missing("Orthanc with its DICOMweb plug-in")
    port = free_port()
    settings = {
        "Name": "tests", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": port, "DicomPort": free_port(), "RemoteAccessAllowed": False, "AuthenticationEnabled": True,
        "RegisteredUsers": {"reader": "secret"}, "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/system", auth=("reader", "secret")).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait()


def store(address: str, data: bytes) -> None:
    """Put a DICOM file into the archive."""
    url = address.replace("/dicom-web", "/instances")
    httpx.post(url, content=data, auth=("reader", "secret"), timeout=30).raise_for_status()


class Line:
    """A line to an archive, on which every request waits for `delay` seconds, and which can be cut and mended."""

    def __init__(self, address: str, delay: float = 0.0) -> None:
        self.to, self.port = httpx.URL(address), free_port()
        self.address = str(self.to.copy_with(port=self.port))
        self.delay = delay
        self.open: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        self.door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._let_in, args=[self.door], daemon=True).start()

    def cut(self) -> None:
        for one in (self.door, *self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # ends the thread that waits for it
            one.close()
        self.open = []

    def _let_in(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = door.accept()
                there = socket.create_connection((self.to.host, self.to.port))
                self.open += [here, there]
                threading.Thread(target=self._carry, args=[here, there, True], daemon=True).start()
                threading.Thread(target=self._carry, args=[there, here, False], daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if asking:
                    time.sleep(self.delay)
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def store_study(address: str, number: int, images: int = 1, **fields: str) -> None:
    """Put a study of different images into the archive; `fields` are those of its header, such as Modality."""
    for image in range(1, images + 1):
        data = pydicom.dcmread(io.BytesIO(dicom(100 * number + image)))
        for name, value in fields.items():
            setattr(data, name, value)
        data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.1.{image}"
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        store(address, buffer.getvalue())
