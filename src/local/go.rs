//! The Go client as a process: finding it, running it, reading its progress and its failures.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::error::Error;
use super::places::Places;
use super::progress::{Meter, Phase, Report};

/// How many lines of go's output an error carries.
const TAIL: usize = 20;

/// Told of each line of go's standard error, and with `None` of every second without one.
type OnLine<'a> = &'a mut (dyn FnMut(Option<&str>) + Send);

/// A usable Go client.
pub(crate) struct Go {
    program: PathBuf,
    places: Places,
}

impl Go {
    /// Looks for `go` on PATH and asks whether it can build `what`, whose go.mod asks for Go `needed`. `missing` names
    /// the programs that are found nowhere.
    ///
    /// Since 1.21 an older Go fetches the toolchain that go.mod asks for, unless GOTOOLCHAIN says `local`
    /// (<https://go.dev/doc/toolchain>); before that it cannot even read the file.
    pub(crate) async fn find(places: &Places, what: &str, needed: &str, missing: &str) -> Result<Go, Error> {
        let Some(program) = places.on_path("go") else {
            return Err(Error::NoGo {
                version: what.to_owned(),
                needed: needed.to_owned(),
                missing: missing.to_owned(),
            });
        };
        let go = Go { program, places: places.clone() };
        // Outside of any module, or GOTOOLCHAIN=auto would already switch.
        let answer = go.run(Path::new("/"), ["env", "GOVERSION", "GOTOOLCHAIN"], &mut |_| {}).await?;
        let mut lines = answer.lines().map(str::trim);
        let found = lines.next().unwrap_or_default().trim_start_matches("go").to_owned();
        let local = lines.next().is_some_and(|toolchain| toolchain.starts_with("local"));
        if older(&found, needed) && (local || older(&found, "1.21")) {
            return Err(Error::GoTooOld { path: go.program, found, needed: needed.to_owned() });
        }
        Ok(go)
    }

    /// Fetches every module that the tools need and returns the number of packages to compile.
    pub(crate) async fn packages(&self, module: &Path, report: Report<'_>) -> Result<usize, Error> {
        let mut meter = Meter::new(Phase::Download, None);
        meter.show("module list", report);
        let packages = self
            .run(module, ["list", "-mod=readonly", "-deps", "tool"], &mut |line| match line
                .map(|line| line.strip_prefix("go: downloading "))
            {
                Some(Some(what)) => meter.step(what, report),
                Some(None) => {}
                None => meter.again(report),
            })
            .await?;
        Ok(packages.lines().count())
    }

    /// Compiles and links all tools of the module into `bin`.
    pub(crate) async fn install(
        &self,
        module: &Path,
        bin: &Path,
        ldflags: &str,
        packages: usize,
        report: Report<'_>,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(Phase::Compile, Some(packages));
        meter.show("", report);
        let ldflags = format!("-ldflags={ldflags}");
        // -v names each package when its compilation begins; what go finds in its own cache is not named.
        let arguments = ["install", "-mod=readonly", "-buildvcs=false", "-trimpath", "-v", &ldflags, "tool"];
        let environment: [(&str, &OsStr); 1] = [("GOBIN", bin.as_os_str())];
        self.run_with(module, arguments, &environment, &mut |line| {
            match line {
                Some(line) if is_package(line) => meter.step(line, report),
                Some(_) => {}
                // Linking is silent, and the longest silence of all.
                None => meter.again(report),
            }
        })
        .await
        .map(|_| ())
    }

