//! What a ClusterConfig becomes: resources that need each other, as they are declared and as they are found.

use super::eks::api::Listing;
use crate::model::cloud::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What kind of thing a resource is. The order has no meaning: `needs` gives the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An IAM role with its policies.
    Role,
    /// An instance profile around a node role.
    InstanceProfile,
    /// The cluster's OIDC issuer as an IAM identity provider.
    OidcProvider,
    /// A VPC.
    Vpc,
    /// An internet gateway, attached.
    InternetGateway,
    /// An egress-only internet gateway (IPv6).
    EgressGateway,
    /// A subnet.
    Subnet,
    /// An elastic IP address.
    Address,
    /// A NAT gateway.
    NatGateway,
    /// A route table with its routes and associations.
    RouteTable,
    /// A security group with its rules.
    SecurityGroup,
    /// A VPC endpoint (private clusters).
    VpcEndpoint,
    /// The EKS cluster.
    Cluster,
    /// An EKS add-on.
    Addon,
    /// A launch template.
    LaunchTemplate,
    /// A managed node group.
    Nodegroup,
    /// An Auto Scaling group of self-managed nodes.
    AutoScalingGroup,
    /// A Fargate profile.
    FargateProfile,
    /// An access entry with its policies.
    AccessEntry,
    /// A pod identity association.
    PodIdentityAssociation,
    /// An OIDC identity provider for people (`identityProviders`).
    IdentityProvider,
    /// A ServiceAccount in the cluster, with the annotation that names its role.
    ServiceAccount,
}

/// Names a resource within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Kind.
    pub kind: Kind,
    /// A name that is stable over the file's life: `private-eu-central-1a`, `ng-1`, `vpc-cni`, an ARN.
    pub name: String,
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// A value that stands for an output of this resource until it is known: replaced by [`Snapshot::resolve`].
    #[must_use]
    pub fn output(&self, output: &str) -> Value {
        json!({"$output": {"kind": self.kind, "name": self.name, "output": output}})
    }

    /// The key of a second thing that is this resource too: a create without an answer that was made again. Nobody
    /// declares such a name. `id` is the second thing's physical id.
    #[must_use]
    pub fn duplicate(&self, id: &str) -> Self {
        Self::new(self.kind, format!("{}#{id}", self.original().name))
    }

    /// Whether this is the key of a duplicate.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.name.contains('#')
    }

    /// The key of the resource that this is a duplicate of; of anything else, its own.
    #[must_use]
    pub fn original(&self) -> Self {
        Self::new(self.kind, self.name.split('#').next().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.kind, self.name)
    }
}

/// A resource as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Which.
    pub key: Key,
    /// What is declared, in the words of the API's create call (its member names), tags and tokens apart; outputs of
    /// other resources as [`Key::output`] gives them. What is not declared is not compared.
    pub desired: Value,
    /// Tags declared by the person. Ours (see [`Scope::tags`]) are added when calls are made.
    pub tags: BTreeMap<String, String>,
    /// What has to be Ready before this is created, and is deleted only after this.
    pub needs: BTreeSet<Key>,
    /// Where it stands in the file, as a JSON pointer: `/managedNodeGroups/0`.
    pub declared_at: String,
    /// It exists and belongs to somebody else (an existing VPC, subnet, role): only looked up, never changed or deleted.
    pub existing: bool,
}

/// Whose a found resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// It carries our tags for this cluster.
    Ours,
    /// A CloudFormation stack made it (eksctl).
    Stack(String),
    /// An application of ours declares it (objects in the cluster only).
    Application(String),
    /// Somebody else, or nobody knows.
    Other,
}

/// Whether a found resource can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Yes.
    Ready,
    /// Not yet: the service's own word (`CREATING`, `UPDATING`, `pending`).
    Pending(String),
    /// It is going.
    Deleting,
    /// It failed: the service's word and its issues, in words.
    Failed(String),
}

/// A resource as found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Which.
    pub key: Key,
    /// Physical id or name, as calls take it.
    pub id: String,
    /// What is so, in the same words and shapes as [`Resource::desired`]; sets sorted.
    pub actual: Value,
    /// What others refer to: `id`, `arn`, `endpoint`…
    pub outputs: BTreeMap<String, Value>,
    /// All its tags, the service's own (`aws:`) apart.
    pub tags: BTreeMap<String, String>,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it can be used.
    pub state: State,
}

/// All that was found of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// By key. Something that matches no key by tag or natural name is not in here.
    pub live: BTreeMap<Key, Live>,
    /// Kinds that could not be read, with the reason: nothing of them is created or deleted.
    pub unread: BTreeMap<Kind, String>,
    /// Facts beside resources (the account's zones, AMI releases, add-on versions), by a driver's own name.
    pub facts: BTreeMap<String, Value>,
}

