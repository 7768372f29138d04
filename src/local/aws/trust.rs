//! Who may assume a role: trust policies of IAM, evaluated. moto keeps them and asks nobody.
//!
//! As much of the policy language as trust policies use: principals, actions with wildcards, and conditions on strings and
//! ARNs. A condition operator that is not known here matches nothing, so a role is refused rather than trusted by mistake.
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>)

use std::collections::BTreeMap;

use serde_json::Value;

/// Who wants to assume the role, and what is known about the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// `Service` or `Federated`.
    pub(super) kind: &'static str,
    /// `eks.amazonaws.com`, or the ARN of an OIDC provider.
    pub(super) principal: String,
    /// `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:TagSession`.
    pub(super) action: &'static str,
    /// Condition keys with their values: `aws:SourceArn`, `aws:RequestTag/kubernetes-namespace`, `ISSUER:sub`.
    pub(super) context: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// A service of AWS that assumes the role for itself.
    pub(super) fn of_service(service: &str) -> Request {
        Request {
            kind: "Service",
            principal: service.to_owned(),
            action: "sts:AssumeRole",
            context: BTreeMap::new(),
        }
    }

    /// On behalf of a resource: `aws:SourceArn` and `aws:SourceAccount`, which keep a service from being used by a
    /// stranger's resource. (EKS user guide, "Cross-service confused deputy prevention": the cluster's ARN for the cluster
    /// role and Pod Identity; "Pod execution IAM role": the Fargate profile's. For the role of an instance profile EC2
    /// documents no source.)
    pub(super) fn on_behalf_of(mut self, arn: &str) -> Request {
        // `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
        let account = arn.split(':').nth(4).unwrap_or_default();
        self.context.insert("aws:SourceArn".to_owned(), vec![arn.to_owned()]);
        self.context.insert("aws:SourceAccount".to_owned(), vec![account.to_owned()]);
        self
    }
}

/// A trust policy as GetRole gives it: percent-encoded JSON.
pub(super) fn document(encoded: &str) -> Option<Value> {
    let plain = if encoded.trim_start().starts_with('{') {
        encoded.to_owned()
    } else {
        let pair = format!("policy={}", encoded.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next()?.1.into_owned()
    };
    serde_json::from_str(&plain).ok()
}

/// Whether the policy lets the request in: one statement allows it and none denies it.
pub(super) fn allows(policy: &Value, request: &Request) -> bool {
    let statements: Vec<&Value> = match &policy["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let has = |effect: &str| {
        statements.iter().any(|statement| statement["Effect"] == effect && applies(statement, request))
    };
    has("Allow") && !has("Deny")
}

fn applies(statement: &Value, request: &Request) -> bool {
    let principal = &statement["Principal"];
    let named = *principal == "*"
        || strings(&principal[request.kind]).any(|name| name == request.principal || name == "*")
        || strings(&principal["AWS"]).any(|name| name == "*");
    let acts = strings(&statement["Action"])
        .any(|action| like(&action.to_lowercase(), &request.action.to_lowercase()));
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    named
        && acts
        && conditions.into_iter().all(|(operator, keys)| {
            keys.as_object().into_iter().flatten().all(|(key, wanted)| holds(operator, key, wanted, request))
        })
}

fn holds(operator: &str, key: &str, wanted: &Value, request: &Request) -> bool {
    // Condition keys are compared without regard to case.
    let values =
        request.context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_slice());
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (operator, every) = match operator.split_once(':') {
        Some(("ForAllValues", operator)) => (operator, true),
        Some(("ForAnyValue", operator)) => (operator, false),
        _ => (operator, false),
    };
    let Some(values) = values else { return if_exists || every || operator.contains("Not") };
    let test: fn(&str, &str) -> bool = match operator
        .trim_start_matches("StringNot")
        .trim_start_matches("ArnNot")
    {
        "StringEquals" | "Equals" => |wanted, value| wanted == value,
        "StringEqualsIgnoreCase" | "EqualsIgnoreCase" => |wanted, value| wanted.eq_ignore_ascii_case(value),
        "StringLike" | "ArnEquals" | "ArnLike" | "Like" => like,
        "Bool" => |wanted, value| wanted.eq_ignore_ascii_case(value),
        _ => return false,
    };
    let fits = |value: &String| strings(wanted).any(|wanted| test(&wanted, value));
    if operator.contains("Not") {
        !values.iter().any(fits)
    } else if every {
        values.iter().all(fits)
    } else {
        values.iter().any(fits)
    }
}

