//! Stand-ins for the controllers that join a cluster to AWS: what they do in an account, done in the local one.
//!
//! KWOK runs no container, so the pods of these controllers do nothing. Each stand-in plays the container of one of them,
//! and only while the cluster has its Deployment with a replica: who scales external-dns to 0 has paused it here too, and
//! flags in its arguments count.
//!
//! | stands in for | what it does | by whose rules |
//! |---|---|---|
//! | EBS CSI driver, external-provisioner, external-attacher, node-driver-registrar | CSINodes, volumes for claims, attaching, deleting what is Released with `Delete` | aws-ebs-csi-driver docs/tagging.md, install.md |
//! | the cloud provider of a kops cluster, and EKS's own where no other controller runs | Classic Load Balancers of Services, NLBs by annotation | cloud-provider-aws docs/service_controller.md |
//! | AWS Load Balancer Controller | NLBs of Services, ALBs of Ingresses, TargetGroupBindings | its docs/guide |
//! | external-dns | records and their TXT ownership in Route 53 | its docs/registry/txt.md |
//!
//! The real programs were looked at first: of the AWS Load Balancer Controller and the EBS driver the module proxy has no
//! release that the Go client installs (their module paths lack `/v2`, or they are not there at all), and the driver's
//! node part needs a kubelet. So all of them are played, by the same rules of names, tags and ownership.

mod attach;
mod balancers;
mod bindings;
mod classic;
mod dns;
mod dns_records;
mod network;
mod nodes;
mod of_ingress;
mod of_service;
mod program;
mod provision;
mod view;
mod waiting;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use super::kubernetes::Api;
use view::View;
pub(in crate::local) use waiting::waiting;
use wanted::Target;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// For how long AWS is not asked again about what was in order. The real ones look each minute, or when something changes.
const SETTLED: Duration = Duration::from_secs(10);

/// Why something could not be done for an object; tried again in the next pass, as the real ones do.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Whose rules of access hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::local) enum Distribution {
    /// The roles of kops: they attach and delete what has `KubernetesCluster` with the cluster's name.
    Kops,
    /// AmazonEBSCSIDriverPolicyV2: what has the driver's tags.
    Eks,
}

/// The stand-ins of one cluster.
pub(in crate::local) struct Controllers {
    api: Api,
    account: Account,
    /// The cluster's name, as its tags have it.
    cluster: String,
    distribution: Distribution,
    memory: Mutex<Memory>,
}

/// What was done before.
#[derive(Default)]
struct Memory {
    /// What was wanted when it was in order, and when that was.
    settled: BTreeMap<String, (String, Instant)>,
    /// Targets that were registered here, by their group.
    registered: BTreeMap<String, BTreeSet<Target>>,
}

impl Controllers {
    /// Those of a cluster.
    pub(in crate::local) fn new(
        api: Api,
        account: Account,
        cluster: &str,
        distribution: Distribution,
    ) -> Controllers {
        Controllers { api, account, cluster: cluster.to_owned(), distribution, memory: Mutex::default() }
    }

    /// Works until it is dropped.
    pub(in crate::local) async fn keep(self) {
        loop {
            // What fails is tried again; objects carry the errors that the real controllers write on them.
            let _ = self.pass().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One look at everything. What could not be done, by object.
    ///
    /// # Errors
    /// When the API server cannot be read.
    pub(in crate::local) async fn pass(&self) -> Result<BTreeMap<String, String>, Failed> {
        let view = View::read(&self.api).await?;
        let mut complaints = BTreeMap::new();
        if let Some(driver) = program::volume_keeper(&view, &self.cluster, self.distribution) {
            nodes::register(self, &view).await?;
            provision::pass(self, &view, &driver, &mut complaints).await;
            attach::pass(self, &view, &mut complaints).await;
        }
        balancers::pass(self, &view, &mut complaints).await;
        for program in program::external_dns(&view) {
            dns::pass(self, &view, &program, &mut complaints).await;
        }
        Ok(complaints)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the same was in order a moment ago.
    fn is_settled(&self, key: &str, digest: &str) -> bool {
        let memory = self.memory();
        memory.settled.get(key).is_some_and(|(known, when)| known == digest && when.elapsed() < SETTLED)
    }

    /// Notes that something is in order.
    fn settle(&self, key: &str, digest: String) {
        self.memory().settled.insert(key.to_owned(), (digest, Instant::now()));
    }

    /// Forgets what is there no more.
    fn forget(&self, key: &str) {
        self.memory().settled.remove(key);
    }

    /// Targets that were registered here before; these are from now on.
    fn registered(&self, group: &str, targets: &BTreeSet<Target>) -> BTreeSet<Target> {
        self.memory().registered.insert(group.to_owned(), targets.clone()).unwrap_or_default()
    }

    /// The tag by which whatever belongs to the cluster is known.
    fn tag_key(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.cluster)
    }

    /// Whether the cluster's role may attach, detach or delete a volume with these tags.
    fn may_touch(&self, tags: &BTreeMap<String, String>) -> bool {
        match self.distribution {
            Distribution::Kops => tags.get("KubernetesCluster").is_some_and(|name| *name == self.cluster),
            Distribution::Eks => {
                tags.get("ebs.csi.aws.com/cluster").is_some_and(|value| value == "true")
                    || tags.contains_key("kubernetes.io/created-for/pvc/name")
                    || tags.contains_key("CSIVolumeName")
            }
        }
    }
}
