//! The stable codes of violations. A refusal is a property of the protocol: it acts in every mode, no rule asks for it. What
//! rules find has its code beside the fact (`features`). Codes are never reused for something else.

/// One code, as documentation, API and dashboard list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViolationDef {
    /// `<feature>.<thing>[.<detail>]`.
    pub code: &'static str,
    /// Where it is found: `path`, `query`, `header:host`, `body`.
    pub location: &'static str,
    pub doc: &'static str,
}

/// Why a request is refused in every mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    MethodConnect,
    MethodInvalid,
    TargetInvalid,
    TargetTooLong,
    TargetFragment,
    PathBackslash,
    PathNul,
    PathPercentEncoding,
    PathControlCharacter,
    PathDotParameter,
    QueryControlCharacter,
    HostMissing,
    HostSeveral,
    HostInvalid,
    HostMismatch,
    HostUnknown,
    StartLine,
    Version,
    LineEnding,
    HeaderName,
    HeaderFolded,
    HeaderValue,
    HeadTooLarge,
    HeadTooManyFields,
    HeadTimeout,
    ContentLengthInvalid,
    ContentLengthSeveral,
    FramingBoth,
    TransferEncodingUnsupported,
    TransferEncodingSeveral,
    TransferEncodingVersion,
    ChunkSize,
    ChunkExtension,
    ChunkEnd,
    TrailerForbidden,
    BodyTooLarge,
}

impl Refusal {
    /// All of them: first what is looked for in a request that was read, then what `h1_guard` finds in its bytes.
    pub const ALL: &[Self] = &[
        Self::MethodConnect,
        Self::MethodInvalid,
        Self::HostSeveral,
        Self::HostMissing,
        Self::HostInvalid,
        Self::HostMismatch,
        Self::HostUnknown,
        Self::TargetTooLong,
        Self::TargetInvalid,
        Self::TargetFragment,
        Self::PathControlCharacter,
        Self::PathBackslash,
        Self::PathPercentEncoding,
        Self::PathNul,
        Self::PathDotParameter,
        Self::QueryControlCharacter,
        Self::StartLine,
        Self::Version,
        Self::LineEnding,
        Self::HeaderName,
        Self::HeaderFolded,
        Self::HeaderValue,
        Self::HeadTooLarge,
        Self::HeadTooManyFields,
        Self::HeadTimeout,
        Self::ContentLengthInvalid,
        Self::ContentLengthSeveral,
        Self::FramingBoth,
        Self::TransferEncodingUnsupported,
        Self::TransferEncodingSeveral,
        Self::TransferEncodingVersion,
        Self::ChunkSize,
        Self::ChunkExtension,
        Self::ChunkEnd,
        Self::TrailerForbidden,
        Self::BodyTooLarge,
    ];

