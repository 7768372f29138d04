//! Ingresses and their classes.

use super::super::convert::ingress_form;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;

const INGRESS: &[&str] = &["Ingress.networking.k8s.io"];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "ingress.old-form",
        kinds: INGRESS,
        reason: "it says v1 and has the form of v1beta1, which no API server takes",
        source: "kubernetes.io deprecation guide, Ingress",
        apply: old_form,
    },
    Rule {
        id: "ingress.two-classes",
        kinds: INGRESS,
        reason: "the API server refuses an Ingress that names its class in both ways",
        source: "kubernetes pkg/apis/networking/validation ValidateIngressCreate",
        apply: two_classes,
    },
    Rule {
        id: "ingress.class",
        kinds: INGRESS,
        reason: "the class has another name in the target",
        source: "the migration's mapping of classes",
        apply: class,
    },
    Rule {
        id: "ingress.alb-scheme",
        kinds: INGRESS,
        reason: "the default of both generations of the controller, written out",
        source: "aws-load-balancer-controller docs/guide/ingress/annotations.md",
        apply: alb_scheme,
    },
    Rule {
        id: "ingress.alb-group",
        kinds: INGRESS,
        reason: "a group is one load balancer, and two clusters with one name for it would fight over it",
        source: "aws-load-balancer-controller docs/guide/ingress/annotations.md, group.name",
        apply: alb_group,
    },
    Rule {
        id: "ingress.alb-name",
        kinds: INGRESS,
        reason: "names of load balancers are unique in a region, and the old one still has it",
        source: "aws-load-balancer-controller docs/guide/ingress/annotations.md, load-balancer-name",
        apply: alb_name,
    },
    Rule {
        id: "ingress.nginx",
        kinds: INGRESS,
        reason: "ingress-nginx has been retired",
        source: "Kubernetes announcement of the retirement of ingress-nginx, March 2026",
        apply: nginx,
    },
    Rule {
        id: "ingress.record-target",
        kinds: &["Ingress.networking.k8s.io", "Service"],
        reason: "the record would go on to the old load balancer",
        source: "external-dns docs/annotations",
        apply: record_target,
    },
];

const CLASS: &str = "/metadata/annotations/kubernetes.io~1ingress.class";
const FIELD: &str = "/spec/ingressClassName";

fn class_of<'w>(work: &'w Work<'_>) -> Option<&'w str> {
    work.text(FIELD).or_else(|| work.text(CLASS))
}

/// Files may have been given another version by hand; a server would not have held it.
fn old_form(work: &mut Work<'_>) {
    let backends = |work: &Work<'_>| -> Vec<String> {
        let rules = work.items("/spec/rules").into_iter();
        let paths = rules.flat_map(|rule| work.items(&format!("{rule}/http/paths")));
        paths.map(|path| at(&path, "backend")).chain(["/spec/backend".to_owned()]).collect()
    };
    if backends(work).iter().any(|backend| work.get(&at(backend, "serviceName")).is_some()) {
        ingress_form(work);
    }
}

fn two_classes(work: &mut Work<'_>) {
    if work.get(FIELD).is_some_and(|field| !field.is_null())
        && let Some(old) = work.remove(CLASS)
        && Some(&old) != work.get(FIELD)
    {
        work.remark(
            Weight::Warning,
            FIELD,
            "the annotation named another class than the field, which counts now",
        );
    }
}

fn class(work: &mut Work<'_>) {
    for pointer in [FIELD, CLASS] {
        let new = work.text(pointer).and_then(|old| work.context.ingress_classes.get(old)).cloned();
        if let Some(new) = new {
            work.set(pointer, new);
        }
    }
}

fn alb(key: &str) -> String {
    at("/metadata/annotations", format!("alb.ingress.kubernetes.io/{key}"))
}

fn is_alb(work: &Work<'_>) -> bool {
    class_of(work) == Some("alb")
}

fn alb_scheme(work: &mut Work<'_>) {
    if is_alb(work) {
        work.set_default(&alb("scheme"), "internal");
    }
}

fn alb_group(work: &mut Work<'_>) {
    let pointer = alb("group.name");
    let cluster = work.context.target.name.to_lowercase().replace('_', "-");
    let Some(group) = work.text(&pointer).map(String::from) else { return };
    let suffix = format!("-{cluster}");
    if !is_alb(work) || cluster.is_empty() || group.ends_with(&suffix) {
        return;
    }
    // Groups have at most 63 characters.
    let kept: String = group.chars().take(63_usize.saturating_sub(suffix.len())).collect();
    let kept = kept.trim_end_matches(['-', '.']);
    work.set(&pointer, format!("{kept}{suffix}"));
}

fn alb_name(work: &mut Work<'_>) {
    work.remove(&alb("load-balancer-name"));
}

fn nginx(work: &mut Work<'_>) {
    if class_of(work) != Some("nginx") {
        return;
    }
    work.remark(
        Weight::Warning,
        "",
        "ingress-nginx gets no fixes since March 2026: it is carried over as it is; plan to leave it",
    );
    let snippets = work.keys("/metadata/annotations").into_iter().filter(|key| key.ends_with("-snippet"));
    for key in snippets.collect::<Vec<_>>() {
        let says = "recent releases of ingress-nginx refuse snippets unless they are allowed in its settings";
        work.remark(Weight::Warning, &at("/metadata/annotations", key), says);
    }
}

fn record_target(work: &mut Work<'_>) {
    for prefix in ["external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io"] {
        let pointer = at("/metadata/annotations", format!("{prefix}/target"));
        if work.text(&pointer).is_some_and(|target| target.contains(".elb.amazonaws.com")) {
            work.remark(
                Weight::Choice,
                &pointer,
                "the record points to a load balancer by name: take the annotation out, or name the new one at the shift",
            );
        }
    }
}
