//! Many who carry messages between the shares of a budget and its home, and go on with them late, or twice, or not at
//! all, in random order: no more is handed out than there is, and in the end everything is counted once.

use std::time::Duration;

use ff_conformance::fixture::{LANE, LEASE_TTL_MS};
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{Entropy as _, SeededEntropy, Task, UsageOutcome};
use ff_types::backend::UsageDimensions;
use ff_valkey_server::{Reply, Server};

use crate::lab::Lab;
use crate::shares::{FAR, HARD, HOME, NEAR, PARTITIONS, Scene, TOKENS};
use crate::site::ensure;

const GAMES: u64 = 10;
const STEPS: u64 = 250;
/// Most messages and answers that are under way at once.
const CARRIED_MAX: usize = 8;
/// Most that a submission needs, and a report more than is reserved.
const AMOUNT_MAX: u64 = 5;
/// Longer than a share waits for an answer, and keeps what nobody uses.
const PAUSE_MAX_MS: u64 = 1_500;

/// What somebody has in hand, for or from the share in a place.
#[derive(Clone)]
enum Carried {
    Message(u16, Vec<u8>),
    Answer(u16, Vec<u8>),
}

/// A budget, who works on it, and who carries its messages.
struct Game<'a> {
    scene: Scene,
    server: &'a Server,
    dice: SeededEntropy,
    carried: Vec<Carried>,
    running: Vec<Task>,
    hard: u64,
}

/// The first value of a call of the library in a partition.
fn call(server: &Server, mark: &str, function: &str, args: &[&[u8]]) -> CaseResult<Vec<u8>> {
    let mut words: Vec<&[u8]> = vec![b"FCALL", function.as_bytes(), b"1", mark.as_bytes()];
    words.extend(args);
    let answer = server.command(&words)?;
    match answer.as_array() {
        Some([_, Reply::Bulk(Some(value)), ..]) => Ok(value.clone()),
        _ => Err(CaseError::new(format!("{function} answers {answer:?}"))),
    }
}

