"""Radiographs come from an archive over DICOMweb, by query, with resume and a limit; tested against a real Orthanc."""

import io
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pydicom
import pytest

from generation import corpus, pacs, radiographs
from generation.__main__ import main
from generation.errors import InputError
from generation.pacs import Archive, Query, fetch, find
from tests import orthanc
from tests.generation.test_dicom import GREY, dataset
from tests.server import free_port

STUDIES = [  # modality, date, description, images
    ("PX", "20240105", "Panoramic adult", 2),
    ("PX", "20250301", "Panoramic child", 1),
    ("DX", "20240106", "Chest", 1),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with orthanc.archive(tmp_path_factory.mktemp("orthanc")) as url:
        for number, (modality, date, description, count) in enumerate(STUDIES):
            for image in range(count):
                pixels = np.roll(GREY, 17 * (3 * number + image), axis=1)
                data = dataset(pixels, Modality=modality, StudyDate=date, StudyDescription=description)
                data.PatientName, data.PatientID = f"Zyx^{number}", f"id-{number}"
                data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
                data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.1.{image + 1}"
                data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
                if image:
                    data.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
                buffer = io.BytesIO()
                data.save_as(buffer, enforce_file_format=True)
                orthanc.store(url, buffer.getvalue())
        yield url


@pytest.fixture
def archive(address):
    return Archive(address, "reader", "secret")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(), 3),
        (Query("DX"), 1),
        (Query("MG"), 0),
        (Query(since="20250101"), 1),
        (Query(until="20241231"), 2),
        (Query(since="20240105", until="20240105"), 2),
        (Query(description="child"), 1),
        (Query(limit=2), 2),
    ],
)
def test_a_query_finds_what_fits_and_no_more_than_its_limit(archive, query, count):
    assert len(find(archive, query)) == count


def test_images_are_fetched_as_they_are_stored_and_a_second_run_fetches_only_what_is_missing(archive, tmp_path):
    told = []
    summary = fetch(archive, Query(), tmp_path / "out", lambda done, total: told.append((done, total)))
    assert (summary["images"], summary["new"], summary["left_out"]) == (3, 3, [])
    assert told == [(1, 3), (2, 3), (3, 3)]
    paths = radiographs.find(tmp_path / "out" / "dicom")
    syntaxes = {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in paths}
    assert syntaxes == {pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.JPEGLSLossless}
    assert not [path for path in paths if "1.2.3" in str(path.relative_to(tmp_path))]
    paths[0].unlink()
    assert fetch(archive, Query(), tmp_path / "out")["new"] == 1
    assert "secret" not in (tmp_path / "out" / "pacs.json").read_text()
    with pytest.raises(InputError, match="started with another query"):
        fetch(archive, Query("DX"), tmp_path / "out")


def test_the_command_makes_a_corpus_that_holds_nothing_but_pixels(address, tmp_path, monkeypatch, capsys):
    for name, value in (("URL", address), ("USER", "reader"), ("PASSWORD", "secret")):
        monkeypatch.setenv(f"DISCERN_PACS_{name}", value)
    assert main(["pacs", "--out", str(tmp_path / "out"), "--count"]) == 0
    assert capsys.readouterr().out == "3 images match\n"
    assert main(["pacs", "--out", str(tmp_path / "out"), "--corpus", str(tmp_path / "corpus")]) == 0
    assert len(corpus.read_manifest(tmp_path / "corpus")) == 3
    kept = [path for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"Zyx" in path.read_bytes() or b"1.2.3.0" in path.read_bytes()]


def test_what_the_archive_refuses_is_said_in_words_and_without_the_password(archive, address, tmp_path):
    wrong = Archive(address.replace("//", "//a:hidden@"), "reader", "wrong")
    with pytest.raises(InputError, match=r"^The archive refused the user, password or token \(HTTP 401\)$") as caught:
        fetch(wrong, Query(), tmp_path / "out")
    assert "hidden" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"^The archive cannot be reached$"):
        find(Archive(f"http://127.0.0.1:{free_port()}/dicom-web"), Query())
    with pytest.raises(InputError) as caught:
        find(archive, Query("panoramic", "2024", "20231331", limit=0))
    assert len(caught.value.faults) == 5
    with pytest.raises(InputError, match="set DISCERN_PACS_URL"):
        Archive.from_environment()


