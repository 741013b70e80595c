//! What kind of failure it was, from typed parts: HTTP status code, `Status.reason`, `Status.details` and transport kind.
//!
//! The class decides how long to wait ([`super::backoff`]) and whether a destination is to blame ([`super::circuit`]).
//! Invariant: message text is never looked at, so no object name can change a class. Order of evidence: the cause
//! `NamespaceTerminating`, a known reason, a status code from 400 on, the transport kind; without any of them it is
//! [`ErrorClass::Fatal`]. Kubernetes has no typed sign of an exceeded quota: it is `Forbidden`, thus [`ErrorClass::Denied`].
//!
//! Sources: `metav1.StatusReason` and `corev1.NamespaceTerminatingCause` of Kubernetes 1.34; client-go's reading of
//! Retry-After; RFC 9110 for bare status codes.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// `Status.reason` of a Kubernetes answer, the one typed cause that outranks it, and whatever else a server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Empty: the server gave none.
    Unknown,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409 on a create.
    AlreadyExists,
    /// 409: another version, or another field manager.
    Conflict,
    /// 410.
    Gone,
    /// 422.
    Invalid,
    /// 500: cannot complete in reasonable time, outcome unknown.
    ServerTimeout,
    /// 500: the store could not be read.
    StoreReadError,
    /// 504: the time allowed was over, outcome unknown.
    Timeout,
    /// 429.
    TooManyRequests,
    /// 400.
    BadRequest,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 500.
    InternalError,
    /// 410: the resource version is too old for a watch or the rest of a list.
    Expired,
    /// 503.
    ServiceUnavailable,
    /// Not a reason but a cause in `Status.details.causes` of a 403: the namespace is being deleted.
    NamespaceTerminating,
    /// A token that is not in this list, as admission webhooks may send.
    Other,
}

/// Every reason with its token; [`Reason::NamespaceTerminating`] and [`Reason::Other`] have no reason token.
const TOKENS: [(Reason, &str); 20] = [
    (Reason::Unknown, ""),
    (Reason::Unauthorized, "Unauthorized"),
    (Reason::Forbidden, "Forbidden"),
    (Reason::NotFound, "NotFound"),
    (Reason::AlreadyExists, "AlreadyExists"),
    (Reason::Conflict, "Conflict"),
    (Reason::Gone, "Gone"),
    (Reason::Invalid, "Invalid"),
    (Reason::ServerTimeout, "ServerTimeout"),
    (Reason::StoreReadError, "StorageReadError"),
    (Reason::Timeout, "Timeout"),
    (Reason::TooManyRequests, "TooManyRequests"),
    (Reason::BadRequest, "BadRequest"),
    (Reason::MethodNotAllowed, "MethodNotAllowed"),
    (Reason::NotAcceptable, "NotAcceptable"),
    (Reason::RequestEntityTooLarge, "RequestEntityTooLarge"),
    (Reason::UnsupportedMediaType, "UnsupportedMediaType"),
    (Reason::InternalError, "InternalError"),
    (Reason::Expired, "Expired"),
    (Reason::ServiceUnavailable, "ServiceUnavailable"),
];

/// The cause of a refused create in a namespace that is being deleted.
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

impl Reason {
    /// From the exact token of `Status.reason`.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        TOKENS.iter().find(|(_, known)| *known == token).map_or(Self::Other, |(reason, _)| *reason)
    }

    const fn class(self) -> Option<ErrorClass> {
        Some(match self {
            Self::Unknown | Self::Other => return None,
            Self::Unauthorized | Self::Forbidden => ErrorClass::Denied,
            Self::NotFound => ErrorClass::NotFound,
            Self::AlreadyExists | Self::Conflict => ErrorClass::Conflict,
            Self::Gone | Self::Expired => ErrorClass::Expired,
            Self::Invalid
            | Self::BadRequest
            | Self::MethodNotAllowed
            | Self::NotAcceptable
            | Self::RequestEntityTooLarge
            | Self::UnsupportedMediaType => ErrorClass::Invalid,
            Self::ServerTimeout | Self::Timeout => ErrorClass::Timeout,
            Self::TooManyRequests => ErrorClass::Throttled,
            Self::StoreReadError | Self::InternalError | Self::ServiceUnavailable => ErrorClass::Transient,
            Self::NamespaceTerminating => ErrorClass::Terminating,
        })
    }
}

/// How a request failed below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// No connection: refused, unreachable, name not resolved.
    Connect,
    /// No answer in time; the request may have been carried out.
    Timeout,
    /// The connection broke off, also in the middle of a body; the request may have been carried out.
    Reset,
    /// The handshake failed: a certificate that is not trusted, expired or for another name.
    Tls,
    /// An answer came that is not what was asked for: too large, not JSON, other fields.
    Decode,
}

impl Transport {
    const fn class(self) -> ErrorClass {
        match self {
            Self::Connect | Self::Reset => ErrorClass::Transient,
            Self::Timeout => ErrorClass::Timeout,
            Self::Tls => ErrorClass::Denied,
            Self::Decode => ErrorClass::Invalid,
        }
    }
}

