//! Whether images can be pulled, asked of registries before anything is made.

use super::scene::{Scene, document, wanted};
use crate::k8s_http::server::{Reply, Scripted};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan::aws::Registries;
use portolan::engine::migrations::PassEnd;
use portolan::model::migration::Stage;
use portolan::model::{ImageName, RegistryLogin};
use portolan::ports::{Images, Pull};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

fn image(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

#[tokio::test]
async fn a_registry_is_asked_with_a_login_where_there_is_one_and_for_architectures() {
    let server = Scripted::start(|request, _| {
        let host = request.header("host").unwrap_or_default().to_owned();
        let authorized = |with: &str| request.header("authorization") == Some(with);
        let basic = "Basic bWU6cmlnaHQ=";
        let body = |value: Value| match request.method.as_str() {
            "HEAD" => Reply::text(200, ""),
            _ => Reply::json(200, &value),
        };
        match request.path.split('?').next().unwrap_or_default() {
            "/token" if authorized(basic) => Reply::json(200, &json!({"token": "of-me"})),
            "/token" => Reply::text(401, ""),
            path if path.starts_with("/v2/team/") && !authorized("Bearer of-me") => {
                let asks = format!("Bearer realm=\"http://{host}/token\",service=\"r\"");
                Reply::text(401, "").header("www-authenticate", &asks)
            }
            path if path.starts_with("/v2/plain/") && !authorized(basic) => {
                Reply::text(401, "").header("www-authenticate", "Basic realm=\"x\"")
            }
            "/v2/team/app/manifests/1" => {
                let of = |os: &str, name: &str| json!({"platform": {"os": os, "architecture": name}});
                let all = [
                    of("linux", "amd64"),
                    of("linux", "arm64"),
                    of("windows", "x"),
                    of("unknown", "unknown"),
                ];
                body(json!({ "manifests": all }))
            }
            "/v2/plain/app/manifests/1" => body(json!({"config": {"digest": "sha256:c"}})),
            "/v2/plain/app/blobs/sha256:c" => {
                Reply::json(200, &json!({"os": "linux", "architecture": "arm64"}))
            }
            _ => Reply::text(404, ""),
        }
    })
    .await;
    let registries = Registries::default();
    let address = server.url().trim_start_matches("http://").to_owned();
    let login = |password: &str| RegistryLogin { username: "me".into(), password: password.into() };
    let (right, wrong) = (login("right"), login("wrong"));
    for (name, built) in [("team/app:1", vec!["amd64", "arm64"]), ("plain/app:1", vec!["arm64"])] {
        let image = image(&format!("{address}/{name}"));
        assert_eq!(registries.look(&image, Some(&right)).await, Pull::There, "{name}");
        let denied = registries.look(&image, Some(&wrong)).await;
        assert!(matches!(&denied, Pull::Denied(words) if !words.contains("wrong")), "{name}: {denied:?}");
        assert!(matches!(registries.look(&image, None).await, Pull::Refused(_)), "{name}");
        let found = registries.architectures(&image, Some(&right)).await.unwrap();
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), built);
        assert_eq!(registries.architectures(&image, Some(&wrong)).await, None);
    }
}

#[tokio::test]
async fn a_registry_is_asked_with_a_token_for_anybody() {
    let server = Scripted::start(|request, _| {
        let host = request.header("host").unwrap_or_default().to_owned();
        match request.path.split('?').next().unwrap_or_default() {
            "/token" => Reply::json(200, &json!({"token": "only-for-this"})),
            "/v2/open/app/manifests/1" => Reply::text(200, ""),
            "/v2/moved/app/manifests/1" => {
                Reply::text(307, "").header("location", "/v2/open/app/manifests/1")
            }
            "/v2/closed/app/manifests/1" => Reply::text(401, "").header("www-authenticate", "Basic realm=\"x\""),
            path if path.starts_with("/v2/team/") => match request.header("authorization") {
                Some("Bearer only-for-this") if path.ends_with("/1") => Reply::text(200, ""),
                Some("Bearer only-for-this") => Reply::text(404, ""),
                _ => {
                    let asks = format!("Bearer realm=\"http://{host}/token\",service=\"r\",scope=\"repository:team/app:pull\"");
                    Reply::text(401, "").header("www-authenticate", &asks)
                }
            },
            _ => Reply::text(404, ""),
        }
    })
    .await;
    let registries = Registries::default();
    let address = server.url().trim_start_matches("http://").to_owned();
    let look = async |name: &str| registries.look(&image(&format!("{address}/{name}")), None).await;
    assert_eq!(look("open/app:1").await, Pull::There);
    assert_eq!(look("moved/app:1").await, Pull::There);
    assert_eq!(look("team/app:1").await, Pull::There);
    assert!(matches!(look("team/app:2").await, Pull::Absent(_)));
    assert!(matches!(look("closed/app:1").await, Pull::Refused(words) if words.contains("credentials")));
    let heads = server.requests().iter().filter(|request| request.method == "HEAD").count();
    assert_eq!(heads, 8, "each image is asked for once, and once more with a token or where it leads");
    // A port at which nobody listens any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = registries.look(&image(&format!("{closed}/open/app:1")), None).await;
    assert!(
        matches!(nobody, Pull::Silent(words) if words.contains("does not answer") && !words.contains("only-for-this"))
    );
}

