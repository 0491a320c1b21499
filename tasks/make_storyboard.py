"""Topic, script or plan to the checked plan that is rendered."""

from bhiv.attempt import store_storyboard
from bhiv.cache import Made
from bhiv.planning import Storyboard
from bhiv.request import RenderRequest
from tasks.step import here, run_settings, step


@step("storyboard", "storyboard")
def make_storyboard(request: RenderRequest) -> Made[Storyboard]:
    """Make the plan and keep it in the bucket."""
    return store_storyboard(here(), request, run_settings())