/// The kinds of failure that are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// What is there differs from what was believed: read again and decide again.
    Conflict,
    /// The object, or its kind, is not there.
    NotFound,
    /// The position in the history of changes is gone: list again.
    Expired,
    /// The server asks for fewer requests.
    Throttled,
    /// It failed now and may work soon.
    Transient,
    /// No answer in time, outcome unknown.
    Timeout,
    /// Credentials, permissions or trust: a person has to change something.
    Denied,
    /// The request or the answer is wrong as it is: the same again fails again.
    Invalid,
    /// The namespace is being deleted.
    Terminating,
    /// Nothing is known about it; a mistake of the caller until shown otherwise.
    Fatal,
}

impl ErrorClass {
    /// Every class, in order.
    pub const ALL: [Self; 10] = [
        Self::Conflict,
        Self::NotFound,
        Self::Expired,
        Self::Throttled,
        Self::Transient,
        Self::Timeout,
        Self::Denied,
        Self::Invalid,
        Self::Terminating,
        Self::Fatal,
    ];

    /// Position in [`ErrorClass::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Label for metrics, log and class tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::NotFound => "not-found",
            Self::Expired => "expired",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Terminating => "terminating",
            Self::Fatal => "fatal",
        }
    }

    /// Whether the destination itself is in trouble; every other class is an answer that only a living server gives,
    /// or a fault of our own. Being throttled is not trouble: its cure is the delay the server asks for.
    #[must_use]
    pub const fn blames_destination(self) -> bool {
        matches!(self, Self::Transient | Self::Timeout)
    }
}

/// A failed request, in typed parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status code, if an answer came.
    pub status: Option<u16>,
    /// Reason of a Kubernetes answer, [`Reason::Unknown`] elsewhere.
    pub reason: Reason,
    /// How long the server asks to wait.
    pub retry_after: Option<Span>,
    /// What failed below HTTP, if anything did.
    pub transport: Option<Transport>,
}

impl Failure {
    /// A server answered with this status code and `Status.reason` (empty where it gave none, as other servers do).
    #[must_use]
    pub fn answered(status: u16, reason: &str) -> Self {
        Self { status: Some(status), reason: Reason::from_token(reason), retry_after: None, transport: None }
    }

    /// Nothing usable came back.
    #[must_use]
    pub const fn transport(kind: Transport) -> Self {
        Self { status: None, reason: Reason::Unknown, retry_after: None, transport: Some(kind) }
    }

    /// With the `reason` tokens of `Status.details.causes`.
    #[must_use]
    pub fn with_causes<'a>(mut self, causes: impl IntoIterator<Item = &'a str>) -> Self {
        if causes.into_iter().any(|cause| cause == NAMESPACE_TERMINATING) {
            self.reason = Reason::NamespaceTerminating;
        }
        self
    }

    /// With a wait that the server asks for; of several (header and `details.retryAfterSeconds`) the longest counts.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Span>) -> Self {
        self.retry_after = self.retry_after.max(wait);
        self
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.reason
            .class()
            .or_else(|| self.status.and_then(class_of_status))
            .or_else(|| self.transport.map(Transport::class))
            .unwrap_or(ErrorClass::Fatal)
    }
}

/// A bare status code, as Prometheus, proxies and webhooks send it; `None` below 400, where HTTP knows no failure.
const fn class_of_status(status: u16) -> Option<ErrorClass> {
    Some(match status {
        0..400 => return None,
        401 | 403 | 407 => ErrorClass::Denied,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        409 => ErrorClass::Conflict,
        410 => ErrorClass::Expired,
        429 => ErrorClass::Throttled,
        501 | 505 => ErrorClass::Invalid,
        400..500 => ErrorClass::Invalid,
        500..600 => ErrorClass::Transient,
        600.. => ErrorClass::Fatal,
    })
}

