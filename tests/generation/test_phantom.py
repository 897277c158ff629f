import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from generation import phantom, pool
from generation.__main__ import main
from generation.phantom import faults, film, skull, teeth


def sound(seed: int = 3):
    """A head, its teeth, its film without teeth and its texture, before anything is wrong with them."""
    rng = np.random.default_rng(seed)
    head = skull.head(rng)
    attenuation, bone = skull.draw(rng, head)
    return head, teeth.dentition(rng, head), attenuation, skull.trabeculae(rng) * bone


def test_a_seed_gives_the_same_phantom_and_another_seed_another():
    one, again, other = phantom.draw(1, "real"), phantom.draw(1, "real"), phantom.draw(2, "real")
    assert one.shape == (512, 1024)
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.95


def test_an_unknown_truth_is_refused():
    with pytest.raises(ValueError, match="expected real or synthetic"):
        phantom.draw(1, "fake")


def test_every_phantom_says_in_its_corner_that_it_is_one():
    label = film._label()
    rows, columns = slice(512 - 8 - label.shape[0], 512 - 8), slice(12, 12 + label.shape[1])
    assert label.max() > 200
    for truth in pool.TRUTHS:
        assert np.all(phantom.draw(5, truth)[rows, columns] >= label)


def test_only_the_anatomy_tells_the_kinds_apart():
    # The same patient on the same film, sound and faulty: what an audit would measure hardly moves.
    for seed in range(4):
        real, synthetic = phantom.draw(seed, "real"), phantom.draw(seed, "synthetic")
        assert not np.array_equal(real, synthetic)
        grain = [np.median(np.abs(image - gaussian_filter(image.astype(float), 1.0))) for image in (real, synthetic)]
        assert abs(real.mean() - synthetic.mean()) < 1.5
        assert abs(real.std() / synthetic.std() - 1) < 0.03
        assert abs(grain[0] / grain[1] - 1) < 0.05
        assert abs(len(pool.encode(real)) / len(pool.encode(synthetic)) - 1) < 0.03


def test_enamel_is_brighter_than_dentin_and_the_pulp_is_darker():
    molar = teeth.Tooth(False, 6, 60, 60, 0.0, 50, 33, 62, 1.0, 2, 0.0)
    Y, X = np.mgrid[0:140, 0:120].astype(np.float32)
    added, depth = teeth.shadow(molar, X, Y)
    enamel, dentin, pulp = added[60 - 28, 60 + 9], added[60 - 20, 60 + 14], added[60 - 4, 60]
    assert enamel > dentin > pulp > 0
    assert added[depth < -2].max() < 0.05


@pytest.mark.parametrize("kind", ["missing part", "doubled tooth", "wrong roots"])
def test_faults_in_the_teeth_change_the_teeth(kind):
    _, row, _, _ = sound()
    faulty, _ = faults.in_teeth([faults.Fault(kind, 0.9, 7)], row)
    changed = [tooth for tooth in faulty if tooth not in row]
    assert changed
    assert len(faulty) - len(row) == (2 if kind == "doubled tooth" else 0)
    if kind == "missing part":
        assert {tooth.cut for tooth in changed} <= {"crown", "root"}
        assert all(dataclasses.replace(tooth, cut="") in row for tooth in changed)


@pytest.mark.parametrize("kind", ["smeared trabeculae", "repeated texture"])
def test_faults_in_the_bone_grow_with_their_severity(kind):
    texture = skull.trabeculae(np.random.default_rng(0))
    changes = [
        np.abs(faults.in_texture([faults.Fault(kind, s, 7)], texture)[0] - texture).mean() for s in (0.15, 0.6, 1.0)
    ]
    assert 0 < changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("kind", ["wrong symmetry", "stripes", "melted crowns"])
def test_faults_in_the_film_grow_with_their_severity(kind):
    head, row, attenuation, texture = sound()
    teeth.add(attenuation, texture, row)
    changes = [
        np.abs(faults.in_film([faults.Fault(kind, s, 7)], attenuation, head.middle)[0] - attenuation).mean()
        for s in (0.15, 0.6, 1.0)
    ]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_every_synthetic_phantom_has_one_to_three_different_faults_of_all_kinds():
    chosen = [faults.choose(np.random.default_rng(seed)) for seed in range(60)]
    assert {len(some) for some in chosen} == {1, 2, 3}
    assert all(len({fault.kind for fault in some}) == len(some) for some in chosen)
    assert {fault.kind for some in chosen for fault in some} == set(faults.KINDS)


def test_the_command_writes_a_pool_that_reads_back_and_is_the_same_twice(tmp_path, capsys):
    arguments = ["phantom", "--count", "2", "3", "--practice", "3", "--seed", "4", "--out"]
    assert main([*arguments, str(tmp_path / "a")]) == 0
    assert main([*arguments, str(tmp_path / "b")]) == 0
    read = pool.read(tmp_path / "a")
    assert read.phantom
    assert read.manifest["counts"] == {"real": 2, "synthetic": 3, "practice": 3}
    assert sorted(case.truth for case in read.practice) == ["real", "real", "synthetic"]
    assert set(read.faults) == {case.case for case in read.cases if case.truth == "synthetic"}
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 11
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert "5 cases and 3 for practice, all phantoms" in capsys.readouterr().out


def test_bad_arguments_and_a_full_folder_are_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep me")
    assert main(["phantom", "--count", "1", "1", "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["phantom", "--count", "0", "x", "--out", str(tmp_path / "new")])
    assert stopped.value.code == 2
    assert "expected a whole number of at least 1, got '0'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
