"""One file that hangs, crashes its decoder or swells is that file's fault, and the others are read."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation import corpus, radiographs
from generation.errors import InputError
from generation.radiographs import guarded


def work(item: str) -> str:
    """What a decoder may do."""
    if item == "hang":
        time.sleep(60)
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "leave":
        os._exit(7)
    if item == "swell":
        return str(np.ones(2**27).sum())  # 1 GiB
    if item == "raise":
        raise TypeError("as a spoilt TIFF makes Pillow")
    return item.upper()


def test_every_way_to_fail_is_told_by_item_and_the_others_are_done_in_order():
    items = ["a", "hang", "b", "crash", "leave", "c", "swell", "raise", "d"]
    found = list(guarded.each(work, items, workers=2, seconds=8, limit=2**28))
    assert [str(one) for one in found] == [
        "A",
        "hang: took more than 8 s to read and was skipped",
        "B",
        f"crash: crashed its decoder (signal {signal.SIGSEGV.value})",
        "leave: crashed its decoder (exit status 7)",
        "C",
        "swell: needs more than 0.25 GiB of memory",
        "raise: not readable (TypeError: as a spoilt TIFF makes Pillow)",
        "D",
    ]


def pid_of(_: object) -> int:
    return os.getpid()


def test_the_processes_stay_and_are_ended_when_the_work_is():
    pids = set(guarded.each(pid_of, range(40), workers=2))
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert list(guarded.each(work, [])) == []
    begun = guarded.each(work, ["a", "hang"], workers=2)
    assert next(begun) == "A"
    started = time.monotonic()
    begun.close()  # a caller that stops does not wait for the one that hangs
    assert time.monotonic() - started < 30


def test_work_of_many_processes_is_stopped_while_they_are_being_started(tmp_path: Path):
    for _ in range(3):
        begun = guarded.each(abs, range(200), workers=16)
        assert next(begun) == 0
        begun.close()
        with pytest.raises(InputError, match="no such folder"):  # not what stopping the others raised
            list(guarded.each(radiographs.find, [tmp_path / "none"] * 200, workers=16))


def test_a_radiograph_is_looked_at_in_another_process(tmp_path: Path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    found = guarded.look(tmp_path / "a.png")
    assert np.array_equal(np.asarray(found.image), np.asarray(radiographs.read(tmp_path / "a.png")))
    (tmp_path / "b.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"b\.png: not readable"):
        guarded.look(tmp_path / "b.png")


def test_a_file_is_not_blamed_for_a_process_that_ended_before_it_came(tmp_path: Path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    guarded.look(tmp_path / "a.png")
    [child] = [one for one in multiprocessing.active_children() if one.pid == guarded._looking[0]._process.pid]
    child.kill()
    child.join()
    assert guarded.look(tmp_path / "a.png").image.size == (8, 8)


def test_a_tiff_that_makes_pillow_raise_what_it_likes_is_left_out_of_a_corpus_by_name(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    rng = np.random.Generator(np.random.PCG64(5))
    for number in range(2):
        Image.fromarray(rng.integers(0, 256, (64, 128), dtype=np.uint8)).save(source / f"{number}.tif")
    (source / "bad.tif").write_bytes(page_without_size())
    with pytest.raises(TypeError, match="Missing dimensions"), Image.open(source / "bad.tif") as image:
        _ = image.n_frames  # what Pillow does with it
    summary = corpus.prepare(source, tmp_path / "out", size=(128, 64))
    assert summary["images"] == 2
    assert summary["unusable"] == [f"{source / 'bad.tif'}: not readable as a radiograph (Missing dimensions)"]


def page_without_size() -> bytes:
    """A TIFF whose second page has no width and height."""
    data = bytearray(b"II*\0\x08\0\0\0")
    entries = [
        (256, 3, 4),
        (257, 3, 4),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 200),
        (278, 3, 4),
        (279, 4, 16),
    ]
    second = 8 + 2 + 12 * len(entries) + 4
    data += len(entries).to_bytes(2, "little")
    for tag, kind, value in entries:
        data += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + (1).to_bytes(4, "little")
        data += value.to_bytes(4, "little")
    data += second.to_bytes(4, "little")
    data += (1).to_bytes(2, "little") + (258).to_bytes(2, "little") + (3).to_bytes(2, "little")
    data += (1).to_bytes(4, "little") + (8).to_bytes(4, "little") + (0).to_bytes(4, "little")
    return bytes(data.ljust(216, b"\0"))


def test_the_frames_of_a_file_are_chosen_for_a_corpus(tmp_path: Path):
    (tmp_path / "s").mkdir()
    rng = np.random.Generator(np.random.PCG64(6))
    pages = [Image.fromarray(rng.integers(0, 256, (64, 128), dtype=np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "s" / "m.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="no radiograph could be used"):
        corpus.prepare(tmp_path / "s", tmp_path / "none", size=(128, 64))
    for frames, originals in (("middle", ["m.tif#2"]), ("all", ["m.tif#1", "m.tif#2", "m.tif#3"])):
        corpus.prepare(tmp_path / "s", tmp_path / frames, size=(128, 64), frames=frames)
        assert [row["original"] for row in corpus.read_manifest(tmp_path / frames)] == originals
    with Image.open(tmp_path / "middle" / "hr" / "s-00001.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(pages[1]))
