//! A call from its arrival to its answer.

use super::check::{Way, misfits};
use super::error::ApiError;
use super::faults::{Effect, Faults, Outcome};
use super::journal::{Journal, ViolationKind};
use super::options::EksOptions;
use super::request;
use super::service_model::{Model, Operation};
use super::state::{Remembered, State, Turn, text};
use super::{arn, dispatch};
use crate::local::aws::world::World;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a token is remembered.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The service behind the HTTP server.
pub struct Service {
    /// The service's own model.
    pub model: Arc<Model>,
    /// How it is set up.
    pub options: EksOptions,
    /// What happens outside.
    pub world: Arc<dyn World>,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    /// Held by the one call that changes something.
    changing: tokio::sync::Mutex<()>,
    /// While true no work ends.
    pub held: watch::Sender<bool>,
    /// Pieces of work that have not ended.
    pub working: watch::Sender<usize>,
    /// Calls that were answered, or that never will be.
    pub done: watch::Sender<u64>,
    /// Answers that were sent, for the ids of requests.
    pub answers: AtomicU64,
    tasks: Mutex<JoinSet<()>>,
}

/// A request as it came in.
pub struct Received {
    /// `POST`.
    pub method: String,
    /// Path, still encoded.
    pub path: String,
    /// Query, still encoded.
    pub query: String,
    /// Header of that name.
    pub authorization: Option<String>,
    /// Body.
    pub body: Bytes,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The exception, if it is one.
        error: Option<String>,
        /// Body.
        body: Value,
    },
    /// The connection is cut.
    Cut,
    /// No answer comes.
    Stall,
}

/// A call whose input fits the model.
#[derive(Debug)]
pub struct Asked {
    /// Operation.
    pub operation: String,
    /// Input.
    pub input: Value,
    /// ARN of the caller.
    pub caller: String,
    /// How the work that follows ends, when a switch is set.
    pub outcome: Option<Outcome>,
}

impl Asked {
    /// A member of the input that is a string; empty where it is not there.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        text(&self.input, member)
    }
}

impl Service {
    /// A service without any cluster.
    pub fn new(model: Arc<Model>, world: Arc<dyn World>, options: EksOptions) -> Arc<Self> {
        Arc::new(Self {
            model,
            options,
            world,
            state: Mutex::default(),
            faults: Mutex::default(),
            journal: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            held: watch::Sender::new(false),
            working: watch::Sender::new(0),
            done: watch::Sender::new(0),
            answers: AtomicU64::new(1),
            tasks: Mutex::default(),
        })
    }

