//! A gate on the way to an API server: bytes pass through it as they are, until it is shut.

use super::control_plane::control_plane;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of bytes that come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They pass.
    Open,
    /// Nothing passes, and nobody is told: a network that drops packets.
    Silent,
}

/// A gate to the shared control plane, with a kubeconfig that leads through it.
pub struct Gate {
    way: watch::Sender<Way>,
    connections: Arc<AtomicUsize>,
    held: watch::Sender<usize>,
    folder: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    /// A new gate.
    pub async fn new(way: Way) -> Self {
        let control_plane = control_plane().await;
        let kubeconfig = std::fs::read_to_string(control_plane.kubeconfig()).unwrap();
        let server = server(&kubeconfig);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let through = kubeconfig.replace(&format!("https://{server}"), &format!("https://127.0.0.1:{port}"));
        assert_ne!(through, kubeconfig, "the kubeconfig names no server");
        std::fs::write(folder.path().join("kubeconfig"), through).unwrap();
        let (way, connections) = (watch::Sender::new(way), Arc::new(AtomicUsize::new(0)));
        let held = watch::Sender::new(0);
        let (passing, counted, holding) = (way.clone(), connections.clone(), held.clone());
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (way, counted, server) = (passing.subscribe(), counted.clone(), server.clone());
                let held = holding.clone();
                tokio::spawn(async move {
                    counted.fetch_add(1, Ordering::SeqCst);
                    connect(near, &server, way, held).await;
                    counted.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { way, connections, held, folder, task }
    }

    /// The kubeconfig that leads through the gate.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Opens or shuts it.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Waits until something is held back.
    pub async fn holds_something(&self) {
        self.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// `host:port` of the kubeconfig's server.
fn server(kubeconfig: &str) -> String {
    let (_, rest) = kubeconfig.split_once("https://").expect("a server");
    rest.split(|c: char| c.is_whitespace() || "\"'/".contains(c)).next().unwrap().to_owned()
}

async fn connect(near: TcpStream, server: &str, mut way: watch::Receiver<Way>, held: watch::Sender<usize>) {
    if way.wait_for(|way| *way == Way::Open).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(server).await else { return };
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(pass(near_read, far_write, way.clone(), held.clone()));
    tasks.spawn(pass(far_read, near_write, way, held));
    // Either side's end is the connection's.
    tasks.join_next().await;
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut way: watch::Receiver<Way>,
    held: watch::Sender<usize>,
) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let count = match from.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        if *way.borrow() != Way::Open {
            held.send_modify(|held| *held += 1);
        }
        let passes = way.wait_for(|way| *way == Way::Open).await.is_ok();
        if !passes || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
