"""Files of groups: matched by name, and refused in one line where they contradict."""

from pathlib import Path

import pytest

from mien.data.groups import MAX_VALUES, groupings, read_groups
from mien.errors import DatasetError, MienError, SourceError

ROWS = ["row 2", "row 3", "row 4"]
FILES = ["test/happy/1.jpg", "test/happy/2.jpg", "test/sad/1.jpg", "test/sad/3.jpg"]


def write(folder: Path, text: str) -> Path:
    path = folder / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_by_number_or_name(tmp_path: Path) -> None:
    path = write(tmp_path, "row,age,sex\n2,20-29,f\nrow 3,30-39,m\n9,8,m\n")
    table = read_groups(path, ROWS, "fer2013.csv")
    assert table.columns == ("age", "sex")
    assert table.values == {"row 2": ("20-29", "f"), "row 3": ("30-39", "m")}
    assert (table.n_rows, table.n_unmatched) == (3, 1)
    assert table.first_unmatched == "line 4: there is no row 9, the last is row 4"
    age, sex = groupings(table, ROWS)
    assert (age.title, age.names, age.codes.tolist()) == ("age", ("20-29", "30-39"), [0, 1, -1])
    assert (sex.names, sex.codes.tolist()) == (("f", "m"), [0, 1, -1])


def test_files_by_path_end_and_unique_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufefffile;camera\ntest/happy/1.jpg;A\n.\\test\\happy\\2.jpg;B\n"
        "/data/faces/test/sad/1.jpg;A\n3.jpg;B\nother/3.jpg;C\n1.jpg;C\n",
    )
    table = read_groups(path, FILES, "faces")
    # A file name that two pictures share, and one in another folder, name none.
    assert {name: values[0] for name, values in table.values.items()} == {
        "test/happy/1.jpg": "A",
        "test/happy/2.jpg": "B",
        "test/sad/3.jpg": "B",
    } | {"test/sad/1.jpg": "A"}
    assert table.n_unmatched == 2
    assert table.first_unmatched == "line 6: there is no other/3.jpg"
    table = read_groups(write(tmp_path, "file,camera\n3.jpg,A\n1.jpg,B\n"), FILES, "faces")
    assert table.first_unmatched.endswith("1.jpg may be any of 2 pictures; name its folder, too")
    table = read_groups(write(tmp_path, f"row,camera\n2,A\n{'9' * 9000},B\n"), ROWS, "x.csv")
    assert table.n_unmatched == 1


def test_intersections_and_order(tmp_path: Path) -> None:
    path = write(tmp_path, "row,age,sex\n2,100+,f\n3,9-10,f\n4,,m\n")
    table = read_groups(path, ROWS, "x.csv")
    (both,) = groupings(table, ROWS, ["age,sex"])
    assert both.title == "age, sex"
    assert both.names == ("9-10, f", "100+, f")
    assert both.codes.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row,age\nx.jpg,1\n", ["names no picture of faces", "x.jpg", "row 2"]),
        ("row,age\n", ["names no picture of faces"]),
        ("row,age\n2,10\nrow 2,20\n", ["row 2", "two values of age", "10", "20", "line 3"]),
        ("row,age\n2,10\n2,\n", ["two values of age", "none"]),
        ("row\n2\n", ["no columns of groups", "picture,age,sex"]),
        ("", ["no columns of groups"]),
        ("row,age,age\n2,1,2\n", ["two columns", "age"]),
        ("row,age\n2,1,3\n", ["line 2", "3 columns, expected 2"]),
        ('row,"a,b"\n2,1\n', ["comma"]),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(DatasetError) as raised:
        read_groups(write(tmp_path, text), ROWS, "faces")
    message = str(raised.value)
    assert "\n" not in message and len(message) < 300
    for word in words:
        assert word in message


def test_rows_that_repeat_themselves_are_one(tmp_path: Path) -> None:
    table = read_groups(write(tmp_path, "row,age\n2,10\nrow 2,10\n"), ROWS, "x.csv")
    assert table.n_unmatched == 0 and len(table.values) == 1


def test_bytes_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    with pytest.raises(SourceError, match="no such file"):
        read_groups(path, ROWS, "x")
    path.write_bytes(b"row,age\n2,\xff\xfe\n")
    with pytest.raises(DatasetError, match="UTF-8"):
        read_groups(path, ROWS, "x")
    with pytest.raises(MienError, match="cannot read"):
        read_groups(tmp_path, ROWS, "x")


def test_columns_that_are_not_there_or_too_fine(tmp_path: Path) -> None:
    names = [f"row {number}" for number in range(2, 100)]
    lines = "".join(f"{number},{number},f,\n" for number in range(2, 100))
    table = read_groups(write(tmp_path, f"row,age_years,sex,site\n{lines}"), names, "x.csv")
    with pytest.raises(DatasetError, match=f"at most {MAX_VALUES}.*ranges"):
        groupings(table, names, ["age_years"])
    with pytest.raises(DatasetError, match="did you mean age_years"):
        groupings(table, names, ["age_year"])
    with pytest.raises(DatasetError, match="it has age_years, sex"):
        groupings(table, names, ["camera"])
    with pytest.raises(DatasetError, match="site is empty"):
        groupings(table, names, ["site"])
    with pytest.raises(DatasetError, match="twice"):
        groupings(table, names, ["sex,sex"])
    with pytest.raises(DatasetError, match="none of the 1 measured faces"):
        groupings(table, ["row 1000"])
