//! The fence: what keeps a namespace from running anything on the side that may not write.
//!
//! On the source its GitOps owners are paused, CronJobs and Jobs suspended, workloads scaled to 0, DaemonSets given a
//! selector that no node has, and a ResourceQuota of `pods: 0` refuses every new pod, whoever makes it. It holds when
//! the quota is enforced and neither a pod nor an attachment of a volume is left. On the target the quota alone does
//! it, for there everything is applied at rest.
//!
//! The API server enforces a quota only once its controller has counted (`status.hard`): before that, pods are still
//! let in (kubernetes `pkg/quota` admission controller, `checkQuotas`).

use super::patch::{ensured, outstanding, patch_of, set, version_of};
use super::scaled::Scalers;
use super::sight::{Sight, is, is_in, name, namespace};
use crate::model::ResourceId;
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::migration_journal::Entry;
use crate::transform::identity;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the ResourceQuota.
pub const FENCE: &str = "portolan-fence";
/// Key of the node selector that no node fits.
pub const AT_REST: &str = "portolan.dev/at-rest";

/// A fence around the namespaces of a wave.
#[derive(Clone, Copy)]
pub struct Fence<'a> {
    /// Which API server.
    pub side: Side,
    /// The stage that it is raised and lowered for.
    pub stage: Stage,
    /// The wave.
    pub wave: &'a str,
    /// Its namespaces.
    pub namespaces: &'a BTreeSet<String>,
    /// What was seen there.
    pub sight: &'a Sight,
    /// What was changed before.
    pub entries: &'a BTreeMap<String, Entry>,
    /// How long pods and attachments may take to go, in seconds.
    pub limit_seconds: u64,
}

