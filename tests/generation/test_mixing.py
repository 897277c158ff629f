import csv
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from generation import corpus, drawing, mixing, pool
from generation.__main__ import main

SIZE = ["--size", "256", "128"]


@pytest.fixture
def folders(tmp_path, sound_phantoms):
    """Real images from a large and a small source, one of them there twice, and synthetic ones of another size."""
    names = [f"real/{'large' if n < 7 else 'small'}/{n}.png" for n in range(10)]
    names += [f"synthetic/{n}.jpg" for n in range(10, 20)]
    for name, image in zip(names, sound_phantoms, strict=False):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (image if "real" in name else image.resize((384, 192))).save(tmp_path / name)
    sound_phantoms[8].save(tmp_path / "real/large/copy.jpg", quality=60)
    return tmp_path


def build(folders, *options, real=("real",), synthetic=("synthetic",), out="pool") -> int:
    classes = ["--real", *(folders / name for name in real)] if real else []
    classes += ["--synthetic", *(folders / name for name in synthetic), "--out", folders / out]
    return main(["pool", *map(str, classes), *SIZE, *options])


def origins(folder) -> dict[str, str]:
    with (folder / "origins.csv").open(newline="") as stream:
        return {row["case"]: row["origin"] for row in csv.DictReader(stream)}


def test_sources_are_balanced_and_both_classes_encoded_alike(folders):
    assert build(folders, "--count", "6", "5", "--practice", "3") == 0
    read = pool.read(folders / "pool")
    assert read.manifest["counts"] == {"real": 6, "synthetic": 5, "practice": 3}
    assert Counter(case.truth for case in read.practice) == {"real": 2, "synthetic": 1}
    assert Counter(case.source for case in read.cases if case.truth == "real")["small"] >= 3
    for case in read.cases:
        data = read.path(case).read_bytes()
        assert data[12:29] == pool.encode(np.zeros((128, 256), np.uint8))[12:29]
        assert b"tEXt" not in data
    assert read.manifest["how"]["real"]["brightness"]["mean"] > 0


def test_images_kept_small_as_they_are_drawn_make_the_same_pool(folders):
    found = [drawing.candidates([folders / truth], truth) for truth in ("real", "synthetic")]
    made = []
    for size in (None, (256, 128)):
        drawn = drawing.single(*found, (5, 5), 2, np.random.default_rng(3), size)
        assert ({image.size for image in drawn.images} == {(256, 128)}) is bool(size)
        made.append(mixing.build(folders / f"of-{size}", drawn, name="one", seed=1, size=(256, 128)))
    assert made[0].cases == made[1].cases  # the sums of the images are in them


def test_no_radiograph_is_in_a_pool_twice(folders, capsys):
    assert build(folders, "--count", "10", "10") == 0
    taken = [path.rsplit("/", 1)[1] for path in origins(folders / "pool").values()]
    assert len({"8.png", "copy.jpg"} & set(taken)) == 1
    shutil.rmtree(folders / "pool")
    assert build(folders, "--count", "11", "10") == 2
    assert (
        "11 real images are needed, but only 10 are available: 11 found, 1 left out as near-duplicates"
        in capsys.readouterr().err
    )
    assert not (folders / "pool").exists()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_pool(folders):
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert build(folders, "--count", "4", "4", "--seed", seed, "--name", "x", "--harmonise", out=out) == 0
    files = {out: sorted(p.relative_to(folders / out) for p in (folders / out).rglob("*.*")) for out in "abc"}
    assert len(files["a"]) == 11
    assert all((folders / "a" / name).read_bytes() == (folders / "b" / name).read_bytes() for name in files["a"])
    assert (folders / "a/cases.csv").read_bytes() != (folders / "c/cases.csv").read_bytes()


def test_training_images_stay_out_unless_wanted(folders):
    corpus.prepare(folders / "real", folders / "corpus", size=(256, 128), parts=(0.5, 0, 0.5))
    split = {row["image"]: row["split"] for row in corpus.read_manifest(folders / "corpus")}
    kept = drawing.candidates([folders / "corpus"], "real")
    assert kept
    assert {split[one.stem] for one in kept} == {"test"}
    assert len(drawing.candidates([folders / "corpus"], "real", with_training=True)) == len(split) == 11


