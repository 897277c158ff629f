"""Intake of DICOM files, compared with the unavoidable part: pydicom decoding the same files with the same decoder.

    python benchmarks/dicoms.py [--files 2000]

JPEG Lossless, 2900 x 1400, 12 bits. Both run in as many processes as the machine has cores. The intake also checks
every file in a guarded process, renders it to 8 bits, resizes it to 1024 x 512 and writes it. The output is the
wall-clock times of one run, their ratio, and the largest memory of this process and of any intake process. Eight files
are created; the others are links to them.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pydicom
from scipy.ndimage import gaussian_filter

from quiz_app.pools import survey


def source(folder: Path, number: int) -> Path:
    """One file as stored by a panoramic X-ray unit."""
    import gdcm

    rng = np.random.Generator(np.random.PCG64(number))
    smooth = gaussian_filter(rng.normal(2000, 9000, (350, 725)), 4).repeat(4, 0).repeat(4, 1)
    pixels = (smooth + rng.normal(0, 12, smooth.shape)).clip(0, 4095).astype(np.uint16)
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.DigitalXRayImageStorageForPresentation, f"1.2.3.{number + 1}"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelData = pixels.tobytes()
    plain, path = folder / "plain.dcm", folder / f"{number:04}.dcm"
    data.save_as(plain, enforce_file_format=True)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    plain.unlink()
    return path


def alone(path: Path) -> int:
    """Only decode."""
    return int(pydicom.dcmread(path).pixel_array.max())


def watched(ended: threading.Event, greatest: list[int]) -> None:
    """Record the largest memory (KiB) of any child process, as reported by the system (VmHWM)."""
    while not ended.wait(0.5):
        below = {os.getpid()}
        for status in sorted(Path("/proc").glob("[0-9]*/status"), key=lambda path: int(path.parent.name)):
            try:
                said = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            except OSError:  # it has ended
                continue
            if int(said["PPid"]) in below:
                below.add(int(said["Pid"]))
                greatest.append(int(said.get("VmHWM", "0 kB").split()[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in" / "real").mkdir(parents=True)
        made = [source(folder / "in" / "real", number) for number in range(min(count, 8))]
        paths = [made[0].with_name(f"{number:04}.dcm") for number in range(count)]
        for number, path in enumerate(paths[len(made) :]):
            path.hardlink_to(made[number % len(made)])
        start = time.perf_counter()
        with get_context("forkserver").Pool() as pool:
            pool.map(alone, paths, chunksize=1)
        middle = time.perf_counter()
        greatest: list[int] = []
        ended = threading.Event()
        watch = threading.Thread(target=watched, args=(ended, greatest))
        watch.start()
        found = survey.take(folder / "in", folder, (1024, 512))
        end = time.perf_counter()
        ended.set()
        watch.join()
        assert len(found.images) == count
    print(f"pydicom alone: {count / (middle - start):.1f} files/s; intake: {count / (end - middle):.1f} files/s")
    print(f"the intake runs at {100 * (middle - start) / (end - middle):.0f} % of the rate of pydicom alone")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"greatest memory: {most} MiB in this process, {max(greatest) // 1024} MiB in any other of the intake")


if __name__ == "__main__":
    main()
