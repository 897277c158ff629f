import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from generation import pool
from generation.errors import InputError

WIDTH, HEIGHT = 48, 24


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def entries(count: int = 4) -> list[pool.Entry]:
    made = [pool.Entry(pool.TRUTHS[n % 2], "drawn", pool.encode(picture(n))) for n in range(count)]
    return [*made, pool.Entry("real", "drawn", pool.encode(picture(99)), group=pool.PRACTICE)]


def write(folder, count: int = 4) -> pool.Pool:
    how = {"real": "noise", "synthetic": "noise"}
    return pool.write(folder, entries(count), name="noise", seed=1, width=WIDTH, height=HEIGHT, how=how)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "pool")
    return tmp_path / "pool"


def table(folder) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def rewrite(folder, rows: list[dict[str, str]]) -> None:
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def faults(folder) -> list[str]:
    with pytest.raises(InputError) as caught:
        pool.read(folder)
    return caught.value.faults


def test_a_pool_that_was_written_is_read_back_the_same(folder):
    read = pool.read(folder)
    assert [case.truth for case in read.scored] == ["real", "synthetic", "real", "synthetic"]
    assert [case.case for case in read.practice] == ["case-0005"]
    assert read.manifest["counts"] == {"real": 2, "synthetic": 2, "practice": 1}
    assert (read.name, read.width, read.height, read.phantom) == ("noise", WIDTH, HEIGHT, False)
    with Image.open(read.path(read.cases[1])) as image:
        assert np.array_equal(np.asarray(image), picture(1))


def test_the_table_has_the_columns_of_the_contract(folder):
    header = (folder / "cases.csv").read_text().splitlines()[0]
    assert header == "case,file,truth,source,group,sha256,width,height"


def test_the_same_entries_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    one, two = write(tmp_path / "one").folder, write(tmp_path / "two").folder
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(names) == 7
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
    assert json.loads((one / "pool.json").read_text())["created"] == "1970-01-01"


def test_progress_is_told_of_every_image(folder):
    told = []
    pool.read(folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 5) for n in range(1, 6)]


def test_every_fault_is_listed_at_once_with_file_and_row(folder):
    rows = table(folder)
    (folder / rows[0]["file"]).unlink()
    (folder / rows[1]["file"]).write_bytes(pool.encode(picture(77)))
    junk = b"not an image"
    (folder / rows[2]["file"]).write_bytes(junk)
    rows[2]["sha256"] = hashlib.sha256(junk).hexdigest()
    rows[3]["truth"] = "fake"
    rows[4]["case"] = rows[0]["case"]
    rewrite(folder, rows)
    found = faults(folder)
    assert [
        (row in fault) for fault, row in zip(found, ("row 5", "row 6", "row 2", "row 3", "row 4"), strict=True)
    ] == [True] * 5
    assert "unknown truth 'fake'" in found[0]
    assert "case 'case-0001' is already in row 2" in found[1]
    assert "images/case-0001.png: no such file" in found[2]
    assert "its checksum does not match the table" in found[3]
    assert "not readable as an image" in found[4]


def test_an_image_of_another_size_is_a_fault(folder):
    rows = table(folder)
    data = pool.encode(np.zeros((HEIGHT, WIDTH + 1), np.uint8))
    (folder / rows[0]["file"]).write_bytes(data)
    rows[0] |= {"sha256": hashlib.sha256(data).hexdigest(), "width": str(WIDTH + 1)}
    rewrite(folder, rows)
    assert faults(folder) == ["cases.csv, row 2: images/case-0001.png: is 49 x 24, pool.json says 48 x 24"]


def test_a_truncated_image_is_a_fault_even_where_its_checksum_is_right(folder):
    rows = table(folder)
    data = (folder / rows[0]["file"]).read_bytes()[:200]
    (folder / rows[0]["file"]).write_bytes(data)
    rows[0]["sha256"] = hashlib.sha256(data).hexdigest()
    rewrite(folder, rows)
    assert "not readable as an image" in faults(folder)[0]


def test_the_same_image_twice_is_a_fault(folder):
    rows = table(folder)
    shutil.copy(folder / rows[0]["file"], folder / rows[1]["file"])
    rows[1]["sha256"] = rows[0]["sha256"]
    rewrite(folder, rows)
    assert faults(folder) == ["cases.csv, row 3: the same image is already in row 2"]


