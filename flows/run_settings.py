"""What a run takes from the way it was started: a deployment's runs follow their operator, the command its user."""

from uuid import UUID

from prefect.runtime import deployment, flow_run

from bhiv.request import RenderRequest
from bhiv.settings import Settings, load_settings
from blocks.defaults import settings_of_operator

_ID_DIGITS = 24


def is_deployed() -> bool:
    """Whether the flow run that goes on is a deployment's, so that a worker can run it again."""
    return bool(deployment.id)


def settings_of_run() -> Settings:
    """Return the settings of the flow run that goes on: a deployment's take the operator's blocks into account."""
    settings = load_settings()
    return settings_of_operator(settings) if is_deployed() else settings


def identified(request: RenderRequest) -> RenderRequest:
    """Give a request without identifiers those of its run, so that the run, when it is run again, does the same job."""
    if not is_deployed():
        return request
    own = UUID(flow_run.id).hex[:_ID_DIGITS]
    missing = {"job_id", "content_id"} - request.model_fields_set
    return request.model_copy(update=dict.fromkeys(missing, own))
