//! The sliding counter of one key, exact and in integers: `est = previous * (1 - f) + current` where `f` is the share of the
//! running window that is over (science.md §18.3; Cloudflare counts by the same approximation, "How we built rate limiting capable
//! of scaling to millions of domains", 2017). Takes times, gives numbers; knows neither keys nor limits' names.

use crate::timestamp::Timestamp;

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;

/// The counts of one key. A window is a period counted from the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slide {
    /// The index of the running window.
    pub window: u32,
    /// Counted in the window before it.
    pub previous: u32,
    /// Counted in it so far.
    pub current: u32,
}

/// A [`Slide`] at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub slide: Slide,
    /// Microseconds since the running window began; less than `period`.
    within: u64,
    /// Microseconds of a window.
    period: u64,
}

/// What one more request may find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The request itself is counted: it fits while `est < limit`, so that with a limit of 1 the second one exceeds.
    Counting,
    /// It is only checked, others are counted: it fits while `est <= limit`, so that an excess has to be counted first.
    Checking,
}

impl Slide {
    /// As of `now`, with windows of `period_seconds`, at least 1.
    ///
    /// A time of the window before the newest one counts as that one's beginning: threads are not told the time in order. A
    /// time before that means that the clock was set back: what was counted stays, as counted in the window of the new time.
    #[must_use]
    pub fn at(self, now: Timestamp, period_seconds: u32) -> Now {
        let period = u64::from(period_seconds.max(1)) * SECOND;
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        // Mostly it is the same window still: a division less.
        if let Some(within) = micros.checked_sub(u64::from(self.window) * period).filter(|within| *within < period) {
            return Now { slide: self, within, period };
        }
        let window = u32::try_from(micros / period).unwrap_or(u32::MAX);
        let slide = |previous, current| Slide { window, previous, current };
        let (slide, within) = match i64::from(window) - i64::from(self.window) {
            1 => (slide(self.current, 0), micros % period),
            -1 => (self, 0),
            2.. => (slide(0, 0), micros % period),
            _ => (slide(0, self.previous.saturating_add(self.current)), micros % period),
        };
        Now { slide, within, period }
    }

    /// Whether nothing of it is left at `now`: both windows are over, or nothing was counted.
    #[must_use]
    pub fn is_over(self, now: Timestamp, period_seconds: u32) -> bool {
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        let end = |windows: u64| (u64::from(self.window) + windows).saturating_mul(u64::from(period_seconds) * SECOND);
        micros >= end(2) || (self.current == 0 && (self.previous == 0 || micros >= end(1)))
    }

    /// This much more in the running window.
    #[must_use]
    pub fn plus(self, amount: u32) -> Self {
        Self { current: self.current.saturating_add(amount), ..self }
    }

    /// One less where it was counted, in window `counted_in`, as far as that is still remembered.
    #[must_use]
    pub fn given_back(self, counted_in: u32) -> Self {
        match self.window.checked_sub(counted_in) {
            Some(0) => Self { current: self.current.saturating_sub(1), ..self },
            Some(1) => Self { previous: self.previous.saturating_sub(1), ..self },
            _ => self,
        }
    }
}

impl Now {
    /// One more is counted.
    #[must_use]
    pub fn plus_one(self) -> Self {
        Self { slide: self.slide.plus(1), ..self }
    }

    /// The estimate, times the period: below 2^70.
    fn scaled(self) -> u128 {
        u128::from(self.slide.previous) * u128::from(self.period - self.within)
            + u128::from(self.slide.current) * u128::from(self.period)
    }

    /// The estimate has to be below this, times the period.
    fn threshold(self, limit: u32, test: Test) -> u128 {
        u128::from(limit) * u128::from(self.period) + u128::from(test == Test::Checking)
    }

    /// Whether one more request fits.
    #[must_use]
    pub fn fits(self, limit: u32, test: Test) -> bool {
        self.scaled() < self.threshold(limit, test)
    }

    /// How many requests still fit at this moment.
    #[must_use]
    pub fn remaining(self, limit: u32) -> u32 {
        let scaled = self.scaled();
        // 128-bit division is dear, and small counts need none.
        let counted = match u64::try_from(scaled) {
            Ok(scaled) => scaled / self.period,
            Err(_) => u64::try_from(scaled / u128::from(self.period)).unwrap_or(u64::MAX),
        };
        limit.saturating_sub(u32::try_from(counted).unwrap_or(u32::MAX))
    }

    /// Microseconds to the end of the running window.
    #[must_use]
    pub fn window_rest(self) -> u64 {
        self.period - self.within
    }

    /// Microseconds until one more request fits, if nothing is counted meanwhile. A limit of 0 never fits what is counted: the
    /// rest of the window.
    #[must_use]
    pub fn wait(self, limit: u32, test: Test) -> u64 {
        let threshold = self.threshold(limit, test);
        if self.scaled() < threshold || threshold == 0 {
            return if threshold == 0 { self.window_rest() } else { 0 };
        }
        let of_current = u128::from(self.slide.current) * u128::from(self.period);
        match threshold.checked_sub(of_current) {
            // It fits when enough of the previous window has slid out.
            Some(room @ 1..) => self.fitting(room, self.slide.previous).saturating_sub(self.within),
            // Only when this window is the previous one.
            _ => self.window_rest() + self.fitting(threshold, self.slide.current),
        }
    }