def test_a_pool_gives_its_cases_and_phantoms_stay_labelled(folders, sound_phantoms):
    entries = [
        pool.Entry(pool.TRUTHS[n % 2], "drawn", pool.encode(np.asarray(sound_phantoms[30 + n]))) for n in range(8)
    ]
    how = {"name": "p", "seed": 1, "width": 512, "height": 256, "how": {}}
    pool.write(folders / "phantoms", entries, phantom=True, **how)
    assert {one.truth for one in drawing.candidates([folders / "phantoms"], "real")} == {"real"}
    assert build(folders, "--count", "4", "4", real=("phantoms",), out="mixed") == 0
    assert pool.read(folders / "mixed").phantom
    assert build(folders, "--count", "4", "4", out="other") == 0
    assert not pool.read(folders / "other").phantom


def test_a_quartet_is_one_real_and_one_of_each_checkpoint(folders):
    for n, name in enumerate(("epoch1", "epoch2", "epoch3")):
        (folders / name).mkdir()
        for image in range(10 + 3 * n, 13 + 3 * n):
            shutil.copy(folders / f"synthetic/{image}.jpg", folders / name)
    checkpoints = ("epoch1", "epoch2", "epoch3")
    assert build(folders, "--quartets", "2", synthetic=checkpoints) == 0
    cases = pool.read(folders / "pool").cases
    for group in ("q001", "q002"):
        own = [case for case in cases if case.group == group]
        assert sorted(case.truth for case in own) == ["real", "synthetic", "synthetic", "synthetic"]
        assert {case.source for case in own if case.truth == "synthetic"} == set(checkpoints)
    assert {case.truth for case in cases} == {"real", "synthetic"}


def test_quartets_of_two_sources_have_practice_and_the_source_that_runs_out_is_named(folders, capsys):
    for n, name in enumerate(("epoch1", "epoch2")):
        (folders / name).mkdir()
        for image in range(10 + 4 * n, 14 + 4 * n - n):
            shutil.copy(folders / f"synthetic/{image}.jpg", folders / name)
    checkpoints = ("epoch1", "epoch2")
    assert build(folders, "--quartets", "2", "--practice", "1", synthetic=checkpoints) == 0
    assert "not needed, left out at random: 8 of real images, 1 of epoch1\n" in capsys.readouterr().out
    cases = pool.read(folders / "pool").cases
    assert sorted({case.group for case in cases}) == [pool.PRACTICE, "q001", "q002"]
    assert sorted(case.truth for case in cases if case.practice) == ["real", "synthetic", "synthetic"]
    capsys.readouterr()
    assert build(folders, "--quartets", "4", out="four", synthetic=checkpoints) == 2
    assert "epoch2: 4 quartets are needed, but only 3 images are available" in capsys.readouterr().err
    assert build(folders, "--quartets", "1", out="six", synthetic=[*checkpoints, *"abcd"]) == 2


@pytest.fixture
def versions(folders):
    """Ten cases by two methods, and their originals."""
    blur = {"ours": ImageFilter.GaussianBlur(1), "theirs": ImageFilter.GaussianBlur(2)}
    for name in (*blur, "originals"):
        (folders / name).mkdir()
        for n in range(10):
            image = Image.open(folders / f"synthetic/{n + 10}.jpg")
            (image if name == "originals" else image.filter(blur[name])).save(folders / name / f"{n}.png")
    return folders


def compared(folders, *options, out="pool", **where) -> int:
    return build(folders, "--comparisons", *options, out=out, **{"real": (), "synthetic": ("ours", "theirs")} | where)


def test_a_comparison_is_one_case_as_every_method_gave_it_and_its_reference(versions, capsys):
    assert compared(versions, "3", "--practice", "4", "--reference", str(versions / "originals")) == 0
    assert "not needed, left out at random: 3 cases\n" in capsys.readouterr().out
    read = pool.read(versions / "pool")
    stems = {case: path.rsplit("/", 1)[1] for case, path in origins(read.folder).items()}
    for group in ("c001", "c002", "c003"):
        own = [case for case in read.cases if case.group == group]
        assert sorted((case.source, case.truth) for case in own) == [
            ("ours", "synthetic"),
            ("reference", "real"),
            ("theirs", "synthetic"),
        ]
        assert len({stems[case.case] for case in own}) == 1
    practised = {
        source: [stems[case.case] for case in read.practice if case.source == source]
        for source in ("ours", "theirs", "reference")
    }
    assert practised["ours"] == practised["theirs"] == practised["reference"]  # in step: the order tells their case
    assert len(set(practised["ours"])) == 4


