//! Who may do what, asked of both API servers.

use crate::migrate::proof::{Answers, Question};
use crate::ports::{ApiFailure, Cluster};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Asks every question.
///
/// # Errors
/// The first that is not answered.
pub(super) async fn ask(
    cluster: &dyn Cluster,
    questions: &BTreeSet<Question>,
    at_once: usize,
) -> Result<Answers, ApiFailure> {
    let mut asked = Vec::new();
    for question in questions {
        asked.push(async move { (question.clone(), cluster.may(&review(question)).await) });
    }
    let answers: Vec<(Question, Result<bool, ApiFailure>)> =
        futures::stream::iter(asked).buffered(at_once.max(1)).collect().await;
    answers.into_iter().map(|(question, answer)| answer.map(|answer| (question, answer))).collect()
}

/// The `spec` of a SubjectAccessReview, with the groups that the authenticator would give the subject.
fn review(question: &Question) -> Value {
    let mut spec = match question.subject.split_once(' ') {
        Some(("ServiceAccount", place)) => {
            let (namespace, name) = place.split_once('/').unwrap_or_default();
            let groups = [
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".into(),
            ];
            json!({"user": format!("system:serviceaccount:{namespace}:{name}"), "groups": groups})
        }
        Some(("Group", name)) => json!({"user": "portolan:nobody", "groups": [name]}),
        Some((_, name)) => json!({"user": name, "groups": ["system:authenticated"]}),
        None => json!({"user": question.subject}),
    };
    if question.resource.starts_with('/') {
        spec["nonResourceAttributes"] = json!({"path": question.resource, "verb": question.verb});
        return spec;
    }
    let (resource, sub) = question.resource.split_once('/').unwrap_or((&question.resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    spec["resourceAttributes"] = json!({
        "verb": question.verb, "group": group, "resource": resource, "subresource": sub,
        "name": question.name, "namespace": question.namespace,
    });
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_as_the_api_takes_it() {
        let question = |subject: &str, resource: &str| Question {
            subject: subject.into(),
            verb: "get".into(),
            resource: resource.into(),
            name: String::new(),
            namespace: "shop".into(),
        };
        let spec = review(&question("ServiceAccount shop/web", "deployments.apps/scale"));
        assert_eq!(spec["user"], "system:serviceaccount:shop:web");
        assert_eq!(spec["resourceAttributes"]["group"], "apps");
        assert_eq!(spec["resourceAttributes"]["subresource"], "scale");
        let spec = review(&question("Group dev", "/metrics"));
        assert_eq!(
            (&spec["groups"], &spec["nonResourceAttributes"]["path"]),
            (&json!(["dev"]), &json!("/metrics"))
        );
    }
}
