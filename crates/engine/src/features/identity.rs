//! Whether a session identifier of the zone is present, and its value.

use crate::fact::{Fact, FactDef};
use crate::value::{Type, Value};

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head(
        "cf.api_gateway.auth_id_present",
        Type::Bool,
        "Cloudflare API Shield, session identifiers",
        "the request carries one of the zone's session identifiers",
        |t| Fact::bool(t.seen.has_identifier),
    ),
    FactDef::head(
        "hoplon.session.value",
        Type::String,
        "Hoplon",
        "value of the session identifier that counts, never shown or recorded; missing when none is present",
        |t| {
            t.of_request(|headers| {
                let value = t.seen.zone()?.identifiers.value(headers, (t.seen, headers))?;
                Some(Value::bytes(value))
            })
        },
    )
    .of_request_headers()
    .secret(),
];
