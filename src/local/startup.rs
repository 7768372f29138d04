//! Bringing the programs of one control plane up, in order, and telling what went wrong.

use std::time::{Duration, Instant};

use super::crew::{Crew, Exit, log_tail};
use super::flags::Layout;
use super::programs::Program;
use super::readiness;
use super::spec::Event;
use super::supervise::tell;

/// How long a start may take, all programs together. A loaded machine is slow, a broken one is found by exit codes.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Starts the programs in order and waits for each.
///
/// # Errors
/// In words for people: which program failed, and the last lines of its log.
pub(crate) async fn start(crew: &mut Crew, layout: &Layout) -> Result<(), String> {
    let deadline = Instant::now() + START_LIMIT;
    launch(crew, layout, &[Program::Etcd])?;
    reach(crew, layout, deadline, "etcd", done(readiness::etcd(layout))).await?;
    launch(crew, layout, &[Program::ApiServer])?;
    reach(crew, layout, deadline, "kube-apiserver", done(readiness::api_server(layout))).await?;
    launch(crew, layout, &[Program::ControllerManager, Program::Scheduler, Program::Kwok])?;
    let rest = async {
        let ((), (), (), nodes) = tokio::join!(
            readiness::components(layout),
            readiness::kwok(layout),
            readiness::default_service_account(layout),
            readiness::nodes(layout),
        );
        nodes
    };
    reach(crew, layout, deadline, "controllers and nodes", rest).await
}

/// A wait that cannot fail, only take too long.
async fn done(wait: impl Future<Output = ()>) -> Result<(), String> {
    wait.await;
    Ok(())
}

fn launch(crew: &mut Crew, layout: &Layout, programs: &[Program]) -> Result<(), String> {
    programs.iter().try_for_each(|program| crew.start(layout, *program)).map_err(|error| error.to_string())
}

/// Waits for a condition while watching whether a program dies meanwhile.
async fn reach(
    crew: &mut Crew,
    layout: &Layout,
    deadline: Instant,
    what: &str,
    condition: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    tokio::select! {
        outcome = condition => {
            outcome.map(|()| tell(&Event::Step(what.to_owned())))
        }
        exit = crew.next_exit() => Err(died(layout, &exit)),
        () = tokio::time::sleep_until(deadline.into()) => Err(format!(
            "{what} did not answer within {} s. The machine may be overloaded; try again, or with fewer at once. \
             What was answered last:\n{}",
            START_LIMIT.as_secs(),
            log_tail(&layout.log(Program::Kubectl)),
        )),
    }
}

/// How a program ended, with its last words.
pub(crate) fn died(layout: &Layout, exit: &Exit) -> String {
    let tail = log_tail(&layout.log(exit.program));
    format!("{} {}. The last lines of its log:\n{tail}", exit.program.file(), exit.status)
}
