//! `portolan migrate diff`.

use super::beside::Beside;
use super::choices::Choices;
use super::folder;
use super::input::Input;
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::migrate::dump::Inventory;
use crate::migrate::overview::{Given, context_of_objects, overview_with};
use crate::migrate::own::Class;
use crate::migrate::owner::{Owned, OwnerClass};
use crate::model::Object;
use crate::transform::{Shape, diff, shown, transform};
use serde_json::json;
use std::process::ExitCode;

/// Shows what the rules make of one object: source, rule by rule, target.
///
/// First what each rule changes and why, then what it says to a person, whose the object is and who declares it, then
/// source and target line by line. Values of Secrets are not shown. Exit codes: 0 shown; above 1 there is no such object, or it could not be read.
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
    /// Show every line of source and target, not only those around what changes.
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    beside: Beside,
}

impl Diff {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let choices = self.choices.read()?;
        let inventory = self.input.read().await?;
        let object = find(&inventory, &self.object)?;
        let (rules, class, owner) = match inventory.kops() {
            Ok(_) => {
                let (sources, calls) = (self.beside.sources()?, self.beside.calls()?);
                let given = Given { choices, sources, calls, ..Given::default() };
                let overview = overview_with(&inventory, &given)
                    .map_err(|error| Failure::new(FailureKind::User, error))?;
                let id = object.id();
                let class = overview.objects.into_iter().find(|one| one.id == id);
                let owner = overview.owned.into_iter().find(|one| one.id == id);
                (overview.rules, class, owner)
            }
            // Without specs the rules still tell what they do to any object.
            Err(_) => (context_of_objects(&inventory), None, None),
        };
        let done = transform(object.body(), &rules);
        if context.is_structured() {
            let told = json!({
                "object": object.id(), "apiVersion": object.gvk().api_version(), "class": class, "owner": owner,
                "edits": done.edits, "remarks": done.remarks, "dropped": done.dropped,
                "source": shown(object.body()), "target": done.objects.iter().map(shown).collect::<Vec<_>>(),
            });
            output::value(context.output, &told)?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(diff(object.body(), &rules, Shape::Rules).trim_end());
        if let Some(class) = &class {
            output::line(&format!(
                "\nclass {} ({}): {}",
                class.class.name(),
                class.rule,
                class.verdict().says
            ));
        }
        if let Some(owner) = &owner {
            output::line(&format!("owner: {}", owned(owner)));
        }
        let is_carried =
            class.as_ref().is_none_or(|class| class.class == Class::Port) && done.dropped.is_none();
        let target = if is_carried { yaml(&done.objects)? } else { String::new() };
        let source = yaml(std::slice::from_ref(object.body()))?;
        if is_carried || self.whole {
            unified(&source, &target, self.whole);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Who declares the object, in words.
fn owned(owner: &Owned) -> String {
    let through = owner.through.as_ref().map(|id| format!(", through {id}")).unwrap_or_default();
    match &owner.class {
        OwnerClass::Declared(declaration) => {
            format!(
                "{} {}{through}; {}",
                declaration.by.name(),
                declaration.part_of,
                declaration.retarget.says
            )
        }
        OwnerClass::LiveOnly { says } => format!("nobody declares it ({says}){through}"),
    }
}

/// Objects as YAML, without values of Secrets and without what a server notes down.
fn yaml(objects: &[serde_json::Value]) -> Result<String, Failure> {
    let texts: Result<Vec<String>, Failure> =
        objects.iter().map(|object| folder::manifest(&shown(object))).collect();
    Ok(texts?.join("---\n"))
}

/// Source and target line by line; around what changes, or the whole.
fn unified(source: &str, target: &str, whole: bool) {
    let lines = similar::TextDiff::from_lines(source, target);
    let radius = if whole { usize::MAX / 2 } else { 3 };
    let text = lines.unified_diff().context_radius(radius).header("source", "target").to_string();
    if text.is_empty() {
        return;
    }
    output::line("");
    let colour = output::has_colour();
    for line in text.lines() {
        let code = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            Some(b'@') => "36",
            _ => "",
        };
        if colour && !code.is_empty() {
            output::line(&format!("\x1b[{code}m{line}\x1b[0m"));
        } else {
            output::line(line);
        }
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
