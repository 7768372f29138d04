//! Python from Debian's packages without being root: apt with lists and archives of its own, unpacked beside moto.
//!
//! A machine with Rust, Go, build-essential and git has no Python. apt reads the machine's sources and what is installed,
//! so it names exactly what is missing, and `dpkg-deb` unpacks that anywhere. Nothing of the system is changed.
//! (apt.conf(5): `Dir::State`, `Dir::Cache`, `#clear`; apt-get(8): `--download-only`.)

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::interpreter::run;
use crate::local::build::remove;
use crate::local::error::Error as LocalError;
use crate::local::places::Places;
use crate::local::progress::{Meter, Report};

/// The interpreter, and pip's wheel, which Debian keeps for `venv` and which runs as it is.
pub(super) const PYTHON: &[&str] = &["python3", "python3-pip-whl"];
/// pip's wheel alone, where there is an interpreter.
pub(super) const PIP: &[&str] = &["python3-pip-whl"];

/// The two programs of a machine with Debian's packages.
#[derive(Clone, Debug)]
pub(super) struct Debian {
    apt: PathBuf,
    dpkg: PathBuf,
}

impl Debian {
    /// Whether this machine has them.
    pub(super) fn here(places: &Places) -> Option<Debian> {
        Some(Debian { apt: places.on_path("apt-get")?, dpkg: places.on_path("dpkg-deb")? })
    }

    /// Downloads packages with what they need and this machine lacks, and unpacks them into `root`. What apt keeps goes
    /// into `scratch`, and with it.
    ///
    /// # Errors
    /// What apt or dpkg said last.
    pub(super) async fn unpack(
        &self,
        packages: &[&str],
        root: &Path,
        scratch: &Path,
        meter: &mut Meter,
        report: Report<'_>,
    ) -> Result<(), String> {
        let told = |error: LocalError| error.to_string();
        remove(scratch).map_err(told)?;
        let archives = scratch.join("cache").join("archives");
        for folder in [archives.join("partial"), scratch.join("state").join("lists").join("partial")] {
            fs::create_dir_all(&folder).map_err(LocalError::io("create", &folder)).map_err(told)?;
        }
        fs::create_dir_all(root).map_err(LocalError::io("create", root)).map_err(told)?;
        let settings = scratch.join("apt.conf");
        fs::write(&settings, configuration(scratch))
            .map_err(LocalError::io("write", &settings))
            .map_err(told)?;
        let apt = || {
            let mut command = Command::new(&self.apt);
            command
                .arg("-c")
                .arg(&settings)
                .args(["--quiet", "--yes"])
                .env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        meter.show("package lists", report);
        let mut update = apt();
        update.arg("update");
        // One source of several that cannot be reached is no reason to give up: the packages may be in the others.
        let updated = run(update, &mut |_| meter.again(report)).await;
        let mut install = apt();
        install.args(["--download-only", "install"]).args(packages);
        let mut shown = |line: Option<&str>| match line.filter(|line| line.starts_with("Get:")) {
            // `Get:1 URL SUITE ARCHITECTURE PACKAGE …`
            Some(line) => meter.show(line.split_whitespace().nth(4).unwrap_or_default(), report),
            None => meter.again(report),
        };
        let fetched = run(install, &mut shown).await;
        fetched.map_err(|tail| match updated {
            Ok(()) => tail,
            Err(of_update) => format!("{of_update}\n{tail}"),
        })?;
        let listing = fs::read_dir(&archives).map_err(LocalError::io("list", &archives)).map_err(told)?;
        let mut files: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "deb"));
        files.sort();
        for file in &files {
            let mut command = Command::new(&self.dpkg);
            command.arg("--extract").arg(file).arg(root);
            run(command, &mut |_| meter.again(report)).await?;
        }
        remove(scratch).map_err(told)
    }
}

/// apt's settings: what it writes is below `scratch`, what it reads is the machine's.
fn configuration(scratch: &Path) -> String {
    // Quotes cannot be escaped in apt's files; a folder that has one is refused by apt, in words.
    let scratch = scratch.display();
    format!(
        r#"Dir::State "{scratch}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{scratch}/cache";
Dir::Log "{scratch}";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::CNF;
"#
    )
}

/// pip's wheel among unpacked packages, or the machine's own, where apt had nothing to fetch: a Python runs it from where
/// it is.
pub(super) fn pip_wheel(root: &Path) -> Option<PathBuf> {
    let wheel = |root: &Path| {
        let wheels = root.join("usr").join("share").join("python-wheels");
        let mut found: Vec<_> = fs::read_dir(wheels).ok()?.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("pip-") && name.ends_with(".whl")
        });
        found.into_iter().max()
    };
    wheel(root).or_else(|| wheel(Path::new("/")))
}
