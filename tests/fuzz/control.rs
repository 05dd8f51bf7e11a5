//! What this program has to notice: a panic, one that is caught, a broken invariant, an abort, a hang.

use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rand::Rng;

use crate::mutate::Random;
use crate::target::{Input, Outcome, Part, Target};

/// See the module's page.
pub(crate) struct Control;

impl Target for Control {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        let what = match random.random_range(0..20) {
            0 => "panic",
            1 => "caught",
            2 => "broken",
            3 => "abort",
            4 | 5 => "hang",
            6 => "refused",
            _ => "accepted",
        };
        Ok(vec![Part::new(what, what)])
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        // A run of a second ends within the first cases.
        thread::sleep(Duration::from_millis(10));
        match input.first().map(|part| part.name.as_str()) {
            Some("panic") => {
                fails(input.len());
                Ok(Outcome::Accepted)
            }
            Some("caught") => {
                let parts = input.len();
                // Nobody looks at what the thread came to.
                let _ = thread::spawn(move || fails(parts)).join();
                Ok(Outcome::Accepted)
            }
            Some("broken") => Ok(Outcome::Broken("on purpose".to_owned())),
            Some("abort") => process::abort(),
            Some("hang") => loop {
                thread::sleep(Duration::from_secs(60));
            },
            Some("refused") => Ok(Outcome::Refused),
            _ => Ok(Outcome::Accepted),
        }
    }
}

fn fails(parts: usize) {
    assert_eq!(parts, 0, "on purpose");
}
