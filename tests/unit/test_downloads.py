import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.service.downloads import NoSuchSpan, Span, span_of


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=3-", Span(3, 7)),
        ("bytes=-3", Span(7, 3)),
        ("bytes=-99", Span(0, 10)),
        ("bytes=5-99", Span(5, 5)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("bytes=٣-", None),
        ("bytes=" + "9" * 400 + "-", None),
        ("", None),
        (None, None),
    ],
)
def test_one_range_is_understood_and_what_is_none_means_everything(header: str | None, expected: Span | None) -> None:
    assert span_of(header, 10) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 10), ("bytes=-5", 0)])
def test_a_range_behind_the_end_is_none(header: str, size: int) -> None:
    with pytest.raises(NoSuchSpan):
        span_of(header, size)


@given(st.text(max_size=40), st.integers(0, 100))
def test_a_span_lies_within_the_object_whatever_is_asked_for(header: str, size: int) -> None:
    try:
        span = span_of("bytes=" + header, size)
    except NoSuchSpan:
        return
    assert span is None or (span.start >= 0 and span.length > 0 and span.start + span.length <= size)
