"""Settings that only fraud has."""

from pydantic import Field

from libs.common.settings import Settings


class FraudSettings(Settings):
    shadow_days: int = Field(
        90, ge=31, description="what judges in the shadow answered is kept for so many days, to be compared"
    )

    features_instance_id: str | None = Field(
        None, description="static membership of the features worker: a restart within the session time keeps its work"
    )
    features_generation: int = Field(
        1, ge=1, lt=2**20, description="raise it to have the features worker count all labels anew, from the first"
    )
    features_commit_seconds: float = Field(
        1.0, description="between two commits of how far the features worker is: so much comes again after a crash"
    )
    features_stall_seconds: float = Field(
        60.0, description="the features worker ends, to be started anew, when it gets nowhere for so long"
    )
