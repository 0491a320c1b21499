"""What a run takes from the way it was started: a deployment's runs follow their operator, the command its user."""

from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from bhiv.request import RenderRequest
from bhiv.settings import Settings, load_settings
from blocks.defaults import settings_of_operator

_ID_DIGITS = 24
_ASK_SECONDS = 1.0


def is_deployed() -> bool:
    """Whether the flow run that goes on is a deployment's, so that a worker can run it again."""
    # Not `prefect.runtime.deployment`, which asks the server each time when there is none.
    running = FlowRunContext.get()
    return running is not None and running.flow_run is not None and running.flow_run.deployment_id is not None


def was_cancelled() -> bool:
    """Whether a person has cancelled the flow run that goes on; False when Prefect does not say so within a second."""
    try:
        # Prefect's client would ask again for half a minute, and whoever stops the run kills it before that.
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(httpx_settings={"timeout": _ASK_SECONDS}, sync_client=True) as client,
        ):
            state = client.read_flow_run(UUID(flow_run.id)).state
    except (HTTPError, PrefectException):
        return False
    return state is not None and state.type in {StateType.CANCELLING, StateType.CANCELLED}


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
