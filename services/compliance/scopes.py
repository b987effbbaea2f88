"""What a key needs for each request to compliance."""

from enum import StrEnum

from libs.common.scopes import Scope, Scopes


class ComplianceScope(StrEnum):
    SCREENINGS_READ = "screenings:read"
    """Screen a name: nothing is kept of it."""
    LISTS_READ = "lists:read"
    ALERTS_READ = "alerts:read"
    SILENCES_READ = "silences:read"
    SILENCES_WRITE = "silences:write"
    SCENARIOS_READ = "scenarios:read"
    SCENARIOS_WRITE = "scenarios:write"
    TRAVEL_RULE_READ = "travel-rule:read"
    TRAVEL_RULE_WRITE = "travel-rule:write"
    CUSTOMERS_READ = "customers:read"
    DOCUMENTS_WRITE = "documents:write"


# All of it is of the house: what a client saw here would tell it of reviews.
SCOPES: Scopes = {
    "POST /v1/screenings": (ComplianceScope.SCREENINGS_READ, Scope.STAFF),
    "GET /v1/lists": (ComplianceScope.LISTS_READ, Scope.STAFF),
    "GET /v1/alerts": (ComplianceScope.ALERTS_READ, Scope.STAFF),
    "GET /v1/silences": (ComplianceScope.SILENCES_READ, Scope.STAFF),
    "POST /v1/silences": (ComplianceScope.SILENCES_WRITE, Scope.STAFF),
    "POST /v1/silences/endings": (ComplianceScope.SILENCES_WRITE, Scope.STAFF),
    "GET /v1/scenarios": (ComplianceScope.SCENARIOS_READ, Scope.STAFF),
    "POST /v1/scenarios": (ComplianceScope.SCENARIOS_WRITE, Scope.STAFF),
    "GET /v1/travel-rule/rules": (ComplianceScope.TRAVEL_RULE_READ, Scope.STAFF),
    "GET /v1/travel-rule/payments/{payment_id}": (ComplianceScope.TRAVEL_RULE_READ, Scope.STAFF),
    "GET /v1/travel-rule/payments/{payment_id}/message": (ComplianceScope.TRAVEL_RULE_READ, Scope.STAFF),
    "POST /v1/travel-rule/payments/{payment_id}/message": (ComplianceScope.TRAVEL_RULE_WRITE, Scope.STAFF),
    "GET /v1/customers/{customer_id}": (ComplianceScope.CUSTOMERS_READ, Scope.STAFF),
    "POST /v1/customers/{customer_id}/documents": (ComplianceScope.DOCUMENTS_WRITE, Scope.STAFF),
}
