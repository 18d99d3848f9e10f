//! Whether a session identifier of the zone is present, its value, and whose request it is in any case.

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
        "hoplon.session",
        Type::String,
        "Hoplon",
        "whose request it is, as the record's column `session`: 16 hex digits, of the first session identifier that is present, else of \
         `Authorization`, else of the client's address",
        |t| Fact::some(t.seen.session.map(|session| Value::String(session.to_string().into_bytes().into()))),
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
