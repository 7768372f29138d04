//! A scripted HTTP/1.1 server: answers as told, streams, falls silent, or cuts the connection.

use serde_json::Value;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    /// With its full length, and the connection stays.
    Whole,
    /// A stream that ends in order.
    Stream,
    /// A stream that goes on without a word.
    Open,
    /// The connection is closed after so many bytes.
    Cut(usize),
    /// Nothing is answered at all.
    Silence,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    end: End,
    piece: usize,
}

impl Reply {
    fn new(status: u16, body: &str, end: End) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), end, piece: usize::MAX }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, &body.to_string(), End::Whole).header("Content-Type", "application/json")
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self::new(status, body, End::Whole)
    }

    /// Announces the whole body, sends so much of it, and closes the connection.
    pub fn cut(status: u16, body: &str, after: usize) -> Self {
        Self::new(status, body, End::Cut(after))
    }

    pub fn silence() -> Self {
        Self::new(0, "", End::Silence)
    }

    /// A chunked body.
    pub fn stream(body: &str) -> Self {
        Self::new(200, body, End::Stream)
    }

    /// The stream does not end.
    pub fn open(mut self) -> Self {
        self.end = End::Open;
        self
    }

    /// The stream ends without its last chunk.
    pub fn abrupt(mut self) -> Self {
        self.end = End::Cut(usize::MAX);
        self
    }

    /// The stream comes in chunks of so many bytes.
    pub fn pieces(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Script = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

/// The server. It ends with its test's runtime.
pub struct Scripted {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    arrived: Arc<Notify>,
}

impl Scripted {
    /// Starts a server that answers by the script, which is given the request and its number.
    pub async fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            arrived: Arc::default(),
        };
        let (asked, arrived) = (server.asked.clone(), server.arrived.clone());
        let script: Arc<Script> = Arc::new(script);
        let number = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, arrived, script, number) =
                    (asked.clone(), arrived.clone(), script.clone(), number.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Ok(request) = read(&mut stream).await {
                        let reply = script(&request, number.fetch_add(1, Ordering::SeqCst));
                        asked.lock().unwrap().push(request);
                        arrived.notify_waiters();
                        if !matches!(write(stream.get_mut(), &reply).await, Ok(true)) {
                            break;
                        }
                    }
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn only_request(&self) -> Asked {
        let mut all = self.requests();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Waits until so many requests have arrived.
    pub async fn wait_for(&self, count: usize) {
        let arrived = async {
            loop {
                let next = self.arrived.notified();
                if self.requests().len() >= count {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrived).await.expect("the request arrives in time");
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Asked> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            text => head.push(text.to_owned()),
        }
    }
    let mut first = head[0].split(' ');
    let method = first.next().unwrap_or_default().to_owned();
    let (path, query) = first.next().map(|uri| uri.split_once('?').unwrap_or((uri, ""))).unwrap_or_default();
    let headers: Vec<(String, String)> = head[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Asked { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

/// Whether the connection may serve another request.
async fn write(stream: &mut TcpStream, reply: &Reply) -> io::Result<bool> {
    if reply.end == End::Silence {
        return std::future::pending().await;
    }
    let chunked = reply.end == End::Stream || reply.end == End::Open || reply.end == End::Cut(usize::MAX);
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else {
        let _ = write!(head, "Content-Length: {}\r\n\r\n", reply.body.len());
    }
    stream.write_all(head.as_bytes()).await?;
    if !chunked {
        let end = if let End::Cut(after) = reply.end { after } else { reply.body.len() };
        stream.write_all(&reply.body.as_bytes()[..end]).await?;
        return Ok(reply.end == End::Whole);
    }
    for piece in reply.body.as_bytes().chunks(reply.piece.min(reply.body.len().max(1))) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        stream.write_all(piece).await?;
        stream.write_all(b"\r\n").await?;
    }
    stream.flush().await?;
    match reply.end {
        End::Open => std::future::pending().await,
        End::Stream => stream.write_all(b"0\r\n\r\n").await.map(|()| true),
        _ => Ok(false),
    }
}
