//! Start lines and fields, and what they say about the body. Takes complete lines without their CR LF; knows no buffers.

use engine::violation::Refusal;
use http::uri::{PathAndQuery, Uri};
use memchr::memchr;

use super::line::{has_control, is_plain_target, token_length};

/// Bytes of a method; the engine's own bound.
const MAX_METHOD_BYTES: usize = 32;
/// Bytes of a target that `http::Uri` can hold.
const MAX_TARGET_BYTES: usize = u16::MAX as usize - 1;
/// Digits of a length: all of them fit into 63 bits, which is what the servers behind us can hold.
const MAX_LENGTH_DIGITS: usize = 18;

/// How the body behind a head ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes; 0: there is none.
    Length(u64),
    /// With the chunk of size 0 and its trailers.
    Chunked,
    /// With the connection. Responses only.
    UntilClose,
    /// It is no message any more: a 101 response.
    Tunnel,
    /// Another head follows for the same request: an interim response.
    Interim,
}

/// What the lines of one head said so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head {
    fields: usize,
    content_length: Option<u64>,
    is_chunked: bool,
    has_host: bool,
    is_http10: bool,
    is_connection_upgrade: bool,
    has_upgrade: bool,
    status: u16,
}

impl Head {
    /// Reads a request line: "method SP request-target SP HTTP-version" (RFC 9112 §3), with nothing before, between or behind.
    ///
    /// # Errors
    /// Why it is none.
    pub fn request_line(line: &[u8]) -> Result<Head, Refusal> {
        let (method, rest) = line.split_at(token_length(line));
        let Some((b' ', rest)) = rest.split_first() else {
            return Err(of_line(line, Refusal::MethodInvalid));
        };
        if method.is_empty() || method.len() > MAX_METHOD_BYTES {
            return Err(Refusal::MethodInvalid);
        }
        // Without a version it is HTTP/0.9.
        let end = memchr(b' ', rest).ok_or(of_line(line, Refusal::Version))?;
        let (target, version) = (&rest[..end], &rest[end + 1..]);
        let is_http10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9'] => return Err(Refusal::Version),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(Refusal::Version),
            _ => return Err(of_line(line, Refusal::StartLine)),
        };
        // It would end HTTP on this connection; the engine refuses it over HTTP/2.
        if method == b"CONNECT" {
            return Err(Refusal::MethodConnect);
        }
        check_target(method, target).map_err(|refusal| of_line(line, refusal))?;
        Ok(Head { is_http10, ..Head::default() })
    }

    /// Reads a status line: "HTTP-version SP status-code SP [ reason-phrase ]" (RFC 9112 §4). The blank before a reason that is
    /// not there may be missing, as many servers do it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn status_line(line: &[u8]) -> Result<Head, Refusal> {
        let (is_http10, rest) = match line {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', rest @ ..] => (*minor == b'0', rest),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b' ', ..] => return Err(Refusal::Version),
            _ => return Err(of_line(line, Refusal::StartLine)),
        };
        let status = match rest {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => [*a, *b, *c],
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', reason @ ..] if !has_control(reason) => [*a, *b, *c],
            _ => return Err(of_line(line, Refusal::StartLine)),
        };
        let status = status.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
        Ok(Head { is_http10, status, ..Head::default() })
    }

    /// Takes a field.
    ///
    /// # Errors
    /// Why it may not stand beside the fields before it.
    pub fn field(&mut self, (name, value): (&[u8], &[u8]), max_fields: usize) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > max_fields {
            return Err(Refusal::HeadTooManyFields);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.has_host = true,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.has_upgrade = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.is_connection_upgrade |= lists_upgrade(value);
            }
            14 if is_spelled(name, b"content-length") => self.content_length(name, value)?,
            17 if is_spelled(name, b"transfer-encoding") => self.transfer_encoding(name, value)?,
            _ => {}
        }
        Ok(())
    }

    /// "If a message is received without Transfer-Encoding and with an invalid Content-Length header field, then the message
    /// framing is invalid and the recipient MUST treat it as an unrecoverable error" (RFC 9112 §6.3). The one thing allowed there,
    /// a list of equal values, is refused: it takes a broken client to send it. Leading zeros are refused because some read them
    /// as octal, tabs because some do not trim them.
    fn content_length(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(Refusal::ContentLengthSeveral);
        }
        let digits = trim_spaces(value);
        let is_plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
        if !is_plain || digits.len() > MAX_LENGTH_DIGITS || name.contains(&b'_') {
            return Err(Refusal::ContentLengthInvalid);
        }
        self.content_length = Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
        if self.is_chunked { Err(Refusal::FramingBoth) } else { Ok(()) }
    }

    /// "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST treat the message as
    /// if the framing is faulty" and "a server MAY reject a request that contains both Content-Length and Transfer-Encoding"
    /// (RFC 9112 §6.1). Other codings than `chunked` are obsolete in practice and read differently by every server (§7: "a server
    /// that receives a request message with a transfer coding it does not understand SHOULD respond with 501"). The name is
    /// case-insensitive, and what goes upstream is written anew.
    fn transfer_encoding(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(Refusal::TransferEncodingSeveral);
        }
        if self.is_http10 {
            return Err(Refusal::TransferEncodingVersion);
        }
        if !trim_spaces(value).eq_ignore_ascii_case(b"chunked") || name.contains(&b'_') {
            return Err(Refusal::TransferEncodingUnsupported);
        }
        self.is_chunked = true;
        if self.content_length.is_some() { Err(Refusal::FramingBoth) } else { Ok(()) }
    }

    /// The head of a request is complete: how its body ends.
    ///
    /// # Errors
    /// "A server MUST respond with a 400 to any HTTP/1.1 request message that lacks a Host header field" (RFC 9112 §3.2), also
    /// where its target names the authority. Whether it is several, or another than the target's, the engine sees.
    pub fn request_framing(&self) -> Result<Framing, Refusal> {
        if !self.has_host && !self.is_http10 {
            return Err(Refusal::HostMissing);
        }
        Ok(if self.is_chunked { Framing::Chunked } else { Framing::Length(self.content_length.unwrap_or(0)) })
    }

    /// The head of a response is complete: how its body ends, in the order of RFC 9112 §6.3.
    pub fn response_framing(&self, answers_head: bool) -> Framing {
        match self.status {
            101 => Framing::Tunnel,
            100..=199 => Framing::Interim,
            204 | 304 => Framing::Length(0),
            _ if answers_head => Framing::Length(0),
            _ if self.is_chunked => Framing::Chunked,
            _ => self.content_length.map_or(Framing::UntilClose, Framing::Length),
        }
    }

    /// Whether what follows the request may be another protocol (RFC 9110 §7.8).
    pub fn asks_for_upgrade(&self) -> bool {
        self.has_upgrade && self.is_connection_upgrade
    }
}