@pytest.mark.parametrize("file", ["../secret.png", "/etc/passwd", "images/../../x.png", "C:\\x.png"])
def test_a_file_outside_the_folder_is_refused_unread(folder, file):
    rows = table(folder)
    rows[0]["file"] = file
    rewrite(folder, rows)
    assert any("is outside the pool folder" in fault for fault in faults(folder))


def test_a_missing_column_and_a_broken_manifest_are_named_together(folder):
    rows = table(folder)
    for row in rows:
        del row["sha256"]
    rewrite(folder, rows)
    (folder / "pool.json").write_text('{"format": 9, "name": "", "width": 48.0, "height": 24}')
    found = faults(folder)
    assert "pool.json: format is 9, expected 1" in found
    assert "pool.json: name is missing or empty" in found
    assert "pool.json: width is 48.0, expected a whole number of pixels" in found
    assert any("missing column(s) sha256" in fault for fault in found)


def test_counts_that_disagree_with_the_table_are_a_fault(folder):
    rewrite(folder, table(folder)[:-1])
    assert any("pool.json: counts say" in fault for fault in faults(folder))


@pytest.mark.parametrize(
    ("flow", "fault"),
    [
        ([], "flow: expected an object with given, left_out, in_pool"),
        (
            {"given": {}, "left_out": {"lost": {}}, "in_pool": {}},
            "left_out: unknown reason 'lost', expected unreadable, ",
        ),
        ({"given": {"real": -1}, "left_out": {}, "in_pool": {}}, "flow: given: expected whole numbers of real, "),
        ({"given": {"fake": 1}, "left_out": {}, "in_pool": {}}, "flow: given: expected whole numbers of real, "),
        ({"given": {"real": 3}, "left_out": {"not_drawn": {"real": 1}}, "in_pool": {}}, "flow: real: 3 given, 1 left"),
    ],
)
def test_a_flow_that_does_not_add_up_is_a_fault(folder, flow, fault):
    manifest = json.loads((folder / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps(manifest | {"flow": flow}))
    [found] = faults(folder)
    assert found.startswith("pool.json: flow: ")
    assert fault in found


def test_no_folder_is_said_plainly(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        pool.read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert faults(tmp_path / "empty") == ["pool.json: missing", "cases.csv: missing"]


def test_a_pool_never_overwrites(folder):
    with pytest.raises(InputError, match="not empty"):
        write(folder)


def test_a_pool_that_fails_half_way_leaves_nothing(tmp_path):
    def failing(error):
        yield from entries()
        raise error

    for error, expected in ((RuntimeError("no"), RuntimeError), (OSError(28, "No space left on device"), InputError)):
        with pytest.raises(expected):
            pool.write(tmp_path / "pool", failing(error), name="n", seed=1, width=WIDTH, height=HEIGHT, how={})
        assert list(tmp_path.iterdir()) == []


def test_images_are_grey_and_carry_no_metadata():
    with pytest.raises(TypeError):
        pool.encode(np.zeros((2, 2, 3), np.uint8))
    data = pool.encode(picture(0))
    chunks, position = [], 8
    while position < len(data):
        size = int.from_bytes(data[position : position + 4])
        chunks.append(data[position + 4 : position + 8])
        position += size + 12
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def test_further_columns_of_cases_csv_are_labels_of_their_cases(folder):
    rows = table(folder)
    rewrite(
        folder, [row | {" device ": f" maker {n % 2} ", "finding": "caries" if n else ""} for n, row in enumerate(rows)]
    )
    cases = pool.read(folder).cases
    assert cases[0].labels == {"device": "maker 0"}
    assert cases[1].labels == {"device": "maker 1", "finding": "caries"}


def test_a_column_that_is_there_twice_is_named(folder):
    lines = (folder / "cases.csv").read_text().splitlines()
    (folder / "cases.csv").write_text("\n".join([f"{lines[0]},device,device", *(f"{line},a,b" for line in lines[1:])]))
    assert faults(folder)[0] == "cases.csv, row 1: column(s) device occur twice"
