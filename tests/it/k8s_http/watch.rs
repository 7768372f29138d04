//! Watches over connections that end, break and fall silent.

use super::*;

/// A watch and what it says.
struct Watching {
    events: mpsc::Receiver<(GroupKind, WatchEvent)>,
    _guard: portolan::ports::WatchGuard,
}

impl Watching {
    fn start(cluster: &ApiServer, selector: &str) -> Self {
        let (sender, events) = mpsc::channel(16);
        Self { _guard: cluster.watch(&config_maps(), selector, sender), events }
    }

    async fn next(&mut self) -> String {
        let event = tokio::time::timeout(Duration::from_secs(20), self.events.recv()).await;
        let (kind, event) = event.expect("an event in time").expect("the watch goes on");
        assert_eq!(kind, GroupKind::new("", "ConfigMap"));
        match event {
            WatchEvent::Restarted => "restarted".into(),
            WatchEvent::Initial(object) => format!("initial {}", object.name()),
            WatchEvent::Listed => "listed".into(),
            WatchEvent::Changed(object) => format!("changed {}", object.name()),
            WatchEvent::Gone(object) => format!("gone {}", object.name()),
            WatchEvent::Failed(failure) => format!("failed {:?}", failure.kind),
        }
    }

    async fn expect(&mut self, events: &[&str]) {
        for expected in events {
            assert_eq!(self.next().await, *expected);
        }
    }
}

/// A scripted server that lists `a` at version 10 and then plays the given watches, one after the other.
async fn watched(watches: Vec<Reply>) -> Scripted {
    let started = AtomicUsize::new(0);
    Scripted::start(move |asked: &Asked, _| {
        if !asked.query.contains("watch=true") {
            return list("10", "", &[object("a", "1")]);
        }
        let number = started.fetch_add(1, Ordering::SeqCst);
        watches.get(number).cloned().unwrap_or_else(|| Reply::stream("").open())
    })
    .await
}

fn watch_queries(scripted: &Scripted) -> Vec<String> {
    scripted
        .requests()
        .into_iter()
        .map(|asked| asked.query)
        .filter(|query| query.contains("watch=true"))
        .collect()
}

#[tokio::test]
async fn a_watch_lists_follows_and_goes_on_where_it_was() {
    let bookmark = line("BOOKMARK", &json!({"metadata": {"resourceVersion": "20"}}));
    let first = [
        line("ADDED", &object("b", "11")),
        line("MODIFIED", &object("a", "12")),
        line("DELETED", &object("b", "13")),
        bookmark,
    ];
    // The second stream is cut in the middle of a line: what was not whole is not believed.
    let second = line("ADDED", &object("c", "21")) + &line("ADDED", &object("d", "22"));
    let half = second.len() - 10;
    let scripted =
        watched(vec![Reply::stream(&first.concat()), Reply::stream(&second[..half]).abrupt()]).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "app=x");
    watching
        .expect(&["restarted", "initial a", "listed", "changed b", "changed a", "gone b", "changed c"])
        .await;
    scripted.wait_for(4).await;
    let queries = watch_queries(&scripted);
    assert!(
        queries[0].starts_with("labelSelector=app=x") || queries[0].starts_with("labelSelector=app%3Dx"),
        "{queries:?}"
    );
    assert!(
        queries[0].contains("allowWatchBookmarks=true") && queries[0].contains("&resourceVersion=10&"),
        "{queries:?}"
    );
    let seconds: u64 = queries[0].rsplit('=').next().unwrap().parse().unwrap();
    assert!((270..=310).contains(&seconds), "timeoutSeconds={seconds}");
    assert!(queries[1].contains("&resourceVersion=20&"), "a bookmark moves the position: {queries:?}");
    assert!(queries[2].contains("&resourceVersion=21&"), "half a line does not: {queries:?}");
}

#[tokio::test]
async fn a_lost_history_is_listed_again() {
    let gone = format!("{}\n", json!({"type": "ERROR", "object": expired()}));
    let scripted = watched(vec![Reply::stream(&gone), Reply::json(410, &expired())]).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    let listed = ["restarted", "initial a", "listed"];
    watching.expect(&[listed, listed, listed].concat()).await;
}

#[tokio::test]
async fn an_outage_is_told_once_and_its_end_by_a_list() {
    let down = || Reply::json(500, &json!({"kind": "Status", "message": "etcd is away"}));
    let started = AtomicUsize::new(0);
    let scripted = Scripted::start(move |asked: &Asked, _| match started.fetch_add(1, Ordering::SeqCst) {
        0 | 1 | 3 | 4 => down(),
        _ if asked.query.contains("watch=true") => Reply::stream("").open(),
        _ => list("10", "", &[]),
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    // Two lists fail; one works; its watch fails, and the list after it; then all is well.
    watching.expect(&["failed Server", "restarted", "listed", "failed Server", "restarted", "listed"]).await;
}

#[tokio::test]
async fn a_watch_that_ends_at_once_is_not_a_busy_loop() {
    let scripted = watched((0..1000).map(|_| Reply::stream("")).collect()).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    watching.expect(&["restarted", "initial a", "listed"]).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let watches = watch_queries(&scripted).len();
    assert!((2..8).contains(&watches), "{watches} watches in 1.5 s");
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_left() {
    let bookmark = line("BOOKMARK", &json!({"metadata": {"resourceVersion": "20"}}));
    let change = line("ADDED", &object("b", "15"));
    let scripted = watched(vec![Reply::stream(&(bookmark + &change)).open()]).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    watching.expect(&["restarted", "initial a", "listed", "changed b"]).await;
    tokio::time::pause();
    for _ in 0..152 {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    scripted.wait_for(3).await;
    assert_eq!(watch_queries(&scripted).len(), 2);
}

#[tokio::test]
async fn long_lines_in_small_pieces_are_read() {
    let mut large = object("large", "11");
    large["data"] = json!({"k": "x".repeat(3 << 20)});
    let text = line("ADDED", &large) + &line("ADDED", &object("small", "12"));
    let scripted = watched(vec![Reply::stream(&text).pieces(1000).open()]).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    watching.expect(&["restarted", "initial a", "listed", "changed large", "changed small"]).await;
}

#[tokio::test]
async fn a_watch_ends_with_its_guard() {
    let scripted = watched(vec![]).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let mut watching = Watching::start(&cluster, "");
    watching.expect(&["restarted", "initial a", "listed"]).await;
    let Watching { mut events, _guard } = watching;
    drop(_guard);
    let end = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
    assert!(end.expect("the task ends").is_none());
}
