//! Paths to claims: any text is a path or is refused at a place inside of it; a path selects something or nothing of any JSON, and what it
//! selects stands there.

#![no_main]

use engine::json::{Limits, parse};
use engine::tokens::ClaimPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut texts = input.splitn(2, |byte| *byte == 0);
    let (Some(path), json) = (texts.next(), texts.next().unwrap_or(b"{}")) else { return };
    let Ok(path) = std::str::from_utf8(path) else { return };
    match ClaimPath::parse(path) {
        Err(error) => assert!((1..=path.len() + 1).contains(&error.position), "{error} in {path:?}"),
        Ok(compiled) => {
            assert!(path.starts_with('$') && path.len() > 1);
            if let Ok(document) = parse(json, &Limits::default()) {
                let selected = compiled.select(document.root());
                assert!(selected.is_none_or(|text| text.len() <= 3 * json.len()));
            }
        }
    }
});
