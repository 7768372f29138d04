//! The rules as data, and what breaks them.

use super::source::{Named, Token, paths, tokens, words};
use std::collections::BTreeSet;

/// A module of the crate: its ring, and the modules it may import.
struct Module {
    name: &'static str,
    ring: u8,
    may: &'static [&'static str],
}

const fn module(name: &'static str, ring: u8, may: &'static [&'static str]) -> Module {
    Module { name, ring, may }
}

/// The ring table. A new module of the crate needs a line here.
const MODULES: &[Module] = &[
    module("model", 0, &[]),
    module("plan", 1, &["model"]),
    module("drift", 1, &["model"]),
    module("health", 1, &["model"]),
    module("schedule", 1, &["model"]),
    module("provision", 1, &["model"]),
    module("transform", 1, &["model"]),
    module("migrate", 1, &["model", "transform"]),
    module("ports", 2, &["model"]),
    module("git", 3, &["model", "ports"]),
    module("render", 3, &["model", "ports"]),
    module("k8s", 3, &["model", "ports"]),
    module("host", 3, &["model", "ports"]),
    module("aws", 3, &["model", "ports"]),
    module(
        "engine",
        4,
        &["model", "plan", "drift", "health", "schedule", "provision", "transform", "migrate", "ports"],
    ),
    // `plan` says which objects it would refuse: `portolan check` tells them offline.
    module("config", 5, &["model", "plan", "schedule"]),
    module("telemetry", 5, &["config", "model", "ports"]),
    module("http", 5, &["engine", "telemetry", "model", "ports"]),
    module("local", 5, &["model", "ports"]),
    module(
        "cli",
        5,
        &[
            "app",
            "config",
            "drift",
            "engine",
            "failure",
            "http",
            "local",
            "migrate",
            "model",
            "plan",
            "ports",
            "provision",
            "telemetry",
            "transform",
        ],
    ),
    // The two that see adapters: one wires them up, the other puts their errors into a person's words.
    module(
        "app",
        5,
        &[
            "aws",
            "config",
            "engine",
            "failure",
            "git",
            "host",
            "k8s",
            "migrate",
            "model",
            "ports",
            "render",
            "telemetry",
        ],
    ),
    module("failure", 5, &["aws", "git", "k8s", "local", "model", "ports", "provision", "render"]),
];

/// Why a ring imports what it does: the end of the sentence that a violation is told with.
const REASONS: [&str; 6] = [
    "ring 0 is words: it imports nothing of ours",
    "ring 1 decides, values in and values out: it imports `model` only",
    "ring 2 is the seams: it imports `model` only",
    "an adapter imports `model` and `ports`, never another adapter and never a decision",
    "the engine reaches the outside through `ports`, never through an adapter",
    "an edge reaches adapters through `app` and `failure` only",
];

/// Crates that rings 0 and 1 may use: data, text and arithmetic.
const PURE_CRATES: &[&str] = &[
    "base64",
    "chrono",
    "cron",
    "flate2",
    "hmac",
    "jiff",
    "schemars",
    "serde",
    "serde_json",
    "serde_yaml",
    "sha2",
    "similar",
    "strsim",
    "thiserror",
];

/// Crates that belong to some modules: whoever else needs them wants what those modules give.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("kube", &["k8s"]),
    ("k8s_openapi", &["k8s"]),
    // What is compressed, and how large it may become, is decided in one place (`src/model/packed.rs`).
    ("flate2", &["model"]),
    // YAML is written in one place (`src/model/yaml/write.rs`); the local world reads what other programs write for it.
    ("serde_yaml", &["model", "local"]),
    ("git2", &["git"]),
    ("libgit2_sys", &["git"]),
    ("cron", &["schedule"]),
    ("chrono", &["schedule"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
    ("hyper", &["http", "local"]),
    ("hyper_util", &["http", "local", "aws"]),
    ("prometheus_client", &["telemetry"]),
    // `config` checks the log filter that is written in the daemon's file.
    ("tracing_subscriber", &["telemetry", "config"]),
    ("tracing", &["telemetry", "cli", "k8s", "host", "git", "render"]),
    ("aws_config", &["aws"]),
    // The cryptography of TLS, under its name inside of rustls.
    ("aws_lc_rs", &["local"]),
    ("aws_credential_types", &["aws"]),
    ("aws_sdk_eks", &["aws"]),
    ("aws_sigv4", &["aws", "local"]),
    ("aws_smithy_runtime_api", &["aws"]),
    ("aws_smithy_http_client", &["aws"]),
    ("aws_smithy_types", &["aws"]),
    ("aws_types", &["aws"]),
    ("quick_xml", &["aws"]),
    ("notify", &["git", "host", "config"]),
    ("rustix", &["git", "host"]),
    ("nix", &["local"]),
    ("rcgen", &["local"]),
];

/// What rings 0 and 1 must not reach for: their answers follow from their arguments alone.
const IMPURE: &[(&[&str], &str)] = &[
    (&["SystemTime", "now"], "reads the clock"),
    (&["Instant", "now"], "reads the clock"),
    (&["Timestamp", "now"], "reads the clock"),
    (&["Zoned", "now"], "reads the clock"),
    (&["Utc", "now"], "reads the clock"),
    (&["Local", "now"], "reads the clock"),
    (&["std", "env"], "reads the environment"),
    (&["std", "fs"], "reads files"),
    (&["TcpStream"], "uses the network"),
    (&["TcpListener"], "uses the network"),
    (&["UdpSocket"], "uses the network"),
    (&["ToSocketAddrs"], "asks a name server"),
    (&["std", "process"], "starts or ends processes"),
    (&["std", "thread"], "starts threads"),
    (&["RandomState"], "is random"),
];

/// What only some modules may do, with the reason.
const CONFINED: &[(&[&str], &[&str], &str)] = &[
    (&["process", "exit"], &["main"], "only main ends the process: destructors have to run"),
    (
        &["env", "var"],
        &["config", "cli", "local", "app"],
        "the environment is read at the edge, and handed on",
    ),
    (
        &["env", "var_os"],
        &["config", "cli", "local", "app"],
        "the environment is read at the edge, and handed on",
    ),
    (&["SystemTime", "now"], &["host", "local", "cli"], "time comes from the port `Clock`"),
    (&["Instant", "now"], &["host", "local", "cli"], "time comes from the port `Clock`"),
    (&["Timestamp", "now"], &["host", "local", "cli"], "time comes from the port `Clock`"),
];

/// One file of `src`.
pub struct SourceFile {
    path: String,
    module: String,
    /// Modules from the root of the crate to this file's: `src/engine/pass.rs` is 2, `src/engine/mod.rs` is 1.
    depth: usize,
    tokens: Vec<Token>,
    paths: Vec<Named>,
}

impl SourceFile {
    /// Reads one.
    pub fn new(path: &str, text: &str) -> Self {
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut modules: Vec<&str> = inner.split('/').collect();
        modules.pop_if(|last| *last == "mod");
        let tokens = tokens(text);
        let paths = paths(&tokens);
        Self { path: path.into(), module: modules[0].into(), depth: modules.len(), tokens, paths }
    }

    /// The module of the crate that a path leads to, when it leads into another one.
    fn imported<'a>(&self, named: &'a Named) -> Option<&'a str> {
        let supers = named.segments.iter().take_while(|segment| *segment == "super").count();
        let target = match named.segments[0].as_str() {
            "crate" => named.segments.get(1),
            "super" if supers == self.depth + named.depth => named.segments.get(supers),
            _ => None,
        }?;
        (*target != self.module && target != "*").then_some(target)
    }

    /// Whether a name is one of the file's own, and no crate's: imported from here, or declared.
    fn shadows(&self, name: &str) -> bool {
        let imports = |named: &Named| {
            let last = named.segments.iter().rev().find(|segment| *segment != "self");
            matches!(named.segments[0].as_str(), "crate" | "super" | "self")
                && last.is_some_and(|last| last == name)
        };
        self.paths.iter().any(imports)
            || (0..self.tokens.len()).any(|at| words(&self.tokens, at, &["mod", name]))
    }

    fn is_pure(&self) -> bool {
        MODULES.iter().any(|module| module.name == self.module && module.ring <= 1)
    }

    fn violation(&self, line: usize, words: &str) -> String {
        format!("{}:{line}: {words}", self.path)
    }
}

