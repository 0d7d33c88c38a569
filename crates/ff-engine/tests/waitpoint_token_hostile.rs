//! A million random and mutated tokens: none is accepted, and none panics.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use ff_engine::{Entropy, KeyRing, SeededEntropy, WaitpointSecret};
use ff_types::backend::{WaitpointAddress, WaitpointHmac, WaitpointToken};
use ff_types::{ExecutionId, Namespace, TimestampMs, WaitpointId, WaitpointKey};

/// The million is shared out among as many threads.
const PARTS: u64 = 4;
const TOKENS_OF_A_PART: usize = 250_000;
/// Of the first part; another one is given in `FF_SEED`.
const SEED: u64 = 20_260_917;
const NOW: TimestampMs = TimestampMs(1_900_000_000_000);
/// Most bytes of the signature part that are tried: more than any genuine one has.
const SIGNATURE_MAX: usize = 80;
const WORD: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/// What a forgery starts from.
struct Forger {
    entropy: SeededEntropy,
    namespace: Namespace,
    ring: KeyRing,
    address: WaitpointAddress,
    genuine: WaitpointToken,
    /// Genuine once: signed by a key that left the ring, and by one whose grace is over.
    retired: WaitpointToken,
    graceless: WaitpointToken,
    /// A ring with the same key id and another secret.
    impostor: KeyRing,
}

impl Forger {
    fn new(seed: u64) -> Self {
        let namespace = Namespace::default();
        let address = WaitpointAddress::new(
            ExecutionId::from_u128(0x0192_f0c1_a2b3_0000_beef_5eed_00c0_ffee),
            WaitpointId::from_u128(0x0192_f0c1_a2b4_0001_beef_0bad_cafe_0001),
            WaitpointKey::new("approval").unwrap(),
            NOW.saturating_add(Duration::from_hours(1)),
        );
        let token =
            |ring: &KeyRing| WaitpointToken::new(address.clone(), ring.sign(&namespace, &address));
        let mut ring = KeyRing::new("k1", secret(1)).unwrap();
        let retired = token(&ring);
        let hour = Duration::from_hours(1);
        ring.rotate("k2", secret(2), Duration::ZERO, NOW.saturating_sub(hour)).unwrap();
        let graceless = token(&ring);
        ring.rotate("k3", secret(3), Duration::ZERO, NOW).unwrap();
        let genuine = token(&ring);

        let impostor = KeyRing::new("k3", secret(4)).unwrap();
        let entropy = SeededEntropy::new(seed);
        Self { entropy, namespace, ring, address, genuine, retired, graceless, impostor }
    }

