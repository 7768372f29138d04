//! The supervisor: a process of our own program that owns one control plane and outlives whoever asked for it.
//!
//! It ends, and takes everything with it, when its standard input closes (the parent ended, however), on SIGTERM
//! (`portolan local down`), or when the start fails. After the line `detach` the closed input means nothing any more; the
//! line `restart` replaces the programs by those of the order as it stands then (an upgrade, over the same data).
//! Should the supervisor itself be killed, the kernel kills its children (Linux), and the next `list`, `up` or
//! `down` removes the folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::crew::Crew;
use super::error::Error;
use super::flags::{Layout, Ports};
use super::instance::{Instance, State, discard};
use super::kubeconfig::{administrator, write_kubeconfig, write_tokens};
use super::pki::{self, Pki};
use super::process::Identity;
use super::programs::Program;
use super::records::Records;
use super::spec::{DETACH, Event, RESTART};
use super::startup::{died, start};

/// The hidden subcommand of our program that lands in [`main`].
pub const SUBCOMMAND: &str = "__supervise";
/// Its other use: become a program that dies with its parent.
pub(crate) const EXEC: &str = "exec";

/// How often a start is tried again with other ports.
const ATTEMPTS: u32 = 4;
/// A program that dies is started again, as a kubelet would. One that dies this soon after its start has crashed ...
const CRASH: Duration = Duration::from_secs(2);
/// ... and after so many crashes in a row there is no point in going on.
const CRASHES: u32 = 6;
/// Before the next start, for each crash in a row.
const CRASH_PAUSE: Duration = Duration::from_millis(200);

