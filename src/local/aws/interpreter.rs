//! A Python to run: the machine's own, or one that was unpacked from Debian's packages.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::error::Error;
use crate::local::error::Error as LocalError;
use crate::local::places::{Places, is_executable};

/// The oldest Python that the packages of the local AWS run on.
const OLDEST: (u32, u32) = (3, 10);
/// How many lines of a program's output an error carries.
const TAIL: usize = 20;

/// A Python that can be run.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    program: PathBuf,
    /// Where the packages it came in were unpacked: its home and libraries are below, and not where it was built for.
    root: Option<PathBuf>,
}

impl Interpreter {
    /// The machine's own: `python3` on PATH, if it is new enough.
    ///
    /// # Errors
    /// [`Error::NoPython`] with what there is instead.
    pub(super) async fn on_path(places: &Places) -> Result<Interpreter, Error> {
        let found = "`python3` is not on PATH".to_owned();
        let program = places.on_path("python3").ok_or(Error::NoPython { found, tail: String::new() })?;
        let python = Interpreter::at(program);
        python.check().await?;
        Ok(python)
    }

    /// One that stands where it was made for.
    pub(super) fn at(program: PathBuf) -> Interpreter {
        Interpreter { program, root: None }
    }

    /// That of packages which were unpacked into `root`; `None` where they hold none.
    pub(super) fn unpacked(root: &Path) -> Option<Interpreter> {
        let program = root.join("usr").join("bin").join("python3");
        is_executable(&program).then(|| Interpreter { program, root: Some(root.to_path_buf()) })
    }

    /// Whether it runs, and is new enough.
    ///
    /// # Errors
    /// [`Error::NoPython`].
    pub(super) async fn check(&self) -> Result<(), Error> {
        let answer = self
            .command()
            .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(LocalError::io("run", &self.program))?;
        let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let number = version.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match number {
            Some(number) if number >= OLDEST => Ok(()),
            _ => {
                let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
                let found = format!("{} is Python {version:?}", self.program.display());
                Err(match self.root {
                    Some(_) => Error::NoPython { found, tail: said },
                    None if said.is_empty() => Error::NoPython { found, tail: String::new() },
                    None => Error::NoPython { found: format!("{found} ({said})"), tail: String::new() },
                })
            }
        }
    }

    /// Its path.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// A command that runs it, with nothing of the user's own Python in the way.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env("PYTHONNOUSERSITE", "1");
        if let Some(root) = &self.root {
            command.env("PYTHONHOME", root.join("usr"));
            if let Ok(libraries) = std::env::join_paths(libraries(root)) {
                command.env("LD_LIBRARY_PATH", libraries);
            }
        }
        command
    }

    /// Runs it to the end, as [`run`].
    pub(super) async fn run(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
        packages: Option<&Path>,
        on_line: &mut (dyn FnMut(Option<&str>) + Send),
    ) -> Result<(), String> {
        let mut command = self.command();
        command.args(arguments).env("PYTHONUNBUFFERED", "1");
        if let Some(packages) = packages {
            command.env("PYTHONPATH", packages);
        }
        run(command, on_line).await
    }
}

/// Debian's folders of libraries below `root`, which carry the machine's name: `usr/lib/x86_64-linux-gnu`.
fn libraries(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in [root.join("usr").join("lib"), root.join("lib")] {
        let entries = std::fs::read_dir(&lib).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"));
        found.extend(named.map(|entry| entry.path()));
    }
    found.sort();
    found
}

/// Runs a program to its end, hands each line of its output to `on_line` (`None` for every second without one), and
/// fails with the last lines.
pub(super) async fn run(
    mut command: Command,
    on_line: &mut (dyn FnMut(Option<&str>) + Send),
) -> Result<(), String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command
        // Written for people, in the language of the terminal otherwise.
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    let mut out = BufReader::new(child.stdout.take().expect("piped above")).lines();
    let mut errors = BufReader::new(child.stderr.take().expect("piped above")).lines();
    let mut tail = VecDeque::new();
    let (mut out_open, mut errors_open) = (true, true);
    while out_open || errors_open {
        let line = tokio::select! {
            line = out.next_line(), if out_open => line.ok().flatten().or_else(|| { out_open = false; None }),
            line = errors.next_line(), if errors_open => line.ok().flatten().or_else(|| { errors_open = false; None }),
            () = tokio::time::sleep(Duration::from_secs(1)) => None,
        };
        on_line(line.as_deref().map(str::trim));
        if let Some(line) = line {
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(Vec::from(tail).join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_an_unpacked_root_are_found_by_the_machines_name() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/python3.11"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let found = libraries(root.path());
        let expected =
            ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|name| root.path().join(name));
        assert_eq!(found, expected);
        assert!(Interpreter::unpacked(root.path()).is_none());
    }

    #[tokio::test]
    async fn a_failure_carries_the_last_lines_of_both_streams() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let mut seen = Vec::new();
        let told = run(command, &mut |line| seen.extend(line.map(str::to_owned))).await.unwrap_err();
        assert!(told.contains("one") && told.contains("two"), "{told}");
        assert_eq!(seen.len(), 2);
    }
}