/// The value of a Retry-After header as client-go reads it: a whole number of seconds, negative means at once, and a
/// date (or anything else) is no hint.
#[must_use]
pub fn retry_after_of(header: &str) -> Option<Span> {
    let seconds: i64 = header.parse().ok()?;
    Some(Span::from_micros(seconds.max(0).saturating_mul(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every constant `StatusReason…` of apimachinery 0.34's `meta/v1/types.go`, with the code its comment names.
    #[test]
    fn classes_of_all_status_reasons() {
        let table = [
            ("", 500, ErrorClass::Transient),
            ("Unauthorized", 401, ErrorClass::Denied),
            ("Forbidden", 403, ErrorClass::Denied),
            ("NotFound", 404, ErrorClass::NotFound),
            ("AlreadyExists", 409, ErrorClass::Conflict),
            ("Conflict", 409, ErrorClass::Conflict),
            ("Gone", 410, ErrorClass::Expired),
            ("Invalid", 422, ErrorClass::Invalid),
            ("ServerTimeout", 500, ErrorClass::Timeout),
            ("StorageReadError", 500, ErrorClass::Transient),
            ("Timeout", 504, ErrorClass::Timeout),
            ("TooManyRequests", 429, ErrorClass::Throttled),
            ("BadRequest", 400, ErrorClass::Invalid),
            ("MethodNotAllowed", 405, ErrorClass::Invalid),
            ("NotAcceptable", 406, ErrorClass::Invalid),
            ("RequestEntityTooLarge", 413, ErrorClass::Invalid),
            ("UnsupportedMediaType", 415, ErrorClass::Invalid),
            ("InternalError", 500, ErrorClass::Transient),
            ("Expired", 410, ErrorClass::Expired),
            ("ServiceUnavailable", 503, ErrorClass::Transient),
        ];
        for (reason, code, class) in table {
            assert_eq!(Failure::answered(code, reason).class(), class, "{code} {reason}");
            assert_ne!(Reason::from_token(reason), Reason::Other, "{reason} is known");
        }
        assert_eq!(table.len(), TOKENS.len());
    }

    #[test]
    fn a_reason_outranks_the_code_and_a_cause_the_reason() {
        assert_eq!(Failure::answered(500, "ServerTimeout").class(), ErrorClass::Timeout);
        let refused = Failure::answered(403, "Forbidden");
        assert_eq!(refused.with_causes(["FieldValueInvalid"]).class(), ErrorClass::Denied);
        assert_eq!(refused.with_causes(["NamespaceTerminating"]).class(), ErrorClass::Terminating);
    }

    /// Tokens are exact: nothing that merely contains a known word counts (the origin classed "networkintents" as network).
    #[test]
    fn text_is_never_searched() {
        for reason in ["conflict", "Timeout exceeded", "networkintents", "TooManyRequests "] {
            assert_eq!(Reason::from_token(reason), Reason::Other, "{reason:?}");
        }
        assert_eq!(Failure::answered(404, "networkintents").class(), ErrorClass::NotFound);
    }

    #[test]
    fn classes_of_bare_codes() {
        for (code, class) in [
            (400, ErrorClass::Invalid),
            (407, ErrorClass::Denied),
            (408, ErrorClass::Timeout),
            (418, ErrorClass::Invalid),
            (422, ErrorClass::Invalid),
            (429, ErrorClass::Throttled),
            (500, ErrorClass::Transient),
            (501, ErrorClass::Invalid),
            (502, ErrorClass::Transient),
            (503, ErrorClass::Transient),
            (504, ErrorClass::Timeout),
            (599, ErrorClass::Transient),
            (302, ErrorClass::Fatal),
            (999, ErrorClass::Fatal),
        ] {
            assert_eq!(Failure::answered(code, "").class(), class, "{code}");
        }
    }

    #[test]
    fn classes_of_transport_kinds() {
        for (kind, class) in [
            (Transport::Connect, ErrorClass::Transient),
            (Transport::Timeout, ErrorClass::Timeout),
            (Transport::Reset, ErrorClass::Transient),
            (Transport::Tls, ErrorClass::Denied),
            (Transport::Decode, ErrorClass::Invalid),
        ] {
            assert_eq!(Failure::transport(kind).class(), class, "{kind:?}");
        }
        // A success that cannot be read is a wrong answer; an error page that cannot be read is still a 502.
        let unreadable = |status| Failure { status: Some(status), ..Failure::transport(Transport::Decode) };
        assert_eq!(unreadable(200).class(), ErrorClass::Invalid);
        assert_eq!(unreadable(502).class(), ErrorClass::Transient);
        assert_eq!(Failure::answered(200, "").class(), ErrorClass::Fatal);
    }

    /// The rules of client-go 0.34: whole numbers only, dates ignored, negative at once.
    #[test]
    fn reads_retry_after() {
        assert_eq!(retry_after_of("5"), Some(Span::from_secs(5)));
        assert_eq!(retry_after_of("0"), Some(Span::ZERO));
        assert_eq!(retry_after_of("-3"), Some(Span::ZERO));
        assert_eq!(retry_after_of("9223372036854775807"), Some(Span::from_micros(i64::MAX)));
        for wrong in ["", "1.5", "5 s", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"] {
            assert_eq!(retry_after_of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_longest_hint_counts() {
        let failure = Failure::answered(429, "TooManyRequests").with_retry_after(Some(Span::from_secs(2)));
        assert_eq!(failure.with_retry_after(None).retry_after, Some(Span::from_secs(2)));
        assert_eq!(failure.with_retry_after(Some(Span::from_secs(9))).retry_after, Some(Span::from_secs(9)));
        assert_eq!(failure.with_retry_after(Some(Span::from_secs(1))).retry_after, Some(Span::from_secs(2)));
    }

    #[test]
    fn indices_labels_and_serde_names_agree() {
        for (position, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), position);
            assert_eq!(serde_json::to_value(class).unwrap(), class.label());
        }
    }

    #[test]
    fn only_a_server_in_trouble_is_blamed() {
        let blamed: Vec<_> = ErrorClass::ALL.into_iter().filter(|class| class.blames_destination()).collect();
        assert_eq!(blamed, [ErrorClass::Transient, ErrorClass::Timeout]);
    }
}
