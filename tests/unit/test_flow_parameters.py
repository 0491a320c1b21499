"""What Prefect's server is told that a run was asked for."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from bhiv.plan import RenderPlan, Scene
from bhiv.request import RenderRequest
from flows.script_to_video import script_to_video
from prefect import Flow

plan = RenderPlan(title="Tür", scenes=(Scene(narration="नमस्ते."),), size="portrait")
requests = (RenderRequest(plan=plan), RenderRequest(topic="Water", minutes=1.5, callback_url="https://example.org/x"))
asked = [{"request": request} for request in requests]
told = [script_to_video.serialize_parameters(one) for one in asked]
assert "fastapi" not in sys.modules, "FastAPI was imported"
assert told == [Flow.serialize_parameters(script_to_video, one) for one in asked]
assert script_to_video.serialize_parameters({"request": {"script": "a"}}) == {"request": {"script": "a"}}
"""


def test_prefect_is_told_the_same_parameters_without_fastapi(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, env=os.environ | {"PREFECT_HOME": str(tmp_path)}, timeout=60
    )
