//! Objects that change their application, and applications that go.

use super::seen::{deleted, gone, held, is_marked, is_there, problem, stays, uid};
use crate::support::daemon::{Daemon, application, config_map};
use crate::support::git_repo::TestRepo;
use crate::support::git_server::{Access, HttpServer};
use async_trait::async_trait;
use portolan::k8s::{ObservedRequest, RequestObserver};
use portolan::ports::ApiFailure;
use portolan::ports::state::UserRequest;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;

async fn owner(daemon: &Daemon, name: &str) -> String {
    let object = daemon.object("configmap", name).await.unwrap();
    object["metadata"]["labels"]["portolan.dev/application"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_moves_to_another_application_is_never_deleted() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/b/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    for (from, to) in [("a", "b"), ("b", "a")] {
        let commit = daemon.commit(&[
            (&format!("apps/{from}/moves.yaml"), ""),
            (&format!("apps/{to}/moves.yaml"), &config_map("moves", "k: w")),
        ]);
        daemon.settled("a", &commit).await;
        daemon.settled("b", &commit).await;
        assert_eq!(owner(&daemon, "moves").await, to);
        assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    }
    // Also while the daemon is down, and with the application it leaves going, too.
    daemon.stop().await;
    daemon.commit(&[
        ("portolan/a.yaml", ""),
        ("apps/a/moves.yaml", ""),
        ("apps/b/moves.yaml", &config_map("moves", "k: x")),
        ("apps/b/one.yaml", &config_map("one", "k: v")),
    ]);
    let one = uid(&daemon, "configmap", "one").await;
    daemon.start().await;
    daemon.settled("b", "").await;
    daemon.until("b", "of three objects", |record| record.objects == 3).await;
    assert_eq!((owner(&daemon, "moves").await.as_str(), owner(&daemon, "one").await.as_str()), ("b", "b"));
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(uid(&daemon, "configmap", "one").await, one);
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_waits_for_an_application_that_renders_slowly() {
    // One at a time, in order of their names: `a` has been rendered long before `z`.
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/z.yaml", &application("z", "")),
        ("apps/a/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/z/two.yaml", &config_map("two", "k: v")),
        ("apps/chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 0.1.0\n"),
        ("apps/chart/templates/map.yaml", &config_map("{{ .Release.Name }}", "k: v")),
    ])
    .await;
    daemon.settings = json!({"limits": {"rendersAtOnce": 1}});
    for number in 0..6 {
        let name = format!("m{number}");
        let document = application(&name, "").replace(&format!("apps/{name}"), "apps/chart");
        daemon.commit(&[(&format!("portolan/{name}.yaml"), &document)]);
    }
    daemon.start().await;
    daemon.settled("a", "").await;
    daemon.settled("z", "").await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    let commit = daemon.commit(&[
        ("apps/a/moves.yaml", ""),
        ("apps/chart/templates/map.yaml", &config_map("{{ .Release.Name }}", "k: w")),
        ("apps/z/moves.yaml", &config_map("moves", "k: v")),
    ]);
    daemon.settled("a", &commit).await;
    daemon.settled("z", &commit).await;
    assert_eq!(owner(&daemon, "moves").await, "z");
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

/// A daemon on two repositories: `a` from the first and `b` from the second, which is on a server and would be fetched
/// only every hour.
async fn two_repositories() -> (Daemon, TestRepo, HttpServer) {
    two_repositories_seen_by(None).await
}

async fn two_repositories_seen_by(
    observer: Option<Arc<dyn RequestObserver>>,
) -> (Daemon, TestRepo, HttpServer) {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "repository: second")),
        ("apps/a/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    let second = TestRepo::with(&[("apps/b/two.yaml", &config_map("two", "k: v"))]);
    let server = HttpServer::http(second.root(), Access::Everybody).await;
    let entry = json!({"name": "second", "url": server.address(), "role": "Source", "interval": "1h"});
    daemon.repositories.push(entry);
    daemon.observer = observer;
    daemon.start().await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    (daemon, second, server)
}