/// A registry that says what a test wants, and remembers what it was asked.
#[derive(Default)]
struct Said {
    asked: Mutex<Vec<String>>,
    silent: bool,
    /// One of its images is for those only who log in.
    private: bool,
    logins: Mutex<Vec<String>>,
}

#[async_trait]
impl Images for Said {
    async fn look(&self, image: &ImageName, login: Option<&RegistryLogin>) -> Pull {
        if let Some(login) = login {
            self.logins.lock().unwrap().push(format!("{}:{}", login.username, login.password));
        }
        self.asked.lock().unwrap().push(image.to_string());
        match image.repository.as_str() {
            _ if self.silent => Pull::Silent(format!("{} does not answer", image.registry)),
            "api" => Pull::Absent(format!("{} has no such image", image.registry)),
            "nightly" if self.private && login.is_none_or(|login| login.password != "right") => {
                Pull::Denied("the login is not taken".into())
            }
            _ => Pull::There,
        }
    }

    async fn architectures(&self, _: &ImageName, _: Option<&RegistryLogin>) -> Option<BTreeSet<String>> {
        Some(["amd64".to_owned()].into())
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_holds_the_move_back_until_it_is_mapped_or_accepted() {
    let scene = Scene::new();
    let said = Arc::new(Said::default());
    *scene.images.lock().unwrap() = Some(said.clone());
    let mover = scene.start();
    let mut spec = document(Stage::Preflight);
    mover.supersede(wanted(spec.clone()));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    let message = mover.record().message;
    assert!(
        message.contains("image registry.example.com/api:1 of Deployment.apps shop/api cannot be pulled"),
        "{message}"
    );
    let asked = said.asked.lock().unwrap().clone();
    assert!(asked.contains(&"registry.example.com/nightly:1".to_owned()), "{asked:?}");
    // What the target would pull counts.
    spec.images.insert("registry.example.com/api".into(), "mirror.example.com/there".into());
    mover.supersede(wanted(spec.clone()));
    assert_eq!(scene.settle(&mover).await, PassEnd::Done, "{}", mover.record().message);
    assert!(said.asked.lock().unwrap().contains(&"mirror.example.com/there:1".to_owned()));
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_asked_once_and_is_a_warning() {
    let scene = Scene::new();
    let said = Arc::new(Said { silent: true, ..Said::default() });
    *scene.images.lock().unwrap() = Some(said.clone());
    let record = scene.go(Stage::Preflight).await;
    assert_eq!(said.asked.lock().unwrap().len(), 1);
    let notes = record.parts[0].notes.join("\n");
    assert!(notes.contains("registry.example.com does not answer") && notes.contains("/web:1"), "{notes}");

    let scene = Scene::new();
    *scene.images.lock().unwrap() = Some(said.clone());
    let mover = scene.start();
    let mut spec = document(Stage::Preflight);
    spec.checks.images = false;
    mover.supersede(wanted(spec));
    assert_eq!(scene.settle(&mover).await, PassEnd::Done);
    assert_eq!(said.asked.lock().unwrap().len(), 1, "nobody is asked where the document says so");
}

#[tokio::test]
async fn a_private_image_is_asked_for_with_the_login_that_its_pods_would_have() {
    // `nightly` of the shop, with the words of its account's pull secret.
    let told = async |password: &str| {
        let auths = json!({"auths": {"registry.example.com": {"username": "me", "password": password}}});
        let data = STANDARD.encode(auths.to_string());
        let metadata = |name: &str| json!({"name": name, "namespace": "shop"});
        let objects: Vec<Value> = vec![
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("pull"),
                "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default"),
                "imagePullSecrets": [{"name": "pull"}]}),
        ];
        let scene = Scene::new();
        objects.into_iter().for_each(|object| scene.source.seed(object));
        let said = Arc::new(Said { private: true, ..Said::default() });
        *scene.images.lock().unwrap() = Some(said.clone());
        let mover = scene.start();
        let mut spec = document(Stage::Preflight);
        spec.images.insert("registry.example.com/api".into(), "registry.example.com/there".into());
        mover.supersede(wanted(spec));
        let end = scene.settle(&mover).await;
        let logins = said.logins.lock().unwrap().clone();
        (end, format!("{:?}", mover.record()), logins)
    };
    let (end, record, logins) = told("right").await;
    assert_eq!(end, PassEnd::Done, "{record}");
    assert!(logins.contains(&"me:right".to_owned()) && !record.contains("me:right"), "{logins:?}");
    let (end, record, _) = told("secret-and-wrong").await;
    assert_eq!(end, PassEnd::Blocked, "{record}");
    let words = "image registry.example.com/nightly:1 of CronJob.batch shop/nightly cannot be pulled";
    assert!(record.contains(words) && !record.contains("secret-and-wrong"), "{record}");
}
