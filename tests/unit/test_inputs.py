import pytest

from bhiv.inputs import name_of


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("A mill", "a-mill"),
        ("Why the lotus stays dry?!", "why-the-lotus-stays-dry"),
        ("कमल का फूल", "कमल-का-फूल"),
        ("../../etc/passwd", "etc-passwd"),
        ("🚀", "video"),
        ("word " * 50, "word-word-word-word-word-word-word-word-word-word-word-w"),
    ],
)
def test_a_video_about_a_topic_has_a_file_of_its_name(topic: str, name: str) -> None:
    assert name_of(topic) == name


def test_a_files_name_fits_into_any_file_system() -> None:
    name = name_of("\U00020000" * 200)

    assert len(f".{name}.mp4.0123abcd".encode()) <= 255
