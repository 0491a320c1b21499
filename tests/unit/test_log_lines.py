import json
import logging
import sys
import threading

from bhiv.log_lines import JsonLines, TextLines, about


def record(message: str = "the end", *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("bhiv.test", logging.WARNING, __file__, 1, message, arguments, None)
    vars(made).update(more)
    return made


def test_a_line_of_json_says_what_it_is_about() -> None:
    with about(job_id="42", flow_run_id=None):
        line = json.loads(JsonLines("default", None, "%").format(record()))

    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "bhiv.test", "message": "the end", "job_id": "42"}


def test_what_is_known_inside_is_forgotten_outside_and_in_other_threads() -> None:
    seen: list[str] = []
    with about(job_id="42"), about(request_id="7"):
        thread = threading.Thread(target=lambda: seen.append(TextLines().format(record())))
        thread.start()
        thread.join()
        inside = TextLines().format(record())

    assert inside.endswith("the end job_id=42 request_id=7")
    assert seen[0].endswith("the end")
    assert TextLines().format(record()).endswith("the end")


def test_an_error_stays_on_one_line_of_json() -> None:
    try:
        raise ValueError("no\nsense")
    except ValueError:
        made = record("two\nlines \ud800", exc_info=sys.exc_info())

    line = JsonLines().format(made)

    assert "\n" not in line
    assert "ValueError" in json.loads(line)["error"]


def test_the_run_that_prefect_knows_is_told() -> None:
    assert json.loads(JsonLines().format(record(flow_run_id="1-2")))["flow_run_id"] == "1-2"
