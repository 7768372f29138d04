//! What a caller tells the supervisor, and what the supervisor tells back.

use serde::{Deserialize, Serialize};

use super::options::TokenUser;
use super::programs::Programs;

/// The order to the supervisor, in the instance's folder: everything is decided but the ports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) nodes: u32,
    pub(crate) programs: Programs,
    pub(crate) extra_tokens: Vec<TokenUser>,
    pub(crate) api_server_args: Vec<String>,
    pub(crate) audit: bool,
}

/// One line of the supervisor's standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Event {
    /// A step is through, in words.
    Step(String),
    /// Everything answers.
    Ready,
    /// It did not work, and everything is taken down again.
    Failed(String),
}

/// The line on the supervisor's standard input after which the end of that input means nothing any more.
pub(crate) const DETACH: &str = "detach";

/// The line on the supervisor's standard input that has it read its order again and start the programs of that, over
/// the same data, ports, certificates and tokens. It answers as to the first start; when that fails nothing runs, and it
/// waits for the next order.
pub(crate) const RESTART: &str = "restart";
