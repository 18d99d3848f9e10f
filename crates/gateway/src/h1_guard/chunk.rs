//! The framing lines of a chunked body (RFC 9112 §7.1): sizes with their extensions, and trailer fields. Pure.

use engine::violation::Refusal;

use super::head::split_field;

/// Hex digits of a size: what fits into 64 bits.
const MAX_SIZE_DIGITS: usize = 16;
/// Bytes of a size line.
pub const MAX_LINE_BYTES: usize = 256;

/// Reads `chunk-size [ chunk-ext ]` and gives the size.
///
/// "A recipient MUST ignore unrecognized chunk extensions. A server ought to limit the total length of chunk extensions received in
/// a request" (§7.1.1). The blanks that the grammar allows around `;` for old senders are refused before it: there, servers
/// differ on where the size ends.
///
/// # Errors
/// Why it is no such line.
pub fn read_size(line: &[u8]) -> Result<u64, Refusal> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    if !(1..=MAX_SIZE_DIGITS).contains(&digits) {
        return Err(Refusal::ChunkSize);
    }
    let (digits, rest) = line.split_at(digits);
    match rest {
        [] => {}
        [b';', extension @ ..] if is_extension(extension) => {}
        [b';', ..] => return Err(Refusal::ChunkExtension),
        _ => return Err(Refusal::ChunkSize),
    }
    Ok(digits.iter().fold(0, |number, digit| number << 4 | hex_value(*digit)))
}

/// The refusal of a size line that does not end where it must.
pub fn too_long(line: &[u8]) -> Refusal {
    let start = line.get(..=MAX_SIZE_DIGITS).unwrap_or(line);
    if start.contains(&b';') { Refusal::ChunkExtension } else { Refusal::ChunkSize }
}

/// Visible characters and blanks; names and quoting do not matter, for no extension goes upstream.
fn is_extension(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn hex_value(digit: u8) -> u64 {
    char::from(digit).to_digit(16).unwrap_or(0).into()
}

/// Fields that say how a message is framed, routed, authorized or read: "a sender MUST NOT generate a trailer field unless … the
/// corresponding header field name permits sending in trailer fields" (RFC 9110 §6.5.1). Upstreams that merge trailers into the
/// head would take them for the client's.
const FORBIDDEN: [&str; 22] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "hoplon-request-id",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks one trailer field.
///
/// # Errors
/// Why it may not pass.
pub fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let (name, _) = split_field(line)?;
    let name: String = name.iter().map(|byte| char::from(byte.to_ascii_lowercase()).to_string().replace('_', "-")).collect();
    if FORBIDDEN.contains(&name.as_str()) || name.starts_with("x-forwarded-") {
        return Err(Refusal::TrailerForbidden);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_hex_digits_and_nothing_else() {
        assert_eq!(read_size(b"0"), Ok(0));
        assert_eq!(read_size(b"1aF"), Ok(0x1af));
        assert_eq!(read_size(b"ffffffffffffffff"), Ok(u64::MAX));
        assert_eq!(read_size(b"5;name=\"a b\";other"), Ok(5));
        for line in ["", "-1", "+1", "0x5", " 5", "5 ", "5\t", "5 ;a", "10000000000000000", "g", "5,5", "5\r"] {
            assert_eq!(read_size(line.as_bytes()), Err(Refusal::ChunkSize), "{line:?}");
        }
        for line in ["5;a\r", "5;\0", "5;\t"] {
            assert_eq!(read_size(line.as_bytes()), Err(Refusal::ChunkExtension), "{line:?}");
        }
    }

    #[test]
    fn trailers_do_not_frame_route_or_authorize() {
        assert_eq!(check_trailer(b"X-Checksum: 1"), Ok(()));
        assert_eq!(check_trailer(b"grpc-status: 0"), Ok(()));
        for name in ["Content-Length", "TRANSFER-ENCODING", "Transfer_Encoding", "Host", "X-Forwarded-For", "Cookie"] {
            assert_eq!(check_trailer(format!("{name}: 1").as_bytes()), Err(Refusal::TrailerForbidden), "{name}");
        }
        assert_eq!(check_trailer(b"X-A : 1"), Err(Refusal::HeaderName));
        assert_eq!(check_trailer(b" X-A: 1"), Err(Refusal::HeaderFolded));
    }
}
