//! Whether images can be pulled, asked of registries before anything is made.

use super::scene::{Scene, document, wanted};
use crate::k8s_http::server::{Reply, Scripted};
use async_trait::async_trait;
use portolan::aws::Registries;
use portolan::engine::migrations::PassEnd;
use portolan::model::ImageName;
use portolan::model::migration::Stage;
use portolan::ports::{Images, Pull};
use serde_json::json;
use std::sync::{Arc, Mutex};

fn image(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
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
    let look = async |name: &str| registries.look(&image(&format!("{address}/{name}"))).await;
    assert_eq!(look("open/app:1").await, Pull::There);
    assert_eq!(look("moved/app:1").await, Pull::There);
    assert_eq!(look("team/app:1").await, Pull::There);
    assert!(matches!(look("team/app:2").await, Pull::Absent(_)));
    assert!(matches!(look("closed/app:1").await, Pull::Refused(words) if words.contains("credentials")));
    let heads = server.requests().iter().filter(|request| request.method == "HEAD").count();
    assert_eq!(heads, 8, "each image is asked for once, and once more with a token or where it leads");
    // A port at which nobody listens any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = registries.look(&image(&format!("{closed}/open/app:1"))).await;
    assert!(
        matches!(nobody, Pull::Silent(words) if words.contains("does not answer") && !words.contains("only-for-this"))
    );
}

/// A registry that says what a test wants, and remembers what it was asked.
#[derive(Default)]
struct Said {
    asked: Mutex<Vec<String>>,
    silent: bool,
}

#[async_trait]
impl Images for Said {
    async fn look(&self, image: &ImageName) -> Pull {
        self.asked.lock().unwrap().push(image.to_string());
        match image.repository.as_str() {
            _ if self.silent => Pull::Silent(format!("{} does not answer", image.registry)),
            "api" => Pull::Absent(format!("{} has no such image", image.registry)),
            _ => Pull::There,
        }
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