    /// The state; held for moments only, never across a call of the world.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The switches.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked, and what was wrong with it.
    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.options.clock)()
    }

    /// The time as restJson writes it: seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> Value {
        #[allow(clippy::cast_precision_loss)] // Exact until the year 287396.
        let seconds = self.now().as_millisecond() as f64 / 1000.0;
        seconds.into()
    }

    /// ARN of one of the service's resources.
    #[must_use]
    pub fn arn(&self, resource: &str) -> String {
        arn::of_eks(&self.options, resource)
    }

    /// Answers a request.
    pub async fn answer(self: &Arc<Self>, received: Received) -> Reply {
        let caller = match self.caller(received.authorization.as_deref()) {
            Ok(caller) => caller,
            Err(error) => return self.error(&error),
        };
        let Some((operation, labels)) = self.model.route(&received.method, &received.path) else {
            let asked = format!("{} {}", received.method, received.path);
            self.journal().violated(ViolationKind::UnknownOperation, &asked, "the model has no such route");
            let message = format!("there is no operation {asked}");
            return self.error(&ApiError::common(404, "UnknownOperationException", message));
        };
        let query = request::query_pairs(&received.query);
        let input = request::input(&self.model, operation, &labels, &query, &received.body);
        let (input, refusal) = match input {
            Ok(input) => (input, None),
            Err(problems) => {
                let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let words = words.join("; ");
                self.journal().violated(ViolationKind::Input, &operation.name, &words);
                (labels_as_input(&labels), Some(ApiError::refused(operation, words)))
            }
        };
        let number = self.journal().arrived(&operation.name, input.clone(), &caller);
        let reply = match refusal {
            Some(error) => self.error(&error),
            None => self.obey(operation, input, caller).await,
        };
        if let Reply::Answer { status, error, .. } = &reply {
            self.journal().answered(number, *status, error.clone());
        }
        self.done.send_modify(|done| *done += 1);
        reply
    }

    async fn obey(self: &Arc<Self>, operation: &Operation, input: Value, caller: String) -> Reply {
        let effect = self.faults().of_call(&operation.name, &input);
        match &effect {
            Some(Effect::Error { code, message, status }) => {
                return self.error(&ApiError::new(code, message.clone()).status(*status));
            }
            Some(Effect::Throttle) => {
                let error = ApiError::common(429, "ThrottlingException", "Rate exceeded");
                return self.error(&error);
            }
            Some(Effect::CutBefore) => return Reply::Cut,
            Some(Effect::StallBefore) => return Reply::Stall,
            _ => {}
        }
        if let Some(delay) = effect.as_ref().and_then(Effect::delay) {
            tokio::time::sleep(delay).await;
        }
        let outcome = effect.as_ref().and_then(Effect::outcome);
        let asked = Asked { operation: operation.name.clone(), input, caller, outcome };
        let result = if only_reads(operation) {
            self.done_by_dispatch(&asked).await
        } else {
            let _one_at_a_time = self.changing.lock().await;
            self.once_for_its_token(operation, &asked).await
        };
        let reply = match result {
            Ok(answer) => self.checked(operation, answer),
            Err(error) => {
                if !error.is_documented_for(operation) {
                    let what = format!("answers {}, which is not documented for it", error.code);
                    self.journal().violated(ViolationKind::Output, &operation.name, what);
                }
                self.error(&error)
            }
        };
        match effect {
            Some(Effect::CutAfter) => Reply::Cut,
            Some(Effect::StallAfter) => Reply::Stall,
            _ => reply,
        }
    }

    async fn done_by_dispatch(self: &Arc<Self>, asked: &Asked) -> Result<Value, ApiError> {
        match dispatch::call(self, asked).await {
            Some(result) => result,
            None => {
                let what = "the model has it, and this server does not do it";
                self.journal().violated(ViolationKind::NotImplemented, &asked.operation, what);
                let message = format!("{} is not implemented here", asked.operation);
                Err(ApiError::common(501, "NotImplementedException", message))
            }
        }
    }

    /// Same token and same input: the same answer, and nothing is done again, also when the resource has failed or gone
    /// since. Same token and other input: refused.
    async fn once_for_its_token(
        self: &Arc<Self>,
        operation: &Operation,
        asked: &Asked,
    ) -> Result<Value, ApiError> {
        let shape = operation.input.as_deref().and_then(|shape| self.model.shape(shape));
        let member = shape
            .and_then(|shape| shape.members.iter().find(|(_, member)| member.idempotency_token))
            .map(|(name, _)| name);
        let Some((member, token)) = member.and_then(|name| Some((name, asked.input[name].as_str()?))) else {
            return self.done_by_dispatch(asked).await;
        };
        let mut input = asked.input.clone();
        if let Some(members) = input.as_object_mut() {
            members.remove(member);
        }
        let key = (operation.name.clone(), token.to_owned());
        let now = self.now();
        {
            let mut state = self.state();
            state.tokens.retain(|_, remembered| now.duration_since(remembered.at) < TOKEN_LIFE);
            if let Some(remembered) = state.tokens.get(&key) {
                if remembered.input == input {
                    return Ok(remembered.answer.clone());
                }
                let message = format!("the {member} {token} was used with other parameters before");
                return Err(ApiError::refused(operation, message));
            }
        }
        let answer = self.done_by_dispatch(asked).await?;
        self.state().tokens.insert(key, Remembered { input, answer: answer.clone(), at: now });
        Ok(answer)
    }

    fn checked(&self, operation: &Operation, answer: Value) -> Reply {
        let problems = match &operation.output {
            Some(shape) => misfits(&self.model, shape, &answer, Way::Out),
            None => Vec::new(),
        };
        if problems.is_empty() {
            return Reply::Answer { status: 200, error: None, body: answer };
        }
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        self.journal().violated(ViolationKind::Output, &operation.name, words.join("; "));
        self.error(&ApiError::common(500, "ServerException", words.join("; ")))
    }

    fn error(&self, error: &ApiError) -> Reply {
        let (status, body) = error.answer(&self.model);
        Reply::Answer { status, error: Some(error.code.clone()), body }
    }

    /// Who calls. The signature itself is not checked: EKS learns of nothing but the key id here.
    fn caller(&self, authorization: Option<&str>) -> Result<String, ApiError> {
        let Some(authorization) = authorization else {
            let message = "Missing Authentication Token";
            return Err(ApiError::common(403, "MissingAuthenticationTokenException", message));
        };
        let refuse = |what: &str| Err(ApiError::common(403, "InvalidSignatureException", what));
        let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else {
            return refuse("the request is not signed with AWS4-HMAC-SHA256");
        };
        let field =
            |name: &str| fields.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let (Some(credential), Some(_), Some(_)) =
            (field("Credential"), field("SignedHeaders"), field("Signature"))
        else {
            return refuse("the Authorization header lacks Credential, SignedHeaders or Signature");
        };
        let scope: Vec<&str> = credential.rsplitn(5, '/').collect();
        let ["aws4_request", "eks", region, _, key] = scope[..] else {
            return refuse("the credential is not scoped to the service eks");
        };
        if region != self.options.region {
            return refuse(&format!(
                "Credential should be scoped to a valid region: this local AWS is of {}, and {region} is another one \
                 (`portolan local aws up --region {region}`)",
                self.options.region
            ));
        }
        (self.options.callers)(key).ok_or_else(|| {
            let message = "The security token included in the request is invalid.";
            ApiError::common(403, "UnrecognizedClientException", message)
        })
    }

    /// Does something after the answer: after the delay, when nothing is held, and in turn with the rest of its cluster.
    pub fn later<F, W>(self: &Arc<Self>, turn: Turn, delay: Duration, work: F)
    where
        F: FnOnce(Arc<Self>) -> W + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        self.working.send_modify(|working| *working += 1);
        let service = self.clone();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let working = Working(service.clone());
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            // The sender lives in the service, which this task holds.
            let _ = service.held.subscribe().wait_for(|held| !held).await;
            let _turn = turn.lock().await;
            work(service).await;
            drop(working);
        });
    }

    /// Ends all work that is under way, wherever it is.
    pub async fn abandon(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

/// A piece of work under way; counted off when it ends, also by a panic or when it is abandoned.
struct Working(Arc<Service>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.send_modify(|working| *working -= 1);
    }
}

fn only_reads(operation: &Operation) -> bool {
    operation.method == "GET"
        || matches!(operation.name.as_str(), "ListInsights" | "DescribeIdentityProviderConfig")
}

fn labels_as_input(labels: &BTreeMap<String, String>) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
}
