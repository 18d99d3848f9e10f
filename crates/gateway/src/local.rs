//! Futures that stay on their serving thread, as hyper's HTTP/2 wants to spawn them.

use std::future::Future;

/// Spawns on the current thread's `LocalSet`.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
