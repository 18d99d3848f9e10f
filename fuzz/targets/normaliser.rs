//! The normaliser: what comes out of it is in one form that only one reading has, and going through again changes nothing.

#![no_main]

use engine::url::{Anomaly, normalise_path, parse_target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    for merge_slashes in [false, true] {
        if let Ok(normal) = normalise_path(input, merge_slashes) {
            check_form(&normal.path);
            let again = normalise_path(&normal.path, merge_slashes).expect("a normal path is accepted");
            assert_eq!(again.path, normal.path, "idempotent");
            assert!(!again.anomalies.contains(Anomaly::DotSegments), "nothing left to remove");
            assert!(normal.path == input || !normal.anomalies.is_empty(), "a change is an anomaly");
            if merge_slashes {
                assert!(!normal.path.contains("//"), "merged");
            }
        }
        if let Ok(target) = parse_target(input, merge_slashes) {
            assert_eq!(target.query, input.split_once('?').map(|(_, query)| query), "the query is untouched");
            check_form(&target.path);
        }
    }
});

/// RFC 3986 §3.3 and invariant 9: no segment that moves, no byte that a path may not hold, escapes in upper case and needed.
fn check_form(path: &str) {
    assert!(path.starts_with('/'));
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                let decoded = high * 16 + low;
                assert!(!(decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded)), "unreserved stays decoded");
                assert_ne!(decoded, 0, "NUL never passes");
            }
            _ => assert!(byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte), "{byte:#x} in a path"),
        }
    }
}

fn hex(digit: Option<u8>) -> u8 {
    match digit {
        Some(digit @ b'0'..=b'9') => digit - b'0',
        Some(digit @ b'A'..=b'F') => digit - b'A' + 10,
        other => panic!("{other:?} is no upper-case hex digit"),
    }
}
