//! A sampled transaction: bounded raw copies of what is to be observed. In memory only, from the serving thread to the writer's.

use http::HeaderMap;
use http::header::{self, HeaderName};

use crate::bundle::ObserveSettings;
use crate::transaction::{RequestHead, ResponseHead};

/// Bounds of what is copied from a head.
const HEADERS: usize = 48;
const VALUE_BYTES: usize = 4096;
const HEADERS_BYTES: usize = 16 << 10;
const QUERY_BYTES: usize = 8 << 10;

/// Bounded copies of one transaction.
pub struct Sample {
    /// The probability with which it was sampled.
    pub probability: f32,
    pub(super) settings: ObserveSettings,
    pub(super) path: Box<str>,
    pub(super) query: Box<str>,
    pub(super) request: MessageCopy,
    pub(super) response: MessageCopy,
}

/// Copies of a message's head and of the beginning of its body.
#[derive(Default)]
pub(super) struct MessageCopy {
    pub headers: Vec<(HeaderName, Box<[u8]>)>,
    pub body: Vec<u8>,
    /// There was more than was copied.
    pub is_cut: bool,
}

impl Sample {
    /// Copies a request's head; `path` is the normalised one.
    #[must_use]
    pub fn new(probability: f32, settings: &ObserveSettings, head: &RequestHead<'_>, path: &str) -> Self {
        let query = head.target.split_once('?').map_or("", |(_, query)| query);
        Self {
            probability,
            settings: *settings,
            path: path.into(),
            query: up_to(query, QUERY_BYTES).into(),
            request: MessageCopy::of_head(head.headers),
            response: MessageCopy::default(),
        }
    }

    /// Bytes that the copies hold: what a queue of samples is bounded by.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.path.len() + self.query.len() + self.request.bytes() + self.response.bytes()
    }

    /// Copies a response's head; an interim response is replaced by the final one.
    pub fn response_head(&mut self, head: &ResponseHead<'_>) {
        self.response = MessageCopy::of_head(head.headers);
    }

    /// Copies a piece of the request's body as it passes, while there is room.
    pub fn request_piece(&mut self, piece: &[u8]) {
        self.request.body_piece(piece, self.settings.body_copy_bytes);
    }

    /// Copies a piece of the response's body as it passes, while there is room.
    pub fn response_piece(&mut self, piece: &[u8]) {
        self.response.body_piece(piece, self.settings.body_copy_bytes);
    }
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sample").field("probability", &self.probability).finish_non_exhaustive()
    }
}

impl MessageCopy {
    fn of_head(headers: &HeaderMap) -> Self {
        let mut copy = Self::default();
        let mut room = HEADERS_BYTES;
        for (name, value) in headers.iter().filter(|(name, _)| !is_left_out(name)).take(HEADERS) {
            let bytes = value.as_bytes();
            let kept = &bytes[..bytes.len().min(VALUE_BYTES)];
            room = match room.checked_sub(kept.len()) {
                Some(rest) => rest,
                None => break,
            };
            copy.headers.push((name.clone(), kept.into()));
        }
        copy
    }

    fn bytes(&self) -> usize {
        self.body.capacity() + self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
    }

    fn body_piece(&mut self, piece: &[u8], bound: usize) {
        let room = bound.saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
    }

    /// The first value of a header, as text; empty when there is none.
    pub fn header(&self, name: &HeaderName) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }
}

/// Headers of transport, caching and browsers' plumbing: nothing is learned from their values.
fn is_left_out(name: &HeaderName) -> bool {
    const LEFT_OUT: &[HeaderName] = &[
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        header::DATE,
        header::AGE,
        header::ETAG,
        header::EXPIRES,
        header::LAST_MODIFIED,
        header::CACHE_CONTROL,
        header::PRAGMA,
        header::VARY,
        header::VIA,
        header::SERVER,
        header::ALT_SVC,
        header::ACCEPT_ENCODING,
        header::ACCEPT_RANGES,
        header::FORWARDED,
        header::STRICT_TRANSPORT_SECURITY,
        header::CONTENT_SECURITY_POLICY,
        header::UPGRADE_INSECURE_REQUESTS,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_ACCEPT,
        header::X_CONTENT_TYPE_OPTIONS,
        header::X_FRAME_OPTIONS,
        header::X_XSS_PROTECTION,
    ];
    let text = name.as_str();
    LEFT_OUT.contains(name)
        || text == "keep-alive"
        || text == "hoplon-request-id"
        || text.starts_with("x-forwarded-")
        || text.starts_with("sec-")
}

fn up_to(text: &str, bound: usize) -> &str {
    let end = (0..=bound.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