    /// The folder of a module's sources.
    pub(crate) async fn module_folder(&self, module: &Path, name: &str) -> Result<PathBuf, Error> {
        let answer =
            self.run(module, ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", name], &mut |_| {}).await?;
        Ok(PathBuf::from(answer.trim()))
    }

    async fn run<const N: usize>(
        &self,
        folder: &Path,
        arguments: [&str; N],
        line: OnLine<'_>,
    ) -> Result<String, Error> {
        self.run_with(folder, arguments, &[], line).await
    }

    /// Runs go, hands each line of its standard error to `on_line`, and returns its standard output.
    async fn run_with<const N: usize>(
        &self,
        folder: &Path,
        arguments: [&str; N],
        environment: &[(&str, &OsStr)],
        on_line: OnLine<'_>,
    ) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(folder)
            // No C compiler needed, and programs that run on any libc.
            .env("CGO_ENABLED", "0")
            // A workspace or flags of the user's own projects must not change what is built here.
            .env("GOWORK", "off")
            .env("GOFLAGS", "")
            .env_remove("GOOS")
            .env_remove("GOARCH")
            .envs(self.places.go_environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(Error::io("run", &self.program))?;
        let mut stdout = child.stdout.take().expect("piped above");
        let stderr = child.stderr.take().expect("piped above");
        let mut text = String::new();
        let mut tail = VecDeque::new();
        let errors = async {
            let mut lines = BufReader::new(stderr).lines();
            loop {
                let Ok(line) = tokio::time::timeout(Duration::from_secs(1), lines.next_line()).await else {
                    on_line(None);
                    continue;
                };
                let Some(line) = line? else { break };
                on_line(Some(&line));
                // A failed module is named once for every package of it.
                if !is_package(&line) && !line.starts_with("go: downloading ") && !tail.contains(&line) {
                    if tail.len() == TAIL {
                        tail.pop_front();
                    }
                    tail.push_back(line);
                }
            }
            Ok::<(), std::io::Error>(())
        };
        let (read, errors) = tokio::join!(stdout.read_to_string(&mut text), errors);
        read.and(errors.map(|()| 0)).map_err(Error::io("read the output of", &self.program))?;
        let status = child.wait().await.map_err(Error::io("wait for", &self.program))?;
        if status.success() {
            return Ok(text);
        }
        let tail = Vec::from(tail).join("\n");
        let command = format!(
            "go {}",
            arguments
                .iter()
                .take_while(|part| !part.starts_with("-ldflags"))
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        );
        Err(classify(command, tail, &self.places.cache))
    }
}

/// Reads go's own words for the two failures that a person can mend.
fn classify(command: String, tail: String, cache: &Path) -> Error {
    const DISK: [&str; 2] = ["no space left on device", "disk quota exceeded"];
    const NETWORK: [&str; 9] = [
        "module lookup disabled by GOPROXY=off",
        "dial tcp",
        "no such host",
        "connection refused",
        "connection reset",
        "i/o timeout",
        "TLS handshake timeout",
        "unexpected EOF",
        "proxyconnect",
    ];
    let has = |signs: &[&str]| signs.iter().any(|sign| tail.contains(sign));
    if has(&DISK) {
        Error::DiskFull { cache: cache.to_path_buf(), tail }
    } else if has(&NETWORK) || tail.contains("reading http") || tail.contains("Get \"http") {
        Error::Download { tail }
    } else {
        Error::Build { command, tail }
    }
}

/// Whether a line of go's standard error is the name of a package, as `-v` prints it.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#') && !line.contains([' ', ':', '\t'])
}

/// Compares Go versions as far as numbers go: `1.9` is older than `1.21`, `1.26rc1` counts as `1.26`.
fn older(found: &str, needed: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map_while(|part| {
                let digits: &str = &part[..part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len())];
                digits.parse().ok()
            })
            .collect()
    };
    numbers(found) < numbers(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_by_number() {
        assert!(older("1.9", "1.21"));
        assert!(older("1.25.9", "1.26.0"));
        assert!(!older("1.26.8", "1.26.0"));
        assert!(!older("1.27rc1", "1.26.0"));
        assert!(older("1.26rc1", "1.26.0"));
    }

    #[test]
    fn failures_that_a_person_can_mend_are_recognised() {
        let of = |tail: &str| classify("go install".into(), tail.into(), Path::new("cache"));
        assert!(matches!(
            of("compile: writing output: write $WORK/b1: no space left on device"),
            Error::DiskFull { .. }
        ));
        assert!(matches!(of("go: x@v1: module lookup disabled by GOPROXY=off"), Error::Download { .. }));
        assert!(matches!(
            of("go: x@v1: Get \"https://p/x\": dial tcp: lookup p: no such host"),
            Error::Download { .. }
        ));
        assert!(matches!(of("# x\nx.go:1:1: undefined: y"), Error::Build { .. }));
    }

    #[test]
    fn package_names_are_told_from_messages() {
        assert!(is_package("k8s.io/api/core/v1"));
        assert!(is_package("fmt"));
        for line in ["# k8s.io/api", "go: downloading x v1", "x.go:1:2: bad", "", "\tindented"] {
            assert!(!is_package(line), "{line}");
        }
    }
}
