//! Whether a session identifier of the zone is present.

use crate::fact::{Fact, FactDef};
use crate::value::Type;

pub(super) const FACTS: &[FactDef] = &[FactDef::head(
    "cf.api_gateway.auth_id_present",
    Type::Bool,
    "Cloudflare API Shield, session identifiers",
    "the request carries one of the zone's session identifiers",
    |t| Fact::bool(t.seen.has_identifier),
)];
