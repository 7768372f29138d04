//! `portolan migrate diff`.

use super::choices::Choices;
use super::input::Input;
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::migrate::assess::assess;
use crate::migrate::dump::{Inventory, facts};
use crate::migrate::overview;
use crate::model::Object;
use crate::transform::{Shape, diff, transform};
use serde_json::json;
use std::process::ExitCode;

/// Shows what the rules make of one object: source, rule by rule, target.
///
/// Values of Secrets are not shown. Exit codes: 0 shown; above 1 there is no such object, or it could not be read.
///
/// Examples:
///   portolan migrate diff --dump out/ shop/Deployment/web
///   portolan migrate diff --dump out/ shop/Ingress.networking.k8s.io/web --whole
///   portolan migrate diff --state ./store --context live ClusterRole/reader
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Diff {
    /// The object: NAMESPACE/KIND/NAME, or KIND/NAME of what has no namespace. The kind may have its group behind a dot.
    object: String,
    /// Show the whole object before and after, not only what changes.
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    choices: Choices,
}

impl Diff {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let choices = self.choices.read()?;
        let inventory = self.input.read().await?;
        let object = find(&inventory, &self.object)?;
        let rules = match inventory.kops() {
            Ok(kops) => {
                let facts = facts(&inventory, Some(&kops));
                let assessment = assess(&kops, &facts, &choices);
                overview::context(&inventory, &kops, &facts, &choices, &assessment)
            }
            // Without specs the rules still tell what they do to any object.
            Err(_) => overview::context_of_objects(&inventory),
        };
        if context.is_structured() {
            let done = transform(object.body(), &rules);
            let told = json!({
                "object": object.id(), "apiVersion": object.gvk().api_version(), "edits": done.edits,
                "remarks": done.remarks, "dropped": done.dropped,
            });
            output::value(context.output, &told)?;
        } else {
            let shape = if self.whole { Shape::Whole } else { Shape::Rules };
            output::line(diff(object.body(), &rules, shape).trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The object that a person means.
fn find<'a>(inventory: &'a Inventory, text: &str) -> Result<&'a Object, Failure> {
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, kind, name) = match parts[..] {
        [namespace, kind, name] => (Some(namespace), kind, name),
        [kind, name] => (None, kind, name),
        _ => {
            let words = format!("`{text}` names no object; write NAMESPACE/KIND/NAME, or KIND/NAME");
            return Err(Failure::new(FailureKind::User, words));
        }
    };
    if inventory.objects.is_empty() {
        return Err(Failure::new(FailureKind::User, "no objects were read")
            .hint("name a context (--context), or a dump that was made with one (--dump)"));
    }
    let is_kind = |object: &Object| {
        let of = object.gvk().group_kind();
        kind.eq_ignore_ascii_case(&of.kind) || kind.eq_ignore_ascii_case(&of.to_string())
    };
    let same = |object: &&Object| object.name() == name && is_kind(object) && object.namespace() == namespace;
    let found: Vec<&Object> = inventory.objects.iter().filter(same).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let near = inventory.objects.iter().filter(|object| object.name() == name || is_kind(object));
            let near: Vec<String> = near
                .filter(|object| object.namespace() == namespace)
                .take(3)
                .map(|object| {
                    let namespace =
                        object.namespace().map(|namespace| format!("{namespace}/")).unwrap_or_default();
                    format!("{namespace}{}/{}", object.kind(), object.name())
                })
                .collect();
            let failure = Failure::new(FailureKind::User, format!("there is no object {text}"));
            Err(if near.is_empty() { failure } else { failure.hint(format!("there is {}", near.join(", "))) })
        }
        [..] => {
            let kinds: Vec<String> =
                found.iter().map(|object| object.gvk().group_kind().to_string()).collect();
            let words =
                format!("{text} may be one of several: {}; write the kind with its group", kinds.join(", "));
            Err(Failure::new(FailureKind::User, words))
        }
    }
}