/// Runs the hidden subcommand: `__supervise FOLDER`, or `__supervise exec PARENT PROGRAM ARGUMENTS...`.
///
/// `arguments` are those after the subcommand. Must be called on the main thread and outside of an async runtime.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let outcome = match arguments.as_slice() {
        [word, parent, program, rest @ ..] if word == EXEC => Err(become_program(parent, program, rest)),
        [folder] => supervise(Path::new(folder)).map_err(|error| error.to_string()),
        _ => Err(format!(
            "{SUBCOMMAND} is used by Portolan itself; `portolan local` is the command for people"
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Standard error is the instance's log. There is nobody else to tell when even that fails.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Replaces this process by the program, after asking the kernel to kill it when the parent ends.
/// Returns only when that failed.
fn become_program(parent: &OsString, program: &OsString, arguments: &[OsString]) -> String {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
            return format!("cannot bind {} to its supervisor: {error}", program.display());
        }
        // The parent may have died before the order was given.
        let now = nix::unistd::getppid().to_string();
        if parent.to_str() != Some(now.as_str()) {
            return "the supervisor is gone".to_owned();
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    let error = std::process::Command::new(program).args(arguments).exec();
    format!("cannot run {}: {error}", program.display())
}

fn supervise(folder: &Path) -> Result<(), Error> {
    // One thread, so that children are started by the thread that lives longest.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start a runtime for", folder))?;
    runtime.block_on(Supervisor::run(folder.to_path_buf()))
}

/// What is asked of a running supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Its parent has gone, or `down` wishes so.
    End,
    /// Other programs over the same data.
    Restart,
}

/// Why the supervisor ends.
enum End {
    /// Its parent or `down` wishes so.
    Asked,
    /// The start failed.
    Failed(String),
}

struct Supervisor {
    folder: PathBuf,
    records: Records,
    crew: Crew,
    wishes: mpsc::UnboundedReceiver<Wish>,
}

impl Supervisor {
    async fn run(folder: PathBuf) -> Result<(), Error> {
        let records = Records::at(&folder);
        if let Some(own) = Identity::own() {
            records.write_supervisor(&own)?;
        }
        let wishes = listen(&folder)?;
        let crew = Crew::new(records.clone());
        let mut supervisor = Supervisor { folder: folder.clone(), records, crew, wishes };
        let end = supervisor.live().await.unwrap_or_else(|error| End::Failed(error.to_string()));
        supervisor.crew.stop().await;
        let removed = discard(&folder);
        if let End::Failed(message) = end {
            tell(&Event::Failed(message));
        }
        removed
    }

    /// From the first program to the wish to end.
    async fn live(&mut self) -> Result<End, Error> {
        let mut attempt = 1;
        let mut layout = loop {
            let layout = self.prepare()?;
            match self.bring_up(&layout).await {
                None => return Ok(End::Asked),
                Some(Ok(())) => break layout,
                Some(Err(message)) if attempt < ATTEMPTS && message.contains("address already in use") => {
                    attempt += 1;
                    self.crew.stop().await;
                }
                Some(Err(message)) => return Ok(End::Failed(message)),
            }
        };
        let mut instance = self.instance(&layout);
        self.records.write_instance(&instance)?;
        tell(&Event::Ready);

        let mut crashes: BTreeMap<Program, u32> = BTreeMap::new();
        loop {
            let exit = tokio::select! {
                exit = self.crew.next_exit() => exit,
                wish = wished(&mut self.wishes) => match wish {
                    Wish::End => return Ok(End::Asked),
                    Wish::Restart => {
                        crashes.clear();
                        layout = self.reordered(layout)?;
                        self.crew.stop().await;
                        instance = Instance { nodes: instance.nodes, ..self.instance(&layout) };
                        match self.bring_up(&layout).await {
                            None => return Ok(End::Asked),
                            Some(Ok(())) => {
                                self.records.write_instance(&instance)?;
                                tell(&Event::Ready);
                            }
                            Some(Err(message)) => {
                                self.crew.stop().await;
                                instance.state = State::Failed(message.clone());
                                self.records.write_instance(&instance)?;
                                tell(&Event::Failed(message));
                            }
                        }
                        continue;
                    }
                },
            };
            let crashes = crashes.entry(exit.program).or_default();
            *crashes = if exit.lived < CRASH { *crashes + 1 } else { 0 };
            if *crashes >= CRASHES {
                // Keeps the folder and its logs until somebody takes it down.
                instance.state = State::Failed(died(&layout, &exit));
                self.crew.stop().await;
                self.records.write_instance(&instance)?;
                until_the_end(&mut self.wishes).await;
                return Ok(End::Asked);
            }
            tokio::time::sleep(CRASH_PAUSE * *crashes).await;
            self.crew.start(&layout, exit.program)?;
        }
    }

    /// Starts the programs; `None` when we are to end meanwhile.
    async fn bring_up(&mut self, layout: &Layout) -> Option<Result<(), String>> {
        tokio::select! {
            started = start(&mut self.crew, layout) => Some(started),
            () = until_the_end(&mut self.wishes) => None,
        }
    }

    /// The same place with the order as it stands now.
    fn reordered(&self, layout: Layout) -> Result<Layout, Error> {
        let mut spec = self.records.spec()?;
        // They were made at the first start, and are in the data.
        spec.nodes = 0;
        Ok(Layout { spec, ..layout })
    }

    /// Fresh ports, certificates, tokens and kubeconfigs.
    fn prepare(&self) -> Result<Layout, Error> {
        let spec = self.records.spec()?;
        let data = self.folder.join("etcd");
        if data.exists() {
            std::fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
        }
        let logs = self.folder.join("logs");
        std::fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let pki = Pki::create(&self.folder.join("pki"))?;
        let admin = administrator("portolan-local-admin")?;
        let folder = self.folder.clone();
        let layout = Layout { folder, spec, ports: Ports::pick()?, pki, administrator: admin.clone() };
        let mut users = vec![admin.clone()];
        users.extend(layout.spec.extra_tokens.iter().cloned());
        let ca = &layout.pki.ca_cert;
        for program in [Program::ControllerManager, Program::Scheduler, Program::Kwok] {
            let user = administrator(&format!("system:{}", program.file()))?;
            write_kubeconfig(&layout.kubeconfig_of(program), program.file(), &layout.endpoint(), ca, &user)?;
            users.push(user);
        }
        write_tokens(&layout.tokens(), &users)?;
        write_kubeconfig(&layout.kubeconfig(), &layout.spec.name, &layout.endpoint(), ca, &admin)?;
        if layout.spec.audit {
            let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";
            pki::write(&self.folder.join("audit-policy.yaml"), policy)?;
        }
        Ok(layout)
    }

    fn instance(&self, layout: &Layout) -> Instance {
        Instance {
            name: layout.spec.name.clone(),
            version: layout.spec.version.clone(),
            endpoint: layout.endpoint(),
            kubeconfig: layout.kubeconfig(),
            certificate_authority: layout.pki.ca_cert.clone(),
            nodes: layout.spec.nodes,
            folder: self.folder.clone(),
            state: State::Ready,
        }
    }
}

/// Collects all that may ask us to end: the closed standard input and the usual signals.
fn listen(folder: &Path) -> Result<mpsc::UnboundedReceiver<Wish>, Error> {
    let (wish, wishes) = mpsc::unbounded_channel();
    let closed = wish.clone();
    // A thread of the standard library's: tokio's would keep the runtime from ending while it waits for input.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if line.trim() == DETACH => return,
                Ok(line) if line.trim() == RESTART => {
                    let _ = closed.send(Wish::Restart);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let _ = closed.send(Wish::End);
    });
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()] {
        let mut stream = signal(kind).map_err(Error::io("listen for signals in", folder))?;
        let wish = wish.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = wish.send(Wish::End);
            }
        });
    }
    // The terminal that started us may close; that is no reason to end.
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::io("listen for signals in", folder))?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(wishes)
}

async fn wished(wishes: &mut mpsc::UnboundedReceiver<Wish>) -> Wish {
    // The senders live as long as the signal handlers; should they ever go, nobody could stop us any more.
    wishes.recv().await.unwrap_or(Wish::End)
}

/// Waits for the wish to end, whatever else is wished.
async fn until_the_end(wishes: &mut mpsc::UnboundedReceiver<Wish>) {
    while wished(wishes).await != Wish::End {}
}

/// Tells the parent. Once it has gone, nobody reads, and that is not our trouble.
pub(crate) fn tell(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
