"""DICOM files as hospitals have them: every common compression, and what a header says of its pixels."""

import functools
import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from generation import radiographs
from generation.errors import InputError
from generation.radiographs import reading

ROWS, COLUMNS = 96, 192
_rng = np.random.Generator(np.random.PCG64(3))
GREY = (
    600
    + 900 * np.hypot(*np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]) / 1.42
    + _rng.normal(0, 8, (ROWS, COLUMNS))
).astype(np.uint16)


def dataset(pixels: np.ndarray = GREY, **fields: object) -> Dataset:
    """A 12-bit grey DICOM in memory."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = "1.2.3.4"
    data.Rows, data.Columns = pixels.shape[-2:] if pixels.ndim < 3 or pixels.shape[-1] != 3 else pixels.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.PixelRepresentation = bits, bits, int(pixels.dtype.kind == "i")
    if pixels.dtype == np.uint16:
        data.BitsStored = 12
    data.PixelData = pixels.tobytes()
    for name, value in fields.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    return data


def saved(path: Path, data: Dataset) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def seen(path: Path, frame: int | None = None) -> np.ndarray:
    return np.asarray(radiographs.read(path, frame)).astype(int)


@pytest.fixture
def plain(tmp_path: Path) -> np.ndarray:
    return seen(saved(tmp_path / "plain.dcm", dataset()))


def by_gdcm(source: Path, path: Path, kind: str) -> Path:
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


@pytest.mark.parametrize(
    "kind", ["JPEGLosslessProcess14_1", "JPEGLosslessProcess14", "JPEGLSLossless", "JPEG2000Lossless"]
)
def test_what_is_compressed_without_loss_has_the_pixels_of_the_original(tmp_path, plain, kind):
    path = by_gdcm(tmp_path / "plain.dcm", tmp_path / "small.dcm", kind)
    assert np.array_equal(seen(path), plain)
    assert not radiographs.look(path).lossy


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.DeflatedExplicitVRLittleEndian]
)
def test_pydicoms_own_compressions_are_read_exactly(tmp_path, plain, syntax):
    data = dataset()
    if syntax.is_encapsulated:
        data.compress(syntax)
    else:
        data.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(seen(saved(tmp_path / "small.dcm", data)), plain)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_implicit_and_big_endian_files_are_read(tmp_path, plain, syntax):
    data = dataset()
    data.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        data.PixelData = GREY.astype(">u2").tobytes()
        data.set_original_encoding(False, False)
        data["PixelData"].VR = "OW"
    assert np.array_equal(seen(saved(tmp_path / "other.dcm", data)), plain)


def test_twelve_bit_lossy_jpeg_is_nearly_the_original_and_counts_as_lossy(tmp_path, plain):
    path = by_gdcm(tmp_path / "plain.dcm", tmp_path / "small.dcm", "JPEGExtendedProcess2_4")
    assert np.abs(seen(path) - plain).max() <= 6
    assert radiographs.look(path).lossy


def test_without_a_decoder_one_sentence_names_the_compression_and_the_extra(tmp_path, monkeypatch):
    data = dataset()
    data.compress(uid.JPEG2000Lossless)
    path = saved(tmp_path / "a.dcm", data)
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.is_available", property(lambda self: False))
    with pytest.raises(InputError) as caught:
        reading.look(path)
    assert str(caught.value) == (
        f"{path}: is compressed as JPEG 2000 Image Compression (Lossless Only), and its decoder is not installed: "
        "pip install 'discern[dicom]'"
    )
    data.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    with pytest.raises(InputError, match=r"is compressed as MPEG2 .*, which cannot be read here"):
        reading.look(saved(path, data))


def test_padding_is_left_out_of_the_stretch_and_painted_black(tmp_path):
    pixels = GREY.astype(np.int16)
    inside = seen(saved(tmp_path / "inside.dcm", dataset(pixels[:, 40:])))
    padded = pixels.copy()
    padded[:, :40] = -2000
    shown = seen(saved(tmp_path / "padded.dcm", dataset(padded, PixelPaddingValue=-2000)))
    assert (shown[:, :40] == 0).all()
    assert np.array_equal(shown[:, 40:], inside)
    padded[:, :20] = -1990
    shown = seen(saved(tmp_path / "range.dcm", dataset(padded, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1980)))
    assert np.array_equal(shown[:, 40:], inside)
    everything = seen(saved(tmp_path / "all.dcm", dataset(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)))
    assert everything.max() == 255  # a header that calls everything padding is not believed


@pytest.mark.parametrize(
    "fields", [{"PresentationLUTShape": "INVERSE"}, {"PhotometricInterpretation": "MONOCHROME1"},
               {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}],
)  # fmt: skip
def test_an_inverse_presentation_inverts_once(tmp_path, plain, fields):
    assert np.array_equal(seen(saved(tmp_path / "i.dcm", dataset(**fields))), 255 - plain)


def test_the_first_window_is_taken_and_a_marker_does_not_stretch_it(tmp_path):
    marked = GREY.copy()
    marked[:8, :8] = 4095
    shown = seen(saved(tmp_path / "w.dcm", dataset(marked, WindowCenter=[1050, 2000], WindowWidth=[900, 4000])))
    expected = np.rint(np.clip((marked.astype(float) - 1049.5) / 899 + 0.5, 0, 1) * 255)
    assert np.abs(shown - expected).max() <= 1
    zero = radiographs.look(saved(tmp_path / "z.dcm", dataset(WindowCenter=0, WindowWidth=0)))
    assert zero.notes == ("its window has no width and is not used",)
    assert np.asarray(zero.image).max() == 255


def test_windows_follow_their_function(tmp_path):
    for function, rule in (
        ("LINEAR_EXACT", lambda x: np.clip((x - 1050) / 900 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 1050) / 900))),
    ):
        data = dataset(WindowCenter=1050, WindowWidth=900, VOILUTFunction=function)
        shown = seen(saved(tmp_path / "w.dcm", data))
        assert np.abs(shown - 255 * rule(GREY.astype(float))).max() <= 0.51


def test_a_window_narrower_than_one_is_taken_as_exact(tmp_path):
    data = dataset(RescaleSlope=0.0005, RescaleIntercept=0, WindowCenter=0.5, WindowWidth=0.6)
    expected = np.clip((0.0005 * GREY - 0.5) / 0.6 + 0.5, 0, 1) * 255
    assert np.abs(seen(saved(tmp_path / "n.dcm", data)) - expected).max() <= 0.51


def test_look_up_tables_of_modality_and_voi_are_applied(tmp_path):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 12], np.arange(4096, dtype="<u2")[::-1].tobytes()
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        shown = seen(saved(tmp_path / "l.dcm", dataset(**{name: [item]})))
        assert np.corrcoef(shown.ravel(), GREY.ravel())[0, 1] < -0.99
    data = dataset(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1100, WindowWidth=1800)
    expected = np.clip((2.0 * GREY - 1000 - 1099.5) / 1799 + 0.5, 0, 1) * 255
    assert np.abs(seen(saved(tmp_path / "m.dcm", data)) - expected).max() <= 0.51


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"PixelAspectRatio": [1, 2]}, (2 * COLUMNS, ROWS)),
        ({"PixelAspectRatio": [2, 1]}, (COLUMNS, 2 * ROWS)),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, (2 * COLUMNS, ROWS)),
        ({"PixelSpacing": [0.1, 0.1]}, (COLUMNS, ROWS)),
        ({"PixelAspectRatio": [1, 50]}, (COLUMNS, ROWS)),
    ],
)
def test_pixels_that_are_not_square_are_made_square_and_it_is_said(tmp_path, fields, size):
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**fields)))
    assert found.image.size == size
    assert bool(found.notes) == (size != (COLUMNS, ROWS) or fields == {"PixelAspectRatio": [1, 50]})


def test_grey_in_three_channels_is_luminance_and_real_colour_is_said(tmp_path):
    eight = np.rint(GREY / 16).astype(np.uint8)
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    found = radiographs.look(saved(tmp_path / "g.dcm", dataset(np.dstack([eight] * 3), **rgb)))
    assert np.array_equal(np.asarray(found.image), eight)
    assert found.notes == ()
    coloured = np.dstack([eight, eight // 2, 255 - eight])
    found = radiographs.look(saved(tmp_path / "c.dcm", dataset(coloured, **rgb)))
    assert found.notes == ("in colour; read as luminance",)
    assert np.array_equal(np.asarray(found.image), np.asarray(Image.fromarray(coloured).convert("L")))


def test_a_palette_is_resolved(tmp_path):
    eight = np.rint(GREY / 16).astype(np.uint8)
    data = dataset(eight, PhotometricInterpretation="PALETTE COLOR")
    ramp = (np.arange(256, dtype=np.uint16)[::-1] * 257).tobytes()
    for colour in ("Red", "Green", "Blue"):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{colour}PaletteColorLookupTableData", ramp)
    assert np.array_equal(seen(saved(tmp_path / "p.dcm", data)), 255 - eight)


def test_a_file_without_preamble_or_with_a_false_transfer_syntax_is_read(tmp_path, plain):
    path, data = tmp_path / "bare", dataset()
    data.file_meta = FileMetaDataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[128:132] != b"DICM"
    assert radiographs.is_dicom(path)
    assert np.array_equal(seen(path), plain)
    small = dataset()
    small.compress(uid.JPEG2000Lossless)
    stored = saved(tmp_path / "lying.dcm", small)
    told, true = str(uid.JPEG2000Lossless).encode(), str(uid.ExplicitVRLittleEndian).encode()
    stored.write_bytes(stored.read_bytes().replace(told.ljust(22, b"\0"), true.ljust(22, b"\0")))
    assert pydicom.dcmread(stored).file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert np.array_equal(seen(stored), plain)


def test_an_overlay_in_the_unused_bits_is_not_seen(tmp_path, plain):
    data = dataset(GREY | (_rng.random(GREY.shape) < 0.2).astype(np.uint16) << 12)
    assert np.array_equal(seen(saved(tmp_path / "o.dcm", data)), plain)
    with_planes = dataset()
    with_planes.add_new(0x60003000, "OW", b"\0" * (GREY.size // 8))
    assert radiographs.look(saved(tmp_path / "p.dcm", with_planes)).notes == ("has an overlay, which is discarded",)


def test_a_burnt_in_annotation_and_lossy_compression_are_told(tmp_path):
    data = dataset(BurnedInAnnotation="YES", LossyImageCompression="01", PatientName="Doe^Jane", InstitutionName="X")
    found = radiographs.look(saved(tmp_path / "b.dcm", data))
    assert found.notes == ("states that text is burnt into the image: a name may be readable",)
    assert found.lossy
    assert found.telling == ("InstitutionName", "PatientName")


def test_a_frame_is_chosen_or_the_file_refused(tmp_path):
    frames = np.stack([GREY, GREY[::-1], GREY[:, ::-1]])
    path = saved(tmp_path / "m.dcm", dataset(frames, NumberOfFrames=3))
    assert radiographs.frames_of(path) == 3
    with pytest.raises(InputError, match="has 3 images, expected one; choose the first"):
        radiographs.read(path)
    single = seen(saved(tmp_path / "s.dcm", dataset()))
    assert np.array_equal(seen(path, 1), single[::-1])
    assert np.array_equal(seen(path, 2), single[:, ::-1])
    with pytest.raises(InputError, match="but no image 4"):
        radiographs.read(path, 3)
    Image.fromarray(np.uint8(frames[0] // 16)).save(
        tmp_path / "m.tif", save_all=True, append_images=[Image.fromarray(np.uint8(frames[1] // 16))]
    )
    assert radiographs.frames_of(tmp_path / "m.tif") == 2
    assert np.array_equal(seen(tmp_path / "m.tif", 1), frames[1] // 16)


def test_a_dicom_without_a_picture_says_what_it_is(tmp_path):
    data = dataset(SOPClassUID=uid.BasicTextSRStorage)
    del data.PixelData
    with pytest.raises(InputError, match=r"it contains no image \(Basic Text SR Storage\)"):
        radiographs.read(saved(tmp_path / "sr.dcm", data))


def test_deep_images_are_stretched_between_the_same_percentiles_whatever_the_file(tmp_path):
    outliers = GREY.copy()
    outliers[0, :40], outliers[1, :40] = 4095, 0
    Image.fromarray(outliers).save(tmp_path / "a.png")
    shown = seen(saved(tmp_path / "a.dcm", dataset(outliers)))
    assert np.array_equal(shown, seen(tmp_path / "a.png"))
    low, high = np.percentile(outliers.astype(float), (0.5, 99.5), method="inverted_cdf")
    assert np.abs(shown - np.clip((outliers - low) / (high - low), 0, 1) * 255).max() <= 1


def test_nothing_of_a_header_leaves_with_the_picture(tmp_path):
    secrets = {
        "PatientName": "Zyx^Wvut",
        "PatientID": "Q-77",
        "InstitutionName": "Klinik Qrst",
        "StudyDate": "19771231",
    }
    image = radiographs.read(saved(tmp_path / "a.dcm", dataset(**secrets)))
    image.save(tmp_path / "out.png")
    assert not image.info
    data = (tmp_path / "out.png").read_bytes()
    assert not [value for value in ("Zyx", "Q-77", "Qrst", "1977") if value.encode() in data]


WANTED = {  # how the picture must lie to that of grey_plain.dcm: greatest difference, or how it is made of it
    "jpeg_lossless_sv1": 0, "jpeg_ls_lossless": 0, "jpeg2000_lossless": 0, "jpeg_12bit_extended": 4,
    "no_preamble_implicit": 0, "burned_in_annotation_yes": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_the_file_of_the_wants_has_the_pixels_of_the_plain_one(shared, name):
    plain = seen(shared / "cases" / "grey_plain.dcm")
    assert np.abs(seen(shared / "cases" / f"{name}.dcm") - plain).max() <= WANTED[name]


def test_the_other_files_of_the_wants_are_seen_as_their_headers_say(shared):
    cases = shared / "cases"
    plain = seen(cases / "grey_plain.dcm")
    assert np.array_equal(seen(cases / "presentation_inverse.dcm"), 255 - plain)
    assert radiographs.read(cases / "pixels_twice_as_wide.dcm").size == (384, 96)
    assert radiographs.look(cases / "burned_in_annotation_yes.dcm").notes
    rgb = pydicom.dcmread(cases / "grey_stored_as_rgb.dcm").pixel_array
    assert np.array_equal(seen(cases / "grey_stored_as_rgb.dcm"), rgb[..., 0])
    padded = pydicom.dcmread(cases / "padding_minus_2000.dcm").pixel_array == -2000
    shown = seen(cases / "padding_minus_2000.dcm")
    assert (shown[padded] == 0).all()
    assert shown[~padded].mean() > 80  # not squeezed
    marked = pydicom.dcmread(cases / "marker_at_4095_two_windows.dcm").pixel_array.astype(float)
    expected = np.clip((marked - 1049.5) / 899 + 0.5, 0, 1) * 255
    assert np.abs(seen(cases / "marker_at_4095_two_windows.dcm") - expected).max() <= 0.51
    with pytest.raises(InputError, match=r"tiff_second_page_without_size\.tif: not readable"):
        radiographs.read(cases / "tiff_second_page_without_size.tif")


@functools.cache
def _seeds() -> list[bytes]:
    files = []
    for change in (None, uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        data, buffer = dataset(GREY[:64, :64].copy()), io.BytesIO()
        if change:
            data.compress(change, generate_instance_uid=False)
        data.save_as(buffer, enforce_file_format=True)
        files.append(buffer.getvalue())
    for kind in ("PNG", "TIFF", "JPEG"):
        buffer = io.BytesIO()
        Image.fromarray(np.uint8(GREY[:64, :64] // 16)).save(buffer, kind)
        files.append(buffer.getvalue())
    return files


@settings(max_examples=150)
@given(st.data())
def test_a_spoilt_file_gives_a_picture_or_is_named_and_nothing_else(tmp_path_factory, data):
    spoilt = bytearray(data.draw(st.sampled_from(_seeds())))
    for _ in range(data.draw(st.integers(1, 10))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / data.draw(st.sampled_from(["a.dcm", "a.png", "a.tif", "a.jpg", "a"]))
    path.write_bytes(spoilt[: data.draw(st.integers(1, len(spoilt)))])
    try:
        assert radiographs.read(path).mode == "L"
    except InputError as error:
        named = str(error)
    else:
        named = str(path)
    assert named.startswith(str(path))