    /// A number below `bound`.
    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.entropy.next_u64() % bound as u64).unwrap()
    }

    fn text(&self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    fn u128(&self) -> u128 {
        u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64())
    }

    /// The genuine address behind a signature of any shape.
    fn with_signature(&self, signature: &str) -> String {
        let text = self.genuine.as_str();
        format!("{}.{signature}", text.rsplit_once('.').unwrap().0)
    }

    /// The genuine signature behind another address.
    fn moved(&self, change: impl FnOnce(&mut WaitpointAddress)) -> String {
        let mut address = self.address.clone();
        change(&mut address);
        self.at(address, self.genuine.hmac().clone())
    }

    fn at(&self, address: WaitpointAddress, hmac: WaitpointHmac) -> String {
        assert_ne!((&address, &hmac), (&self.address, self.genuine.hmac()));
        WaitpointToken::new(address, hmac).as_str().to_owned()
    }

    /// One byte of the genuine text replaced, removed or added.
    fn edited(&self) -> String {
        let mut bytes = self.genuine.as_str().as_bytes().to_vec();
        let at = self.below(bytes.len());
        let byte = b' ' + u8::try_from(self.below(95)).unwrap();
        match self.below(3) {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
        String::from_utf8(bytes).unwrap()
    }

    fn forgery(&self, way: usize) -> (Option<Namespace>, String) {
        let genuine = self.genuine.as_str();
        let (kid, mac) = (self.genuine.hmac().kid(), self.genuine.hmac().mac_hex());
        let text = match way {
            0 => {
                let length = self.below(SIGNATURE_MAX + 1);
                self.with_signature(&self.text(b"0123456789abcdefABCDEFk:._- \n", length))
            }
            1 => self.with_signature(&format!("{kid}:{}", self.text(b"0123456789abcdef", 40))),
            2 => {
                let length = self.below(SIGNATURE_MAX + 1);
                let bytes: Vec<u8> =
                    (0..length).map(|_| self.entropy.next_u64().to_le_bytes()[0]).collect();
                bytes.into_iter().map(char::from).collect()
            }
            3 => genuine[..self.below(genuine.len())].to_owned(),
            4 => {
                let at = self.below(mac.len());
                let (before, after) = mac.split_at(at);
                self.with_signature(&format!("{kid}:{before}{}", after.to_uppercase()))
            }
            5 => self.edited(),
            6 => {
                let length = 1 + self.below(64);
                let other = self.text(b"abcdefghijklmnopqrstuvwxyz0123456789._-", length);
                return (Some(Namespace::new(other).unwrap()), genuine.to_owned());
            }
            7 => self.moved(|address| address.execution_id = ExecutionId::from_u128(self.u128())),
            8 => self.moved(|address| address.waitpoint_id = WaitpointId::from_u128(self.u128())),
            9 => self.moved(|address| {
                let ms = self.entropy.next_u64().cast_signed();
                address.expires_at = TimestampMs(if ms % 2 == 0 { ms } else { NOW.0 + ms % 1_000 });
            }),
            10 => {
                let length = 1 + self.below(64);
                let key = WaitpointKey::new(self.text(WORD, length)).unwrap();
                self.moved(|address| address.key = key)
            }
            11 => {
                let length = 1 + self.below(32);
                self.with_signature(&format!("{}:{mac}", self.text(WORD, length)))
            }
            12 => {
                let signed = self.impostor.sign(&self.namespace, &self.address);
                self.at(self.address.clone(), signed)
            }
            13 => self.retired.as_str().to_owned(),
            14 => self.graceless.as_str().to_owned(),
            _ => {
                let mut bytes = mac.as_bytes().to_vec();
                let at = self.below(bytes.len());
                let digit = u32::from_str_radix(&mac[at..=at], 16).unwrap();
                let flipped = char::from_digit(digit ^ 1 << self.below(4), 16).unwrap();
                bytes[at] = u8::try_from(flipped).unwrap();
                self.with_signature(&format!("{kid}:{}", String::from_utf8(bytes).unwrap()))
            }
        };
        (None, text)
    }
}

fn secret(byte: u8) -> WaitpointSecret {
    WaitpointSecret::new([byte; 32]).unwrap()
}

const WAYS: usize = 16;

/// Offers `tokens` forgeries, and counts for each way those that had the shape of a token, so that
/// the signature alone told them apart.
fn offer(tokens: usize, seed: u64) -> [usize; WAYS] {
    let forger = Forger::new(seed);
    let genuine = forger.ring.verify(&forger.namespace, &forger.genuine);
    assert!(genuine.unwrap().holds_at(NOW));
    let mut shaped = [0; WAYS];
    for number in 0..tokens {
        let way = number % WAYS;
        let (namespace, text) = forger.forgery(way);
        if namespace.is_none() && text == forger.genuine.as_str() {
            continue;
        }
        let Ok(token) = text.parse::<WaitpointToken>() else { continue };
        shaped[way] += 1;
        match forger.ring.verify(namespace.as_ref().unwrap_or(&forger.namespace), &token) {
            Ok(verified) => assert!(!verified.holds_at(NOW), "seed {seed}, forgery {number}"),
            Err(refused) => {
                assert_eq!(refused.code(), "waitpoint_not_found");
                assert_eq!(refused.to_string(), "waitpoint not found");
            }
        }
    }
    shaped
}

#[test]
fn a_million_forgeries_are_refused_alike() {
    let seed = std::env::var("FF_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("seeds {seed}..{}", seed + PARTS);

    let parts: Vec<_> = (seed..seed + PARTS)
        .map(|seed| std::thread::spawn(move || offer(TOKENS_OF_A_PART, seed)))
        .collect();

    for part in parts {
        for (way, shaped) in part.join().unwrap().into_iter().enumerate() {
            // Noise, beginnings and upper case never have the shape; all others are really tried.
            let never = matches!(way, 0 | 2 | 3 | 4);
            assert_eq!(shaped == 0, never, "way {way} to forge: {shaped}");
        }
    }
}
