//! A cloud in memory: things with tags that are created, listed, updated and deleted, some at once and some slowly. It is
//! strict where clouds are: tokens, names that are taken, what is in use.

use crate::support::memory_store::{Fate, Write};
use async_trait::async_trait;
use portolan::model::cloud::{Call, Service};
use portolan::model::trail::{Change, Lookup};
use portolan::ports::{
    Cloud, CloudAccess, CloudFailure, CloudFailureKind, Clouds, KubernetesToken, StateFailure, Trail,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    pub kind: String,
    pub id: String,
    pub name: String,
    pub fields: Value,
    pub tags: BTreeMap<String, String>,
    /// `READY`, `CREATING`, `UPDATING`, `DELETING`, `FAILED`.
    pub state: String,
    /// Lists until its state moves on.
    pub slow: u32,
    /// Lists until it is seen.
    pub unseen: u32,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails like this, without an effect.
    Fails(CloudFailureKind),
    /// It has its effect, and there is no answer.
    Unanswered,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after its effect, before the answer.
    DiesAfterEffect,
    /// The process dies after the answer, before anything else.
    DiesAfterAnswer,
}

#[derive(Default)]
pub struct State {
    pub things: Vec<Thing>,
    /// Token: its input, and the answer.
    tokens: BTreeMap<String, (Value, Value)>,
    /// `Create Vpc`, `List Vpc`…, in order.
    pub calls: Vec<String>,
    next: u32,
    /// Troubles by the number of the call, from 0.
    pub troubles: BTreeMap<usize, Trouble>,
    /// Troubles of every call of this name.
    pub of_call: BTreeMap<String, Trouble>,
    /// The process is dead: nothing is answered any more.
    pub dead: bool,
    /// How long each kind takes, in lists.
    pub slowness: BTreeMap<String, u32>,
    /// How long each kind takes to be seen, in lists.
    pub lag: u32,
    /// What the audit log tells by now.
    pub log: Vec<Change>,
    /// What the audit log was asked.
    pub asked: Vec<Lookup>,
}

/// The cloud. Clones share it.
#[derive(Clone, Default)]
pub struct FakeCloud(pub Arc<Mutex<State>>);

/// Kinds that have names of their own: a second one of a name is refused.
const NAMED: [&str; 3] = ["Role", "Cluster", "Nodegroup"];
/// Kinds whose creation takes a token.
pub const TOKENED: [&str; 2] = ["Cluster", "Nodegroup"];

fn failure(call: &Call, kind: CloudFailureKind, code: &str) -> CloudFailure {
    CloudFailure {
        kind,
        code: code.into(),
        message: "the fake says so".into(),
        call: call.to_string(),
        service: Some(call.service),
    }
}

impl FakeCloud {
    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Things by kind and name, those that are going apart.
    pub fn things(&self) -> Vec<String> {
        let state = self.state();
        let mut things: Vec<String> =
            state.things.iter().map(|thing| format!("{}/{}", thing.kind, thing.name)).collect();
        things.sort();
        things
    }

    /// How many calls there were that change something.
    pub fn writes(&self) -> usize {
        self.state().calls.iter().filter(|call| !call.starts_with("List") && !call.starts_with("Get")).count()
    }

    /// Changes a thing as somebody at a console does.
    pub fn edit(&self, kind: &str, edit: impl Fn(&mut Thing)) {
        self.state().things.iter_mut().filter(|thing| thing.kind == kind).for_each(edit);
    }

    fn effect(&self, call: &Call) -> Result<Value, CloudFailure> {
        let mut state = self.state();
        let (verb, kind) = call.operation.split_at(
            ["Create", "Update", "Delete", "List", "Tag", "Get"]
                .iter()
                .find(|verb| call.operation.starts_with(**verb))
                .map(|verb| verb.len())
                .unwrap_or_else(|| panic!("the fake does not know {call}")),
        );
        let input = &call.input;
        match verb {
            "Get" => Ok(json!({"GetCallerIdentityResult": {"Account": "123456789012"}})),
            "List" => Ok(state.list(kind, input["cluster"].as_str().unwrap())),
            "Create" => state.create(call, kind, input),
            "Update" | "Tag" => {
                let busy = state.things.iter().any(|t| t.id == input["id"] && t.slow > 0);
                let slow =
                    if verb == "Tag" { 0 } else { state.slowness.get(kind).copied().unwrap_or_default() };
                let found =
                    state.things.iter_mut().find(|thing| thing.id == input["id"] && thing.kind == kind);
                let thing = found.ok_or_else(|| failure(call, CloudFailureKind::NotFound, "NotFound"))?;
                if busy {
                    return Err(failure(call, CloudFailureKind::InUse, "ResourceInUse"));
                }
                for (name, value) in input["set"].as_object().into_iter().flatten() {
                    thing.fields[name] = value.clone();
                }
                for (name, value) in input["tags"].as_object().into_iter().flatten() {
                    thing.tags.insert(name.clone(), value.as_str().unwrap().into());
                }
                if slow > 0 {
                    thing.state = "UPDATING".into();
                    thing.slow = slow;
                }
                Ok(json!({}))
            }
            "Delete" => {
                let id = input["id"].as_str().unwrap();
                let used = state.things.iter().any(|thing| {
                    thing.id != id
                        && (thing.fields["vpc"] == id
                            || thing.fields["role"] == id
                            || thing.fields["cluster"] == id)
                });
                if used {
                    return Err(failure(call, CloudFailureKind::InUse, "DependencyViolation"));
                }
                let slow = state.slowness.get(kind).copied().unwrap_or_default();
                let at = state.things.iter().position(|thing| thing.id == id);
                let at = at.ok_or_else(|| failure(call, CloudFailureKind::NotFound, "NotFound"))?;
                if slow == 0 {
                    state.things.remove(at);
                } else {
                    state.things[at].state = "DELETING".into();
                    state.things[at].slow = slow;
                }
                Ok(json!({}))
            }
            _ => unreachable!(),
        }
    }
}

