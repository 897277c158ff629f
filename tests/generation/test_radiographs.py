import argparse

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from generation import radiographs
from generation.errors import InputError
from generation.radiographs import Margins, reading

RAMP = np.tile(np.arange(64, dtype=np.uint8) * 4, (32, 1))  # dark on the left, bright on the right


def dicom(path, pixels, **fields):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = pixels.astype("<u2").tobytes()
    for name, value in fields.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def pixels_of(path) -> np.ndarray:
    image = radiographs.read(path)
    assert image.mode == "L"
    return np.asarray(image)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_grey_images_are_read_as_they_are(tmp_path, suffix):
    Image.fromarray(RAMP).save(tmp_path / f"a.{suffix}")
    assert np.abs(pixels_of(tmp_path / f"a.{suffix}").astype(int) - RAMP).max() <= (2 if suffix == "jpg" else 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_colour_palette_and_alpha_become_grey(tmp_path, mode):
    Image.fromarray(RAMP).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RAMP)


def test_sixteen_bits_are_stretched_from_least_to_greatest(tmp_path):
    Image.fromarray(RAMP.astype(np.uint16) * 7 + 1000).save(tmp_path / "a.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png"), np.rint(RAMP / 252 * 255).astype(np.uint8))


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 2  # mirrored
    Image.fromarray(RAMP).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RAMP[:, ::-1])


def test_dicom_goes_through_its_window(tmp_path):
    # Part 3 C.11.2.1.2: a window of width w about c maps c - 0.5 -/+ (w - 1) / 2 to the ends.
    path = dicom(tmp_path / "a.dcm", RAMP, WindowCenter=128, WindowWidth=129, VOILUTFunction="LINEAR")
    found = pixels_of(path).astype(float)
    expected = np.clip((RAMP - 127.5) / 128 + 0.5, 0, 1) * 255
    assert np.abs(found - expected).max() <= 1.0


def test_monochrome1_is_inverted_and_the_patients_left_comes_to_the_right(tmp_path):
    upright = pixels_of(dicom(tmp_path / "a.dcm", RAMP, PatientOrientation=["L", "F"]))
    inverted = pixels_of(dicom(tmp_path / "b.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))
    mirrored = pixels_of(dicom(tmp_path / "c.dcm", RAMP, PatientOrientation=["R", "F"]))
    assert np.array_equal(inverted, 255 - upright)
    assert np.array_equal(mirrored, upright[:, ::-1])


def test_what_cannot_be_read_is_named(tmp_path):
    junk, frames, pages = tmp_path / "junk.dcm", tmp_path / "frames.dcm", tmp_path / "pages.tif"
    junk.write_bytes(b"not a dicom")
    dicom(frames, np.stack([RAMP, RAMP]), NumberOfFrames=2)
    Image.fromarray(RAMP).save(pages, save_all=True, append_images=[Image.fromarray(RAMP)])
    cut = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 64), dtype=np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:400])
    for path, reason in [
        (junk, "not readable as a DICOM"),
        (frames, "has 2 images"),
        (pages, "has 2 images"),
        (cut, "not readable as a radiograph"),
        (tmp_path / "none.png", "no such file"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            radiographs.read(path)
        assert str(path) in str(caught.value)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PIXELS", RAMP.size - 1)
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    dicom(tmp_path / "a.dcm", RAMP)
    for name in ("a.png", "a.dcm"):
        with pytest.raises(InputError, match=rf"{name}: has 64 x 32 pixels; the maximum is 2,047"):
            reading.look(tmp_path / name)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00OB\x02\x00"), (b"MONOCHROME2", b"MON\xff\xfe\x00")],
)
def test_a_spoilt_dicom_is_named_whatever_it_makes_the_library_raise(tmp_path, tag, value):
    data = dicom(tmp_path / "a.dcm", RAMP).read_bytes()
    assert tag in data
    (tmp_path / "a.dcm").write_bytes(data.replace(tag, value))
    with pytest.raises(InputError, match=r"a\.dcm: not readable as a DICOM radiograph"):
        radiographs.read(tmp_path / "a.dcm")


def test_a_file_is_what_it_begins_as_whatever_it_is_called(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.dcm")
    assert np.array_equal(pixels_of(tmp_path / "a.dcm"), RAMP)
    shown = pixels_of(dicom(tmp_path / "b.dcm", RAMP))
    assert np.array_equal(pixels_of((tmp_path / "b.dcm").rename(tmp_path / "b.png")), shown)


def test_what_pillow_warns_of_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", RAMP.size - 1)
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: not readable"):
        reading.look(tmp_path / "a.png")


def test_margins_are_cut_before_resizing_and_never_more_than_half():
    image = radiographs.crop(Image.fromarray(RAMP), Margins(top=2, left=4, bottom=6, right=8))
    assert image.size == (52, 24)
    assert np.asarray(image)[0, 0] == RAMP[2, 4]
    with pytest.raises(ValueError, match="leave 24 x 32"):
        radiographs.crop(Image.fromarray(RAMP), Margins(left=40))


def test_the_low_resolution_is_the_area_average_of_the_high():
    noise = np.random.default_rng(0).integers(0, 256, (512, 1024), dtype=np.uint8)
    expected = noise.reshape(128, 4, 256, 4).mean(axis=(1, 3))
    small = np.asarray(radiographs.low(Image.fromarray(noise)))
    assert small.shape == (128, 256)
    assert np.abs(small - expected).max() <= 0.5
    with pytest.raises(ValueError, match="not a multiple of 4"):
        radiographs.low(Image.fromarray(noise[:-1]))


def test_margins_are_those_published():
    first = radiographs.parse_margins("first")
    assert first["ADLD"] == Margins(top=90, left=30, bottom=30, right=170)
    assert first["TSXK"] == Margins()
    assert radiographs.parse_margins("journal") == Margins(64, 127, 90, 127)
    assert radiographs.parse_margins("1,2,3,4") == Margins(1, 2, 3, 4)
    with pytest.raises(argparse.ArgumentTypeError, match="got '1,2'"):
        radiographs.parse_margins("1,2")


def test_a_generators_long_text_within_a_png_does_not_keep_it_from_being_read(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "node " * 500_000, zip=True)
    Image.fromarray(RAMP).save(tmp_path / "a.png", pnginfo=text)
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RAMP)