/// Name and value of a field line: "field-name ":" OWS field-value OWS" (RFC 9112 §5).
///
/// "No whitespace is allowed between the field name and colon. In the past, differences in the handling of such whitespace have
/// led to security vulnerabilities" (§5.1); "A server that receives an obs-fold in a request message … MUST either reject the
/// message … or replace each" (§5.2): rejected.
///
/// # Errors
/// Why it is none.
pub fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let (name, rest) = line.split_at(token_length(line));
    match rest.split_first() {
        Some((b':', value)) if !name.is_empty() => match has_control(value) {
            false => Ok((name, value)),
            true => Err(of_line(line, Refusal::HeaderValue)),
        },
        Some((b' ' | b'\t', _)) if name.is_empty() => Err(of_line(line, Refusal::HeaderFolded)),
        _ => Err(of_line(line, Refusal::HeaderName)),
    }
}

/// The refusal of a line that is not as it should be: a CR inside of it is named first, for it is what was meant to deceive.
fn of_line(line: &[u8], otherwise: Refusal) -> Refusal {
    if memchr(b'\r', line).is_some() { Refusal::LineEnding } else { otherwise }
}

/// Origin form, absolute form of HTTP's own schemes, or the asterisk of OPTIONS (RFC 9112 §3.2). What is rare is asked of
/// `http::Uri`: what hyper cannot hold must be refused here, where it leaves a trace.
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    if target.len() > MAX_TARGET_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    if memchr(b'#', target).is_some() {
        return Err(Refusal::TargetFragment);
    }
    let is_readable = match target.first() {
        Some(b'/') => is_plain_target(target) || PathAndQuery::try_from(target).is_ok(),
        Some(b'*') => target.len() == 1 && method == b"OPTIONS",
        _ => is_absolute(target),
    };
    if is_readable { Ok(()) } else { Err(Refusal::TargetInvalid) }
}

fn is_absolute(target: &[u8]) -> bool {
    let has_scheme = |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has_scheme(b"http://") || has_scheme(b"https://")) && Uri::try_from(target).is_ok_and(|uri| uri.authority().is_some())
}

/// Whether a name is this one, in any case, or with `_` for `-` as CGI and WSGI servers read it.
fn is_spelled(name: &[u8], known: &[u8]) -> bool {
    name.iter().zip(known).all(|(byte, known)| byte.eq_ignore_ascii_case(known) || (*byte, *known) == (b'_', b'-'))
}

/// Whether a list of connection options has `upgrade`.
fn lists_upgrade(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

fn trim_spaces(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|byte| *byte != b' ').unwrap_or(value.len());
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(start, |last| last + 1);
    &value[start..end]
}
