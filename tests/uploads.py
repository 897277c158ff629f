"""Images as researchers upload them: PNG, JPEG, TIFF and DICOM in two folders of a zip."""

import io
import zipfile

import numpy as np
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


def picture(seed):
    """A different image for every seed: noise in large grains."""
    rng = np.random.Generator(np.random.PCG64(seed))
    grains = Image.fromarray(rng.integers(0, 256, (16, 32), dtype=np.uint8))
    return grains.resize((256, 128), Image.Resampling.BICUBIC)


def encoded(seed, kind):
    file = io.BytesIO()
    picture(seed).save(file, kind)
    return file.getvalue()


def lettered(seed, text="DOE, JANE", place=(30, 50)):
    """A picture into which a text is burnt, as PNG."""
    image, file = picture(seed).point(lambda grey: grey // 2), io.BytesIO()
    ImageDraw.Draw(image).text(place, text, fill=250, font=ImageFont.load_default(size=18))
    image.save(file, "PNG")
    return file.getvalue()


def dicom(seed, *, pixels=True):
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    data.PatientName, data.PatientID, data.ReferringPhysicianName = "Doe^Jane", "4711", "Smith"
    if pixels:
        image = np.asarray(picture(seed)).astype(np.uint16) * 16
        data.Rows, data.Columns = image.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME1"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelData = image.tobytes()
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


MIXED = {
    "set/Real/a.dcm": dicom(1),
    "set/Real/b.png": encoded(2, "PNG"),
    "set/Real/c.jpg": encoded(3, "JPEG"),
    "set/Real/d.tif": encoded(4, "TIFF"),
    **{f"set/Synthetic/{n}.png": encoded(10 + n, "PNG") for n in range(4)},
    "__MACOSX/set/Real/._a.dcm": b"litter",
}