impl Snapshot {
    /// A value with every output filled in, or the first resource that is missing or not Ready.
    ///
    /// # Errors
    /// The key that has to be there first.
    pub fn resolve(&self, value: &Value) -> Result<Value, Key> {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$output") {
                    return self.output(reference);
                }
                let resolved: Result<serde_json::Map<String, Value>, Key> =
                    map.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?))).collect();
                Ok(Value::Object(resolved?))
            }
            Value::Array(items) => {
                Ok(Value::Array(items.iter().map(|item| self.resolve(item)).collect::<Result<_, _>>()?))
            }
            other => Ok(other.clone()),
        }
    }

    fn output(&self, reference: &Value) -> Result<Value, Key> {
        let kind = serde_json::from_value(reference["kind"].clone());
        let key = Key::new(
            kind.expect("references are only made by `Key::output`"),
            reference["name"].as_str().unwrap_or_default(),
        );
        let output = reference["output"].as_str().unwrap_or_default();
        self.live
            .get(&key)
            .filter(|live| live.state == State::Ready)
            .and_then(|live| live.outputs.get(output))
            .cloned()
            .ok_or(key)
    }
}

/// Whose resources are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The cluster's name in EKS.
    pub cluster: String,
    /// Region.
    pub region: String,
    /// Partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Account id.
    pub account: String,
}

/// Tag that says which cluster a resource belongs to.
pub const CLUSTER_TAG: &str = "portolan.dev/cluster";
/// Tag that says which resource it is: `Subnet/private-eu-central-1a`.
pub const RESOURCE_TAG: &str = "portolan.dev/resource";

impl Scope {
    /// The tags that make a resource ours.
    #[must_use]
    pub fn tags(&self, key: &Key) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER_TAG.to_owned(), self.cluster.clone()),
            (RESOURCE_TAG.to_owned(), key.to_string()),
        ])
    }
}

/// How one field that differs is put right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Mend {
    /// By this call, in place. Several fields may share one call: it is made once.
    InPlace(Call),
    /// In place, and nodes are replaced by it: how many at least, in words.
    Rolling(Call, String),
    /// Not in place: what the person can do instead.
    Impossible(String),
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// JSON pointer into [`Resource::desired`]; `/tags/NAME` for tags.
    pub field: String,
    /// As declared; `Null` when what is there is not declared (an extra rule, an extra tag of ours).
    pub declared: Value,
    /// As found.
    pub actual: Value,
    /// What to do.
    pub mend: Mend,
}

/// One kind of resource: how it is read, made, changed and taken away. Pure: it gives calls, and reads answers.
pub trait Driver: Sync {
    /// Which kind.
    fn kind(&self) -> Kind;

    /// How this kind is listed and described, where one list and a description of each is all there is to it; then
    /// `reads` and `absorb` are these.
    fn listing(&self) -> Option<&'static Listing> {
        None
    }

    /// The calls that read everything of this kind that belongs to the cluster, batched where the API can. `known` holds
    /// what was read before (drivers are asked in the order of [`super::drivers`]); `declared` helps where a thing can
    /// only be read by name (roles, instance profiles) and where an `existing` one is referred to.
    fn reads(&self, scope: &Scope, known: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let _ = declared;
        self.listing().map(|listing| listing.reads(scope, known)).unwrap_or_default()
    }

    /// Reads one answer: what was found goes into the snapshot. Calls that the answer makes necessary (a
    /// DescribeNodegroup for each name) are given back and answered through `absorb` again. A call that fails because
    /// there is no such thing (the cloud's adapter tells by the service's code) is not absorbed: nothing was found.
    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        let _ = declared;
        self.listing().map(|listing| listing.absorb(scope, call, answer, into)).unwrap_or_default()
    }

    /// The call that makes it. `desired` is resolved; `tags` are all tags it shall have; `token` is the idempotency
    /// token of this attempt, for APIs that take one.
    fn create(
        &self,
        scope: &Scope,
        resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call;

    /// What differs, and how it is mended; tags included. `desired` is resolved. Called for Ready resources only. Calls
    /// that take a token have the placeholder [`TOKEN`] in its place.
    fn differences(
        &self,
        scope: &Scope,
        resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        snapshot: &Snapshot,
    ) -> Vec<Difference>;

    /// The calls that take it away, in order (detach, then delete).
    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call>;
}

/// Stands in a call's input for the idempotency token of the attempt; the engine fills it in.
pub const TOKEN: &str = "$token";
