//! The bundle loader: any bytes give a bundle or reasons, never a panic, and what loads can be used.
//!
//! The input is the manifest and the zone, operations and rules parts, separated by NUL. The first byte says whether the
//! manifest is taken as it is (0) or made to fit the parts.

#![no_main]

use engine::{Bundle, LoadErrors};
use fuzz::{Parts, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&how, rest)) = input.split_first() else { return };
    let mut texts = rest.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let manifest = if how == 0 { texts.next() } else { None };
    let mut part = || texts.next().unwrap_or_default();
    let parts = Parts { zone: part(), operations: part(), rules: part() };
    let loaded = match &manifest {
        Some(manifest) => load_raw(manifest, &parts),
        None => load(&parts),
    };
    match loaded {
        Ok(bundle) => use_it(&bundle),
        Err(errors) => {
            assert!(!errors.0.is_empty(), "a refusal has a reason");
            assert!(errors.0.iter().all(|error| !error.message.is_empty()), "a reason is a sentence");
        }
    }
});

/// Whatever part is asked for, the next one is given: the loader must see itself that it is not the right one.
fn load_raw(manifest: &[u8], parts: &Parts) -> Result<Bundle, LoadErrors> {
    let mut given = [&parts.zone, &parts.operations, &parts.rules].into_iter().cycle();
    Bundle::load(manifest, &mut |_| given.next().cloned().ok_or_else(|| "no more".to_owned()))
}

fn use_it(bundle: &Bundle) {
    let _ = bundle.zone_for("api.example.com").map(|index| bundle.zone(index));
    for zone in bundle.zones() {
        for operation in zone.operations().list() {
            let _ = zone.operations().find(&operation.method, "api.example.com", &operation.path);
        }
    }
}