impl Game<'_> {
    fn roll(&self, sides: u64) -> u64 {
        self.dice.next_u64() % sides
    }

    fn pick<T>(&self, from: &mut Vec<T>) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        let at = usize::try_from(self.roll(from.len() as u64)).unwrap_or(0);
        Some(from.swap_remove(at))
    }

    fn mark(&self, place: u16) -> String {
        format!("ff:{{{}/{place}}}:mark", self.scene.fx.backend.namespace())
    }

    /// The clock of one share goes fast, until all are set the next time.
    async fn skew(&self) -> CaseResult {
        let ahead = Duration::from_millis(self.roll(PAUSE_MAX_MS));
        let now = self.scene.fx.now().await.saturating_add(ahead);
        let key = self.mark(NEAR).replace(":mark", ":clock");
        self.server.command(&["SET", &key, &now.to_string()])?;
        Ok(())
    }

    fn id(&self) -> Vec<u8> {
        let id = self.scene.budget.to_string();
        id.bytes().filter(u8::is_ascii_hexdigit).collect()
    }

    /// Has a share hear an answer, or say how it stands when that is empty.
    fn advance(&mut self, place: u16, answer: &[u8]) -> CaseResult {
        let args = [&self.id(), answer, b"".as_slice()];
        let message = call(self.server, &self.mark(place), "fft_advance_share", &args)?;
        if !message.is_empty() && self.carried.len() < CARRIED_MAX {
            self.carried.push(Carried::Message(place, message));
        }
        Ok(())
    }

    /// Goes on with something that is carried; somebody else may do the same later.
    fn carry_on(&mut self) -> CaseResult {
        let mut carried = std::mem::take(&mut self.carried);
        let one = self.pick(&mut carried);
        self.carried = carried;
        let Some(one) = one else { return Ok(()) };
        if self.roll(2) == 0 {
            self.carried.push(one.clone());
        }
        match one {
            Carried::Message(place, message) => {
                let share = place.to_string();
                let args = [&self.id(), share.as_bytes(), &message];
                let answer = call(self.server, &self.mark(HOME), "fft_settle_share", &args)?;
                self.carried.push(Carried::Answer(place, answer));
                Ok(())
            }
            Carried::Answer(place, answer) => self.advance(place, &answer),
        }
    }

    /// Takes what there is.
    async fn claim(&mut self) -> CaseResult {
        let request = self.scene.fx.claim_request(LANE)?;
        self.running.extend(self.scene.fx.backend.claim(&request).await?.tasks);
        Ok(())
    }

    async fn report(&mut self, step: u64) -> CaseResult {
        let mut running = std::mem::take(&mut self.running);
        if let Some(task) = self.pick(&mut running) {
            let amount = self.roll(AMOUNT_MAX) + 1;
            let usage = UsageDimensions::new().with_output_tokens(amount);
            let usage = usage.with_dedup_key(format!("step {step}"));
            match self.scene.fx.backend.report_usage(&task.handle, &usage).await {
                Ok(UsageOutcome::Ok) => self.scene.used += amount,
                Ok(UsageOutcome::HardBreach(_)) => {}
                Err(error) if error.state_kind().is_some() => {}
                other => return Err(CaseError::new(format!("{other:?}"))),
            }
            running.push(task);
        }
        self.running = running;
        Ok(())
    }

    async fn step(&mut self, step: u64) -> CaseResult {
        match self.roll(20) {
            0..=2 => {
                let place = [NEAR, FAR, HOME][usize::try_from(self.roll(3)).unwrap_or(0)];
                self.scene.submit(place, self.roll(AMOUNT_MAX) + 1).await?;
            }
            3 | 4 => self.claim().await?,
            5 => self.report(step).await?,
            6 => {
                let mut running = std::mem::take(&mut self.running);
                if let Some(task) = self.pick(&mut running) {
                    let ended = self.scene.fx.backend.complete(&task.handle, None).await;
                    // One whose lease was lost meanwhile ends nothing any more.
                    let is_known =
                        ended.as_ref().map_or_else(|error| error.state_kind().is_some(), |()| true);
                    ensure(is_known, || format!("{ended:?}"))?;
                }
                self.running = running;
            }
            7 => self.scene.fx.advance(self.roll(PAUSE_MAX_MS)).await,
            8 => self.advance(NEAR, b"")?,
            9 => self.advance(FAR, b"")?,
            10 if self.roll(4) == 0 => {
                self.hard += self.roll(HARD);
                self.scene.limit(self.hard).await?;
            }
            10 if self.roll(8) == 0 => self.scene.fx.advance(LEASE_TTL_MS).await,
            11 if self.roll(2) == 0 => self.scene.maintain().await?,
            12 => {
                let mut carried = std::mem::take(&mut self.carried);
                self.pick(&mut carried);
                self.carried = carried;
            }
            13 if self.roll(4) == 0 => self.skew().await?,
            _ => self.carry_on()?,
        }
        self.is_sound().await
    }

    /// Nowhere is more handed out than there is.
    async fn is_sound(&self) -> CaseResult {
        self.scene.fx.check().await?;
        let tokens = self.scene.view().await?.dimensions[TOKENS];
        let (used, taken) = (self.scene.used, tokens.used + tokens.reserved);
        ensure(taken <= self.hard && tokens.used <= used && used <= taken, || {
            format!("{used} were used, {tokens:?}")
        })
    }

    /// Everybody who waits goes on once there is room, and all that was used is counted.
    async fn finish(mut self) -> CaseResult {
        self.scene.limit(1_000 * HARD).await?;
        self.scene.fx.advance(LEASE_TTL_MS).await;
        while let Some(task) = self.scene.soon().await? {
            self.scene.complete(&task).await?;
        }
        while !self.carried.is_empty() {
            self.carry_on()?;
        }
        self.scene.is_settled().await
    }
}

async fn play(lab: &Lab, seed: u64) -> CaseResult {
    let scene = Scene::open(lab).await?;
    let dice = SeededEntropy::new(seed);
    let (carried, running) = (Vec::new(), Vec::new());
    let mut game = Game { scene, server: &lab.server, dice, carried, running, hard: HARD };
    for step in 0..STEPS {
        let played = game.step(step).await;
        played.map_err(|error| CaseError::new(format!("step {step}: {error}")))?;
    }
    game.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_may_come_late_or_twice_or_not_at_all() -> CaseResult {
    let lab = Lab::start(PARTITIONS)?;
    for seed in 0..GAMES {
        let played = play(&lab, seed).await;
        played.map_err(|error| CaseError::new(format!("game {seed}: {error}")))?;
    }
    Ok(())
}
