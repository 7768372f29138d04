//! Tasks that end with the engine that started them: a changed daemon's file starts another one in the same process.

use super::destination::lock;
use std::sync::Mutex;
use tokio::task::JoinSet;

/// Tasks of one owner.
pub(crate) struct Tasks(Mutex<Option<JoinSet<()>>>);

impl Default for Tasks {
    fn default() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }
}

impl Tasks {
    /// Starts a task; none after the end.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *lock(&self.0) {
            // What has ended by itself is let go.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Ends all tasks where they are.
    pub fn end(&self) {
        lock(&self.0).take();
    }
}
