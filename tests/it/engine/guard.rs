//! The prune guard: what is held, what an approval is good for, and how a prune is undone.

use super::seen::{deleted, gone, held, is_there, stays};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::ports::state::UserRequest;
use serde_json::json;
use std::collections::BTreeSet;

/// A started daemon with an application `a` of so many ConfigMaps, `c0`, `c1`….
async fn with_config_maps(count: usize, spec: &str) -> Daemon {
    let daemon =
        Daemon::new(&[("portolan/a.yaml", &application("a", spec)), ("apps/a/kept.txt", "not a manifest")])
            .await;
    write(&daemon, 0..count);
    let mut daemon = daemon;
    daemon.start().await;
    daemon.settled("a", "").await;
    daemon
}

fn path(number: usize) -> String {
    format!("apps/a/c{number}.yaml")
}

fn write(daemon: &Daemon, numbers: std::ops::Range<usize>) -> String {
    let files: Vec<(String, String)> =
        numbers.map(|number| (path(number), config_map(&format!("c{number}"), "k: v"))).collect();
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    daemon.commit(&borrowed)
}

fn remove(daemon: &Daemon, numbers: std::ops::Range<usize>) -> String {
    let paths: Vec<String> = numbers.map(path).collect();
    daemon.commit(&paths.iter().map(|path| (path.as_str(), "")).collect::<Vec<_>>())
}