    /// The first microsecond of a window at which `count * (period - t) < room`; `room` is at least 1.
    fn fitting(self, room: u128, count: u32) -> u64 {
        let rest = (room - 1) / u128::from(count.max(1));
        self.period - u64::try_from(rest).unwrap_or(u64::MAX).min(self.period)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros as i64)
    }

    /// The algorithm as science.md writes it, in rational numbers over the period: (est * period, within).
    fn estimate(previous: u64, current: u64, within: u64, period: u64) -> u128 {
        u128::from(previous) * u128::from(period - within) + u128::from(current) * u128::from(period)
    }

    #[test]
    fn with_a_limit_of_one_the_second_request_exceeds_and_with_zero_the_first() {
        let empty = Slide::default().at(at(5_000_000), 10);
        assert!(empty.fits(1, Test::Counting));
        assert!(!empty.fits(0, Test::Counting));
        let one = empty.slide.plus(1).at(at(6_000_000), 10);
        assert!(!one.fits(1, Test::Counting));
        assert!(one.fits(1, Test::Checking), "an excess has to be counted first");
        assert!(!one.slide.plus(1).at(at(6_000_000), 10).fits(1, Test::Checking));
    }

    #[test]
    fn the_window_before_slides_out_linearly() {
        let full = Slide { window: 0, previous: 0, current: 10 };
        for (second, remaining) in [(10, 0), (11, 1), (15, 5), (19, 9), (20, 10)] {
            assert_eq!(full.at(at(second * SECOND), 10).remaining(10), remaining, "at {second} s");
        }
        assert!(!full.at(at(10 * SECOND), 10).fits(10, Test::Counting), "at the turn nothing slid out");
        assert!(full.at(at(10 * SECOND + 1), 10).fits(10, Test::Counting), "a microsecond later a bit of one did");
    }

    #[test]
    fn a_clock_set_back_keeps_what_was_counted_and_nobody_waits_for_the_old_time() {
        let slide = Slide { window: 1_000, previous: 3, current: 4 };
        let disorder = slide.at(at(999 * 10 * SECOND + 5), 10);
        assert_eq!((disorder.slide, disorder.within), (slide, 0));
        let set_back = slide.at(at(640 * 10 * SECOND), 10);
        assert_eq!(set_back.slide, Slide { window: 640, previous: 0, current: 7 });
        assert!(set_back.slide.at(at(642 * 10 * SECOND), 10).fits(1, Test::Counting));
    }

    #[test]
    fn it_is_over_as_soon_as_nothing_of_it_is_left() {
        let over_at = |slide: Slide| (0..60).find(|second| slide.is_over(at(second * SECOND), 10));
        assert_eq!(over_at(Slide { window: 2, previous: 0, current: 1 }), Some(40));
        assert_eq!(over_at(Slide { window: 2, previous: 1, current: 0 }), Some(30));
        assert_eq!(over_at(Slide { window: 2, previous: 0, current: 0 }), Some(0));
    }

    #[test]
    fn what_is_given_back_is_taken_from_its_window() {
        let slide = Slide { window: 7, previous: 2, current: 3 };
        assert_eq!(slide.given_back(7).current, 2);
        assert_eq!(slide.given_back(6).previous, 1);
        assert_eq!(slide.given_back(5), slide);
        assert_eq!(slide.given_back(8), slide);
    }

    proptest! {
        #[test]
        fn decisions_are_those_of_the_formula(
            previous in 0u32..50, current in 0u32..50, limit in 0u32..60, period in 1u32..100, within in 0u64..100_000_000,
        ) {
            let micros = u64::from(period) * SECOND;
            let within = within % micros;
            let now = Slide { window: 3, previous, current }.at(at(3 * micros + within), period);
            let estimate = estimate(previous.into(), current.into(), within, micros);
            let limit_scaled = u128::from(limit) * u128::from(micros);
            prop_assert_eq!(now.fits(limit, Test::Counting), estimate < limit_scaled);
            prop_assert_eq!(now.fits(limit, Test::Checking), estimate <= limit_scaled);
            let mut counted = now;
            let mut fitting = 0;
            while counted.fits(limit, Test::Counting) {
                counted.slide = counted.slide.plus(1);
                fitting += 1;
            }
            prop_assert_eq!(now.remaining(limit), fitting);
        }

        #[test]
        fn the_wait_is_the_shortest_after_which_it_fits(
            previous in 0u32..50, current in 0u32..50, limit in 0u32..60, period in 1u32..100, within in 0u64..100_000_000,
            checking in any::<bool>(),
        ) {
            let test = if checking { Test::Checking } else { Test::Counting };
            prop_assume!(limit > 0 || checking);
            let micros = u64::from(period) * SECOND;
            let start = 3 * micros + within % micros;
            let slide = Slide { window: 3, previous, current };
            let wait = slide.at(at(start), period).wait(limit, test);
            prop_assert!(slide.at(at(start + wait), period).fits(limit, test));
            prop_assert!(wait == 0 || !slide.at(at(start + wait - 1), period).fits(limit, test));
        }
    }
}
