//! What passes and what does not, as bytes; the same in one piece and byte by byte; and nothing passes that hyper cannot read.

use engine::violation::Refusal as R;
use proptest::prelude::*;

use super::{HeadLimits, Scan, Scanner};

const LIMITS: HeadLimits = HeadLimits { start_line_bytes: 100, head_bytes: 1000, fields: 10 };

fn requests() -> Scanner {
    Scanner::of_requests(LIMITS)
}

fn responses(to_head: bool) -> Scanner {
    let mut scanner = Scanner::of_responses(LIMITS);
    scanner.expect_response(to_head);
    scanner
}

/// How many bytes of pieces of these lengths pass, and what is refused. What is held back is shown again, as the adaptor does.
fn fed(mut scanner: Scanner, bytes: &[u8], pieces: impl IntoIterator<Item = usize>) -> (Scan, Scanner) {
    let (mut passed, mut arrived) = (0, 0);
    let mut pieces = pieces.into_iter();
    loop {
        arrived = pieces.next().map_or(bytes.len(), |length| (arrived + length).min(bytes.len()));
        let scan = scanner.scan(&bytes[passed..arrived]);
        passed += scan.passed;
        if scan.refusal.is_some() || arrived == bytes.len() {
            return (Scan { passed, refusal: scan.refusal }, scanner);
        }
    }
}

fn verdict(scanner: Scanner, bytes: &[u8]) -> Scan {
    let (whole, _) = fed(scanner.clone(), bytes, []);
    let (byte_by_byte, _) = fed(scanner, bytes, std::iter::repeat_n(1, bytes.len()));
    assert_eq!(whole, byte_by_byte, "{}", bytes.escape_ascii());
    whole
}

fn refused(bytes: &str) -> Option<R> {
    verdict(requests(), bytes.as_bytes()).refusal
}

fn passes(scanner: Scanner, bytes: &str) {
    assert_eq!(verdict(scanner, bytes.as_bytes()), Scan { passed: bytes.len(), refusal: None }, "{bytes:?}");
}

