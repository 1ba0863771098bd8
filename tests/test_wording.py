"""Names and numbers as text."""

from mien.reports.summary_text import signed
from mien.reports.wording import percent, shown_names, split_words


def test_names_lose_the_folders_that_all_share() -> None:
    assert shown_names(["/data/a/1.jpg", "/data/b/2.jpg"]) == ["1.jpg", "2.jpg"]
    assert shown_names(["/data/a/1.jpg", "/data/b/1.jpg"]) == ["a/1.jpg", "b/1.jpg"]
    assert shown_names(["a/1.jpg", "/data/1.jpg"]) == ["a/1.jpg", "/data/1.jpg"]
    assert shown_names(["x/1.jpg", "x/1.jpg"]) == ["1.jpg", "1.jpg"]
    assert shown_names(["1.jpg"]) == ["1.jpg"] and shown_names([]) == []


def test_splits_have_the_names_of_fer2013_beside_ours() -> None:
    assert split_words("fer2013.csv validation") == "fer2013.csv validation (PublicTest)"
    assert split_words("data/icml_face_data.csv test").endswith("test (PrivateTest)")
    assert split_words("faces.zip validation") == "faces.zip validation"
    assert split_words("fer2013.csv") == "fer2013.csv" and split_words("") == ""


def test_differences_of_shares_are_points_with_a_sign() -> None:
    write = signed(percent)
    assert [write(value) for value in (0.1, -0.1, 0.0, -0.0001)] == [
        "+10.0 points",
        "-10.0 points",
        "0.0 points",
        "0.0 points",
    ]
