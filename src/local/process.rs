//! Knowing a process again: by its id and the moment it started, so that a reused id is never signalled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::error::Error;

/// A process as it can be written down and found again later, by another process too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// When it started, in the system's own words: ticks since boot on Linux, a date elsewhere. Only compared.
    pub started: String,
}

impl Identity {
    /// Looks at a running process; `None` when there is none of this id, or only its unreaped remains.
    pub fn of(pid: u32) -> Option<Identity> {
        Some(Identity { pid, started: start_of(pid)? })
    }

    /// A child that nobody has waited for yet. It may have ended already: until then its id is not given away.
    pub(crate) fn of_child(pid: u32) -> Identity {
        Identity { pid, started: look(pid).map(|(_, started)| started).unwrap_or_default() }
    }

    /// Our own.
    pub fn own() -> Option<Identity> {
        Identity::of(std::process::id())
    }

    /// Whether this very process still runs.
    pub fn is_alive(&self) -> bool {
        start_of(self.pid).is_some_and(|started| started == self.started)
    }

    /// Sends a signal if the process is still the same one. A process that has gone meanwhile is no error.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // ESRCH: it ended between the look and the signal, which is what we wanted.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits until it is gone; false when the limit passes first.
    pub async fn gone_within(&self, limit: Duration) -> bool {
        let since = Instant::now();
        while self.is_alive() {
            if since.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

/// A path that runs our own program again, the very same file even after a newer build has replaced it.
pub(crate) fn own_program() -> Result<PathBuf, Error> {
    if cfg!(target_os = "linux") {
        // Resolved by the child between fork and exec, while it still is us.
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().map_err(Error::io("find", "the running program"))
}

/// When a process started, unless it has ended.
fn start_of(pid: u32) -> Option<String> {
    let (state, started) = look(pid)?;
    // A zombie, or dead.
    (!matches!(state, 'Z' | 'X' | 'x')).then_some(started)
}

/// State and start time, from `/proc/<pid>/stat` (`proc_pid_stat(5)`: field 3 is the state, field 22 the start time).
#[cfg(target_os = "linux")]
fn look(pid: u32) -> Option<(char, String)> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in field 2 may hold blanks and brackets, so counting begins after its last bracket.
#[cfg(any(target_os = "linux", test))]
fn parse_stat(stat: &str) -> Option<(char, String)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state was field 3, so the next one taken is field 4 and field 22 is 18 further on.
    Some((state, fields.nth(18)?.to_owned()))
}

#[cfg(not(target_os = "linux"))]
fn look(pid: u32) -> Option<(char, String)> {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, started) = text.trim().split_once(' ')?;
    Some((state.chars().next()?, started.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_field_22_whatever_the_name_holds() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_stat(&format!("12 (a) b) ({tail}) {tail}")), Some(('S', "4711".to_owned())));
        assert_eq!(parse_stat(""), None);
        assert_eq!(parse_stat("12 (a) S 1"), None);
    }

    #[test]
    fn an_ended_child_is_known_until_somebody_waits_for_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while Identity::of(child.id()).is_some() {
            std::thread::yield_now();
        }
        let identity = Identity::of_child(child.id());
        assert!(!identity.started.is_empty());
        assert!(!identity.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn we_are_alive_and_a_reused_id_is_not_us() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        let other = Identity { started: "0".to_owned(), ..own };
        assert!(!other.is_alive());
        other.signal(Signal::SIGKILL);
    }
}
