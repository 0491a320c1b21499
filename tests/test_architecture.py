"""Who may import whom, and what goes into the wheel."""

import ast
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("src/bhiv", "blocks", "tasks", "flows", "deployments")

#: From the ground up. A module imports from its own layer and those below it, never from above.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"plan", "settings", "options", "process", "prompts", "nest", "heap"}),
    frozenset({"log_lines", "safe_transport", "webhook_signing", "callback_rules", "feedback"}),
    frozenset({"vendors", "tokens", "system_fonts"}),
    frozenset({"access", "ffmpeg", "timeline", "fonts", "bidi", "lettering", "markdown", "prefect_environment"}),
    frozenset({"languages", "bucket", "server_folder", "chat_model", "warm_command"}),
    frozenset({"cache", "failed_sends", "webhook_secrets", "core_message"}),
    frozenset({"connectors"}),
    frozenset({"speech", "pictures"}),
    frozenset({"captions", "script", "photos"}),
    frozenset({"music"}),
    frozenset({"storyboard"}),
    frozenset({"authoring"}),
    frozenset({"video"}),
    frozenset({"workplace", "record"}),
    frozenset({"encoding", "production", "scoring", "progress", "request", "cards"}),
    frozenset({"planning"}),
    frozenset({"catalog"}),
    frozenset({"job_log"}),
    frozenset({"job_end"}),
    frozenset({"attempt", "jobs", "api_keys", "orphans", "incoming"}),
    frozenset(
        {"prefect_server", "prefect_child", "console", "inputs", "job_list", "doctor", "reconciling", "cleaning"}
        | {"failure_note"}
    ),
    frozenset({"house", "one_system", "logs", "prefect_api", "metrics"}),
    frozenset({"dispatch", "courier"}),
    frozenset({"service"}),
    frozenset({"local_run"}),
    frozenset({"cli"}),
    frozenset({"warm_child"}),
)

#: The only modules of the library that may know Prefect.
KNOW_PREFECT = frozenset({"prefect_child", "prefect_environment"})


def modules() -> Iterator[Path]:
    for house in HOUSES:
        yield from sorted((ROOT / house).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "bhiv").parts[0].removesuffix(".py")


def library() -> list[Path]:
    return [path for path in (ROOT / "src" / "bhiv").rglob("*.py") if part_of(path) != "__init__"]


@pytest.mark.parametrize("path", library(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_imports_nothing_from_above(path: Path) -> None:
    for name in imports(path):
        if name.startswith("bhiv.") and (part := name.split(".")[1]) != part_of(path):
            assert layer_of(part) <= layer_of(part_of(path)), f"{name} stands above"


@pytest.mark.parametrize("path", library(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_knows_neither_the_flows_nor_prefect(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}

    assert not roots & {"flows", "tasks", "blocks", "deployments"}
    assert "prefect" not in roots or part_of(path) in KNOW_PREFECT


@pytest.mark.parametrize(
    ("house", "above"),
    [("blocks", {"tasks", "flows", "deployments"}), ("tasks", {"flows", "deployments"}), ("flows", {"deployments"})],
)
def test_tasks_do_not_import_flows(house: str, above: set[str]) -> None:
    for path in (ROOT / house).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & above, path


def test_only_settings_reads_the_environment() -> None:
    for path in modules():
        reads = any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "getenv"))
        assert not reads or path.name == "settings.py", path


def test_no_two_modules_share_a_name() -> None:
    names = Counter(path.stem for path in modules() if path.stem != "__init__")

    assert [name for name, count in names.items() if count > 1] == []


def test_modules_and_functions_stay_short() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 500, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_every_module_says_what_it_is() -> None:
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_importing_the_command_is_cheap() -> None:
    heavy = ("prefect", "cv2", "numpy", "rich", "sqlalchemy", "boto3", "tenacity", "httpx")
    code = f"import bhiv.cli, bhiv.bucket, sys; print([name for name in {heavy} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert loaded.stdout.strip() == "[]"


def test_the_wheel_holds_the_library_only(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}

    assert "bhiv/catalog/migrations/versions/r0001_jobs.py" in names
    assert "bhiv/prompts/scenes.md" in names
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bhiv"}
