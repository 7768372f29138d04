//! The table of drift: an object, an edit by somebody else, and what has to come of it.

use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::plan::Action;
use serde_json::{Value, json};

/// The application of the table.
pub const APPLICATION: &str = "a";
/// An annotation that somebody else puts on every object.
pub const FOREIGN: &str = "example.com/foreign";
/// Whoever makes the edits.
pub const RIVAL: &str = "rival";

/// What is done to an object.
pub enum Edit {
    /// A merge patch.
    Merge(&'static str),
    /// A strategic merge patch.
    Strategic(&'static str),
    /// A JSON patch.
    Json(&'static str),
    /// One of kubectl's commands, `NAME` standing for the object's name.
    Kubectl(&'static [&'static str]),
    /// A server-side apply with `--force-conflicts`.
    Apply(&'static str),
    /// Two merge patches: the second one brings the declared value back.
    ThereAndBack(&'static str, &'static str),
    /// Our entry is cut out of `managedFields`; the others stay.
    CutOurEntry,
    /// `managedFields` is emptied.
    WipeManagedFields,
}

/// One way to drift.
pub struct Case {
    /// Name of the case's own object.
    pub name: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its manifest without the metadata.
    pub manifest: String,
    /// What somebody does to it.
    pub edit: Edit,
    /// What is told, also when it happened while the daemon was down: `path: declared -> live by manager`. Empty when the
    /// whole object went.
    pub says: Vec<&'static str>,
    /// How the first pass after a start mends it.
    pub action_after_a_start: Action,
    /// JSON pointers and what they hold once it is mended.
    pub mended: Vec<(&'static str, &'static str)>,
    /// Whether mending makes a new object.
    pub replaced: bool,
    /// Whether it can only come about while no daemon looks.
    pub only_while_down: bool,
}

impl Case {
    fn new(
        name: &'static str,
        kind: &'static str,
        manifest: String,
        edit: Edit,
        says: Vec<&'static str>,
        mended: Vec<(&'static str, &'static str)>,
    ) -> Self {
        Self {
            name,
            kind,
            manifest,
            edit,
            says,
            action_after_a_start: Action::Update,
            mended,
            replaced: false,
            only_while_down: false,
        }
    }

    /// Makes the edit.
    pub async fn drift(&self, daemon: &Daemon) {
        let patch = async |kind: &str, text: &str| {
            let (kind, manager) = (format!("--type={kind}"), format!("--field-manager={RIVAL}"));
            daemon.kubectl(&["patch", self.kind, self.name, &kind, &manager, "-p", text]).await;
        };
        match &self.edit {
            Edit::Merge(text) => patch("merge", text).await,
            Edit::Strategic(text) => patch("strategic", text).await,
            Edit::Json(text) => patch("json", text).await,
            Edit::ThereAndBack(there, back) => {
                patch("merge", there).await;
                patch("merge", back).await;
            }
            Edit::Kubectl(arguments) => {
                let filled: Vec<&str> =
                    arguments.iter().map(|word| if *word == "NAME" { self.name } else { word }).collect();
                daemon.kubectl(&filled).await;
            }
            Edit::Apply(manifest) => {
                let manager = format!("--field-manager={RIVAL}");
                daemon
                    .kubectl_with(
                        &["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"],
                        manifest,
                    )
                    .await;
            }
            Edit::CutOurEntry => {
                let live = daemon.object(self.kind, self.name).await.unwrap();
                let entries = live["metadata"]["managedFields"].as_array().unwrap();
                let rest: Vec<&Value> =
                    entries.iter().filter(|entry| entry["manager"] != "portolan").collect();
                let cut = json!([{"op": "replace", "path": "/metadata/managedFields", "value": rest}]);
                patch("json", &cut.to_string()).await;
            }
            Edit::WipeManagedFields => {
                patch("json", r#"[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]"#)
                    .await;
            }
        }
    }
}

/// The repository of the table: its cases, and a bystander that nobody edits.
pub fn files(cases: &[Case]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = cases
        .iter()
        .map(|case| (format!("apps/{APPLICATION}/{}.yaml", case.name), case.manifest.clone()))
        .collect();
    files.push((format!("portolan/{APPLICATION}.yaml"), application(APPLICATION, "")));
    files.push((format!("apps/{APPLICATION}/bystander.yaml"), config_map("bystander", "k: v")));
    files
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: web
        image: web:1
        args: [--first, --second]
        env: [{{name: A, value: a}}, {{name: B, value: b}}]
"
    )
}

/// Every way to drift, each on an object of its own.
pub fn cases() -> Vec<Case> {
    let map = |name: &'static str| config_map(name, "k: v, l: w");
    vec![
        Case::new(
            "map-value",
            "configmap",
            map("map-value"),
            Edit::Merge(r#"{"data": {"k": "edited"}}"#),
            vec!["data.k: v -> edited by rival"],
            vec![("/data", r#"{"k": "v", "l": "w"}"#)],
        ),
        Case::new(
            "map-key-removed",
            "configmap",
            map("map-key-removed"),
            Edit::Merge(r#"{"data": {"k": null}}"#),
            vec!["data.k: v -> (absent) by -"],
            vec![("/data", r#"{"k": "v", "l": "w"}"#)],
        ),
        // What somebody adds is theirs and stays, also when a field of ours beside it is mended.
        Case::new(
            "map-foreign-key",
            "configmap",
            map("map-foreign-key"),
            Edit::Kubectl(&[
                "patch",
                "configmap",
                "NAME",
                "--type=merge",
                "--field-manager=colleague",
                "-p",
                r#"{"data": {"k": "edited", "added": "stays"}}"#,
            ]),
            vec!["data.k: v -> edited by colleague"],
            vec![("/data", r#"{"k": "v", "l": "w", "added": "stays"}"#)],
        ),
        Case::new(
            "item-edited",
            "deployment",
            deployment("item-edited"),
            Edit::Strategic(
                r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}"#,
            ),
            vec!["spec.template.spec.containers[name=web].image: web:1 -> web:2 by rival"],
            vec![("/spec/template/spec/containers/0/image", r#""web:1""#)],
        ),
        Case::new(
            "item-removed",
            "deployment",
            deployment("item-removed"),
            Edit::Json(r#"[{"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}]"#),
            vec!["spec.template.spec.containers[name=web].env[name=A]: (present) -> (absent) by -"],
            vec![(
                "/spec/template/spec/containers/0/env",
                r#"[{"name": "A", "value": "a"}, {"name": "B", "value": "b"}]"#,
            )],
        ),
        Case::new(
            "item-foreign",
            "deployment",
            deployment("item-foreign"),
            Edit::Kubectl(&[
                "patch",
                "deployment",
                "NAME",
                "--field-manager=colleague",
                "-p",
                r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}, {"name": "sidecar", "image": "stays:1"}]}}}}"#,
            ]),
            vec!["spec.template.spec.containers[name=web].image: web:1 -> web:2 by colleague"],
            vec![
                ("/spec/template/spec/containers/0/image", r#""web:1""#),
                ("/spec/template/spec/containers/1/image", r#""stays:1""#),
            ],
        ),
        // kubernetes/kubernetes#130292: a plain apply, and after a start the dry run, is refused, for the edited port stays
        // beside ours.
        Case::new(
            "key-changed",
            "service",
            "apiVersion: v1
kind: Service
metadata: {name: key-changed}
spec: {ports: [{name: web, port: 80}], selector: {app: web}}
"
            .into(),
            Edit::Json(r#"[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]"#),
            vec!["spec.ports[port=80,protocol=TCP]: (present) -> (absent) by -"],
            vec![("/spec/ports", r#"[{"name": "web", "port": 80, "protocol": "TCP", "targetPort": 80}]"#)],
        ),
        Case::new(
            "set-item-removed",
            "configmap",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: set-item-removed, finalizers: [example.com/one, example.com/two]}
"
            .into(),
            Edit::Merge(r#"{"metadata": {"finalizers": ["example.com/one"]}}"#),
            vec!["metadata.finalizers[=example.com/two]: example.com/two -> (absent) by -"],
            vec![("/metadata/finalizers", r#"["example.com/one", "example.com/two"]"#)],
        ),
        Case::new(
            "atomic-list",
            "deployment",
            deployment("atomic-list"),
            Edit::Strategic(
                r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["--first"]}]}}}}"#,
            ),
            vec![
                r#"spec.template.spec.containers[name=web].args: ["--first","--second"] -> ["--first"] by rival"#,
            ],
            vec![("/spec/template/spec/containers/0/args", r#"["--first", "--second"]"#)],
        ),
        Case::new(
            "secret-value",
            "secret",
            "apiVersion: v1
kind: Secret
metadata: {name: secret-value}
stringData: {password: hunter2}
"
            .into(),
            Edit::Merge(r#"{"data": {"password": "c3RvbGVu"}}"#),
            vec!["data.password: (sensitive, changed) -> (sensitive, changed) by rival"],
            vec![("/data", r#"{"password": "aHVudGVyMg=="}"#)],
        ),
        Case::new(
            "scaled",
            "deployment",
            deployment("scaled"),
            Edit::Kubectl(&["scale", "deployment", "NAME", "--replicas=3"]),
            vec!["spec.replicas: 1 -> 3 by kubectl"],
            vec![("/spec/replicas", "1")],
        ),
        Case::new(
            "forced-apply",
            "configmap",
            map("forced-apply"),
            Edit::Apply(
                "apiVersion: v1
kind: ConfigMap
metadata: {name: forced-apply, namespace: NAMESPACE}
data: {k: theirs}
",
            ),
            vec!["data.k: v -> theirs by rival"],
            vec![("/data", r#"{"k": "v", "l": "w"}"#)],
        ),
        // The value is right, but the field is no longer ours. (A running daemon would come in between.)
        Case {
            only_while_down: true,
            ..Case::new(
                "owner-changed",
                "configmap",
                map("owner-changed"),
                Edit::ThereAndBack(r#"{"data": {"k": "edited"}}"#, r#"{"data": {"k": "v"}}"#),
                vec!["data.k: v -> v by rival"],
                vec![("/data", r#"{"k": "v", "l": "w"}"#)],
            )
        },
        Case::new(
            "application-label",
            "configmap",
            map("application-label"),
            Edit::Merge(r#"{"metadata": {"labels": {"portolan.dev/application": null}}}"#),
            vec![r#"metadata.labels["portolan.dev/application"]: a -> (absent) by -"#],
            vec![],
        ),
        // After a start the list, which selects by this label, does not hold it.
        Case::new(
            "part-of-label",
            "configmap",
            map("part-of-label"),
            Edit::Merge(r#"{"metadata": {"labels": {"applyset.kubernetes.io/part-of": null}}}"#),
            vec![r#"metadata.labels["applyset.kubernetes.io/part-of"]: SET -> (absent) by -"#],
            vec![],
        ),
        Case {
            action_after_a_start: Action::Create,
            replaced: true,
            ..Case::new(
                "deleted",
                "configmap",
                map("deleted"),
                Edit::Kubectl(&["delete", "configmap", "NAME"]),
                vec![],
                vec![("/data", r#"{"k": "v", "l": "w"}"#)],
            )
        },
        Case::new(
            "entry-cut",
            "configmap",
            map("entry-cut"),
            Edit::CutOurEntry,
            vec!["metadata.managedFields: portolan (Apply) -> (absent) by -"],
            vec![("/data", r#"{"k": "v", "l": "w"}"#)],
        ),
        Case::new(
            "entries-wiped",
            "configmap",
            map("entries-wiped"),
            Edit::WipeManagedFields,
            vec!["metadata.managedFields: portolan (Apply) -> (absent) by -"],
            vec![("/data", r#"{"k": "v", "l": "w"}"#)],
        ),
    ]
}