async fn count(daemon: &Daemon) -> usize {
    daemon
        .kubectl(&["get", "configmap", "-l", "portolan.dev/application=a", "-o", "name"])
        .await
        .lines()
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_deletions_wait_for_exactly_their_digest() {
    let mut daemon = with_config_maps(9, "sync: {pruneGuard: {maxObjects: 2}}").await;
    let moment = daemon.now();
    remove(&daemon, 0..3);
    let (first, reason) = held(&daemon, "a").await;
    assert!(reason.contains("maxObjects"), "{reason}");

    let answer = daemon.approve("a", "0123456789abcdef0123456789abcdef").await;
    assert!(answer.contains("another plan waits") && answer.contains(&first), "{answer}");
    stays("a wrong digest deletes", async || count(&daemon).await == 9).await;

    remove(&daemon, 3..4);
    let second =
        daemon.until("a", "held anew", |r| r.waiting.as_ref().is_some_and(|w| w.digest != first)).await;
    let second = second.waiting.unwrap();
    assert_eq!(second.objects.len(), 4);
    let answer = daemon.approve("a", &first).await;
    assert!(answer.contains("another plan waits"), "{answer}");
    stays("an old digest deletes", async || count(&daemon).await == 9).await;

    let answer = daemon.approve("a", &second.digest).await;
    assert!(answer.contains("approved: 4 objects"), "{answer}");
    daemon.settled("a", "").await;
    let mut gone = deleted(&daemon, moment);
    gone.sort();
    assert_eq!(gone, ["c0", "c1", "c2", "c3"]);
    assert_eq!(count(&daemon).await, 5);
    // Their manifests are kept in one piece: of pieces there are so many at most, and the first ones go.
    let kept = daemon.store().await.kept().await.unwrap();
    let pieces: BTreeSet<&str> = kept.iter().filter_map(|(key, _)| Some(key.rsplit_once('.')?.0)).collect();
    assert_eq!((kept.len(), pieces.len()), (4, 1), "{pieces:?}");
    // The approval is used up: the same again is held again.
    let commit = write(&daemon, 0..4);
    daemon.settled("a", &commit).await;
    remove(&daemon, 0..4);
    let (third, _) = held(&daemon, "a").await;
    assert_ne!(third, second.digest, "the objects are others by now");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_puts_the_objects_back_clears_what_is_held() {
    let mut daemon = with_config_maps(8, "").await;
    let before = daemon.kubectl(&["get", "configmap", "-o", "jsonpath={.items[*].metadata.uid}"]).await;
    remove(&daemon, 0..5);
    let (digest, reason) = held(&daemon, "a").await;
    assert!(reason.contains("maxPercent") && reason.contains("62"), "{reason}");
    // What is held stays held over a restart, under the same digest.
    daemon.stop().await;
    daemon.start().await;
    assert_eq!(held(&daemon, "a").await.0, digest);
    stays("a restart deletes", async || count(&daemon).await == 8).await;

    let commit = write(&daemon, 0..5);
    let record = daemon.settled("a", &commit).await;
    assert_eq!(record.waiting, None);
    let answer = daemon.approve("a", &digest).await;
    assert!(answer.contains("no plan of a waits"), "{answer}");
    assert_eq!(
        daemon.kubectl(&["get", "configmap", "-o", "jsonpath={.items[*].metadata.uid}"]).await,
        before
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_objects_and_claims_wait() {
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n\
        spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}\n";
    let mut daemon = with_config_maps(3, "health: {ignore: [PersistentVolumeClaim]}").await;
    let commit = daemon.commit(&[("apps/a/claim.yaml", claim)]);
    daemon.settled("a", &commit).await;
    daemon.commit(&[("apps/a/claim.yaml", ""), (&path(2), "")]);
    let (digest, reason) = held(&daemon, "a").await;
    assert!(reason.contains("PersistentVolumeClaim is a protected kind"), "{reason}");
    // Only the claim waits.
    gone(&daemon, "configmap", "c2").await;
    stays("a claim is deleted", async || is_there(&daemon, "pvc", "data").await).await;
    daemon.approve("a", &digest).await;
    gone(&daemon, "pvc", "data").await;
    daemon.settled("a", "").await;

    // New ones in the same commit do not make it less than all.
    let paths = [path(0), path(1), path(9)];
    daemon.commit(&[(&paths[0], ""), (&paths[1], ""), (&paths[2], &config_map("c9", "k: v"))]);
    let (digest, reason) = held(&daemon, "a").await;
    assert!(reason.contains("all objects of the application"), "{reason}");
    daemon.object_until("configmap", "c9", "there", |object| object.is_some()).await;
    daemon.stop().await;
    daemon.start().await;
    daemon.ask(&UserRequest::Sync { application: Some("a".into()) }).await;
    stays("everything is deleted", async || count(&daemon).await == 3).await;
    assert_eq!(held(&daemon, "a").await.0, digest);
    daemon.approve("a", &digest).await;
    daemon.settled("a", "").await;
    assert_eq!(count(&daemon).await, 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_object_can_be_restored() {
    let mut daemon = with_config_maps(3, "").await;
    let commit = remove(&daemon, 0..1);
    daemon.settled("a", &commit).await;
    gone(&daemon, "configmap", "c0").await;
    let kept = daemon.store().await.kept().await.unwrap();
    let [(key, pruned)] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((pruned.application.as_str(), pruned.id.name.as_str()), ("a", "c0"));
    let restore = UserRequest::Restore { destination: "local".into(), key: key.clone() };
    let answer = daemon.ask(&restore).await;
    assert!(answer.contains("c0") && answer.contains("is back"), "{answer}");
    let object = daemon.object("configmap", "c0").await.unwrap();
    assert_eq!(object["data"], json!({"k": "v"}));
    // Nobody owns it, so the next pass leaves it; declared again, it is adopted.
    let commit = write(&daemon, 3..4);
    daemon.settled("a", &commit).await;
    assert!(is_there(&daemon, "configmap", "c0").await);
    let answer = daemon.ask(&restore).await;
    assert!(answer.contains("exists already"), "{answer}");
    let commit = write(&daemon, 0..1);
    daemon.settled("a", &commit).await;
    assert_eq!(daemon.object("configmap", "c0").await.unwrap()["metadata"]["uid"], object["metadata"]["uid"]);
    daemon.stop().await;
}
