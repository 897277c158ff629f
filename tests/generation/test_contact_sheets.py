import numpy as np
import pytest
from PIL import Image

from generation.__main__ import main
from generation.evaluation import contact_sheets
from generation.evaluation.radiomics import radial_spectrum


@pytest.fixture
def sets(tmp_path, sound_phantoms):
    for name, images in (("epoch1", sound_phantoms[:8]), ("epoch2", sound_phantoms[8:14])):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            image.resize((256, 128)).save(tmp_path / name / f"seed{number}.png")
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ImportWarning:umap")  # it tells that it has no TensorFlow
@pytest.mark.filterwarnings("ignore::UserWarning:umap")
def test_every_picture_is_drawn(sets):
    arguments = ["looks", str(sets / "epoch1"), str(sets / "epoch2"), "--out", str(sets / "out"), "--steps", "0"]
    assert main([*arguments, "--columns", "3"]) == 0
    assert {path.name for path in (sets / "out").iterdir()} == {"maps.svg", "means.png", "spectra.svg", "sheet.png"}
    with Image.open(sets / "out/sheet.png") as sheet:
        assert sheet.size == (3 * 256, 2 * 150)
        own = np.asarray(sheet)[150 + 22 : 300, 256:512]
    with Image.open(sets / "epoch2/seed1.png") as image:
        assert np.array_equal(own, np.asarray(image))


def test_means_and_spreads_are_those_of_the_images(sets):
    paths = sorted((sets / "epoch1").iterdir())
    stack = np.array([np.asarray(Image.open(path), dtype=float) for path in paths])
    mean, spread, spectrum = contact_sheets.statistics(paths)
    assert np.allclose(mean, stack.mean(axis=0))
    assert np.allclose(spread, stack.std(axis=0), atol=1e-6)
    assert spectrum.shape == (64,)


def test_a_wave_is_in_its_own_ring():
    wave = 100 * np.sin(2 * np.pi * np.arange(256) * 0.25)
    assert radial_spectrum(np.tile(wave, (128, 1)), 64).argmax() == 32


def test_sources_are_drawn_by_lot_and_small_ones_refused(sets, capsys):
    some = contact_sheets.by_source([sets / "epoch1"], most=5, seed=1, faults=[])["epoch1"]
    assert len(set(some)) == 5
    assert some != contact_sheets.by_source([sets / "epoch1"], most=5, seed=2, faults=[])["epoch1"]
    for path in sorted((sets / "epoch2").iterdir())[2:]:
        path.unlink()
    assert main(["looks", str(sets / "epoch2"), "--out", str(sets / "out")]) == 2
    assert "epoch2: 2 images" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_shown(sets):
    (sets / "epoch1/broken.png").write_bytes(b"no picture")
    faults: list[str] = []
    assert len(contact_sheets.by_source([sets / "epoch1"], most=20, seed=1, faults=faults)["epoch1"]) == 8
    assert len(faults) == 1
    assert "broken.png: not readable as a radiograph" in faults[0]
