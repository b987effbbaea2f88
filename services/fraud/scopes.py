"""What a key needs for each request to fraud."""

from enum import StrEnum

from libs.common.scopes import Scope, Scopes


class FraudScope(StrEnum):
    ASSESSMENTS_READ = "assessments:read"
    ASSESSMENTS_WRITE = "assessments:write"
    LABELS_WRITE = "labels:write"
    RULES_READ = "rules:read"
    """Rulebooks, how they compare, and the rules that are live."""
    RULES_WRITE = "rules:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    LISTS_READ = "lists:read"
    LISTS_WRITE = "lists:write"
    FEATURES_READ = "features:read"


# All of it is of the house: what a client saw here would tell it of reviews.
SCOPES: Scopes = {
    "POST /v1/assessments": (FraudScope.ASSESSMENTS_WRITE, Scope.STAFF),
    "GET /v1/assessments/{payment_id}": (FraudScope.ASSESSMENTS_READ, Scope.STAFF),
    "POST /v1/labels": (FraudScope.LABELS_WRITE, Scope.STAFF),
    "POST /v1/rulebooks": (FraudScope.RULES_WRITE, Scope.STAFF),
    "GET /v1/rulebooks": (FraudScope.RULES_READ, Scope.STAFF),
    "POST /v1/rulebooks/check": (FraudScope.RULES_READ, Scope.STAFF),
    "POST /v1/rulebooks/{version}/state": (FraudScope.RULES_WRITE, Scope.STAFF),
    "GET /v1/rulebooks/{version}/comparison": (FraudScope.RULES_READ, Scope.STAFF),
    "GET /v1/rulebooks/{version}": (FraudScope.RULES_READ, Scope.STAFF),
    "GET /v1/rules": (FraudScope.RULES_READ, Scope.STAFF),
    "POST /v1/models": (FraudScope.MODELS_WRITE, Scope.STAFF),
    "GET /v1/models": (FraudScope.MODELS_READ, Scope.STAFF),
    "POST /v1/models/{version}/state": (FraudScope.MODELS_WRITE, Scope.STAFF),
    "GET /v1/models/{version}/comparison": (FraudScope.MODELS_READ, Scope.STAFF),
    "GET /v1/models/{version}": (FraudScope.MODELS_READ, Scope.STAFF),
    "POST /v1/list-entries": (FraudScope.LISTS_WRITE, Scope.STAFF),
    "GET /v1/list-entries": (FraudScope.LISTS_READ, Scope.STAFF),
    "POST /v1/list-entries/removals": (FraudScope.LISTS_WRITE, Scope.STAFF),
    "GET /v1/features": (FraudScope.FEATURES_READ, Scope.STAFF),
}
