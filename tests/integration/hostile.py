"""Keys and prefixes that somebody might try."""

KEYS = [
    "", "/", ".", "..", "clips", "clips/", "/clips/a", "clips//a", "clips/../a", "clips/./a", "clips/..", "../clips/a",
    "clips/a/b/c", "clips/a/../../b", "clips/A", "clips/é", "clips/a b", "clips/a\x00", "clips/a\n", "clips\\a",
    "clips/.hidden", "clips/-a", "clips/" + "a" * 121, "other/a", "Clips/a", "clips/ａ", "clips/a．．", "clips/%2e%2e",
    "file:///etc/passwd", "clips/a\u202e", "clips/\ud800", "C:/a", "clips/a:b", "clips/~", "clips/.unfinished-a",
    "clips/a/", "clips/a/..", "clips/a/.unfinished-b", "clips/a?b", "clips/a#b", "clips/a&b=c", "clips/a\r\nx: y",
]  # fmt: skip

PREFIXES = [
    "/", "..", "x", "clips/..", "clips/../", "clips//", "clips/.unfinished-", "clips/a/b/c", "clips/A", "clips/\x00",
    "clips/a/../", "Clips", "clips\\", "clips/\u202e",
]  # fmt: skip
