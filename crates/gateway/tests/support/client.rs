//! A client that sends bytes and reads one response after another.

use std::net::SocketAddr;

use serde_json::Value;

use super::upstream::{Head, Peer};

pub struct Response {
    pub status: u16,
    pub head: Head,
    pub body: Vec<u8>,
    pub trailers: Vec<String>,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The problem document; its id must be the one in the header.
    pub fn problem(&self) -> Value {
        assert_eq!(self.head.field("content-type"), Some("application/problem+json"), "{:?}", self.head);
        let document: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(document["request_id"].as_str(), self.head.field("hoplon-request-id"));
        assert_eq!(document["status"], self.status);
        document
    }

    pub fn problem_code(&self) -> String {
        let document = self.problem();
        document["type"].as_str().unwrap().strip_prefix("urn:hoplon:").unwrap().to_owned()
    }
}

impl Peer {
    /// Reads a whole response to a request of this method.
    pub fn response_to(&mut self, method: &str) -> Response {
        let head = self.read_head().expect("a response");
        let status = head.first().split(' ').nth(1).unwrap().parse().unwrap();
        let mut trailers = Vec::new();
        let body = if method == "HEAD" || status == 204 || status == 304 || status == 101 {
            Vec::new()
        } else if head.field("transfer-encoding").is_some() {
            let (body, found) = self.read_chunked();
            trailers = found;
            body
        } else if head.field("content-length").is_some() {
            self.read_exact(head.content_length())
        } else {
            self.read_to_end()
        };
        Response { status, head, body, trailers }
    }

    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }
}

/// One request on its own connection.
pub fn send(address: SocketAddr, request: &str) -> Response {
    let mut peer = Peer::connect(address);
    peer.write(request);
    peer.response_to(request.split(' ').next().unwrap())
}

/// A GET on its own connection.
pub fn get(address: SocketAddr, path: &str) -> Response {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n\r\n"))
}