/// One string, or the strings of a list.
fn strings(value: &Value) -> impl Iterator<Item = String> + '_ {
    let one = value.as_str().map(str::to_owned);
    let flag = value.as_bool().map(|flag| flag.to_string());
    let many = value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned));
    one.into_iter().chain(flag).chain(many)
}

/// `*` stands for any characters, `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the rest does not fit: the last star, and one character further.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(policy: &Value, name: &str) -> bool {
        allows(policy, &Request::of_service(name))
    }

    #[test]
    fn a_service_is_trusted_by_name() {
        let policy = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": ["eks.amazonaws.com"]},
            "Action": ["sts:AssumeRole", "sts:TagSession"]}]});
        assert!(service(&policy, "eks.amazonaws.com"));
        assert!(!service(&policy, "ec2.amazonaws.com"));
        let denied = json!({"Statement": [policy["Statement"][0], {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}]});
        assert!(!service(&denied, "eks.amazonaws.com"));
        assert!(!service(&json!({}), "eks.amazonaws.com"));
    }

    #[test]
    fn a_service_account_is_trusted_by_its_claims() {
        let issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC";
        let provider = format!("arn:aws:iam::111122223333:oidc-provider/{issuer}");
        let policy = |operator: &str, sub: &str| {
            json!({"Statement": {"Effect": "Allow", "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {operator: {format!("{issuer}:sub"): sub},
                    "StringEquals": {format!("{issuer}:aud"): "sts.amazonaws.com"}}}})
        };
        let request = |sub: &str, aud: &str| Request {
            kind: "Federated",
            principal: provider.clone(),
            action: "sts:AssumeRoleWithWebIdentity",
            context: [
                (format!("{issuer}:sub"), vec![sub.to_owned()]),
                (format!("{issuer}:aud"), vec![aud.to_owned()]),
            ]
            .into(),
        };
        let account = request("system:serviceaccount:shop:api", "sts.amazonaws.com");
        assert!(allows(&policy("StringLike", "system:serviceaccount:shop:*"), &account));
        assert!(!allows(&policy("StringLike", "system:serviceaccount:bank:*"), &account));
        assert!(
            !allows(&policy("NumericEquals", "system:serviceaccount:shop:api"), &account),
            "not known here"
        );
        let other = request("system:serviceaccount:shop:api", "elsewhere");
        assert!(!allows(&policy("StringLike", "*"), &other));
    }

    #[test]
    fn source_conditions_and_tags() {
        let policy = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": "sts:AssumeRole", "Condition": {
                "StringEquals": {"aws:RequestTag/kubernetes-namespace": "shop"},
                "ArnLike": {"aws:SourceArn": "arn:aws:eks:*:111122223333:cluster/*"}}}]});
        let mut request = Request::of_service("pods.eks.amazonaws.com");
        assert!(!allows(&policy, &request));
        request.context.insert("aws:requesttag/kubernetes-namespace".into(), vec!["shop".into()]);
        request
            .context
            .insert("aws:SourceArn".into(), vec!["arn:aws:eks:eu-central-1:111122223333:cluster/a".into()]);
        assert!(allows(&policy, &request));
        request.context.insert("aws:requesttag/kubernetes-namespace".into(), vec!["bank".into()]);
        assert!(!allows(&policy, &request));
    }

    #[test]
    fn a_service_tells_on_whose_behalf_it_asks() {
        let policy = |source: &str| {
            json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "eks-fargate-pods.amazonaws.com"},
                "Action": "sts:AssumeRole", "Condition": {
                    "ArnLike": {"aws:SourceArn": source},
                    "StringEquals": {"aws:SourceAccount": "111122223333"}}}]})
        };
        let plain = Request::of_service("eks-fargate-pods.amazonaws.com");
        let of_profile = plain
            .clone()
            .on_behalf_of("arn:aws:eks:eu-central-1:111122223333:fargateprofile/shop/web/0c1f-11");
        let own = policy("arn:aws:eks:eu-central-1:111122223333:fargateprofile/shop/*");
        assert!(allows(&own, &of_profile));
        assert!(!allows(&own, &plain));
        assert!(!allows(&policy("arn:aws:eks:eu-central-1:111122223333:fargateprofile/bank/*"), &of_profile));
        let strange =
            plain.on_behalf_of("arn:aws:eks:eu-central-1:444455556666:fargateprofile/shop/web/0c1f-11");
        assert!(!allows(&own, &strange));
    }

    #[test]
    fn documents_come_percent_encoded() {
        assert_eq!(document("%7B%22Version%22%3A%20%222012-10-17%22%7D").unwrap()["Version"], "2012-10-17");
        assert_eq!(document("{\"a\": 1}").unwrap()["a"], 1);
    }
}