def test_a_case_that_lacks_a_method_is_named_and_left_out_and_too_few_are_refused(versions, capsys):
    (versions / "theirs/3.png").unlink()
    (versions / "ours/4.png").write_bytes(b"no picture")
    shutil.copy(versions / "ours/6.png", versions / "theirs/6.png")
    shutil.copytree(versions / "ours", versions / "ours/again")
    for n in range(10):
        if n != 5:
            (versions / f"ours/again/{n}.png").unlink()
    assert compared(versions, "6") == 1
    said = capsys.readouterr().err
    assert "left out: 3: no image of theirs" in said
    assert "left out: 5: 2 images of ours have this name" in said
    assert "left out: 6: the image of theirs is identical to another one" in said
    assert "4.png: not readable as a radiograph" in said
    taken = {path.rsplit("/", 1)[1] for path in origins(versions / "pool").values()}
    assert taken == {f"{n}.png" for n in range(10) if n not in (3, 4, 5, 6)}
    assert flow_of(versions / "pool") == {
        "given": {"synthetic": 20},
        "left_out": {
            "unreadable": {"synthetic": 1},
            "unmatched": {"synthetic": 5},
            "near_duplicate": {"synthetic": 2},
        },
        "in_pool": {"synthetic": 12},
    }
    assert compared(versions, "6", "--practice", "1", out="more") == 2
    said = capsys.readouterr().err
    assert "6 comparisons and 1 for practice are needed, but only 6 cases are available" in said
    assert "3: no image of theirs" in said
    assert "4.png: not readable" in said
    assert not (versions / "more").exists()


def test_comparisons_of_one_method_or_of_two_folders_of_one_name_are_refused(versions, capsys):
    assert compared(versions, "3", synthetic=("ours",)) == 2
    assert "comparisons need 2 to 4 methods; got 1: ours" in capsys.readouterr().err
    (versions / "b").mkdir()
    shutil.copytree(versions / "ours", versions / "b/ours")
    assert compared(versions, "3", synthetic=("ours", "b/ours")) == 2
    assert "two --synthetic folders are called ours" in capsys.readouterr().err
    assert compared(versions, "3", real=("ours",)) == 2
    assert "each folder needs a different name" in capsys.readouterr().err
    assert build(versions, "--reference", str(versions / "originals")) == 2
    assert "--reference can only be used with --comparisons" in capsys.readouterr().err


def test_a_corrupt_image_and_a_missing_folder_are_named_and_nothing_is_written(folders, capsys):
    (folders / "synthetic/10.jpg").write_bytes(b"\xff\xd8 broken")
    assert build(folders, "--count", "4", "10") == 2
    assert "10.jpg: not readable as a radiograph" in capsys.readouterr().err
    assert build(folders, "--count", "4", "4", real=("nowhere",)) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err
    assert not (folders / "pool").exists()


def test_an_image_that_cannot_be_read_is_named_and_another_is_drawn(folders, capsys):
    for path in ("real/large/0.png", "synthetic/10.jpg"):
        (folders / path).write_bytes(b"no picture")
    assert build(folders, "--count", "9", "9") == 1
    said = capsys.readouterr().err
    assert "left out: " in said
    assert "0.png: not readable as a radiograph" in said
    assert "10.jpg: not readable as a radiograph" in said
    assert pool.read(folders / "pool").manifest["counts"] == {"real": 9, "synthetic": 9, "practice": 0}
    assert build(folders, "--count", "10", "10", out="more") == 2
    assert "1 as unreadable" in capsys.readouterr().err


def flow_of(folder) -> dict:
    return pool.read(folder).manifest["flow"]


def test_the_flow_of_a_pool_accounts_for_every_image_by_reason_and_class(folders, sound_phantoms):
    (folders / "real/large/0.png").write_bytes(b"no picture")
    sound_phantoms[30].save(folders / "real/pages.tif", save_all=True, append_images=[sound_phantoms[31]])
    assert build(folders, "--count", "9", "8") == 1  # all real images are met, unless the last is the copy
    flow = flow_of(folders / "pool")
    copies = flow["left_out"].pop("near_duplicate", {}), flow["left_out"]["not_drawn"].pop("real", 0)
    assert copies in (({"real": 1}, 0), ({}, 1))
    assert flow == {
        "given": {"real": 12, "synthetic": 10},
        "left_out": {"unreadable": {"real": 1}, "several_images": {"real": 1}, "not_drawn": {"synthetic": 2}},
        "in_pool": {"real": 9, "synthetic": 8},
    }
    assert build(folders, "--count", "9", "8", "--frames", "all", out="frames") in (0, 1)
    assert flow_of(folders / "frames")["given"]["real"] == 13