def test_one_image_that_cannot_be_fetched_is_listed_and_the_others_come(archive, address, tmp_path, monkeypatch):
    from dicomweb_client.api import DICOMwebClient

    real = DICOMwebClient.retrieve_instance

    def sometimes(self, study, series, instance, **more):
        return real(self, study, series, instance + ".9" if instance.endswith("1.2") else instance, **more)

    monkeypatch.setattr(DICOMwebClient, "retrieve_instance", sometimes)
    summary = fetch(archive, Query(), tmp_path / "out")
    assert summary["images"] == 2
    [left] = json.loads((tmp_path / "out" / "pacs.json").read_text())["left_out"]
    assert "HTTP 404" in left


def test_a_line_that_breaks_ends_the_run_and_the_next_goes_on_there(archive, tmp_path):
    line = orthanc.Line(archive.url)
    by_line = Archive(line.address, "reader", "secret")
    with pytest.raises(InputError, match=r"^The archive cannot be reached$"):
        fetch(by_line, Query(), tmp_path / "out", lambda done, total: line.cut())
    assert len(radiographs.find(tmp_path / "out")) == 1
    line.mend()
    summary = fetch(by_line, Query(), tmp_path / "out")
    line.cut()
    assert (summary["images"], summary["new"]) == (3, 2)


def test_studies_are_asked_for_page_by_page_until_nothing_new_comes(archive, monkeypatch):
    monkeypatch.setattr(pacs, "PAGE", 1)
    told = []
    assert len(find(archive, Query(), lambda *so_far: told.append(so_far))) == 3
    assert told in ([(1, 2), (2, 3)], [(1, 1), (2, 3)])


@pytest.fixture
def answering():
    """Starts a server that gives every request one answer; gives its address."""
    servers = []

    def start(status: int, body: bytes, kind: str = "application/dicom+json"):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/secret-place"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (200, b"<html>Welcome</html>", "text/html", "The server at the archive's address does not speak DICOMweb"),
        (200, b'{"hello": "there"}', "application/json", "The server at the archive's address does not speak DICOMweb"),
        (200, b"[1, 2]", "application/json", "The server at the archive's address does not speak DICOMweb"),
        (200, b'[{"0020000D": {"Value": ["../x"]}}]', "application/dicom+json", "does not speak DICOMweb"),
        (403, b"", "text/plain", r"The archive does not allow this user to read \(HTTP 403\)"),
        (404, b"", "text/plain", r"There is no DICOMweb at the archive's address \(HTTP 404\)"),
        (503, b"", "text/plain", r"The archive refused the request \(HTTP 503\)"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence_without_the_address(answering, status, body, kind, said):
    with pytest.raises(InputError, match=said) as caught:
        find(Archive(answering(status, body, kind)), Query())
    assert "secret-place" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_that_stays_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(pacs, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        archive = Archive(f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web")
        with pytest.raises(InputError, match=r"^The archive did not answer within 0\.3 seconds$"):
            find(archive, Query())


def test_an_image_that_comes_broken_is_left_out_by_name(answering, tmp_path):
    archive = Archive(answering(200, b"no DICOM", 'multipart/related; type="application/dicom"; boundary=x'))
    image = pacs.Image("1.2", "1.3", "1.4", "")
    with pytest.raises(InputError, match="does not speak DICOMweb"):  # nor can it be asked anything else
        pacs.retrieve(archive, [image], lambda image: tmp_path / image.path)
    archive = Archive(answering(200, b"[]"))
    new, left_out = pacs.retrieve(archive, [image], lambda image: tmp_path / image.path)
    assert (new, left_out) == (0, {tmp_path / image.path: "The archive sent no readable DICOM file"})


def test_the_extra_is_named_where_the_client_is_not_installed(archive, monkeypatch):
    monkeypatch.setitem(sys.modules, "dicomweb_client.api", None)
    with pytest.raises(InputError, match=r"pip install 'discern\[pacs\]'"):
        find(archive, Query())
