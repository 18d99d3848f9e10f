//! What stands in for a head that was refused: a request that hyper can read, with what could be told of the refused one, so that
//! its record names method, path and host. Nothing of it goes upstream.

use http::uri::PathAndQuery;
use memchr::memchr;

use super::line::{has_control, token_length};

/// Methods, targets and values longer than this are left out.
const MAX_TOLD_BYTES: usize = 1024;

/// The stand-in for the head that begins these bytes.
pub fn of(refused: &[u8]) -> Vec<u8> {
    let bytes = refused.strip_prefix(b"\r\n").unwrap_or(refused);
    let mut lines = Lines(bytes);
    let (method, target) = lines.next().and_then(told).unwrap_or((b"-", b"/"));
    let (mut host, mut origin) = (None, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        for (name, value) in [(&b"host"[..], &mut host), (b"origin", &mut origin)] {
            if value.is_none() {
                *value = field(line, name);
            }
        }
    }
    let mut text = [method, b" ", target, b" HTTP/1.1\r\nconnection: close\r\n"].concat();
    for (name, value) in [(&b"host: "[..], host), (b"origin: ", origin)] {
        if let Some(value) = value {
            text.extend([name, value, b"\r\n"].concat());
        }
    }
    text.extend(b"\r\n");
    text
}

/// Method and target of a first line, where they are what they should be.
fn told(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (method, rest) = line.split_at(token_length(line));
    let target = rest.strip_prefix(b" ")?;
    let target = &target[..memchr(b' ', target)?];
    let path = &target[..memchr(b'#', target).unwrap_or(target.len())];
    let is_path = path.first() == Some(&b'/') && path.len() <= MAX_TOLD_BYTES && PathAndQuery::try_from(path).is_ok();
    let is_method = (1..=32).contains(&method.len()) && method != b"CONNECT";
    (is_method && is_path).then_some((method, path))
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.get(name.len() + 1..)?.trim_ascii();
    let is_it = line[..name.len()].eq_ignore_ascii_case(name) && line[name.len()] == b':';
    (is_it && value.len() <= MAX_TOLD_BYTES && !has_control(value)).then_some(value)
}

/// Lines however they end.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1_guard::{HeadLimits, Scanner};

    fn text(refused: &str) -> String {
        String::from_utf8(of(refused.as_bytes())).unwrap()
    }

    #[test]
    fn it_tells_what_can_be_told() {
        let refused = "PUT /a/b?c#d HTTP/1.1\r\nContent-Length: 1,1\r\nHost:  a.example\nORIGIN: https://b\r\n\r\n";
        let told = "PUT /a/b?c HTTP/1.1\r\nconnection: close\r\nhost: a.example\r\norigin: https://b\r\n\r\n";
        assert_eq!(text(refused), told);
    }

    #[test]
    fn it_is_a_request_that_passes_whatever_was_refused() {
        let nothing = "- / HTTP/1.1\r\nconnection: close\r\n\r\n";
        for refused in ["", "\x16\x03", "GET", "GET / \0", "CONNECT a:1 HTTP/1.1\r\n", "G\0T / HTTP/1.1\r\nHos: a\r\n"] {
            assert_eq!(text(refused), nothing, "{refused:?}");
        }
        let limits = HeadLimits { start_line_bytes: 2000, head_bytes: 4000, fields: 10 };
        for refused in ["GET / HTTP/3\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: \r\n", "GET / HTTP/1.1\r\nHost: \u{e4}\r\n"] {
            let text = text(refused);
            let scan = Scanner::of_requests(limits).scan(text.as_bytes());
            assert_eq!((scan.passed, scan.refusal), (text.len(), None), "{refused:?}");
        }
    }
}
