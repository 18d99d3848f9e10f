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
}

impl Refusal {
    /// All of them, in the order in which they are looked for.
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
        };
        ViolationDef { code, location, doc }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.def().code
    }
}
