//! The demo's chapters. Each does something that happens every day, and checks by kubectl what came of it.

use super::scene::Scene;
use crate::model::event::{Event, What};
use crate::model::plan::Action;
use crate::ports::state::{Approval, UserRequest};
use serde_json::Value;
use std::time::Duration;

/// One chapter.
#[derive(Clone, Copy)]
pub(super) enum Chapter {
    Applied,
    Mended,
    OneChanged,
    Pruned,
    Held,
    Refused,
}

/// What a chapter saw, or why it did not hold.
type Seen = Result<Vec<String>, String>;

impl Chapter {
    pub const ALL: [Self; 6] =
        [Self::Applied, Self::Mended, Self::OneChanged, Self::Pruned, Self::Held, Self::Refused];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Applied => "1. The repository is applied, and everything becomes healthy",
            Self::Mended => "2. A live edit is mended at once",
            Self::OneChanged => "3. A commit changes one application, and only that one",
            Self::Pruned => "4. A commit removes one object, and it is pruned",
            Self::Held => "5. A commit removes nearly everything: held, then approved",
            Self::Refused => "6. A broken document is refused, and the rest goes on",
        }
    }

    pub async fn tell(self, scene: &Scene) -> Seen {
        match self {
            Self::Applied => applied(scene).await,
            Self::Mended => mended(scene).await,
            Self::OneChanged => one_changed(scene).await,
            Self::Pruned => pruned(scene).await,
            Self::Held => held(scene).await,
            Self::Refused => refused(scene).await,
        }
    }
}

const ALL: [&str; 3] = ["web", "cart", "search"];

async fn applied(scene: &Scene) -> Seen {
    let records = scene.settled(&ALL).await?;
    let objects: usize = records.iter().map(|record| record.objects).sum();
    let pods = scene.kubectl(&["-n", "shop", "get", "pods", "--no-headers"])?;
    let running = pods.lines().filter(|line| line.contains("Running")).count();
    expect(running == 6, || format!("6 pods should run, kubectl sees {running}"))?;
    let rendered = "web from plain YAML, cart by kustomize, search by helm";
    Ok(vec![
        format!("{objects} objects applied: {rendered}"),
        format!("{running} pods run; cart and search waited until web was healthy (dependsOn)"),
    ])
}

async fn mended(scene: &Scene) -> Seen {
    let moment = scene.now();
    scene.kubectl(&[
        "-n",
        "shop",
        "set",
        "image",
        "deployment/web",
        "web=registry.example/shop/web:hacked",
    ])?;
    let pick = |event: &Event| match &event.what {
        What::Mended { id, fields, millis } if id.name == "web" && id.kind == "Deployment" => {
            Some((fields.clone(), *millis))
        }
        _ => None,
    };
    let (fields, millis) = scene.event(moment, "the edit was not mended", pick).await?;
    let web = scene.object("deployment", "web")?.ok_or("the Deployment is gone")?;
    let image = text(&web, "/spec/template/spec/containers/0/image");
    expect(image == "registry.example/shop/web:1.0", || format!("the image is {image}"))?;
    let field = fields.first().ok_or("no field was named")?;
    let moment = scene.now();
    scene.kubectl(&["-n", "shop", "delete", "service", "web"])?;
    let gone = |event: &Event| match &event.what {
        What::Mended { id, millis, .. } if id.name == "web" && id.kind == "Service" => Some(*millis),
        _ => None,
    };
    let again = scene.event(moment, "the deleted Service was not created again", gone).await?;
    scene.object("service", "web")?.ok_or("the Service is not there")?;
    let who = field.manager.as_deref().unwrap_or("nobody known");
    Ok(vec![
        format!("{}: {} -> {} by {who}", field.path, field.declared, field.live),
        format!("mended after {millis} ms"),
        format!("a deleted Service was back after {again} ms"),
    ])
}

async fn one_changed(scene: &Scene) -> Seen {
    let moment = scene.now();
    scene.shop.edit("apps/cart/overlays/local/kustomization.yaml", "\"2.3\"", "\"2.4\"").map_err(words)?;
    let commit = scene.shop.commit("Bring cart to 2.4").map_err(words)?;
    wait_synced(scene, moment, "cart").await?;
    scene.settled(&ALL).await?;
    let rendered = scene.rendered(moment);
    expect(rendered == ["cart"], || format!("rendered: {}", rendered.join(", ")))?;
    let changed = changed(scene, moment);
    expect(changed == ["update StatefulSet.apps shop/cart"], || format!("changed: {}", changed.join(", ")))?;
    let cart = scene.object("statefulset", "cart")?.ok_or("the StatefulSet is gone")?;
    let image = text(&cart, "/spec/template/spec/containers/0/image");
    expect(image.ends_with(":2.4"), || format!("the image is {image}"))?;
    Ok(vec![format!("commit {commit}: 1 of 3 applications rendered, 1 object written, image is {image}")])
}

