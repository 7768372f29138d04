//! Health of live objects: a table of cases, and what holds for any JSON.

use portolan::health::{assess, awaits_completion, reassess_at, why};
use portolan::model::{Health, Object};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-03-01T12:00:00Z.
const NOW: i64 = 1_772_366_400;

/// One case a line: `health | message | apiVersion kind | fields beside those and the name`.
const CASES: &str = r#"
# Any kind
Progressing | terminating | v1 ConfigMap | {"metadata": {"deletionTimestamp": "2026-03-01T11:00:00Z"}}
Progressing | terminating: waits for finalizer a.io/x, b.io/y | v1 Secret | {"metadata": {"deletionTimestamp": "2026-03-01T11:00:00Z", "finalizers": ["b.io/y", "a.io/x"]}}
Progressing | terminating: 3 pods left | v1 Namespace | {"metadata": {"deletionTimestamp": "2026-03-01T11:00:00Z"}, "status": {"phase": "Terminating", "conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "3 pods left"}]}}
Healthy | | v1 Namespace | {"status": {"phase": "Active"}}
Healthy | | v1 ConfigMap | {"metadata": {"deletionTimestamp": ""}}
Healthy | | v1 ServiceAccount | {}
Healthy | | rbac.authorization.k8s.io/v1 ClusterRole | {"rules": []}
Healthy | | admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration | {"metadata": {"generation": 4}}
Progressing | generation 3 not yet observed, the controller is at 2 | example.io/v1 Thing | {"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]}}
Progressing | generation 1 not yet observed, the controller is at 9 | example.io/v1 Thing | {"metadata": {"generation": 1}, "status": {"observedGeneration": 9}}
Healthy | | v1 Node | {"status": {"conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}}
Progressing | NodeStatusUnknown: Kubelet stopped posting node status | v1 Node | {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}}
Healthy | | v1 Secret | {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}

# Custom resources
Healthy | | example.io/v1 Thing | {}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Painted", "status": "False"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "AllGood"}]}}
Progressing | Waiting: for the database | example.io/v1 Thing | {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Waiting", "message": "for the database."}]}}
Progressing | not Ready | example.io/v1 Thing | {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Ready", "status": "maybe"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": {"ready": true}}}
Progressing | generation 2 not yet observed, the controller is at 1 | example.io/v1 Thing | {"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}}
Degraded | BadCredentials: token refused | example.io/v1 Thing | {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "True", "reason": "BadCredentials", "message": "token refused"}]}}
Progressing | Fetching | example.io/v1 Thing | {"status": {"conditions": [{"type": "Reconciling", "status": "True", "reason": "Fetching"}, {"type": "Ready", "status": "True"}]}}
Degraded | stalled | example.io/v1 Thing | {"status": {"conditions": [{"type": "Reconciling", "status": "True"}, {"type": "Stalled", "status": "True"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Reconciling", "status": "False"}, {"type": "Stalled", "status": "False"}]}}
Progressing | generation 5 not yet observed, the controller is at 4 | example.io/v1 Thing | {"metadata": {"generation": 5}, "status": {"conditions": [{"type": "Stalled", "status": "True", "observedGeneration": 4}]}}
Progressing | Minimum: 0 of 1 up | example.io/v1 Thing | {"status": {"conditions": [{"type": "Available", "status": "False", "reason": "Minimum", "message": "0 of 1 up"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Available", "status": "False"}, {"type": "Ready", "status": "True"}]}}
Progressing | UnhealthyPackage | pkg.example.io/v1 Provider | {"status": {"conditions": [{"type": "Installed", "status": "True"}, {"type": "Healthy", "status": "False", "reason": "UnhealthyPackage"}]}}
Progressing | NoAddress | gateway.networking.k8s.io/v1 Gateway | {"status": {"conditions": [{"type": "Accepted", "status": "True"}, {"type": "Programmed", "status": "False", "reason": "NoAddress"}]}}
Degraded | QuorumLost: 1 of 3 | example.io/v1 Thing | {"status": {"conditions": [{"type": "Degraded", "status": "True", "reason": "QuorumLost", "message": "1 of 3"}]}}
Healthy | | example.io/v1 Thing | {"status": {"conditions": [{"type": "Degraded", "status": "False"}]}}
Degraded | phase Failed: disk full | example.io/v1 Backup | {"status": {"phase": "Failed", "message": "disk full"}}
Progressing | phase Pending | example.io/v1 Backup | {"status": {"phase": "Pending"}}
Healthy | | example.io/v1 Backup | {"status": {"phase": "Weird"}}
Healthy | | example.io/v1 Backup | {"status": {"phase": "Failed", "conditions": [{"type": "Ready", "status": "True"}]}}
Suspended | suspended | kustomize.toolkit.fluxcd.io/v1 Kustomization | {"metadata": {"generation": 2}, "spec": {"suspend": true}, "status": {"observedGeneration": 1}}
Suspended | paused | argoproj.io/v1alpha1 Rollout | {"spec": {"paused": true}}
Healthy | | example.io/v1 Thing | {"spec": {"suspend": "true", "paused": false}}

# Deployment
Progressing | 0 of 1 created | apps/v1 Deployment | {"metadata": {"generation": 1}}
Progressing | 1 of 3 created | apps/v1 Deployment | {"spec": {"replicas": 3}, "status": {"replicas": 1, "updatedReplicas": 1}}
Progressing | 0 of 2 created; FailedCreate: exceeded quota: pods=0 | apps/v1 Deployment | {"spec": {"replicas": 2}, "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods=0"}]}}
Progressing | 2 of 3 updated | apps/v1 Deployment | {"spec": {"replicas": 3}, "status": {"replicas": 3, "updatedReplicas": 2, "readyReplicas": 3, "availableReplicas": 3}}
Progressing | 1 old pods terminating | apps/v1 Deployment | {"spec": {"replicas": 3}, "status": {"replicas": 4, "updatedReplicas": 3, "readyReplicas": 4, "availableReplicas": 4}}
Progressing | 1 of 2 available | apps/v1 Deployment | {"spec": {"replicas": 2}, "status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 1}}
Progressing | 0 of 2 ready | apps/v1 Deployment | {"spec": {"replicas": 2}, "status": {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}}
Progressing | not yet available: MinimumReplicasUnavailable | apps/v1 Deployment | {"spec": {"replicas": 1}, "status": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}]}}
Progressing | new ReplicaSet not yet available | apps/v1 Deployment | {"spec": {"replicas": 1, "progressDeadlineSeconds": 600}, "status": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}}
Healthy | | apps/v1 Deployment | {"spec": {"replicas": 1, "progressDeadlineSeconds": 600}, "status": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}, {"type": "Available", "status": "True"}]}}
Healthy | | apps/v1 Deployment | {"spec": {"progressDeadlineSeconds": 2147483647}, "status": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}}
Healthy | | apps/v1 Deployment | {"spec": {"replicas": 0, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}}
Degraded | ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing | apps/v1 Deployment | {"spec": {"replicas": 1}, "status": {"replicas": 2, "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-1\" has timed out progressing."}]}}
Suspended | paused | apps/v1 Deployment | {"metadata": {"generation": 3}, "spec": {"paused": true}, "status": {"observedGeneration": 2}}
Progressing | terminating | apps/v1 Deployment | {"metadata": {"deletionTimestamp": "2026-03-01T11:00:00Z"}, "spec": {"paused": true}}
Progressing | 0 of 1 created | extensions/v1beta1 Deployment | {}
Progressing | generation 2 not yet observed, the controller is at 1 | apps/v1 Deployment | {"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}}

# StatefulSet
Progressing | 0 of 1 created | apps/v1 StatefulSet | {}
Progressing | 1 of 3 ready | apps/v1 StatefulSet | {"spec": {"replicas": 3}, "status": {"replicas": 3, "readyReplicas": 1, "currentReplicas": 3}}
Progressing | 2 old pods terminating | apps/v1 StatefulSet | {"spec": {"replicas": 1}, "status": {"replicas": 3, "readyReplicas": 3, "currentReplicas": 1}}
Progressing | 1 of 3 current | apps/v1 StatefulSet | {"spec": {"replicas": 3}, "status": {"replicas": 3, "readyReplicas": 3, "currentReplicas": 1}}
Progressing | 1 of 2 updated | apps/v1 StatefulSet | {"spec": {"replicas": 2}, "status": {"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 1, "currentRevision": "db-1", "updateRevision": "db-2"}}
Healthy | | apps/v1 StatefulSet | {"spec": {"replicas": 2}, "status": {"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "currentRevision": "db-2", "updateRevision": "db-2"}}
Progressing | 0 of 1 updated | apps/v1 StatefulSet | {"spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "status": {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 0}}
Healthy | | apps/v1 StatefulSet | {"spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "status": {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}
Healthy | | apps/v1 StatefulSet | {"spec": {"replicas": 1, "updateStrategy": {"rollingUpdate": {"partition": 5}}}, "status": {"replicas": 1, "readyReplicas": 1}}
Healthy | update strategy OnDelete: 1 of 3 ready, 0 updated | apps/v1 StatefulSet | {"spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}}, "status": {"readyReplicas": 1}}

# ReplicaSet, ReplicationController, DaemonSet
Progressing | 0 of 2 created | apps/v1 ReplicaSet | {"spec": {"replicas": 2}}
Progressing | 1 of 2 available | apps/v1 ReplicaSet | {"spec": {"replicas": 2}, "status": {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 1}}
Progressing | 1 of 2 ready | apps/v1 ReplicaSet | {"spec": {"replicas": 2}, "status": {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 2}}
Progressing | 1 old pods terminating | apps/v1 ReplicaSet | {"spec": {"replicas": 0}, "status": {"replicas": 1}}
Progressing | pods cannot be created: FailedCreate: forbidden | apps/v1 ReplicaSet | {"spec": {"replicas": 1}, "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "forbidden"}]}}
Healthy | | apps/v1 ReplicaSet | {"spec": {"replicas": 1}, "status": {"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}}
Progressing | 0 of 1 ready | v1 ReplicationController | {"status": {"replicas": 1, "availableReplicas": 1}}
Progressing | not yet observed by the controller | apps/v1 DaemonSet | {"metadata": {"generation": 1}}
Progressing | not yet observed by the controller | apps/v1 DaemonSet | {"status": {"observedGeneration": 1, "desiredNumberScheduled": 0}}
Progressing | number of nodes not yet known | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}
Progressing | 2 of 3 scheduled | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 2}}
Progressing | 1 of 3 updated | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 1}}
Progressing | 2 of 3 available | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2, "numberReady": 3}}
Healthy | | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 0}}
Healthy | | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberAvailable": 3, "numberReady": 3}}
Progressing | 1 of 3 available | apps/v1 DaemonSet | {"metadata": {"generation": 1}, "spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberAvailable": 1}}

# Pod
Progressing | not yet observed | v1 Pod | {}
Unknown | phase Unknown | v1 Pod | {"status": {"phase": "Unknown"}}
Healthy | | v1 Pod | {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
Progressing | not ready: containers with unready status: [web] | v1 Pod | {"spec": {"restartPolicy": "Always"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "message": "containers with unready status: [web]"}]}}
Degraded | container web: CrashLoopBackOff: back-off 40s | v1 Pod | {"status": {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}]}}
Degraded | container web: ended with exit code 3 | v1 Pod | {"status": {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}}
Degraded | container init: ImagePullBackOff | v1 Pod | {"status": {"phase": "Pending", "initContainerStatuses": [{"name": "init", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}
Progressing | pending | v1 Pod | {"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]}}
Progressing | pending: container hook: ErrImagePull | v1 Pod | {"spec": {"restartPolicy": "Never"}, "status": {"phase": "Pending", "containerStatuses": [{"name": "hook", "state": {"waiting": {"reason": "ErrImagePull"}}}]}}
Progressing | runs to completion | v1 Pod | {"spec": {"restartPolicy": "OnFailure"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
Healthy | | v1 Pod | {"metadata": {"annotations": {"argocd.argoproj.io/ignore-restart-policy": "true"}}, "spec": {"restartPolicy": "Never"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
Healthy | completed | v1 Pod | {"status": {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]}}
Degraded | container main: ended with exit code 1 | v1 Pod | {"spec": {"restartPolicy": "Never"}, "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}}
Degraded | container main: OOMKilled with exit code 137 | v1 Pod | {"status": {"phase": "Failed", "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}
Degraded | Evicted: the node was low on memory | v1 Pod | {"status": {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory."}}
Healthy | completed, but not successfully | v1 Pod | {"status": {"phase": "Failed"}}
Degraded | Unschedulable: 0/3 nodes are available | v1 Pod | {"metadata": {"creationTimestamp": "2026-03-01T11:59:45Z"}, "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}}
Progressing | Unschedulable | v1 Pod | {"metadata": {"creationTimestamp": "2026-03-01T11:59:46Z"}, "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}
Progressing | not scheduled: SchedulingGated | v1 Pod | {"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}}

# Job, CronJob, Workflow
Progressing | not started | batch/v1 Job | {}
Healthy | running: 2 active, 3 of 10 succeeded, 1 failed | batch/v1 Job | {"spec": {"completions": 10}, "status": {"startTime": "2026-03-01T11:00:00Z", "active": 2, "succeeded": 3, "failed": 1}}
Healthy | completed: 1 of 1 succeeded | batch/v1 Job | {"spec": {"suspend": true}, "status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}}
Degraded | BackoffLimitExceeded: Job has reached the specified backoff limit | batch/v1 Job | {"status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]}}
Degraded | 2 pods failed, 1 of 4 succeeded | batch/v1 Job | {"spec": {"parallelism": 4}, "status": {"failed": 2, "succeeded": 1, "conditions": [{"type": "Failed", "status": "True"}]}}
Suspended | Job suspended | batch/v1 Job | {"spec": {"suspend": true}, "status": {"conditions": [{"type": "Suspended", "status": "True", "message": "Job suspended"}]}}
Suspended | suspended | batch/v1 Job | {"spec": {"suspend": true}}
Healthy | | batch/v1 CronJob | {}
Suspended | suspended | batch/v1 CronJob | {"spec": {"suspend": true}}
Healthy | the last run did not succeed | batch/v1 CronJob | {"status": {"lastScheduleTime": "2026-03-01T11:00:00Z", "lastSuccessfulTime": "2026-03-01T10:01:00Z"}}
Healthy | | batch/v1 CronJob | {"status": {"active": [{"name": "x"}], "lastScheduleTime": "2026-03-01T11:00:00Z", "lastSuccessfulTime": "2026-03-01T10:01:00Z"}}
Progressing | Running: 1 of 2 steps | argoproj.io/v1alpha1 Workflow | {"status": {"phase": "Running", "message": "1 of 2 steps"}}
Degraded | Error | argoproj.io/v1alpha1 Workflow | {"status": {"phase": "Error"}}

# Network and storage
Healthy | | v1 Service | {"spec": {"type": "ClusterIP"}}
Progressing | no cluster IP yet | v1 Service | {"spec": {"type": "LoadBalancer"}}
Healthy | no load balancer address yet | v1 Service | {"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.7"}, "status": {"loadBalancer": {}}}
Healthy | | v1 Service | {"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.7"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
Healthy | | networking.k8s.io/v1 Ingress | {"status": {"loadBalancer": {}}}
Progressing | not yet bound | v1 PersistentVolumeClaim | {}
Progressing | not yet bound, phase Pending | v1 PersistentVolumeClaim | {"status": {"phase": "Pending"}}
Healthy | | v1 PersistentVolumeClaim | {"status": {"phase": "Bound"}}
Degraded | Lost: its volume is gone | v1 PersistentVolumeClaim | {"status": {"phase": "Lost"}}
Healthy | | v1 PersistentVolume | {"status": {"phase": "Available"}}
Degraded | Failed: VolumeFailedDelete: disk is attached | v1 PersistentVolume | {"status": {"phase": "Failed", "reason": "VolumeFailedDelete", "message": "disk is attached"}}

# Availability and extension
Progressing | not yet able to scale | autoscaling/v2 HorizontalPodAutoscaler | {}
Healthy | | autoscaling/v2 HorizontalPodAutoscaler | {"status": {"conditions": [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}]}}
Degraded | FailedGetResourceMetric: no metrics | autoscaling/v2 HorizontalPodAutoscaler | {"status": {"conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}]}}
Degraded | FailedGetScale: no such Deployment | autoscaling/v1 HorizontalPodAutoscaler | {"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/conditions": "[{\"type\":\"AbleToScale\",\"status\":\"False\",\"reason\":\"FailedGetScale\",\"message\":\"no such Deployment\"}]"}}}
Progressing | not yet able to scale | autoscaling/v1 HorizontalPodAutoscaler | {"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/conditions": "not JSON"}}}
Progressing | not yet observed | policy/v1 PodDisruptionBudget | {}
Healthy | | policy/v1 PodDisruptionBudget | {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}
Healthy | no disruption allowed: too few pods | policy/v1 PodDisruptionBudget | {"status": {"conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods"}]}}
Degraded | disruption budget not computed: SyncFailed: two controllers | policy/v1 PodDisruptionBudget | {"status": {"conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "two controllers"}]}}
Progressing | not yet established | apiextensions.k8s.io/v1 CustomResourceDefinition | {}
Progressing | not yet established | apiextensions.k8s.io/v1 CustomResourceDefinition | {"status": {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "False", "reason": "Installing"}]}}
Degraded | names not accepted: PluralConflict: "things" is taken | apiextensions.k8s.io/v1 CustomResourceDefinition | {"status": {"conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "False", "reason": "PluralConflict", "message": "\"things\" is taken"}]}}
Degraded | not established: NotAccepted | apiextensions.k8s.io/v1 CustomResourceDefinition | {"status": {"conditions": [{"type": "Established", "status": "False", "reason": "NotAccepted"}]}}
Degraded | schema is not structural: spec.x: Required | apiextensions.k8s.io/v1 CustomResourceDefinition | {"status": {"conditions": [{"type": "Established", "status": "True"}, {"type": "NonStructuralSchema", "status": "True", "message": "spec.x: Required"}]}}
Healthy | | apiextensions.k8s.io/v1 CustomResourceDefinition | {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
Progressing | not yet observed | apiregistration.k8s.io/v1 APIService | {}
Progressing | not available: MissingEndpoints: no endpoints | apiregistration.k8s.io/v1 APIService | {"status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}]}}
Healthy | | apiregistration.k8s.io/v1 APIService | {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
"#;

fn object(api_version: &str, kind: &str, mut fields: Value) -> Object {
    fields["apiVersion"] = api_version.into();
    fields["kind"] = kind.into();
    if fields.get("metadata").is_none() {
        fields["metadata"] = json!({});
    }
    fields["metadata"]["name"] = "x".into();
    Object::new(fields).expect("a case is an object")
}

/// The table, parsed: health, message, object.
fn cases() -> Vec<(String, String, Object)> {
    let lines = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let case = |line: &str| {
        let parts: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
        let (api_version, kind) = parts[2].split_once(' ').expect("apiVersion and kind");
        let fields = serde_json::from_str(parts[3]).unwrap_or_else(|error| panic!("{line}: {error}"));
        (parts[0].to_owned(), parts[1].to_owned(), object(api_version, kind, fields))
    };
    lines.map(case).collect()
}

#[test]
fn every_case_of_the_table() {
    let cases = cases();
    assert!(cases.len() >= 130, "only {} cases were read", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(health, message, object)| {
            let got = assess(object, NOW);
            (got.health.as_str() != health || got.message != *message).then(|| {
                format!(
                    "{}\n  want {health}: {message}\n  got  {}: {}",
                    object.body(),
                    got.health,
                    got.message
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn messages_are_one_short_line_without_a_full_stop() {
    for (_, _, object) in cases() {
        let message = assess(&object, NOW).message;
        assert!(!message.contains('\n') && !message.ends_with('.') && message.len() < 300, "{message:?}");
    }
}

#[test]
fn the_largest_numbers_are_only_numbers() {
    let (min, max) = (i64::MIN, i64::MAX);
    let few = json!({"spec": {"replicas": min}, "status": {"replicas": max}});
    for kind in ["Deployment", "ReplicaSet", "StatefulSet"] {
        let got = assess(&object("apps/v1", kind, few.clone()), NOW);
        assert_eq!(got.message, format!("{max} old pods terminating"), "{kind}");
    }
    let many = json!({"spec": {"replicas": max, "updateStrategy": {"rollingUpdate": {"partition": min}}},
        "status": {"replicas": max, "readyReplicas": max, "updatedReplicas": max}});
    assert_eq!(assess(&object("apps/v1", "StatefulSet", many), NOW).health, Health::Healthy);
}

#[test]
fn an_unschedulable_pod_fails_when_its_window_ends() {
    let pod = object(
        "v1",
        "Pod",
        json!({"metadata": {"creationTimestamp": "2026-03-01T12:00:00Z"}, "status": {"phase": "Pending", "conditions":
            [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}),
    );
    let end = reassess_at(&pod, NOW).unwrap();
    assert_eq!(end, NOW + 15);
    assert_eq!(assess(&pod, end - 1).health, Health::Progressing);
    assert_eq!(assess(&pod, end).health, Health::Degraded);
    assert_eq!(reassess_at(&pod, end), None);
    assert_eq!(reassess_at(&object("v1", "Pod", json!({"status": {"phase": "Running"}})), NOW), None);
}

#[test]
fn only_an_unfinished_job_is_waited_for() {
    let job = |fields| awaits_completion(&object("batch/v1", "Job", fields));
    assert!(job(json!({})));
    assert!(job(json!({"status": {"active": 1, "startTime": "2026-03-01T11:00:00Z"}})));
    assert!(!job(json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}})));
    assert!(!job(json!({"status": {"conditions": [{"type": "Failed", "status": "True"}]}})));
    assert!(!job(json!({"spec": {"suspend": true}})));
    assert!(!awaits_completion(&object("example.io/v1", "Job", json!({}))));
}

fn pod(name: &str, status: Value) -> Value {
    json!({"metadata": {"name": name}, "status": status})
}

fn crashing(name: &str, exit_code: i32) -> Value {
    pod(
        name,
        json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": format!("back-off restarting {name}")}},
            "lastState": {"terminated": {"exitCode": exit_code, "reason": "Error"}}}]}),
    )
}

fn warning(kind: &str, name: &str, reason: &str, message: &str, at: &str) -> Value {
    json!({"type": "Warning", "reason": reason, "message": message, "lastTimestamp": at,
        "involvedObject": {"kind": kind, "name": name}})
}

#[test]
fn pods_with_the_same_reason_are_told_together() {
    let ready =
        pod("web-0", json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
    let pods = [crashing("web-1", 1), ready, crashing("web-2", 1)];
    assert_eq!(
        why(&pods, &[]).unwrap(),
        "2 of 3 pods: container web: CrashLoopBackOff: ended with exit code 1"
    );
    assert_eq!(why(&pods[1..2], &[]), None);
}

#[test]
fn reasons_stand_in_the_order_of_their_certainty() {
    let unschedulable = pod(
        "a",
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu."}]}),
    );
    let starting = pod(
        "b",
        json!({"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason":
            "ContainerCreating"}}}]}),
    );
    let pulling = pod(
        "c",
        json!({"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason":
            "ImagePullBackOff", "message": "Back-off pulling image \"shop/web:nope\""}}}]}),
    );
    let told = why(&[starting, unschedulable, pulling], &[]).unwrap();
    assert_eq!(
        told,
        "1 of 3 pods: container web: ImagePullBackOff: Back-off pulling image \"shop/web:nope\"; \
         1 of 3 pods: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu; \
         1 of 3 pods: container web: ContainerCreating"
    );
}

#[test]
fn the_newest_event_that_adds_something_is_told() {
    let running = pod(
        "web-1",
        json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": false, "state": {"running": {}}}]}),
    );
    let events = [
        warning("Pod", "web-1", "Unhealthy", "Readiness probe failed: 503", "2026-03-01T12:00:02Z"),
        warning("Pod", "web-1", "FailedMount", "old", "2026-03-01T12:00:01Z"),
        warning("Pod", "gone", "Unhealthy", "of another pod", "2026-03-01T12:00:09Z"),
        warning("Pod", "web-1", "BackOff", "Back-off restarting", "2026-03-01T12:00:09Z"),
        warning("Pod", "web-1", "Failed", "Error: ImagePullBackOff", "2026-03-01T12:00:09Z"),
        json!({"type": "Normal", "reason": "Pulled", "message": "x", "lastTimestamp": "2026-03-01T12:00:09Z"}),
    ];
    assert_eq!(
        why(&[running], &events).unwrap(),
        "container web runs but is not ready; last event: Unhealthy: Readiness probe failed: 503"
    );
    // Without pods, what stands between them and the workload speaks; newer Events API, microseconds.
    let quota = json!({"type": "Warning", "reason": "FailedCreate", "note": "exceeded quota",
        "eventTime": "2026-03-01T12:00:00.123456Z", "regarding": {"kind": "ReplicaSet", "name": "web-6c"}});
    assert_eq!(why(&[], &[quota]).unwrap(), "last event: FailedCreate: exceeded quota");
    assert_eq!(why(&[], &[]), None);
}

/// Words that the rules look for.
const WORDS: [&str; 12] = [
    "True",
    "False",
    "Ready",
    "Failed",
    "Running",
    "Pending",
    "Available",
    "Unschedulable",
    "OnDelete",
    "é\n.",
    "CrashLoopBackOff",
    "2026-03-01T12:00:00Z",
];

/// Fields that the rules read.
const KEYS: [&str; 24] = [
    "spec",
    "status",
    "conditions",
    "type",
    "labels",
    "reason",
    "message",
    "replicas",
    "observedGeneration",
    "phase",
    "containerStatuses",
    "state",
    "waiting",
    "terminated",
    "lastState",
    "exitCode",
    "generation",
    "name",
    "partition",
    "updateStrategy",
    "rollingUpdate",
    "desiredNumberScheduled",
    "creationTimestamp",
    "readyReplicas",
];

/// Any JSON, with those words and fields strewn in.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(proptest::sample::select(&KEYS[..]), inner, 0..6)
                .prop_map(Value::from_iter),
        ]
    })
}

fn any_kind() -> impl Strategy<Value = (String, String)> {
    let mut kinds: Vec<(String, String)> =
        cases().iter().map(|(_, _, object)| (object.gvk().api_version(), object.kind().to_owned())).collect();
    kinds.sort();
    kinds.dedup();
    proptest::sample::select(kinds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_on_any_json(
        kind in any_kind(), spec in any_json(), status in any_json(), generation in any_json(), now in any::<i64>(),
    ) {
        let fields = json!({"metadata": {"generation": generation.clone(), "deletionTimestamp": generation}, "spec": spec,
            "status": status});
        let object = object(&kind.0, &kind.1, fields);
        let first = assess(&object, now);
        prop_assert_eq!(&first, &assess(&object, now));
        prop_assert!(!first.message.contains('\n'));
        let _ = (awaits_completion(&object), reassess_at(&object, now));
        let told = why(&[object.body().clone(), status.clone()], &[status]);
        prop_assert!(told.is_none_or(|told| !told.is_empty() && !told.contains('\n')));
    }

    #[test]
    fn the_order_of_conditions_does_not_matter(
        kind in any_kind(),
        conditions in proptest::collection::vec(
            (
                proptest::sample::select(vec!["Ready", "Available", "Progressing", "Stalled", "Reconciling", "Failed",
                    "Complete", "Established", "NamesAccepted", "PodScheduled", "AbleToScale", "ScalingActive"]),
                proptest::sample::select(vec!["True", "False", "Unknown"]),
                proptest::sample::select(vec!["A", "B", "Installing", "ProgressDeadlineExceeded", "FailedGetScale"]),
            ),
            0..8,
        ),
        turn in 0usize..8,
        phase in proptest::sample::select(vec!["", "Pending", "Running", "Failed"]),
    ) {
        let mut conditions: Vec<Value> = conditions
            .into_iter()
            .map(|(kind, status, reason)| json!({"type": kind, "status": status, "reason": reason}))
            .collect();
        let judged = |conditions: &[Value]| {
            assess(&object(&kind.0, &kind.1, json!({"status": {"phase": phase, "conditions": conditions}})), NOW)
        };
        let before = judged(&conditions);
        conditions.reverse();
        let turn = turn.min(conditions.len());
        conditions.rotate_left(turn);
        prop_assert_eq!(before, judged(&conditions));
    }
}
