//! A server of scripted bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as the server saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `POST /api/v1/query HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The decoded form.
    pub(crate) form: BTreeMap<String, String>,
}

/// What a server does to a request.
pub(crate) enum Act {
    /// Answers with status and body.
    Answer(u16, String),
    /// Writes these bytes, then closes.
    Bytes(Vec<u8>),
    /// Writes these bytes, then nothing more, with the connection open.
    Hang(Vec<u8>),
    /// Writes a head, then body without end until the client goes away.
    Endless(String),
}

/// A running server. Its tasks end with the runtime of the test.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// Bytes of endless bodies that were written before the client went away.
    pub(crate) written: Arc<AtomicUsize>,
    /// Endless bodies that the client cut off.
    pub(crate) cut_off: Arc<tokio::sync::Semaphore>,
}

type Script = dyn Fn(usize, &Seen) -> Act + Send + Sync;

impl Server {
    /// A server that does as `script` says, by the number of the request.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            written: Arc::default(),
            cut_off: Arc::new(tokio::sync::Semaphore::new(0)),
        };
        let (seen, written, cut_off) = (server.seen.clone(), server.written.clone(), server.cut_off.clone());
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen, written, cut_off) = (script.clone(), seen.clone(), written.clone(), cut_off.clone());
                tokio::spawn(async move {
                    if serve(stream, &*script, &seen, &written).await == Some(true) {
                        cut_off.add_permits(1);
                    }
                });
            }
        });
        server
    }

    /// A server that always answers the same.
    pub(crate) async fn always(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_, _| Act::Answer(status, body.clone())).await
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap()
    }
}

/// Serves one connection; `Some(true)` if an endless body was cut off.
async fn serve(mut stream: TcpStream, script: &Script, seen: &Mutex<Vec<Seen>>, written: &AtomicUsize) -> Option<bool> {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match script(number, &request) {
            Act::Answer(status, body) => stream.write_all(answer(status, &body).as_bytes()).await.ok()?,
            Act::Bytes(bytes) => return stream.write_all(&bytes).await.ok().map(|()| false),
            Act::Hang(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                // Until the client goes away.
                let _ = stream.read(&mut [0; 1]).await;
                return None;
            }
            Act::Endless(head) => {
                stream.write_all(head.as_bytes()).await.ok()?;
                let piece = [b' '; 64 * 1024];
                while stream.write_all(&piece).await.is_ok() {
                    written.fetch_add(piece.len(), Ordering::Relaxed);
                }
                return Some(true);
            }
        }
    }
    None
}

pub(crate) fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}

pub(crate) fn vector(value: &str) -> String {
    success(&format!(r#"{{"resultType":"vector","result":[{{"metric":{{}},"value":[1795254065.225,"{value}"]}}]}}"#))
}

pub(crate) fn empty() -> String {
    success(r#"{"resultType":"vector","result":[]}"#)
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.lines();
            let line = lines.next().unwrap().to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let form = decode_form(&bytes[end + 4..]);
                return Some(Seen { line, headers, form });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// `application/x-www-form-urlencoded`, written from the URL standard.
fn decode_form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect()
}

fn decode(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
