import io

import numpy as np
from PIL import Image

from generation import duplicates, phantom


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return Image.open(buffer).convert("L")


def versions(image: Image.Image) -> list[Image.Image]:
    """The same radiograph, as other data sets have it."""
    width, height = image.size
    return [
        image,
        jpeg(image, 40),
        image.resize((width // 2, height // 2)),
        image.point([round(255 * (v / 255) ** 0.7) for v in range(256)]),
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        image.crop((round(width * 0.02), round(height * 0.02), round(width * 0.98), round(height * 0.98))),
    ]


def test_versions_of_one_radiograph_share_a_group_and_strangers_do_not():
    originals = [Image.fromarray(phantom.draw(seed, "real")) for seed in range(3)]
    signatures = [duplicates.signature(version) for original in originals for version in versions(original)]
    assert duplicates.groups(signatures).tolist() == [0] * 6 + [1] * 6 + [2] * 6


def test_published_synthetic_radiographs_are_all_different(shared):
    paths = sorted((shared / "data/panodiff_synthetic/lr").glob("*.jpeg"))
    signatures = [duplicates.signature(Image.open(path).convert("L")) for path in paths]
    assert len(signatures) == 64
    assert duplicates.pairs(signatures) == []


def test_a_copy_is_found_between_two_collections():
    ours = [duplicates.signature(Image.fromarray(phantom.draw(seed, "real"))) for seed in (1, 2)]
    theirs = [duplicates.signature(jpeg(Image.fromarray(phantom.draw(seed, "real")), 60)) for seed in (9, 2)]
    assert [pair[:2] for pair in duplicates.pairs(ours, theirs)] == [(1, 1)]


def test_no_images_and_plain_ones_are_no_trouble():
    assert duplicates.groups([]).tolist() == []
    flat = duplicates.signature(Image.fromarray(np.full((64, 128), 7, np.uint8)))
    assert duplicates.correlation(flat.thumbnail, flat.thumbnail) == 0.0