/// Imports that the ring table does not have.
pub fn import_violations(file: &SourceFile) -> Vec<String> {
    if matches!(file.module.as_str(), "lib" | "main") {
        return Vec::new();
    }
    let Some(module) = MODULES.iter().find(|module| module.name == file.module) else {
        return vec![
            file.violation(1, &format!("the module `{}` has no line in the ring table", file.module)),
        ];
    };
    let refused = |named: &&Named| {
        file.imported(named)
            .is_some_and(|target| MODULES.iter().any(|m| m.name == target) && !module.may.contains(&target))
    };
    let told = |named: &Named| {
        let reason = REASONS[usize::from(module.ring)];
        file.violation(named.line, &format!("`{}` uses `{}`: {reason}", file.module, named.text()))
    };
    file.paths.iter().filter(refused).map(told).collect()
}

/// Crates where they do not belong.
pub fn crate_violations(file: &SourceFile, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut violations = Vec::new();
    for named in file.paths.iter().filter(|named| !named.in_test) {
        let name = named.segments[0].as_str();
        if !(dependencies.contains(name) || name.starts_with("aws_")) || file.shadows(name) {
            continue;
        }
        let owners = OWNED_CRATES.iter().find(|(owned, _)| *owned == name).map(|(_, owners)| *owners);
        let owners = owners.or(name.starts_with("aws_").then_some(&["aws"][..]));
        let refusal = if file.is_pure() && !PURE_CRATES.contains(&name) {
            Some("rings 0 and 1 use data crates only".to_owned())
        } else if owners.is_some_and(|owners| !owners.contains(&file.module.as_str())) {
            Some(format!("that crate belongs to {}", owners.unwrap_or_default().join(", ")))
        } else if name == "tokio" && file.module == "ports" && !named.text().starts_with("tokio::sync::mpsc")
        {
            Some("a port may name channels (`tokio::sync::mpsc`), and nothing that runs".to_owned())
        } else {
            None
        };
        if let Some(refusal) = refusal {
            violations.push(
                file.violation(named.line, &format!("`{}` uses `{}`: {refusal}", file.module, named.text())),
            );
        }
    }
    violations
}