impl State {
    fn list(&mut self, kind: &str, cluster: &str) -> Value {
        let mut found = Vec::new();
        self.things.retain_mut(|thing| {
            if thing.kind != kind {
                return true;
            }
            if thing.unseen > 0 {
                thing.unseen -= 1;
                return true;
            }
            if thing.slow > 0 {
                thing.slow -= 1;
                if thing.slow == 0 {
                    if thing.state == "DELETING" {
                        return false;
                    }
                    thing.state = "READY".into();
                }
            }
            let ours = thing.tags.get("portolan.dev/cluster").is_some_and(|tag| tag == cluster);
            if ours || NAMED.contains(&kind) {
                found.push(json!({
                    "id": thing.id, "name": thing.name, "fields": thing.fields, "tags": thing.tags, "state": thing.state,
                }));
            }
            true
        });
        json!({"items": found})
    }

    fn create(&mut self, call: &Call, kind: &str, input: &Value) -> Result<Value, CloudFailure> {
        if TOKENED.contains(&kind) {
            let token = input["token"].as_str().expect("a token").to_owned();
            assert!(!token.is_empty() && token != "$token", "{token:?} is no token");
            if let Some((before, answer)) = self.tokens.get(&token) {
                return if before == input {
                    Ok(answer.clone())
                } else {
                    Err(failure(call, CloudFailureKind::Invalid, "InvalidParameterException"))
                };
            }
        }
        let name = input["name"].as_str().unwrap();
        if NAMED.contains(&kind) && self.things.iter().any(|thing| thing.kind == kind && thing.name == name) {
            return Err(failure(call, CloudFailureKind::AlreadyExists, "AlreadyExists"));
        }
        self.next += 1;
        let id = format!("{}-{}", kind.to_lowercase(), self.next);
        let slow = self.slowness.get(kind).copied().unwrap_or_default();
        let tags = serde_json::from_value(input["tags"].clone()).unwrap();
        self.things.push(Thing {
            kind: kind.into(),
            id: id.clone(),
            name: name.into(),
            fields: input["fields"].clone(),
            tags,
            state: if slow > 0 { "CREATING" } else { "READY" }.into(),
            slow,
            unseen: self.lag,
        });
        let answer = json!({"id": id});
        if let Some(token) = input["token"].as_str() {
            self.tokens.insert(token.to_owned(), (input.clone(), answer.clone()));
        }
        Ok(answer)
    }
}

async fn for_ever() -> ! {
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

#[async_trait]
impl Cloud for FakeCloud {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        let (trouble, dead) = {
            let mut state = self.state();
            let number = state.calls.len();
            let dead = state.dead;
            if !dead {
                state.calls.push(call.operation.clone());
            }
            let of_call = state.of_call.get(&call.operation).copied();
            (state.troubles.remove(&number).or(of_call), dead)
        };
        if dead {
            for_ever().await;
        }
        match trouble {
            None => self.effect(call),
            Some(Trouble::Fails(kind)) => Err(failure(call, kind, "Trouble")),
            Some(Trouble::Unanswered) => {
                let _ = self.effect(call);
                Err(failure(call, CloudFailureKind::Unanswered, "Unanswered"))
            }
            Some(Trouble::DiesBefore) => {
                self.state().dead = true;
                for_ever().await
            }
            Some(Trouble::DiesAfterEffect) => {
                let _ = self.effect(call);
                self.state().dead = true;
                for_ever().await
            }
            Some(Trouble::DiesAfterAnswer) => {
                let answer = self.effect(call);
                self.state().dead = true;
                answer
            }
        }
    }

    async fn kubernetes_token(&self, _cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        Ok(KubernetesToken { token: "t".into(), renew_after: Duration::from_secs(600) })
    }

    fn region(&self) -> &str {
        "eu-central-1"
    }

    fn partition(&self) -> &str {
        "aws"
    }
}

#[async_trait]
impl Clouds for FakeCloud {
    async fn open(&self, _access: &CloudAccess) -> Result<Arc<dyn Cloud>, CloudFailure> {
        Ok(Arc::new(self.clone()))
    }

    async fn trail(&self, _access: &CloudAccess) -> Result<Option<Arc<dyn Trail>>, CloudFailure> {
        Ok(Some(Arc::new(self.clone())))
    }
}

#[async_trait]
impl Trail for FakeCloud {
    async fn changes(&self, lookup: &Lookup) -> Result<Vec<Change>, CloudFailure> {
        let mut state = self.state();
        state.asked.push(lookup.clone());
        Ok(state.log.clone())
    }
}

/// A call of the fake.
pub fn call(verb: &str, kind: &str, input: Value) -> Call {
    Call::new(Service::Ec2, &format!("{verb}{kind}"), input)
}

/// The store dies together with the process that calls it.
#[async_trait]
impl Fate for FakeCloud {
    async fn write(&self, _what: &str, write: &mut Write<'_>) -> Result<String, StateFailure> {
        if self.state().dead {
            std::future::pending::<()>().await;
        }
        write()
    }
}
