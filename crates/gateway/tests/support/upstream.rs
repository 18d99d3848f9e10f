//! An upstream written byte by byte: each accepted connection is one call of the test's function.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub struct Upstream {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// `serve` gets each connection and its number, from 0.
    pub fn start(serve: impl Fn(Peer, usize) + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Upstream::on(listener, serve)
    }

    pub fn on(listener: TcpListener, serve: impl Fn(Peer, usize) + Send + Sync + 'static) -> Upstream {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = counted.fetch_add(1, SeqCst);
                let serve = serve.clone();
                std::thread::spawn(move || serve(Peer::new(stream), number));
            }
        });
        Upstream { address, connections }
    }

    /// Answers every request the same way, keep-alive, after reading a body with a length.
    pub fn fixed(response: &'static str) -> Upstream {
        Upstream::start(move |mut peer, _| {
            while let Some(head) = peer.read_head() {
                peer.read_exact(head.content_length());
                peer.write(response);
            }
        })
    }

    /// Hands every complete body to the test and answers each request the same way.
    pub fn collecting(response: &'static str) -> (Upstream, mpsc::Receiver<Vec<u8>>) {
        let (sender, bodies) = mpsc::channel();
        let upstream = Upstream::start(move |mut peer, _| {
            while let Some(head) = peer.read_head() {
                let _ = sender.send(peer.read_body(&head));
                peer.write(response);
            }
        });
        (upstream, bodies)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

/// The other end of a connection, as bytes.
pub struct Peer {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    pub fn connect(address: SocketAddr) -> Peer {
        Peer::new(TcpStream::connect(address).unwrap())
    }

    /// A message head, or nothing at the end of the stream.
    pub fn read_head(&mut self) -> Option<Head> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                return Some(Head(lines));
            }
            lines.push(line);
        }
    }

    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The body that this head announces.
    pub fn read_body(&mut self, head: &Head) -> Vec<u8> {
        match head.field("transfer-encoding") {
            Some(_) => self.read_chunked().0,
            None => self.read_exact(head.content_length()),
        }
    }

    pub fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line
    }

    /// Everything until the other side closes; an error counts as its end.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        bytes
    }

    /// A chunked body and its trailer fields.
    pub fn read_chunked(&mut self) -> (Vec<u8>, Vec<String>) {
        let mut body = Vec::new();
        loop {
            let line = self.read_line();
            let length = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("chunk size {line:?}"));
            if length == 0 {
                break;
            }
            body.extend(self.read_exact(length));
            assert_eq!(self.read_line(), "\r\n");
        }
        (body, self.read_head().map(|head| head.0).unwrap_or_default())
    }

    pub fn write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
    }

    pub fn write_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }
}

/// The lines of a head.
#[derive(Debug, Clone)]
pub struct Head(pub Vec<String>);

impl Head {
    pub fn first(&self) -> &str {
        &self.0[0]
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.0[1..].iter().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn content_length(&self) -> usize {
        self.field("content-length").map_or(0, |value| value.parse().unwrap())
    }
}