const SYNC: UserRequest = UserRequest::Sync { application: None };

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_moves_to_another_repository_is_never_deleted() {
    let (mut daemon, second, _server) = two_repositories().await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    // Where it goes has not been fetched when it is seen to go: the prune itself has it fetched.
    second.commit("main", &[("apps/b/moves.yaml", &config_map("moves", "k: w"))]);
    daemon.commit(&[("apps/a/moves.yaml", "")]);
    daemon.until("b", "of two objects", |record| record.objects == 2).await;
    daemon.settled("b", "").await;
    daemon.settled("a", "").await;
    assert_eq!(owner(&daemon, "moves").await, "b");

    // And back, seen to come before it is seen to go.
    second.commit("main", &[("apps/b/moves.yaml", "")]);
    let commit = daemon.commit(&[("apps/a/moves.yaml", &config_map("moves", "k: v"))]);
    daemon.until("a", "at the commit", |record| record.objects == 2).await;
    daemon.ask(&SYNC).await;
    daemon.until("b", "of one object", |record| record.objects == 1).await;
    daemon.settled("a", &commit).await;
    daemon.settled("b", "").await;
    assert_eq!(owner(&daemon, "moves").await, "a");
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_comes_back_before_its_removal_is_approved_takes_that_back() {
    let (mut daemon, _second, _server) = two_repositories().await;
    let before = uid(&daemon, "configmap", "two").await;
    let moment = daemon.now();
    daemon.commit(&[("portolan/b.yaml", "")]);
    let (digest, _) = held(&daemon, "b").await;
    // The commit is one of another repository than that of the manifests.
    daemon.commit(&[("portolan/b.yaml", &application("b", "repository: second"))]);
    let record = daemon.settled("b", "").await;
    assert_eq!((record.waiting, record.objects), (None, 1));
    let answer = daemon.approve("b", &digest).await;
    assert!(answer.contains("no plan of b waits"), "{answer}");
    assert_eq!(uid(&daemon, "configmap", "two").await, before);
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_which_it_is_not_known_what_it_stands_for_blocks_pruning() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let before = uid(&daemon, "configmap", "moves").await;
    // The folder that it goes to is one of a glob, whose document waits for an application that is not there.
    let teams = |spec: &str| application("teams", spec).replace("apps/teams", "teams/*");
    daemon.commit(&[
        ("portolan/teams.yaml", &teams("dependsOn: [nobody]")),
        ("apps/a/moves.yaml", ""),
        ("teams/red/moves.yaml", &config_map("moves", "k: v")),
    ]);
    problem(&daemon, "a", "a document is refused").await;
    daemon.commit(&[("portolan/teams.yaml", &teams("revision: nowhere"))]);
    problem(&daemon, "a", "the folders of application teams are not known").await;
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    daemon.commit(&[("portolan/teams.yaml", &teams(""))]);
    daemon.settled("teams-red", "").await;
    daemon.settled("a", "").await;
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(owner(&daemon, "moves").await, "teams-red");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_fetched_blocks_pruning() {
    let (mut daemon, second, _server) = two_repositories().await;
    daemon.stop().await;
    let away = second.root().join("away.git");
    std::fs::rename(second.path(), &away).unwrap();
    let moment = daemon.now();
    daemon.commit(&[("apps/a/moves.yaml", ""), ("apps/a/new.yaml", &config_map("new", "k: v"))]);
    daemon.start().await;
    let words = problem(&daemon, "a", "could not be fetched").await;
    assert!(words.contains("repository second"), "{words}");
    daemon.object_until("configmap", "new", "there", |object| object.is_some()).await;
    stays("something is pruned", async || is_there(&daemon, "configmap", "moves").await).await;
    assert!(is_there(&daemon, "configmap", "two").await);

    std::fs::rename(&away, second.path()).unwrap();
    daemon.ask(&SYNC).await;
    gone(&daemon, "configmap", "moves").await;
    daemon.settled("a", "").await;
    assert_eq!(deleted(&daemon, moment), ["moves"]);
    daemon.stop().await;
}

/// Holds back what is written to an object until it may go.
struct Holding {
    object: &'static str,
    closed: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

#[async_trait]
impl RequestObserver for Holding {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        if request.method == "PATCH" && request.path.ends_with(self.object) && *self.closed.borrow() {
            self.held.send_modify(|held| *held += 1);
            let _ = self.closed.subscribe().wait_for(|closed| !closed).await;
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_new_repository_has_it_only_while_the_old_one_is_synced_is_never_deleted() {
    let holding = Arc::new(Holding {
        object: "/configmaps/one",
        closed: watch::Sender::new(false),
        held: watch::Sender::new(0),
    });
    let (mut daemon, second, _server) = two_repositories_seen_by(Some(holding.clone())).await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    holding.closed.send_replace(true);
    // It is seen to leave the first; the pass that is to prune it is under way.
    daemon.commit(&[("apps/a/moves.yaml", ""), ("apps/a/one.yaml", &config_map("one", "k: w"))]);
    holding.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    second.commit("main", &[("apps/b/moves.yaml", &config_map("moves", "k: w"))]);
    holding.closed.send_replace(false);
    daemon.until("b", "of two objects", |record| record.objects == 2).await;
    daemon.settled("b", "").await;
    daemon.settled("a", "").await;
    assert_eq!(owner(&daemon, "moves").await, "b");
    assert_eq!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_no_repository_has_for_a_while_is_pruned_kept_and_made_anew() {
    let (mut daemon, second, _server) = two_repositories().await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/moves.yaml", "")]);
    daemon.settled("a", &commit).await;
    assert_eq!(deleted(&daemon, moment), ["moves"]);
    let kept = daemon.store().await.kept().await.unwrap();
    assert!(kept.iter().any(|(_, pruned)| pruned.id.name == "moves"), "{kept:?}");

    second.commit("main", &[("apps/b/moves.yaml", &config_map("moves", "k: w"))]);
    daemon.ask(&SYNC).await;
    daemon.until("b", "of two objects", |record| record.objects == 2).await;
    daemon.settled("b", "").await;
    assert_eq!(owner(&daemon, "moves").await, "b");
    assert_ne!(uid(&daemon, "configmap", "moves").await, before);
    assert_eq!(deleted(&daemon, moment), ["moves"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_its_new_repository_has_before_the_old_one_lost_it_waits_and_is_never_deleted() {
    let (mut daemon, second, _server) = two_repositories().await;
    let before = uid(&daemon, "configmap", "moves").await;
    let moment = daemon.now();
    second.commit("main", &[("apps/b/moves.yaml", &config_map("moves", "k: w"))]);
    daemon.ask(&SYNC).await;
    let words = problem(&daemon, "b", "declares it as well").await;
    assert!(words.contains("application a"), "{words}");
    stays("it is taken from the one that has it", async || owner(&daemon, "moves").await == "a").await;

    daemon.commit(&[("apps/a/moves.yaml", "")]);
    daemon.settled("b", "").await;
    daemon.settled("a", "").await;
    assert_eq!(owner(&daemon, "moves").await, "b");
    let live = daemon.object("configmap", "moves").await.unwrap();
    assert_eq!((&live["data"]["k"], &live["metadata"]["uid"]), (&json!("w"), &json!(before)));
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

/// A daemon with an application `a` of two ConfigMaps that is to go, and one that stays.
async fn leaving(deletion: &str) -> Daemon {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", &format!("deletion: {deletion}"))),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/b/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.start().await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    daemon
}

async fn removed_by_approval(daemon: &Daemon) {
    let (digest, reason) = held(daemon, "a").await;
    assert!(reason.contains("all objects"), "{reason}");
    stays("it is deleted unasked", async || is_there(daemon, "configmap", "one").await).await;
    let answer = daemon.approve("a", &digest).await;
    assert!(answer.contains("approved"), "{answer}");
    gone(daemon, "configmap", "one").await;
    gone(daemon, "configmap", "two").await;
    assert!(is_there(daemon, "configmap", "three").await);
    forgotten(daemon).await;
}

/// Waits until nothing is known of `a` any more.
async fn forgotten(daemon: &Daemon) {
    let begun = std::time::Instant::now();
    while daemon.record("a").is_some() || daemon.store().await.load().await.unwrap().contains_key("local/a") {
        assert!(begun.elapsed() < crate::support::daemon::LIMIT, "{:#?}", daemon.record("a"));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_application_takes_its_objects_along_when_that_is_approved() {
    let mut daemon = leaving("Delete").await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    removed_by_approval(&daemon).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_removed_while_the_daemon_is_down_is_removed() {
    let mut daemon = leaving("Delete").await;
    daemon.stop().await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    daemon.start().await;
    removed_by_approval(&daemon).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_comes_back_before_the_approval_stops_the_removal() {
    let mut daemon = leaving("Delete").await;
    let moment = daemon.now();
    daemon.commit(&[("portolan/a.yaml", "")]);
    held(&daemon, "a").await;
    daemon.commit(&[("portolan/a.yaml", &application("a", ""))]);
    let record = daemon.settled("a", "").await;
    assert_eq!((record.waiting, record.objects), (None, 2));
    assert_eq!(deleted(&daemon, moment), Vec::<String>::new());
    daemon.stop().await;
}

async fn orphaned(daemon: &Daemon) {
    forgotten(daemon).await;
    for name in ["one", "two"] {
        let object = daemon.object("configmap", name).await.unwrap();
        assert_eq!(object["data"], json!({"k": "v"}));
        assert!(!is_marked(&object), "{object:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphaning_application_leaves_its_objects_without_our_marks() {
    let mut daemon = leaving("Orphan").await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    orphaned(&daemon).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_application_is_let_go_also_when_the_daemon_was_down() {
    let mut daemon = leaving("Orphan").await;
    daemon.stop().await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    daemon.start().await;
    orphaned(&daemon).await;
    // And now the last one, which nobody connects the destination for.
    daemon.stop().await;
    daemon.commit(&[("portolan/b.yaml", "")]);
    daemon.start().await;
    let (digest, _) = held(&daemon, "b").await;
    daemon.approve("b", &digest).await;
    gone(&daemon, "configmap", "three").await;
    daemon.stop().await;
}