impl Fence<'_> {
    /// Raises it, or says what keeps it from holding.
    #[must_use]
    pub fn raise(&self) -> Outcome {
        let mut outcome = Outcome::default();
        if self.side == Side::Source {
            outcome.steps.extend(self.paused_owners());
            outcome.steps.extend(self.suspended("CronJob"));
        }
        outcome.steps.extend(self.quotas(&BTreeSet::new()));
        if self.side == Side::Source {
            outcome.steps.extend(self.scaled());
            outcome.steps.extend(self.suspended("Job"));
            outcome.steps.extend(self.deselected());
        }
        outcome.gates = self.gates();
        outcome
    }

    /// The quotas alone, for a namespace in which nothing runs yet. `made` are namespaces that earlier steps make.
    #[must_use]
    pub fn close(&self, made: &BTreeSet<&str>) -> Outcome {
        let enforced = self.unenforced().map(|what| self.waits(what));
        Outcome { steps: self.quotas(made), gates: enforced.into_iter().collect() }
    }

    /// Lowers it: first the quota, then everything as it was, in the reverse order.
    #[must_use]
    pub fn lower(&self) -> Outcome {
        // What was refused behind it comes first, while the quota still tells that it was.
        let mut steps: Vec<Step> = self.refused();
        let unsettled: BTreeSet<ResourceId> = steps.iter().filter_map(subject_of).collect();
        for quota in self.sight.of("", "ResourceQuota", self.namespaces).filter(|quota| name(quota) == FENCE)
        {
            let Some(id) = identity(quota) else { continue };
            if quota.pointer("/metadata/deletionTimestamp").is_some() {
                continue;
            }
            let text =
                |pointer: &str| quota.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let says = format!("the fence around {} is taken away", namespace(quota).unwrap_or_default());
            let effect = Effect::Delete {
                side: self.side,
                id,
                version: version_of(quota),
                uid: text("/metadata/uid"),
                resource_version: text("/metadata/resourceVersion"),
            };
            steps.push(self.step(
                &format!("unfence/{}", namespace(quota).unwrap_or_default()),
                effect,
                Vec::new(),
                says,
            ));
        }
        let mut gates = Vec::new();
        if self.side == Side::Source {
            let (restored, waits) = self.restored(&unsettled);
            steps.extend(restored);
            gates.extend(waits);
        }
        Outcome { steps, gates }
    }

    /// Workloads that somebody has scaled up again behind the fence, back at 0. Each refusal of the quota doubles the time
    /// until their controller tries again, up to 16 min 40 s (client-go `util/workqueue`,
    /// `DefaultControllerRateLimiter`), and nothing but a change of their own makes it look sooner.
    fn refused(&self) -> Vec<Step> {
        if self.side != Side::Source {
            return Vec::new();
        }
        let fenced: BTreeSet<&str> =
            self.namespaces.iter().map(String::as_str).filter(|of| self.quota(of).is_some()).collect();
        let up = self.workloads().filter(|(object, replicas)| {
            let of = namespace(object).unwrap_or_default();
            *replicas > 0 && fenced.contains(of) && self.pods_in(of).is_empty()
        });
        let back = up.filter_map(|(object, replicas)| {
            let id = identity(object)?;
            let known = format!("scale/{id}");
            let says = format!(
                "{id} was scaled to {replicas} behind the fence: at rest once more, so that it starts at once after it"
            );
            let (to, _) = set(object, "/spec/replicas", json!(0));
            let effect = patch_of(self.side, object, to)?;
            let is_known = self.entries.contains_key(&self.key(&known));
            is_known.then(|| self.step(&format!("again/{known}"), effect, Vec::new(), says))
        });
        back.collect()
    }

    fn is_ours(&self, entry: &Entry) -> bool {
        entry.wave.as_deref() == Some(self.wave)
            && entry.stage == self.stage
            && entry
                .undo
                .iter()
                .all(|effect| matches!(effect, Effect::Patch { side, .. } if *side == self.side))
    }

    /// Everything as it was; of what is at 0 only after its controller has seen that.
    fn restored(&self, unsettled: &BTreeSet<ResourceId>) -> (Vec<Step>, Option<Gate>) {
        let index = self.sight.index();
        let scalers = Scalers::of(self.sight);
        let mut entries: Vec<(&String, &Entry)> =
            self.entries.iter().filter(|(_, entry)| self.is_ours(entry)).collect();
        entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
        let mut steps = Vec::new();
        let mut unseen = None;
        for (key, entry) in entries {
            for effect in entry.undo.iter().rev() {
                let Effect::Patch { side, id, version, operations } = effect else { continue };
                let Some(live) = index.get(id).filter(|_| !unsettled.contains(id)) else { continue };
                let Some(left) = outstanding(live, operations) else { continue };
                // It runs again, and its autoscaler has gone on from there.
                let scaled = super::scaled::replicas(live).is_some_and(|now| scalers.decides(id, now));
                let is_scale = |one: &Value| one["op"] == "test" || one["path"] == "/spec/replicas";
                if left.is_empty() || (scaled && left.iter().all(is_scale)) {
                    continue;
                }
                if left.iter().any(|one| one["path"] == "/spec/replicas") && !is_observed(live) {
                    unseen = Some(self.waits(format!("{id} was not seen at rest by its controller yet")));
                    continue;
                }
                let effect =
                    Effect::Patch { side: *side, id: id.clone(), version: version.clone(), operations: left };
                let says = format!("{id} as it was before ({})", entry.says);
                steps.push(self.step(&format!("undo/{key}"), effect, Vec::new(), says));
            }
        }
        (steps, unseen)
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{}/{key}", side_word(self.side), self.wave)
    }

    fn step(&self, key: &str, effect: Effect, undo: Vec<Effect>, says: String) -> Step {
        Step {
            key: self.key(key),
            stage: self.stage,
            wave: Some(self.wave.into()),
            effect,
            undo,
            says,
            final_: false,
        }
    }

    fn patch(
        &self,
        what: &str,
        live: &Value,
        (to, back): (Vec<Value>, Vec<Value>),
        says: String,
    ) -> Option<Step> {
        let id = identity(live)?;
        let effect = patch_of(self.side, live, to)?;
        let undo = patch_of(self.side, live, back)?;
        Some(self.step(&format!("{what}/{id}"), effect, vec![undo], says))
    }

    /// Argo CD Applications and Flux objects that deliver to the namespaces.
    fn paused_owners(&self) -> Vec<Step> {
        let objects = self.sight.objects.iter();
        objects
            .filter_map(|object| {
                let id = identity(object)?;
                if id.group == "argoproj.io" && id.kind == "Application" {
                    let automated = object.pointer("/spec/syncPolicy/automated").filter(|a| !a.is_null())?;
                    let back = json!({"op": "add", "path": "/spec/syncPolicy/automated", "value": automated});
                    let to = json!({"op": "remove", "path": "/spec/syncPolicy/automated"});
                    let says = format!("{id} syncs no more by itself");
                    return delivers(object, self.namespaces)
                        .then(|| self.patch("pause", object, (vec![to], vec![back]), says))?;
                }
                let flux = id.group.ends_with(".toolkit.fluxcd.io")
                    && matches!(id.kind.as_str(), "Kustomization" | "HelmRelease");
                if flux
                    && object.pointer("/spec/suspend") != Some(&json!(true))
                    && delivers(object, self.namespaces)
                {
                    let says = format!("{id} is suspended");
                    return self.patch("pause", object, set(object, "/spec/suspend", json!(true)), says);
                }
                None
            })
            .collect()
    }

    fn suspended(&self, kind: &str) -> Vec<Step> {
        self.sight
            .of("batch", kind, self.namespaces)
            .filter(|object| object.pointer("/spec/suspend") != Some(&json!(true)))
            .filter(|object| kind != "Job" || is_unfinished(object))
            // Jobs of a CronJob go on with it: they are suspended as well, and resumed as well.
            .filter_map(|object| {
                let says = format!("{kind} {} is suspended", name(object));
                self.patch("suspend", object, set(object, "/spec/suspend", json!(true)), says)
            })
            .collect()
    }

    fn quotas(&self, made: &BTreeSet<&str>) -> Vec<Step> {
        let there: BTreeSet<&str> = self.namespace_names().collect();
        self.namespaces
            .iter()
            .filter(|namespace| there.contains(namespace.as_str()) || made.contains(namespace.as_str()))
            .filter(|namespace| {
                self.quota(namespace)
                    .is_none_or(|quota| quota.pointer("/spec/hard/pods") != Some(&json!("0")))
            })
            .map(|namespace| {
                let object = json!({
                    "apiVersion": "v1",
                    "kind": "ResourceQuota",
                    "metadata": {"name": FENCE, "namespace": namespace},
                    "spec": {"hard": {"pods": "0"}},
                });
                let effect = Effect::Apply { side: self.side, object };
                let says = format!("no pod may start in {namespace} of the {}", side_word(self.side));
                self.step(&format!("fence/{namespace}"), effect, Vec::new(), says)
            })
            .collect()
    }

    /// Namespaces are cluster-scoped: they are found by their own names.
    fn namespace_names(&self) -> impl Iterator<Item = &str> {
        self.sight.objects.iter().filter(|object| is(object, "", "Namespace")).map(name)
    }

    fn quota(&self, namespace: &str) -> Option<&Value> {
        self.sight
            .of("", "ResourceQuota", self.namespaces)
            .find(|quota| name(quota) == FENCE && super::sight::namespace(quota) == Some(namespace))
    }

    /// Workloads of no other one, with the replicas that they want.
    fn workloads(&self) -> impl Iterator<Item = (&Value, i64)> {
        let kinds = [
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "ReplicaSet"),
            ("", "ReplicationController"),
        ];
        let all =
            kinds.into_iter().flat_map(move |(group, kind)| self.sight.of(group, kind, self.namespaces));
        all.filter(|object| !has_controller(object))
            .map(|object| (object, object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)))
    }

    /// Workloads with replicas. One that was scaled before and is scaled up again by somebody is left to the quota, as
    /// long as no pod of it lives: else the two would fight for ever.
    fn scaled(&self) -> Vec<Step> {
        let up = self.workloads().filter(|(_, replicas)| *replicas != 0);
        up.filter_map(|(object, replicas)| {
            let kind = object["kind"].as_str().unwrap_or_default();
            let says = format!("{kind} {} is scaled from {replicas} to 0", name(object));
            let change = set(object, "/spec/replicas", json!(0));
            let step = self.patch("scale", object, change, says)?;
            let again = self.entries.contains_key(&step.key);
            (!again || !self.pods_in(namespace(object).unwrap_or_default()).is_empty()).then_some(step)
        })
        .collect()
    }

    fn deselected(&self) -> Vec<Step> {
        self.sight
            .of("apps", "DaemonSet", self.namespaces)
            .filter(|object| {
                object.pointer("/spec/template/spec/nodeSelector").and_then(|s| s.get(AT_REST)).is_none()
            })
            .filter_map(|object| {
                let change = ensured(object, "/spec/template/spec/nodeSelector", AT_REST, json!("true"));
                self.patch(
                    "rest",
                    object,
                    change,
                    format!("DaemonSet {} fits no node any more", name(object)),
                )
            })
            .collect()
    }

    fn gates(&self) -> Vec<Gate> {
        let mut gates: Vec<Gate> = self.unenforced().map(|what| self.waits(what)).into_iter().collect();
        let pods: Vec<&Value> =
            self.namespaces.iter().flat_map(|namespace| self.pods_in(namespace)).collect();
        let bare: Vec<String> = pods
            .iter()
            .filter(|pod| !has_controller(pod) && pod.pointer("/metadata/deletionTimestamp").is_none())
            .map(|pod| format!("{}/{}", namespace(pod).unwrap_or_default(), name(pod)))
            .collect();
        if let (Some(first), Side::Source) = (bare.first(), self.side) {
            gates.push(Gate::Blocked {
                what: format!(
                    "{} pods belong to no workload and cannot be scaled, the first is {first}",
                    bare.len()
                ),
                way_out: "delete them, and make them anew on the target once it is handed over".into(),
            });
        } else if let Some(first) = pods.first() {
            let what = format!(
                "{} pods are left on the {}, the first is {}/{}",
                pods.len(),
                side_word(self.side),
                namespace(first).unwrap_or_default(),
                name(first)
            );
            gates.push(self.waits(what));
        }
        if let Some(volume) = self.attached() {
            gates.push(
                self.waits(format!("volume {volume} is still attached on the {}", side_word(self.side))),
            );
        }
        gates
    }

    fn waits(&self, what: String) -> Gate {
        Gate::Waiting { what, limit_seconds: self.limit_seconds }
    }

    fn unenforced(&self) -> Option<String> {
        let there: BTreeSet<&str> = self.namespace_names().collect();
        let open = self.namespaces.iter().filter(|namespace| there.contains(namespace.as_str())).find(
            |namespace| {
                let hard = |quota: &Value| quota.pointer("/status/hard/pods").cloned();
                self.quota(namespace).and_then(hard) != Some(json!("0"))
            },
        )?;
        Some(format!("the quota of {open} on the {} is not in force yet", side_word(self.side)))
    }

    /// Pods that run or may still run.
    fn pods_in(&self, namespace: &str) -> Vec<&Value> {
        let pods = self.sight.of("", "Pod", self.namespaces);
        pods.filter(|pod| super::sight::namespace(pod) == Some(namespace))
            .filter(|pod| may_run(pod))
            .collect()
    }

    /// A volume of a claim in the namespaces that is still attached to a node.
    fn attached(&self) -> Option<String> {
        let claimed: BTreeSet<&str> = self
            .sight
            .objects
            .iter()
            .filter(|object| is(object, "", "PersistentVolumeClaim") && is_in(object, self.namespaces))
            .filter_map(|claim| claim.pointer("/spec/volumeName").and_then(Value::as_str))
            .collect();
        let attachments =
            self.sight.objects.iter().filter(|object| is(object, "storage.k8s.io", "VolumeAttachment"));
        let volume = |attachment: &Value| {
            attachment.pointer("/spec/source/persistentVolumeName").and_then(Value::as_str).map(String::from)
        };
        attachments.filter_map(volume).find(|volume| claimed.contains(volume.as_str()))
    }
}

