//! The command lines of one control plane's programs.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::options::TokenUser;
use super::pki::Pki;
use super::programs::Program;
use super::spec::Spec;

/// Where Services get their addresses from.
const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The address of the `kubernetes` Service: the first of the range.
pub(crate) const KUBERNETES_SERVICE_IP: &str = "10.96.0.1";

/// The ports that one control plane listens on, all on 127.0.0.1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
    pub(crate) kwok: u16,
}

impl Ports {
    /// Takes free ports from the system. Somebody else may take one before our program binds it; the supervisor
    /// then starts again with others.
    pub(crate) fn pick() -> Result<Ports, Error> {
        // All are held until the last is known, or the same one could come twice.
        let mut held = Vec::new();
        let mut next = || -> Result<u16, Error> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .map_err(Error::io("bind a port of", "127.0.0.1"))?;
            let port = listener.local_addr().map_err(Error::io("read the port of", "127.0.0.1"))?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Ports {
            etcd: next()?,
            etcd_peer: next()?,
            api_server: next()?,
            controller_manager: next()?,
            scheduler: next()?,
            kwok: next()?,
        })
    }
}

/// One control plane's folder with all that its programs are told about.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) spec: Spec,
    pub(crate) ports: Ports,
    pub(crate) pki: Pki,
    /// Whose kubeconfig the administrator's is.
    pub(crate) administrator: TokenUser,
}

impl Layout {
    /// The API server's URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// The token file of the API server.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The kubeconfig of one of the programs.
    pub(crate) fn kubeconfig_of(&self, program: Program) -> PathBuf {
        self.folder.join(format!("{}.kubeconfig", program.file()))
    }

    /// Where a program's output goes.
    pub(crate) fn log(&self, program: Program) -> PathBuf {
        self.folder.join("logs").join(format!("{}.log", program.file()))
    }

    /// The arguments of a program.
    pub(crate) fn arguments(&self, program: Program) -> Vec<String> {
        match program {
            Program::Etcd => self.etcd(),
            Program::ApiServer => self.api_server(),
            Program::ControllerManager => self.controller_manager(),
            Program::Scheduler => self.scheduler(),
            Program::Kwok => self.kwok(),
            Program::Kubectl | Program::Kustomize | Program::Helm => Vec::new(),
        }
    }

    fn etcd(&self) -> Vec<String> {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        vec![
            "--name=default".into(),
            flag("data-dir", self.folder.join("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data lives no longer than the instance, so there is nothing to protect from a power cut.
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ]
    }

    fn api_server(&self) -> Vec<String> {
        let pki = &self.pki;
        let mut flags = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.api_server),
            // A loopback address is refused in Endpoints, and nothing here could use them.
            "--endpoint-reconciler-type=none".into(),
            flag("tls-cert-file", &pki.serving_cert),
            flag("tls-private-key-file", &pki.serving_key),
            flag("client-ca-file", &pki.ca_cert),
            flag("token-auth-file", self.tokens()),
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            "--allow-privileged=true".into(),
            format!("--service-cluster-ip-range={SERVICE_RANGE}"),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            flag("service-account-key-file", &pki.service_account_public),
            flag("service-account-signing-key-file", &pki.service_account_private),
            // The front proxy's certificates, or an aggregated API server could not trust our requests.
            flag("requestheader-client-ca-file", &pki.front_proxy_ca),
            "--requestheader-allowed-names=front-proxy-client".into(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
            "--requestheader-group-headers=X-Remote-Group".into(),
            "--requestheader-username-headers=X-Remote-User".into(),
            flag("proxy-client-cert-file", &pki.front_proxy_cert),
            flag("proxy-client-key-file", &pki.front_proxy_key),
            "--profiling=false".into(),
        ];
        if self.spec.audit {
            flags.push(flag("audit-policy-file", self.folder.join("audit-policy.yaml")));
            flags.push(flag("audit-log-path", self.folder.join("logs").join("audit.log")));
            // Written at once, so that a test may read what just happened.
            flags.push("--audit-log-mode=blocking".into());
        }
        override_with(flags, &self.spec.api_server_args)
    }

    fn controller_manager(&self) -> Vec<String> {
        let pki = &self.pki;
        let mut flags = self.component(Program::ControllerManager, self.ports.controller_manager);
        flags.extend([
            flag("service-account-private-key-file", &pki.service_account_private),
            flag("root-ca-file", &pki.ca_cert),
            flag("cluster-signing-cert-file", &pki.ca_cert),
            flag("cluster-signing-key-file", &pki.ca_key),
            "--use-service-account-credentials=true".into(),
            // With the defaults (20, 30, 5, 5), a thousand Deployments are observed only after 200 s, and whoever
            // measures a sync measures this throttle.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
            "--concurrent-deployment-syncs=20".into(),
            "--concurrent-replicaset-syncs=20".into(),
        ]);
        flags
    }

    fn scheduler(&self) -> Vec<String> {
        self.component(Program::Scheduler, self.ports.scheduler)
    }

    /// What controller-manager and scheduler have in common. There is one of each, so none waits for a Lease.
    fn component(&self, program: Program, port: u16) -> Vec<String> {
        let kubeconfig = self.kubeconfig_of(program);
        vec![
            flag("kubeconfig", &kubeconfig),
            flag("authentication-kubeconfig", &kubeconfig),
            flag("authorization-kubeconfig", &kubeconfig),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            flag("tls-cert-file", &self.pki.serving_cert),
            flag("tls-private-key-file", &self.pki.serving_key),
            "--leader-elect=false".into(),
            "--profiling=false".into(),
        ]
    }

    fn kwok(&self) -> Vec<String> {
        let mut flags = vec![
            flag("kubeconfig", self.kubeconfig_of(Program::Kwok)),
            "--manage-all-nodes=true".into(),
            // It would write a line for every patch of every node and pod.
            "--v=WARN".into(),
            format!("--server-address=127.0.0.1:{}", self.ports.kwok),
        ];
        // Without Stage files it exits with "no stages found".
        flags.extend(self.spec.programs.kwok_stages.iter().map(|file| flag("config", file)));
        flags
    }
}

fn flag(name: &str, value: impl AsRef<Path>) -> String {
    format!("--{name}={}", value.as_ref().display())
}

/// Replaces every default that the caller sets too; kube-apiserver refuses an authorization mode beside a
/// configuration file (KEP-3221).
fn override_with(defaults: Vec<String>, own: &[String]) -> Vec<String> {
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let mut replaced: Vec<String> = own.iter().map(|flag| name(flag)).collect();
    if replaced.iter().any(|flag| flag == "--authorization-config") {
        replaced.push("--authorization-mode".to_owned());
    }
    let kept = defaults.into_iter().filter(|flag| !replaced.contains(&name(flag)));
    kept.chain(own.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct() {
        let ports = Ports::pick().unwrap();
        let all = [
            ports.etcd,
            ports.etcd_peer,
            ports.api_server,
            ports.controller_manager,
            ports.scheduler,
            ports.kwok,
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
    }

    #[test]
    fn a_flag_of_the_caller_replaces_ours() {
        let defaults = vec!["--a=1".to_owned(), "--authorization-mode=RBAC".to_owned(), "--ab=2".to_owned()];
        let own = ["--a=3".to_owned(), "--a=4".to_owned(), "--authorization-config=f".to_owned()];
        assert_eq!(
            override_with(defaults.clone(), &own),
            ["--ab=2", "--a=3", "--a=4", "--authorization-config=f"]
        );
        assert_eq!(override_with(defaults.clone(), &[]), defaults);
    }
}