/// A request with these lines behind its `Host`.
fn with(lines: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn first_lines() {
    let cases = [
        ("GET / HTTP/1.1", None),
        ("get / HTTP/1.1", None),
        ("M-SEARCH /a/%2e;p=1?q[]={x}| HTTP/1.0", None),
        ("OPTIONS * HTTP/1.1", None),
        ("GET http://a/b HTTP/1.1", None),
        ("GET HTTPS://a?b HTTP/1.1", None),
        ("GET /", Some(R::Version)),
        ("GET / HTTP/0.9", Some(R::Version)),
        ("GET / HTTP/1.2", Some(R::Version)),
        ("PRI * HTTP/2.0", Some(R::Version)),
        ("GET / HTTP/2", Some(R::Version)),
        ("GET / http/1.1", Some(R::StartLine)),
        ("GET / HTTP/1.1 ", Some(R::StartLine)),
        ("GET / HTTP/1.10", Some(R::StartLine)),
        ("GET /a b HTTP/1.1", Some(R::StartLine)),
        ("GET  / HTTP/1.1", Some(R::StartLine)),
        ("GET /\tHTTP/1.1", Some(R::Version)),
        ("GET\t/ HTTP/1.1", Some(R::MethodInvalid)),
        ("GET", Some(R::MethodInvalid)),
        (" GET / HTTP/1.1", Some(R::StartLine)),
        ("G@T / HTTP/1.1", Some(R::MethodInvalid)),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", Some(R::MethodInvalid)),
        ("CONNECT a:443 HTTP/1.1", Some(R::MethodConnect)),
        ("GET /\r HTTP/1.1", Some(R::LineEnding)),
        ("GET /#f HTTP/1.1", Some(R::TargetFragment)),
        ("GET http://a#f HTTP/1.1", Some(R::TargetFragment)),
        ("GET /\0 HTTP/1.1", Some(R::TargetInvalid)),
        ("GET /\u{7f} HTTP/1.1", Some(R::TargetInvalid)),
        ("GET * HTTP/1.1", Some(R::TargetInvalid)),
        ("GET ftp://a/ HTTP/1.1", Some(R::TargetInvalid)),
        ("GET file:///a HTTP/1.1", Some(R::TargetInvalid)),
        ("GET http:///a HTTP/1.1", Some(R::TargetInvalid)),
        ("GET a.example HTTP/1.1", Some(R::TargetInvalid)),
        ("GET ?a HTTP/1.1", Some(R::TargetInvalid)),
        ("\u{16}\u{3}\u{1}", Some(R::StartLine)),
    ];
    for (line, refusal) in cases {
        assert_eq!(refused(&format!("{line}\r\nHost: a\r\n\r\n")), refusal, "{line:?}");
    }
}

#[test]
fn one_empty_line_may_stand_before_a_request() {
    passes(requests(), "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(R::LineEnding));
    assert_eq!(refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(R::LineEnding));
    assert_eq!(refused("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(R::LineEnding));
}

#[test]
fn fields() {
    let cases = [
        ("A:\r\nB:b\r\nC: \t c \t\r\nD: \u{e4}\r\n", None),
        ("A: 1\nB: 2\r\n", Some(R::LineEnding)),
        ("A: 1\rB: 2\r\n", Some(R::LineEnding)),
        ("A\r: 1\r\n", Some(R::LineEnding)),
        ("A : 1\r\n", Some(R::HeaderName)),
        ("A\t: 1\r\n", Some(R::HeaderName)),
        (": 1\r\n", Some(R::HeaderName)),
        ("A\r\n", Some(R::HeaderName)),
        ("A\0: 1\r\n", Some(R::HeaderName)),
        ("\u{e4}: 1\r\n", Some(R::HeaderName)),
        ("A B: 1\r\n", Some(R::HeaderName)),
        ("A: 1\r\n 2\r\n", Some(R::HeaderFolded)),
        ("A: 1\r\n\t2\r\n", Some(R::HeaderFolded)),
        ("A: \0\r\n", Some(R::HeaderValue)),
        ("A: b\u{8}c\r\n", Some(R::HeaderValue)),
        ("A: b\u{7f}c\r\n", Some(R::HeaderValue)),
        ("Content_Length: 1\r\n", Some(R::ContentLengthInvalid)),
        ("Transfer_Encoding: chunked\r\n", Some(R::TransferEncodingUnsupported)),
    ];
    for (lines, refusal) in cases {
        assert_eq!(refused(&with(lines)), refusal, "{lines:?}");
    }
    assert_eq!(refused("GET / HTTP/1.1\r\nA: 1\r\n\r\n"), Some(R::HostMissing));
    assert_eq!(refused("GET http://a/ HTTP/1.1\r\n\r\n"), Some(R::HostMissing));
    passes(requests(), "GET / HTTP/1.0\r\n\r\n");
}

#[test]
fn framing() {
    let cases = [
        ("Content-Length: 0\r\n", None),
        ("content-length:0  \r\n", None),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", Some(R::ContentLengthSeveral)),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Some(R::FramingBoth)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", Some(R::FramingBoth)),
        ("Transfer-Encoding: Chunked\r\n", None),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Some(R::TransferEncodingSeveral)),
    ];
    for (lines, refusal) in cases {
        assert_eq!(refused(&with(lines)), refusal, "{lines:?}");
    }
    for value in ["", "+1", "-1", "1,1", "1, 1", "1 1", "0x1", "1a", "01", "00", "\t1", "1\t", "1000000000000000000", "\u{661}"] {
        assert_eq!(refused(&with(&format!("Content-Length: {value}\r\n"))), Some(R::ContentLengthInvalid), "{value:?}");
    }
    for value in [
        "",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "\tchunked",
        "chunked;q=1",
        "\"chunked\"",
        ",chunked",
        "chunked,",
        "chun ked",
        "\u{b}chunked",
    ] {
        let refusal = refused(&with(&format!("Transfer-Encoding: {value}\r\n")));
        let expected = if value.starts_with('\u{b}') { R::HeaderValue } else { R::TransferEncodingUnsupported };
        assert_eq!(refusal, Some(expected), "{value:?}");
    }
    assert_eq!(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(R::TransferEncodingVersion));
}

#[test]
fn the_next_head_is_found_behind_every_body() {
    let counted = with("Content-Length: 5\r\n") + "GET /";
    let chunked = with("Transfer-Encoding: chunked\r\n") + "5;a=b\r\n0\r\n\r\n\r\n00001\r\nG\r\n0\r\nX-Sum: 1\r\n\r\n";
    let pipeline = [with(""), counted, with(""), chunked, with("")].concat();
    passes(requests(), &pipeline);
    let (_, scanner) = fed(requests(), pipeline.as_bytes(), []);
    assert_eq!(scanner.heads(), 5);
    assert_eq!(refused(&(pipeline + "GET /#")), None, "an incomplete line may still become anything");
}

#[test]
fn chunks() {
    let cases = [
        ("5\r\nhello\r\n0\r\n\r\n", None),
        ("5 \r\nhello\r\n", Some(R::ChunkSize)),
        ("5 ;a\r\nhello\r\n", Some(R::ChunkSize)),
        ("\r\nhello\r\n", Some(R::ChunkSize)),
        ("5\nhello\r\n", Some(R::LineEnding)),
        ("5\r;a\r\nhello\r\n", Some(R::ChunkSize)),
        ("5;a\nb\r\nhello\r\n", Some(R::LineEnding)),
        ("5;a\rb\r\nhello\r\n", Some(R::ChunkExtension)),
        ("10000000000000005\r\nhello\r\n", Some(R::ChunkSize)),
        ("5\r\nhelloo\r\n", Some(R::ChunkEnd)),
        ("5\r\nhello\n0\r\n\r\n", Some(R::ChunkEnd)),
        ("5\r\nhello0\r\n\r\n", Some(R::ChunkEnd)),
        ("0\r\nHost: b\r\n\r\n", Some(R::TrailerForbidden)),
        ("0\r\nA : b\r\n\r\n", Some(R::HeaderName)),
        ("0\r\nA: b\n\r\n", Some(R::LineEnding)),
        ("0\r\n\n", Some(R::LineEnding)),
    ];
    for (body, refusal) in cases {
        assert_eq!(refused(&(with("Transfer-Encoding: chunked\r\n") + body)), refusal, "{body:?}");
    }
    let head = with("Transfer-Encoding: chunked\r\n");
    let long = "a".repeat(300);
    assert_eq!(refused(&format!("{head}5;{long}\r\n")), Some(R::ChunkExtension));
    assert_eq!(refused(&format!("{head}5{long}\r\n")), Some(R::ChunkSize));
    assert_eq!(refused(&format!("{head}{}", format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(100))), Some(R::ChunkExtension));
    assert_eq!(refused(&format!("{head}0\r\n{}\r\n", "A: b\r\n".repeat(11))), Some(R::HeadTooManyFields));
    assert_eq!(refused(&format!("{head}0\r\nA: {}\r\n\r\n", long.repeat(50))), Some(R::HeadTooLarge));
}

#[test]
fn heads_are_bounded() {
    assert_eq!(refused(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(200))), Some(R::TargetTooLong));
    assert_eq!(refused(&format!("GET /{}", "a".repeat(200))), Some(R::TargetTooLong));
    assert_eq!(refused(&with(&"A: 1\r\n".repeat(9))), None);
    assert_eq!(refused(&with(&"A: 1\r\n".repeat(10))), Some(R::HeadTooManyFields));
    assert_eq!(refused(&with(&format!("A: {}\r\n", "a".repeat(1000)))), Some(R::HeadTooLarge));
    for fill in 900..1000 {
        let text = with(&format!("A: {}\r\n", "a".repeat(fill)));
        assert_eq!(refused(&text), (text.len() > LIMITS.head_bytes).then_some(R::HeadTooLarge), "{} bytes", text.len());
    }
}

#[test]
fn behind_a_request_for_an_upgrade_everything_waits() {
    let head = with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n");
    let bytes = format!("{head}\x01\x02GET");
    let (scan, mut scanner) = fed(requests(), bytes.as_bytes(), []);
    assert_eq!((scan.passed, scan.refusal, scanner.is_paused()), (head.len(), None, true));
    scanner.resume();
    assert_eq!(scanner.scan(b"\x01\x02GET").refusal, Some(R::StartLine));
}

#[test]
fn responses_are_framed_by_status_and_method() {
    passes(
        responses(false),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    passes(responses(false), "HTTP/1.1 200 \r\n\r\nuntil the end \r\n\0");
    passes(responses(false), "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\0\x01");
    passes(responses(false), "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    passes(responses(true), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    passes(responses(false), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
}

#[test]
fn responses_that_can_be_read_in_two_ways_do_not_pass() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", R::ContentLengthSeveral),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", R::FramingBoth),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", R::TransferEncodingUnsupported),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", R::TransferEncodingVersion),
        ("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", R::LineEnding),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", R::HeaderFolded),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", R::HeaderName),
        ("HTTP/1.1 2000 OK\r\n\r\n", R::StartLine),
        ("HTTP/1.1 20 OK\r\n\r\n", R::StartLine),
        ("HTTP/1.1 099 OK\r\n\r\n", R::StartLine),
        ("HTTP/1.1  200 OK\r\n\r\n", R::StartLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n", R::StartLine),
        ("HTTP/2.0 200 OK\r\n\r\n", R::Version),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", R::LineEnding),
        ("SSH-2.0-OpenSSH\r\n\r\n", R::StartLine),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", R::StartLine),
        ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", R::StartLine),
    ];
    for (bytes, refusal) in cases {
        assert_eq!(verdict(responses(false), bytes.as_bytes()).refusal, Some(refusal), "{bytes:?}");
    }
    let unasked = Scanner::of_responses(LIMITS);
    assert_eq!(verdict(unasked, b"HTTP/1.1 200 OK\r\n\r\n").refusal, Some(R::StartLine));
}

/// Text that is nearly HTTP: pieces of requests, good and bad, in any order.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X: y\r\n",
        b"Connection: upgrade\r\nUpgrade: w\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"1;x=y\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive(
        bytes in nearly_http(),
        pieces in proptest::collection::vec(0_usize..20, 0..40),
        is_response in any::<bool>(),
    ) {
        let scanner = if is_response { responses(false) } else { requests() };
        let whole = verdict(scanner.clone(), &bytes);
        prop_assert_eq!(fed(scanner, &bytes, pieces).0, whole);
    }

    #[test]
    fn what_passes_can_be_read_by_hyper(bytes in nearly_http()) {
        let mut scanner = requests();
        // A head passes as a whole, so its first byte passes with its last.
        let scan = scanner.scan(&bytes);
        if scanner.heads() > 0 {
            let head = bytes[..scan.passed].strip_prefix(b"\r\n").unwrap_or(&bytes[..scan.passed]);
            let mut fields = [httparse::EMPTY_HEADER; 10];
            let mut request = httparse::Request::new(&mut fields);
            prop_assert!(request.parse(head).unwrap().is_complete());
            prop_assert!(http::Uri::try_from(request.path.unwrap()).is_ok());
        }
    }
}