/// Effects where there must be none.
pub fn effect_violations(file: &SourceFile) -> Vec<String> {
    let mut violations = Vec::new();
    let names = |named: &Named, wanted: &[&str]| {
        named.segments.windows(wanted.len()).any(|segments| segments == wanted)
    };
    for named in file.paths.iter().filter(|named| !named.in_test) {
        if file.is_pure() {
            let impure = IMPURE.iter().filter(|(wanted, _)| names(named, wanted));
            violations.extend(impure.map(|(_, what)| {
                file.violation(
                    named.line,
                    &format!("`{}` {what}, in a ring whose answers follow from its arguments", named.text()),
                )
            }));
        }
        let confined = CONFINED
            .iter()
            .filter(|(wanted, places, _)| names(named, wanted) && !places.contains(&file.module.as_str()));
        violations.extend(
            confined.map(|(_, _, why)| file.violation(named.line, &format!("`{}`: {why}", named.text()))),
        );
    }
    let asynchronous =
        file.tokens.iter().filter(|token| file.is_pure() && !token.in_test && token.text == "async");
    violations.extend(
        asynchronous.map(|token| file.violation(token.line, "`async` in a ring that waits for nothing")),
    );
    let prints = |at: &usize| {
        let (token, next) = (&file.tokens[*at], file.tokens.get(at + 1));
        matches!(token.text.as_str(), "println" | "eprintln" | "print" | "eprint")
            && next.is_some_and(|next| next.text == "!")
    };
    if file.module != "cli" {
        let printing = (0..file.tokens.len()).filter(prints).filter(|at| !file.tokens[*at].in_test);
        violations.extend(printing.map(|at| file.violation(file.tokens[at].line, "only `cli` prints")));
    }
    violations
}
