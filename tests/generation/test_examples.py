"""What a network sees, and when: a matter of seed, epoch and image, whatever the number of processes."""

import shutil
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InputError
from generation.examples import Examples, Order, Pictures, read_pictures


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 40), st.integers(0, 9))
def test_processes_and_parts_share_the_batches_of_one(micro, accumulation, processes, more, epoch):
    batch = micro * accumulation * processes
    images = batch + more
    shares = [list(Order(images, batch, accumulation, processes, p, 1).epoch(epoch)) for p in range(processes)]
    alone = list(Order(images, batch, 1, 1, 0, 1).epoch(epoch))
    seen = [image for whole in alone for image in whole]
    assert len(set(seen)) == len(seen) == images // batch * batch
    for step, whole in enumerate(alone):
        parts = [share[step * accumulation + part] for part in range(accumulation) for share in shares]
        assert sorted(chain.from_iterable(parts)) == sorted(whole)


def test_an_epoch_taken_up_again_goes_on_with_the_same_batches():
    order = Order(30, 4, 2, 1, 0, seed=3)
    assert list(order.epoch(2, first_step=5)) == list(order.epoch(2))[10:]
    assert list(order.epoch(2)) != list(order.epoch(3))


@pytest.mark.parametrize(
    ("order", "complaint"),
    [((10, 6, 4, 1, 0, 0), "a batch of 6 cannot be shared"), ((10, 12, 1, 1, 0, 0), "10 training images are fewer")],
)
def test_a_batch_that_cannot_be_is_refused(order, complaint):
    with pytest.raises(InputError, match=complaint):
        Order(*order)


def test_an_example_depends_on_epoch_and_number_alone():
    pictures = Pictures(np.zeros((3, 2, 2), np.uint8), np.ones(3, int), ("x",), ())
    examples = Examples(pictures, lambda pixels, source, rng: {"draw": torch.tensor(rng.random())}, seed=1)
    draws = {place: float(examples[place]["draw"]) for place in [(0, 0), (0, 1), (1, 0)]}
    assert len(set(draws.values())) == 3
    assert draws == {place: float(examples[place]["draw"]) for place in reversed(draws)}


def test_pictures_come_with_the_set_they_are_from(small_corpus):
    train, validation = (read_pictures(small_corpus, "lr", split) for split in ("train", "validation"))
    assert train.pixels.shape == (len(train), 8, 16)
    assert read_pictures(small_corpus, "hr", "train").pixels.shape[1:] == (32, 64)
    assert len(train) + len(validation) == 24
    assert train.names == ("ADLD", "TUFTS")
    assert set(train.sets) == {1, 2}


def test_an_unreadable_picture_is_named_and_left_out(small_corpus, tmp_path):
    shutil.copytree(small_corpus, tmp_path / "corpus")
    train = read_pictures(tmp_path / "corpus", "lr", "train")
    first = sorted((tmp_path / "corpus" / "lr").iterdir())
    for file in first:
        file.write_bytes(b"broken")
    with pytest.raises(InputError, match="no readable train image") as refusal:
        read_pictures(tmp_path / "corpus", "lr", "train")
    assert len(refusal.value.faults) == len(train)
    shutil.copytree(small_corpus / "lr", tmp_path / "corpus" / "lr", dirs_exist_ok=True)
    broken = first[0]
    broken.write_bytes(broken.read_bytes()[:40])
    splits = [read_pictures(tmp_path / "corpus", "lr", split) for split in ("train", "validation")]
    named = [fault for split in splits for fault in split.unreadable]
    assert len(named) == 1
    assert broken.name in named[0]
    assert sum(map(len, splits)) == 23


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match="generation corpus"):
        read_pictures(tmp_path, "lr", "train")
