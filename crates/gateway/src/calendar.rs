//! Wall-clock time as text, and whether the wall clock can be believed.

use std::time::{Duration, Instant, SystemTime};

const DAY_SECONDS: u64 = 86_400;

/// `YYYY-MM-DD` (UTC): the civil calendar from days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`). Times before 1970 are 1970-01-01.
pub fn day_of(time: SystemTime) -> String {
    let z = unix_seconds(time) / DAY_SECONDS + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// RFC 3339 in UTC, to the second.
pub fn rfc3339(time: SystemTime) -> String {
    let second = unix_seconds(time) % DAY_SECONDS;
    format!("{}T{:02}:{:02}:{:02}Z", day_of(time), second / 3_600, second / 60 % 60, second % 60)
}

/// Unix time with fractions, as Prometheus wants it.
pub fn unix_seconds_f64(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_secs())
}

/// The wall clock, compared with the monotonic one at each look.
#[derive(Debug)]
pub struct TrustedClock {
    wall: SystemTime,
    monotonic: Instant,
    trusted_from: Option<Instant>,
}

/// A difference between the two clocks that is not drift.
const JUMP: Duration = Duration::from_secs(300);
/// After a jump the clock is not believed this long: it may jump back.
const DISTRUST: Duration = Duration::from_secs(3_600);

impl TrustedClock {
    /// Begins by believing.
    pub fn new(wall: SystemTime, monotonic: Instant) -> TrustedClock {
        TrustedClock { wall, monotonic, trusted_from: None }
    }

    /// The time, or nothing while the clock is not believed.
    pub fn read(&mut self, wall: SystemTime, monotonic: Instant) -> Option<SystemTime> {
        let expected = self.wall + monotonic.saturating_duration_since(self.monotonic);
        let difference = wall.duration_since(expected).unwrap_or_else(|back| back.duration());
        if difference > JUMP {
            self.trusted_from = Some(monotonic + DISTRUST);
        }
        (self.wall, self.monotonic) = (wall, monotonic);
        self.trusted_from.is_none_or(|from| monotonic >= from).then_some(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn dates_are_civil() {
        // date -u -d @<seconds> +%FT%TZ
        assert_eq!(rfc3339(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(951_782_399)), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(at(951_782_400)), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(at(1_767_225_599)), "2025-12-31T23:59:59Z");
        assert_eq!(rfc3339(at(4_107_542_400)), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_jump_makes_the_clock_unbelievable_for_an_hour() {
        let (wall, start) = (at(1_700_000_000), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut clock = TrustedClock::new(wall, start);
        assert_eq!(clock.read(wall + Duration::from_secs(61), after(60)), Some(wall + Duration::from_secs(61)));
        let jumped = wall + Duration::from_secs(10 * 365 * DAY_SECONDS);
        assert_eq!(clock.read(jumped, after(120)), None);
        assert_eq!(clock.read(jumped + Duration::from_secs(60), after(180)), None);
        assert!(clock.read(jumped + Duration::from_secs(3_600), after(3_720)).is_some());
        assert_eq!(clock.read(wall, after(3_780)), None);
    }
}
