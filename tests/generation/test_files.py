"""Files appear whole or not at all."""

import errno
import hashlib

import pytest

from generation.errors import InputError
from generation.files import atomic, sha256


def half_write(path, error):
    with atomic(path) as part:
        part.write_text("ha")
        raise error


def test_a_file_appears_when_it_is_finished_and_not_before(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with atomic(target) as part:
        part.write_text("half")
        assert not target.exists()
        assert part.suffix == ".txt"
        part.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_what_stood_there_stays_when_writing_fails(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        half_write(target, KeyboardInterrupt())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told_in_words_and_other_errors_are_not_swallowed(tmp_path):
    with pytest.raises(InputError, match=r"file\.txt cannot be written: No space left"):
        half_write(tmp_path / "file.txt", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(BrokenPipeError):
        half_write(tmp_path / "file.txt", BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert not list(tmp_path.iterdir())


def test_the_checksum_is_that_of_hashlib(tmp_path):
    (tmp_path / "file").write_bytes(b"radiograph" * 1000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"radiograph" * 1000).hexdigest()