def test_training_images_and_cases_without_a_counterpart_are_counted(folders):
    corpus.prepare(folders / "real", folders / "corpus", size=(256, 128), parts=(0.5, 0, 0.5))
    trained = sum(row["split"] == "train" for row in corpus.read_manifest(folders / "corpus"))
    assert build(folders, "--count", "3", "3", real=("corpus",)) == 0
    flow = flow_of(folders / "pool")
    assert flow["left_out"]["training"] == {"real": trained}
    assert flow["given"]["real"] == 11
    assert build(folders, "--count", "3", "3", "--with-training", real=("corpus",), out="with") == 0
    assert "training" not in flow_of(folders / "with")["left_out"]
    for name in ("ours", "theirs"):
        (folders / name).mkdir()
        for n in range(10, 20):
            image = Image.open(folders / f"synthetic/{n}.jpg")
            (image if name == "ours" else image.resize((192, 96))).save(folders / name / f"{n}.png")
    (folders / "theirs/13.png").unlink()
    assert build(folders, "--comparisons", "3", real=(), synthetic=("ours", "theirs"), out="pairs") == 1
    assert flow_of(folders / "pairs") == {
        "given": {"synthetic": 19},
        "left_out": {"unmatched": {"synthetic": 1}, "not_drawn": {"synthetic": 12}},
        "in_pool": {"synthetic": 6},
    }
    for name, seen in (("early", range(10, 13)), ("late", range(13, 17))):
        (folders / name).mkdir()
        for n in seen:
            shutil.copy(folders / f"synthetic/{n}.jpg", folders / name)
    assert build(folders, "--quartets", "2", synthetic=("early", "late"), out="sets") == 0
    assert flow_of(folders / "sets")["in_pool"] == {"real": 2, "synthetic": 4}
    assert flow_of(folders / "sets")["given"] == {"real": 11, "synthetic": 7}


def without_labels(folders):
    """The images of the folders without the label that a phantom bears."""
    for path in [path for truth in ("real", "synthetic") for path in (folders / truth).rglob("*.*")]:
        image = Image.open(path).convert("L")
        image.paste(0, (0, int(image.height * 0.92), image.width // 8, image.height))
        image.save(path)


def test_cases_with_burnt_in_text_are_in_pool_json_by_class_and_their_files_are_named(folders, capsys):
    without_labels(folders)
    (folders / "real/small/8.png").unlink()  # has a row of short roots that is taken for letters
    for name in ("real/large/2.png", "real/small/9.png"):
        image = Image.open(folders / name)
        ImageDraw.Draw(image).text((30, 60), "DOE, JANE", fill=255, font=ImageFont.load_default(size=24))
        image.save(folders / name)
    assert build(folders, "--count", "9", "10") == 0
    how = pool.read(folders / "pool").manifest["how"]
    files = origins(folders / "pool")
    assert how["real"]["text"]["count"] == 2
    assert sorted(files[case].rsplit("/", 1)[1] for case in how["real"]["text"]["cases"]) == ["2.png", "9.png"]
    assert how["synthetic"]["text"] == {"count": 0, "cases": []}
    said = capsys.readouterr().out
    assert "note: these real images (2) seem to contain burnt-in text" in said
    assert str(folders / "real/large/2.png") in said
    assert "synthetic images" not in said
    assert "DOE" not in said


def test_what_is_known_of_the_text_in_a_picture_is_not_looked_for_again(folders):
    without_labels(folders)
    kept = [
        drawing.Candidate(folders / f"real/large/{n}.png", "real", "x", str(n), text=known)
        for n, known in enumerate((True, False, None))
    ]
    drawn = drawing.single(kept, [], (3, 0), 0, np.random.default_rng(0))
    assert {one.stem: one.text for one in drawn.candidates} == {"0": True, "1": False, "2": False}


def test_drawing_tells_how_far_it_is(folders):
    found = [drawing.candidates([folders / truth], truth) for truth in ("real", "synthetic")]
    told = []
    drawing.single(*found, (3, 2), 1, np.random.default_rng(0), progress=lambda *so_far: told.append(so_far))
    assert told == [(done, 6) for done in range(1, 7)]