    /// The table.
    #[must_use]
    #[rustfmt::skip]
    pub const fn def(self) -> ViolationDef {
        let (code, location, doc) = match self {
            Self::MethodConnect => ("protocol.method.connect", "method", "CONNECT asks for a tunnel; this is no forward proxy"),
            Self::MethodInvalid => ("protocol.method.invalid", "method", "the method is not a token (RFC 9110 §5.6.2) of at most 32 bytes"),
            Self::TargetInvalid => ("protocol.target.invalid", "target", "the target is neither a path nor `OPTIONS *`"),
            Self::TargetTooLong => ("protocol.target.too_long", "target", "path and query are longer than 65,536 bytes"),
            Self::TargetFragment => ("protocol.target.fragment", "target", "`#` is never sent (RFC 9110 §7.1); servers differ in what they do with it"),
            Self::PathBackslash => ("protocol.path.backslash", "path", "a bare `\\`, which some servers read as `/`"),
            Self::PathNul => ("protocol.path.nul", "path", "`%00`, which ends the text for some servers"),
            Self::PathPercentEncoding => ("protocol.path.percent_encoding", "path", "`%` without two hex digits (RFC 3986 §2.1)"),
            Self::PathControlCharacter => ("protocol.path.control_character", "path", "a bare control character"),
            Self::PathDotParameter => ("protocol.path.dot_parameter", "path", "a segment like `..;x`, which some servers read as `..`"),
            Self::QueryControlCharacter => ("protocol.query.control_character", "query", "a bare blank or control character"),
            Self::HostMissing => ("protocol.host.missing", "header:host", "neither `Host` nor an authority"),
            Self::HostSeveral => ("protocol.host.several", "header:host", "more than one `Host` (RFC 9112 §3.2)"),
            Self::HostInvalid => ("protocol.host.invalid", "header:host", "`Host` or authority is not a host name or address with an optional port"),
            Self::HostMismatch => ("protocol.host.mismatch", "header:host", "`Host` is not the authority of the target"),
            Self::HostUnknown => ("protocol.host.unknown", "header:host", "no zone serves this host"),
            Self::StartLine => ("protocol.start_line.invalid", "start_line", "the first line is not `method SP target SP HTTP/1.x` (RFC 9112 §3)"),
            Self::Version => ("protocol.start_line.version", "start_line", "the version is neither HTTP/1.0 nor HTTP/1.1"),
            Self::LineEnding => ("protocol.header.line_ending", "head", "a line that does not end in CR LF, or a CR inside of one (RFC 9112 §2.2)"),
            Self::HeaderName => ("protocol.header.name", "header", "a field name is not a token with the colon right behind it (RFC 9112 §5.1)"),
            Self::HeaderFolded => ("protocol.header.folded", "header", "a line that begins with a blank (RFC 9112 §5.2)"),
            Self::HeaderValue => ("protocol.header.value", "header", "a NUL or another control character in a field value (RFC 9110 §5.5)"),
            Self::HeadTooLarge => ("protocol.header.too_large", "head", "the head is longer than `limits.head_bytes`"),
            Self::HeadTooManyFields => ("protocol.header.too_many", "head", "the head has more fields than `limits.head_fields`"),
            Self::HeadTimeout => ("protocol.header.timeout", "head", "the head was not complete within `limits.head_seconds`"),
            Self::ContentLengthInvalid => ("protocol.content_length.invalid", "header:content-length", "the length is not written as a plain decimal number"),
            Self::ContentLengthSeveral => ("protocol.content_length.several", "header:content-length", "more than one `Content-Length`, even if they are equal"),
            Self::FramingBoth => ("protocol.framing.both", "header:transfer-encoding", "`Content-Length` together with `Transfer-Encoding` (RFC 9112 §6.1)"),
            Self::TransferEncodingUnsupported => ("protocol.transfer_encoding.unsupported", "header:transfer-encoding", "a transfer coding other than `chunked`, or `chunked` in disguise"),
            Self::TransferEncodingSeveral => ("protocol.transfer_encoding.several", "header:transfer-encoding", "more than one `Transfer-Encoding`"),
            Self::TransferEncodingVersion => ("protocol.transfer_encoding.version", "header:transfer-encoding", "`Transfer-Encoding` in HTTP/1.0, which does not have it"),
            Self::ChunkSize => ("protocol.chunk.size", "body", "a chunk size is not 1 to 16 hex digits right before CR LF or `;` (RFC 9112 §7.1)"),
            Self::ChunkExtension => ("protocol.chunk.extension", "body", "chunk extensions that are too long or hold a control character"),
            Self::ChunkEnd => ("protocol.chunk.end", "body", "no CR LF where a chunk ends"),
            Self::TrailerForbidden => ("protocol.trailer.forbidden", "trailers", "a trailer field that frames, routes or authorizes (RFC 9110 §6.5.1)"),
            Self::BodyTooLarge => ("protocol.body.too_large", "body", "the body is longer than `limits.body_bytes`"),
        };
        ViolationDef { code, location, doc }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::HeadTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::HostUnknown => 421,
            Self::HeadTooLarge | Self::HeadTooManyFields => 431,
            Self::TransferEncodingUnsupported => 501,
            Self::Version => 505,
            _ => 400,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.def().code
    }
}