async fn pruned(scene: &Scene) -> Seen {
    let moment = scene.now();
    scene.shop.remove(&["apps/web/banner.yaml"]).map_err(words)?;
    let commit = scene.shop.commit("End the summer sale").map_err(words)?;
    let pick = |event: &Event| match &event.what {
        What::Changed { action: Action::Delete, id, .. } => Some(id.to_string()),
        _ => None,
    };
    let id = scene.event(moment, "nothing was pruned", pick).await?;
    scene.settled(&["web"]).await?;
    expect(scene.object("configmap", "banner")?.is_none(), || "the ConfigMap is still there".into())?;
    scene.object("configmap", "web")?.ok_or("another ConfigMap went as well")?;
    let kept = scene.store.kept().await.map_err(|failure| failure.to_string())?;
    let kept =
        kept.iter().find(|(_, pruned)| pruned.id.name == "banner").ok_or("its manifest was not kept")?;
    Ok(vec![
        format!("commit {commit}: {id} is gone, everything else is there"),
        format!("its manifest is kept: portolan restore {}", kept.0),
    ])
}

async fn held(scene: &Scene) -> Seen {
    let moment = scene.now();
    let files = ["service", "settings", "ingress", "deployment"].map(|name| format!("apps/web/{name}.yaml"));
    scene.shop.remove(&files.each_ref().map(String::as_str)).map_err(words)?;
    let commit = scene.shop.commit("Close the shop (by mistake?)").map_err(words)?;
    let pick = |event: &Event| match &event.what {
        What::Held { digest, reason, objects } => Some((digest.clone(), reason.clone(), objects.len())),
        _ => None,
    };
    let (digest, reason, count) = scene.event(moment, "nothing was held", pick).await?;
    scene.object("deployment", "web")?.ok_or("the Deployment was deleted without an approval")?;
    let deleted = |event: &Event| matches!(event.what, What::Changed { action: Action::Delete, .. });
    expect(!scene.since(moment).iter().any(deleted), || "something was deleted without an approval".into())?;
    let approval = Approval {
        application: "web".into(),
        destination: "local".into(),
        digest: digest.clone(),
        by: "demo".into(),
    };
    let key =
        scene.store.ask(&UserRequest::Approve(approval)).await.map_err(|failure| failure.to_string())?;
    let limit = Duration::from_secs(30);
    let answer = scene.store.await_answer(&key, limit).await.map_err(|failure| failure.to_string())?;
    let answer = answer.ok_or("the daemon did not answer the approval")?;
    let gone = |event: &Event| match &event.what {
        What::Synced { .. } if event.subject.application == "web" => Some(()),
        _ => None,
    };
    scene.event(moment, "the approved plan was not carried out", gone).await?;
    expect(scene.object("deployment", "web")?.is_none(), || "the Deployment is still there".into())?;
    Ok(vec![
        format!("commit {commit}: {count} deletions held: {reason}"),
        format!("after `portolan approve web {digest}` ({answer}) they are gone"),
    ])
}

async fn refused(scene: &Scene) -> Seen {
    let moment = scene.now();
    let broken =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: prices\ndata:\n  tea: \"2\"\n  tea: \"3\"\n";
    scene.shop.write("apps/web/prices.yaml", broken).map_err(words)?;
    scene
        .shop
        .write(
            "apps/web/hours.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hours\ndata:\n  open: \"9\"\n",
        )
        .map_err(words)?;
    let commit = scene.shop.commit("Add prices (with a slip) and hours").map_err(words)?;
    let pick = |event: &Event| match &event.what {
        What::RenderFailed { origin, message } => Some((origin.clone(), message.clone())),
        _ => None,
    };
    let (origin, message) = scene.event(moment, "the broken document was not refused", pick).await?;
    let created = |event: &Event| match &event.what {
        What::Changed { action: Action::Create, id, .. } if id.name == "hours" => Some(()),
        _ => None,
    };
    scene.event(moment, "the good document beside it was not applied", created).await?;
    scene.object("configmap", "hours")?.ok_or("the good document's object is not there")?;
    expect(scene.object("configmap", "prices")?.is_none(), || "the broken document was applied".into())?;
    Ok(vec![
        format!("commit {commit}: refused {origin}: {message}"),
        "the document beside it was applied".into(),
    ])
}

async fn wait_synced(scene: &Scene, moment: usize, application: &str) -> Result<(), String> {
    let pick = |event: &Event| {
        (event.subject.application == application && matches!(event.what, What::Synced { .. })).then_some(())
    };
    scene.event(moment, &format!("{application} was not synced"), pick).await
}

fn changed(scene: &Scene, moment: usize) -> Vec<String> {
    let pick = |event: &Event| match &event.what {
        What::Changed { action, id, .. } => Some(format!("{action} {id}")),
        _ => None,
    };
    scene.since(moment).iter().filter_map(pick).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn expect(holds: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(words()) }
}

fn words(failure: crate::failure::Failure) -> String {
    failure.to_string()
}
