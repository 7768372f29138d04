//! What an instance reads when it starts: NodeConfig for Amazon Linux 2023, settings for Bottlerocket, PowerShell for
//! Windows. Declared as data, for what it says of the cluster is known only when the cluster is; written as text when a
//! launch template is made, and read back from one that is there.

use super::toml::{from_toml, toml};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Member of a declared user data: parts for cloud-init and nodeadm, `{"NodeConfigs": [object or text], "Scripts": [text]}`.
pub const MIME: &str = "Mime";
/// Member of a declared user data: an object that is written as TOML.
pub const TOML: &str = "Toml";
/// Member of a declared user data: lines of PowerShell.
pub const POWERSHELL: &str = "PowerShell";

/// Between the parts. Nothing that is written into one of them holds it.
const BOUNDARY: &str = "==portolan-user-data==";

/// What a script begins with that names no interpreter.
const INTERPRETER: &str = "#!/bin/bash\n";

/// A NodeConfig (nodeadm, `node.eks.aws/v1alpha1`) of a spec.
#[must_use]
pub fn node_config(spec: Value) -> Value {
    json!({"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec})
}

/// Declared user data as a launch template takes it: the text in base64. None when nothing is declared.
#[must_use]
pub fn encoded(declared: &Value) -> Option<String> {
    let text = if let Some(mime) = declared.get(MIME) {
        multipart(mime)
    } else if let Some(settings) = declared.get(TOML) {
        toml(settings)
    } else {
        let lines = declared.get(POWERSHELL)?.as_array()?;
        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        format!("<powershell>\n{}\n</powershell>\n", lines.join("\n"))
    };
    Some(STANDARD.encode(text))
}

/// What instances read, taken apart again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Shell scripts, in order; the interpreter that stands where a script names none left out.
    pub scripts: Vec<String>,
    /// Texts of NodeConfigs, in order.
    pub node_configs: Vec<String>,
    /// Bottlerocket's settings: what stands under `settings`.
    pub settings: Option<Value>,
}

/// The parts of a launch template's user data. `None` of what has another form than [`encoded`] gives.
#[must_use]
pub fn parts(user_data: &str) -> Option<Parts> {
    let text = String::from_utf8(STANDARD.decode(user_data).ok()?).ok()?;
    if !text.to_ascii_lowercase().starts_with("mime-version:") {
        let whole = from_toml(&text)?;
        let settings = whole.as_object().filter(|whole| whole.len() == 1)?.get("settings")?.clone();
        settings.as_object()?;
        return Some(Parts { settings: Some(settings), ..Parts::default() });
    }
    let text = text.replace("\r\n", "\n");
    let boundary = text.split_once("boundary=")?.1.lines().next()?.trim().trim_matches('"');
    let (mut parts, line) = (Parts::default(), format!("--{boundary}"));
    let bodies = text.split(&line).skip(1).take_while(|part| !part.starts_with("--"));
    for part in bodies {
        let (head, body) = part.trim_start().split_once("\n\n")?;
        let body = body.trim_end();
        if head.contains("application/node.eks.aws") {
            parts.node_configs.push(body.to_owned());
        } else if head.contains("text/x-shellscript") {
            parts.scripts.push(body.strip_prefix(INTERPRETER).unwrap_or(body).to_owned());
        } else {
            return None;
        }
    }
    Some(parts)
}

fn multipart(mime: &Value) -> String {
    let mut text = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n");
    let mut part = |content_type: &str, body: &str| {
        // Writing to a String cannot fail.
        let _ = write!(text, "--{BOUNDARY}\nContent-Type: {content_type}\n\n{}\n\n", body.trim_end());
    };
    let each = |name: &str| {
        mime.get(name).and_then(Value::as_array).into_iter().flatten().cloned().collect::<Vec<_>>()
    };
    for script in each("Scripts") {
        let script = script.as_str().unwrap_or_default();
        let shebang = if script.starts_with("#!") { "" } else { INTERPRETER };
        part("text/x-shellscript; charset=\"us-ascii\"", &format!("{shebang}{script}"));
    }
    for config in each("NodeConfigs") {
        // JSON is YAML too, and has one form.
        let body = match &config {
            Value::String(text) => text.clone(),
            config => format!("{config:#}"),
        };
        part("application/node.eks.aws", &body);
    }
    let _ = writeln!(text, "--{BOUNDARY}--");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(declared: &Value) -> String {
        String::from_utf8(STANDARD.decode(encoded(declared).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn parts_stand_between_boundaries() {
        let config = node_config(json!({"kubelet": {"config": {"maxPods": 20}}}));
        let text =
            decoded(&json!({MIME: {"NodeConfigs": [config], "Scripts": ["echo hello", "#!/bin/sh\ntrue"]}}));
        assert!(text.starts_with("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==portolan"));
        assert_eq!(text.matches("--==portolan-user-data==\n").count(), 3);
        assert!(text.ends_with("--==portolan-user-data==--\n"));
        assert!(text.contains("\n\n#!/bin/bash\necho hello\n"));
        assert!(text.contains("\n\n#!/bin/sh\ntrue\n"));
        assert!(text.contains("\"maxPods\": 20"));
    }

    #[test]
    fn windows_and_bottlerocket() {
        assert_eq!(decoded(&json!({POWERSHELL: ["a", "b"]})), "<powershell>\na\nb\n</powershell>\n");
        assert_eq!(decoded(&json!({TOML: {"settings": {"a": 1}}})), "[settings]\na = 1\n");
        assert_eq!(encoded(&Value::Null), None);
    }

    #[test]
    fn user_data_is_taken_apart_again() {
        let config = node_config(json!({"kubelet": {"config": {"maxPods": 20}}}));
        let declared = json!({MIME: {"NodeConfigs": [config, "kind: NodeConfig"], "Scripts": ["echo hello", "#!/bin/sh\ntrue"]}});
        let found = parts(&encoded(&declared).unwrap()).unwrap();
        assert_eq!(found.scripts, ["echo hello", "#!/bin/sh\ntrue"]);
        assert_eq!(serde_json::from_str::<Value>(&found.node_configs[0]).unwrap(), config);
        assert_eq!(found.node_configs[1], "kind: NodeConfig");
        let settings = parts(&encoded(&json!({TOML: {"settings": {"a": 1}}})).unwrap()).unwrap().settings;
        assert_eq!(settings, Some(json!({"a": 1})));
        for other in ["#!/bin/bash\ntrue\n", "<powershell>\n</powershell>", ""] {
            assert_eq!(parts(&STANDARD.encode(other)), None, "{other}");
        }
        assert_eq!(parts("no base64"), None);
    }
}
