//! Whether the images of what goes over can be pulled, with the pull secrets that their pods would have, and for which
//! architectures they are built: registries are asked, and ECR through the account.

use super::aws::Accounts;
use super::kept::{Mover, Wanted};
use crate::migrate::images::{Known, Named, login_of_ecr, logins, verdicts};
use crate::migrate::stages::Sight;
use crate::migrate::verdict::Verdict;
use crate::model::cloud::{Call, Service};
use crate::model::migration::Side;
use crate::model::{EcrHome, ImageName, RegistryLogin};
use crate::ports::{Cloud, CloudFailureKind, Images, Pull};
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::OnceCell;

/// Verdicts on every image. A registry that does not answer is asked once.
pub(super) async fn looked_at(mover: &Mover, wanted: &Wanted, named: &Named, source: &Sight) -> Vec<Verdict> {
    let Some(images) = mover.context.sides.images().filter(|_| wanted.spec.checks.images) else {
        return Vec::new();
    };
    let secrets = source.index();
    let mut by_registry: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for (text, used) in named {
        let Some(image) = ImageName::parse(text) else { continue };
        let own = used.secrets.iter().filter_map(|id| secrets.get(id));
        let one = Asked {
            text: text.clone(),
            logins: own.flat_map(|secret| logins(secret, &image)).collect(),
            is_placed: used.objects.values().any(|fits| !fits.is_empty()),
            image,
        };
        by_registry.entry(one.image.registry.clone()).or_default().push(one);
    }
    let is_ecr = |all: &Vec<Asked>| all.iter().any(|one| one.image.ecr().is_some());
    let account = match by_registry.values().any(is_ecr) {
        true => Accounts::of(mover, wanted).open(Side::Target).await.ok().flatten(),
        false => None,
    };
    let account = account.as_deref().map(|cloud| Ecr { cloud, login: OnceCell::new() });
    let (images, account) = (images.as_ref(), account.as_ref());
    let mut asked = Vec::new();
    for all in by_registry.into_values() {
        asked.push(of_registry(images, account, all));
    }
    let at_once = mover.context.pace.at_once.max(1);
    let known: Vec<Vec<(String, Known)>> = stream::iter(asked).buffer_unordered(at_once).collect().await;
    verdicts(named, &known.into_iter().flatten().collect())
}

/// An image that is asked for.
struct Asked {
    /// Its name as the object has it.
    text: String,
    image: ImageName,
    /// Of the pull secrets that its pods would have.
    logins: Vec<RegistryLogin>,
    /// Whether it is known on which nodes it may run.
    is_placed: bool,
}

/// ECR, as the account of the target sees it.
struct Ecr<'a> {
    cloud: &'a dyn Cloud,
    /// For every registry of the region that the account may read; asked for where it is wanted first.
    login: OnceCell<Option<RegistryLogin>>,
}

impl Ecr<'_> {
    /// A login for the API of registries (ECR's API, `GetAuthorizationToken`: base64 of `AWS:password`).
    async fn login(&self) -> Option<&RegistryLogin> {
        let asked = async {
            let call = Call::new(Service::Ecr, "GetAuthorizationToken", json!({}));
            login_of_ecr(&self.cloud.call(&call).await.ok()?)
        };
        self.login.get_or_init(|| asked).await.as_ref()
    }
}

/// The images of one registry, one after the other.
async fn of_registry(
    images: &dyn Images,
    account: Option<&Ecr<'_>>,
    all: Vec<Asked>,
) -> Vec<(String, Known)> {
    let mut known = Vec::new();
    let mut silent: Option<String> = None;
    for asked in all {
        let one = match (&silent, asked.image.ecr()) {
            (Some(words), _) => Known::Unknown(words.clone()),
            (None, Some(home)) => of_ecr(images, account, &home, &asked).await,
            (None, None) => match pulled(images, &asked).await {
                (Pull::Silent(words), _) => {
                    silent = Some(words.clone());
                    Known::Unknown(words)
                }
                (Pull::There, login) => there(images, &asked.image, asked.is_placed, login).await,
                (pull, _) => plain(pull),
            },
        };
        known.push((asked.text, one));
    }
    known
}

/// Tries the logins one after the other, as a node does; without one it asks as anybody.
async fn pulled<'a>(images: &dyn Images, asked: &'a Asked) -> (Pull, Option<&'a RegistryLogin>) {
    let mut last = None;
    for login in &asked.logins {
        match images.look(&asked.image, Some(login)).await {
            pull @ (Pull::There | Pull::Silent(_)) => return (pull, Some(login)),
            pull => last = last.or(Some(pull)),
        }
    }
    match last {
        Some(pull) => (pull, None),
        None => (images.look(&asked.image, None).await, None),
    }
}

