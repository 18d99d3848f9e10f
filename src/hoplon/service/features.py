"""The ordered list of features that take part in policy: the order of the document's tables and of the rules."""

from hoplon.browsers.policy import BrowsersFeature
from hoplon.identity.policy import IdentityFeature
from hoplon.labels.policy import LabelsFeature
from hoplon.limits.policy import LimitsFeature
from hoplon.operations.policy import OperationsFeature
from hoplon.operations.template import operation_id
from hoplon.policy.feature import Feature
from hoplon.rules.policy import RulesFeature
from hoplon.tokens.policy import TokensFeature

FEATURES: tuple[Feature, ...] = (
    OperationsFeature(),
    LabelsFeature(operation_id),
    IdentityFeature(),
    BrowsersFeature(operation_id),
    RulesFeature(),
    LimitsFeature(),
    TokensFeature(operation_id),
)
