//! The add-ons of the state store, applied to the source cluster as kops' channels tool does it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::error::Error;
use crate::local::control_plane::ControlPlane;
use crate::local::error::Error as LocalError;
use crate::local::progress::{Meter, Phase, Report};
use crate::model::kops::{Addon, Channel};

/// How long an add-on may take: kinds that it brings itself are served a moment later.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(300);
/// The namespace that carries what is applied, unless the add-on names another.
const NAMESPACE: &str = "kube-system";

/// Applies every add-on in the channel's order: server-side, as `kops`, then noted on `kube-system`
/// (kops `channels/pkg/channels`: `kubectlapplier.go`, `channel_version.go`).
///
/// # Errors
/// [`Error::Apply`] with kubectl's last words.
pub(super) async fn apply(
    control_plane: &ControlPlane,
    channel: &Channel,
    report: Report<'_>,
) -> Result<(), Error> {
    let mut meter = Meter::new(Phase::Start, Some(channel.addons.len()));
    for addon in &channel.addons {
        let objects: Vec<Value> =
            addon.objects.iter().flatten().cloned().map(without_answering_machine).collect();
        if !objects.is_empty() {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
            let arguments =
                ["apply", "--server-side", "--force-conflicts", "--field-manager=kops", "-f", "-"];
            until_applied(control_plane, &addon.name, &arguments, &list).await?;
        }
        let note = format!("addons.k8s.io/{}={}", addon.name, noted(addon));
        let arguments = ["annotate", "--overwrite", "namespace", NAMESPACE, &note];
        until_applied(control_plane, &addon.name, &arguments, "").await?;
        meter.step(&addon.name, report);
    }
    Ok(())
}

/// A webhook whose Service is in the cluster is not asked here: KWOK runs no container that could answer, and one that
/// must answer would refuse every write to what it looks at.
fn without_answering_machine(mut object: Value) -> Value {
    let kinds = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
    if object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
            if webhook["clientConfig"]["service"].is_object() {
                webhook["failurePolicy"] = "Ignore".into();
                webhook["timeoutSeconds"] = 1.into();
            }
        }
    }
    object
}

/// What the channels tool notes about an add-on.
fn noted(addon: &Addon) -> String {
    let mut note = json!({"id": addon.id, "manifestHash": addon.manifest_hash, "systemGeneration": 1});
    if let Some(fields) = note.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value != "");
    }
    note.to_string()
}

async fn until_applied(
    control_plane: &ControlPlane,
    what: &str,
    arguments: &[&str],
    input: &str,
) -> Result<(), Error> {
    let since = Instant::now();
    loop {
        match kubectl(control_plane, arguments, input).await? {
            Ok(_) => return Ok(()),
            Err(_) if since.elapsed() < LIMIT => tokio::time::sleep(PAUSE).await,
            Err(tail) => return Err(Error::Apply { what: what.to_owned(), tail }),
        }
    }
}

/// Runs the control plane's kubectl as its administrator: its output, or its last words.
pub(super) async fn kubectl(
    control_plane: &ControlPlane,
    arguments: &[&str],
    input: &str,
) -> Result<Result<String, String>, Error> {
    run(&control_plane.programs().kubectl, control_plane, arguments, input).await
}

/// Runs a program with the administrator's kubeconfig.
pub(super) async fn run(
    program: &Path,
    control_plane: &ControlPlane,
    arguments: &[&str],
    input: &str,
) -> Result<Result<String, String>, Error> {
    let mut command = Command::new(program);
    crate::local::crew::clean(&mut command, &control_plane.instance().folder);
    let mut child = command
        .args(arguments)
        .env("KUBECONFIG", control_plane.kubeconfig())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(LocalError::io("run", program))?;
    let mut stdin = child.stdin.take().expect("piped above");
    let input = input.to_owned();
    let writing = async move {
        // It may end without reading; its words say why.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), writing);
    let output = output.map_err(LocalError::io("wait for", program))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_nobody_answers_refuses_nothing() {
        let hook = |client: Value| {
            let object = json!({"kind": "MutatingWebhookConfiguration", "webhooks":
                [{"name": "a.example.com", "failurePolicy": "Fail", "clientConfig": client}]});
            without_answering_machine(object)["webhooks"][0].clone()
        };
        let within = hook(json!({"service": {"name": "a", "namespace": "kube-system"}}));
        assert_eq!((&within["failurePolicy"], &within["timeoutSeconds"]), (&json!("Ignore"), &json!(1)));
        assert_eq!(hook(json!({"url": "https://a.example.com"}))["failurePolicy"], "Fail");
    }

    #[test]
    fn a_note_is_what_the_channels_tool_writes() {
        let addon = Addon { id: "k8s-1.12".into(), manifest_hash: Some("ab".into()), ..Addon::default() };
        assert_eq!(noted(&addon), r#"{"id":"k8s-1.12","manifestHash":"ab","systemGeneration":1}"#);
        assert_eq!(noted(&Addon::default()), r#"{"systemGeneration":1}"#);
    }
}