/// Namespaces in which nothing runs, and nothing can: the quota is in force, and no pod is left.
pub(super) fn holding(sight: &Sight) -> BTreeSet<&str> {
    let in_force =
        |quota: &&Value| name(quota) == FENCE && quota.pointer("/status/hard/pods") == Some(&json!("0"));
    let quotas = sight.objects.iter().filter(|object| is(object, "", "ResourceQuota")).filter(in_force);
    let mut holding: BTreeSet<&str> = quotas.filter_map(namespace).collect();
    if holding.is_empty() {
        return holding;
    }
    for pod in sight.objects.iter().filter(|object| is(object, "", "Pod") && may_run(object)) {
        holding.remove(namespace(pod).unwrap_or_default());
    }
    holding
}

/// Whether a pod runs or may still run.
fn may_run(pod: &Value) -> bool {
    !matches!(pod.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"))
}

pub(super) fn side_word(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}

/// Whether a workload's controller has looked at it since its last change.
fn is_observed(workload: &Value) -> bool {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64);
    number("/status/observedGeneration") >= number("/metadata/generation")
}

fn subject_of(step: &Step) -> Option<ResourceId> {
    super::patch::subject(&step.effect).map(|(_, id)| id)
}

/// Whether a controller keeps an object: it is the controller that is scaled then.
fn has_controller(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    owners.into_iter().any(|owner| owner["controller"] == json!(true))
}

fn is_unfinished(job: &Value) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    !conditions.into_iter().any(|condition| {
        condition["status"] == "True" && matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
    })
}

/// Whether an Argo CD Application or a Flux object delivers into one of the namespaces.
fn delivers(object: &Value, namespaces: &BTreeSet<String>) -> bool {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let named = ["/spec/destination/namespace", "/spec/targetNamespace"];
    if named.iter().filter_map(|pointer| text(pointer)).any(|namespace| namespaces.contains(namespace)) {
        return true;
    }
    let resources = object.pointer("/status/resources").and_then(Value::as_array).into_iter().flatten();
    let mut resources = resources.filter_map(|resource| resource["namespace"].as_str());
    // `namespace_name_group_kind`, as Flux writes what it applied.
    let entries = object.pointer("/status/inventory/entries").and_then(Value::as_array).into_iter().flatten();
    let mut entries = entries.filter_map(|entry| entry["id"].as_str()?.split('_').next());
    let own = object["kind"] == "HelmRelease"
        && text("/spec/targetNamespace").is_none()
        && is_in(object, namespaces);
    own || resources.any(|namespace| namespaces.contains(namespace))
        || entries.any(|namespace| namespaces.contains(namespace))
}