/// What is there, and for which architectures where that matters.
async fn there(
    images: &dyn Images,
    image: &ImageName,
    is_placed: bool,
    login: Option<&RegistryLogin>,
) -> Known {
    if !is_placed {
        return Known::There;
    }
    images.architectures(image, login).await.map_or(Known::There, Known::Built)
}

fn plain(pull: Pull) -> Known {
    match pull {
        Pull::There => Known::There,
        Pull::Absent(words) | Pull::Denied(words) => Known::Absent(words),
        Pull::Refused(words) | Pull::Silent(words) => Known::Unknown(words),
    }
}

/// An image of ECR: it is there, or a rule brings it from elsewhere when it is first pulled.
async fn of_ecr(images: &dyn Images, account: Option<&Ecr<'_>>, home: &EcrHome, asked: &Asked) -> Known {
    let Some(ecr) = account.filter(|ecr| ecr.cloud.region() == home.region) else {
        return Known::Unknown(format!("no account is known for registries of {}", home.region));
    };
    let (cloud, image) = (ecr.cloud, &asked.image);
    let id = match &image.digest {
        Some(digest) => json!({"imageDigest": digest}),
        None => json!({"imageTag": image.reference()}),
    };
    let of_image = json!({"registryId": home.account, "repositoryName": image.repository, "imageIds": [id]});
    match cloud.call(&Call::new(Service::Ecr, "DescribeImages", of_image)).await {
        // Where the registry gives no login, it is still known that the image is there.
        Ok(_) => {
            let login = if asked.is_placed { ecr.login().await } else { None };
            return there(images, image, asked.is_placed && login.is_some(), login).await;
        }
        Err(failure) if failure.kind == CloudFailureKind::NotFound => {}
        Err(failure) => return Known::Unknown(failure.to_string()),
    }
    let rules = Call::new(Service::Ecr, "DescribePullThroughCacheRules", json!({"registryId": home.account}));
    let rules = match cloud.call(&rules).await {
        Ok(rules) => rules,
        Err(failure) if failure.kind == CloudFailureKind::NotFound => json!({}),
        Err(failure) => return Known::Unknown(failure.to_string()),
    };
    let rules = rules["pullThroughCacheRules"].as_array().cloned().unwrap_or_default();
    match rules.iter().find_map(|rule| upstream(rule, image)) {
        Some(upstream) => match images.look(&upstream, None).await {
            Pull::There => there(images, &upstream, asked.is_placed, None).await,
            pull => match plain(pull) {
                Known::Absent(words) => Known::Absent(format!("its cache leads to {upstream}, and {words}")),
                other => other,
            },
        },
        None => Known::Absent(format!("ECR has no such image in {}, and no rule brings it", home.region)),
    }
}

/// Where a rule of the pull-through cache finds an image (ECR's user guide, "Pull through cache").
fn upstream(rule: &Value, image: &ImageName) -> Option<ImageName> {
    let prefix = rule["ecrRepositoryPrefix"].as_str()?;
    let rest = match prefix {
        "ROOT" => image.repository.as_str(),
        prefix => image.repository.strip_prefix(prefix)?.strip_prefix('/')?,
    };
    let registry = rule["upstreamRegistryUrl"].as_str()?;
    let registry = if registry == "registry-1.docker.io" { "docker.io" } else { registry };
    let repository = match rule["upstreamRepositoryPrefix"].as_str() {
        None | Some("" | "ROOT") => rest.to_owned(),
        Some(own) => format!("{own}/{rest}"),
    };
    Some(ImageName { registry: registry.into(), repository, ..image.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_leads_to_where_the_image_comes_from() {
        let image =
            ImageName::parse("111122223333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1")
                .unwrap();
        let rule =
            |prefix: &str, url: &str| json!({"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url});
        let shown = |rule: &Value| upstream(rule, &image).map(|image| image.to_string());
        let hub = rule("docker-hub", "registry-1.docker.io");
        assert_eq!(shown(&hub).as_deref(), Some("docker.io/library/nginx:1"));
        assert_eq!(shown(&rule("docker", "registry.example.com")), None, "a prefix is whole parts");
        assert_eq!(
            shown(&rule("ROOT", "registry.example.com")).as_deref(),
            Some("registry.example.com/docker-hub/library/nginx:1")
        );
    }
}
