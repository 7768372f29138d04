//! The accounts of both sides, and what is read there.

use super::kept::{Mover, Wanted};
use super::kops::Kops;
use super::sights::Reads;
use crate::migrate::stages::seam::{Asked, Guarding, guard_reads};
use crate::model::migration::Side;
use crate::ports::{Cloud, CloudFailure, CloudFailureKind};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;
use std::sync::Arc;

/// Rounds of the guard's reads: each list is followed by what it lists, and nothing is deeper than three.
const MOST_ROUNDS: usize = 6;

/// The accounts, opened when they are asked for.
pub(super) struct Accounts<'a> {
    mover: &'a Mover,
    wanted: &'a Wanted,
}

impl<'a> Accounts<'a> {
    pub fn of(mover: &'a Mover, wanted: &'a Wanted) -> Self {
        Self { mover, wanted }
    }

    /// The account of a side; that of the source stands for a target that has none of its own.
    pub async fn open(&self, side: Side) -> Result<Option<Arc<dyn Cloud>>, String> {
        let sides = &self.mover.context.sides;
        let own = sides.account(side, &self.wanted.spec).await?;
        match (own, side) {
            (None, Side::Target) => sides.account(Side::Source, &self.wanted.spec).await,
            (own, _) => Ok(own),
        }
    }

    /// Makes reads. A single thing that is gone is `null`; without an account nothing is answered.
    ///
    /// # Errors
    /// A read that fails, in words.
    pub async fn read(&self, asked: &[Asked]) -> Result<Reads, String> {
        let mut reads = Reads::new();
        for (asked, answer) in self.ask(asked).await? {
            let answer = answer.or_else(|failure| match failure.kind {
                CloudFailureKind::NotFound if asked.call.operation.starts_with("Get") => Ok(Value::Null),
                _ => Err(format!("AWS cannot be read: {failure}")),
            })?;
            reads.insert(asked.key(), answer);
        }
        Ok(reads)
    }

    /// Reads everything that the guard of the last stage asks for.
    ///
    /// # Errors
    /// A read that fails, in words; what concerns one thing alone is `null` instead.
    pub async fn guarding(&self, kops: Option<&Kops>, target_name: &str) -> Result<Guarding, String> {
        let mut guarding = Guarding { cluster: kops.map(|kops| kops.cluster.clone()), ..Guarding::default() };
        for _ in 0..MOST_ROUNDS {
            let round = guard_reads(&guarding, target_name);
            if round.is_empty() {
                return Ok(guarding);
            }
            for (asked, answer) in self.ask(&round).await? {
                let one = asked.call.operation.starts_with("Get")
                    || asked.call.operation.starts_with("DescribePod");
                let answer = answer.or_else(|failure| match failure.kind {
                    CloudFailureKind::NotFound => Ok(Value::Null),
                    CloudFailureKind::Denied if one => Ok(Value::Null),
                    _ => Err(failure.to_string()),
                })?;
                guarding.take(asked, answer);
            }
        }
        Err("AWS lists more than was asked for, again and again".into())
    }

    async fn ask<'q>(
        &self,
        asked: &'q [Asked],
    ) -> Result<Vec<(&'q Asked, Result<Value, CloudFailure>)>, String> {
        let mut made = Vec::new();
        for side in [Side::Source, Side::Target] {
            let due: Vec<&Asked> = asked.iter().filter(|asked| asked.side == side).collect();
            if due.is_empty() {
                continue;
            }
            let Some(cloud) = self.open(side).await? else { continue };
            let cloud = cloud.as_ref();
            let mut calls = Vec::new();
            for one in due {
                calls.push(async move { (one, cloud.call(&one.call).await) });
            }
            let at_once = self.mover.context.pace.at_once.max(1);
            made.extend(stream::iter(calls).buffered(at_once).collect::<Vec<_>>().await);
        }
        Ok(made)
    }
}
