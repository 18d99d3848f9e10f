//! What facts of a live transaction are read from: what is known of it, and the headers while they are at hand.

use http::HeaderMap;

use super::inspected::Inspected;
use crate::fact::{Fact, FactDef, Facts};
use crate::value::{MapKey, Value};

/// See the module. Cheap to copy; nothing in it is.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'t> {
    pub seen: &'t Inspected,
    /// None: no rule that may still run asks for them, and they were not kept.
    pub request_headers: Option<&'t HeaderMap>,
    /// None: there is no response yet.
    pub response_headers: Option<&'t HeaderMap>,
}

impl<'t> Scene<'t> {
    /// Something read from the request's headers.
    pub(crate) fn of_request(&self, read: impl FnOnce(&'t HeaderMap) -> Option<Value<'t>>) -> Fact<'t> {
        self.request_headers.map_or(Fact::NotRecorded, |headers| Fact::some(read(headers)))
    }

    /// Something read from the response's headers.
    pub(crate) fn of_response(&self, read: impl FnOnce(&'t HeaderMap) -> Option<Value<'t>>) -> Fact<'t> {
        self.response_headers.map_or(Fact::Missing, |headers| Fact::some(read(headers)))
    }
}

impl Facts for Scene<'_> {
    fn read(&self, fact: &'static FactDef) -> Fact<'_> {
        (fact.read)(self)
    }

    fn read_key(&self, fact: &'static FactDef, key: &MapKey) -> Fact<'_> {
        match fact.key {
            Some(read) => read(self, key),
            None => match (fact.read)(self) {
                Fact::Value(Value::Map(map)) => Fact::some(map.get(key)),
                Fact::Value(_) => Fact::Missing,
                other => other,
            },
        }
    }
}
