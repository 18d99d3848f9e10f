//! Which upstream takes a request. Takes what is known of each upstream of a zone; gives an index. Holds nothing, waits for nothing.

use engine::{BalancingMethod, BalancingSettings};

/// One upstream at the moment of the choice.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// It takes no new requests.
    pub is_drained: bool,
    /// Nothing is held against it.
    pub is_healthy: bool,
    /// This request was there already.
    pub was_tried: bool,
    /// Requests under way to it, from all serving threads.
    pub in_flight: usize,
}

/// The choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Of the upstream in its zone.
    pub index: usize,
    /// Whether health was ignored because too few are healthy.
    pub is_panic: bool,
}

/// Looks from `start` on; nothing when every upstream that may be asked was tried.
pub fn choose(settings: BalancingSettings, start: usize, views: &[View]) -> Option<Chosen> {
    let is_panic = is_panic(settings.panic_percent, views);
    let may_take = |view: &View| !view.is_drained && !view.was_tried && (is_panic || view.is_healthy);
    let mut in_turn = (0..views.len()).map(|step| (start + step) % views.len()).filter(|index| may_take(&views[*index]));
    let index = match settings.method {
        BalancingMethod::RoundRobin => in_turn.next(),
        // Of equals, the first in turn.
        BalancingMethod::LeastRequests => in_turn.min_by_key(|index| views[*index].in_flight),
    };
    index.map(|index| Chosen { index, is_panic })
}

/// Whether fewer than the threshold are healthy, or none at all: the healthy few would break under the load of all, and an
/// upstream that may answer is better than none.
fn is_panic(threshold_percent: u8, views: &[View]) -> bool {
    let in_use = || views.iter().filter(|view| !view.is_drained);
    let healthy = in_use().filter(|view| view.is_healthy).count();
    healthy == 0 || healthy * 100 < usize::from(threshold_percent) * in_use().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDLE: View = View { is_drained: false, is_healthy: true, was_tried: false, in_flight: 0 };
    const ILL: View = View { is_healthy: false, ..IDLE };
    const LEAST: BalancingSettings = BalancingSettings { method: BalancingMethod::LeastRequests, panic_percent: 50 };
    const TURN: BalancingSettings = BalancingSettings { method: BalancingMethod::RoundRobin, panic_percent: 50 };

    fn busy(in_flight: usize) -> View {
        View { in_flight, ..IDLE }
    }

    fn index(settings: BalancingSettings, start: usize, views: &[View]) -> Option<usize> {
        choose(settings, start, views).map(|chosen| chosen.index)
    }

    #[test]
    fn the_fewest_requests_win_and_equals_take_turns() {
        assert_eq!(index(LEAST, 0, &[busy(3), busy(1), busy(2)]), Some(1));
        assert_eq!(index(LEAST, 2, &[IDLE, busy(1), IDLE]), Some(2));
        assert_eq!(index(LEAST, 1, &[IDLE, busy(1), IDLE]), Some(2));
        assert_eq!(index(TURN, 0, &[busy(3), busy(1)]), Some(0));
    }

    #[test]
    fn below_the_threshold_health_is_ignored() {
        let panics = |views: &[View]| choose(LEAST, 0, views).unwrap().is_panic;
        assert!(!panics(&[IDLE, ILL]));
        assert!(panics(&[IDLE, ILL, ILL]));
        assert!(panics(&[ILL, ILL]));
        let drained = View { is_drained: true, ..IDLE };
        assert!(panics(&[IDLE, ILL, ILL, drained, drained]), "what drains counts on neither side");
        let never = BalancingSettings { panic_percent: 0, ..LEAST };
        assert_eq!(choose(never, 1, &[IDLE, ILL, ILL]), Some(Chosen { index: 0, is_panic: false }));
        assert!(choose(never, 0, &[ILL]).unwrap().is_panic, "there is nothing better");
    }

    fn views() -> impl Strategy<Value = Vec<View>> {
        let view = (any::<bool>(), any::<bool>(), any::<bool>(), 0..4_usize)
            .prop_map(|(is_drained, is_healthy, was_tried, in_flight)| View { is_drained, is_healthy, was_tried, in_flight });
        prop::collection::vec(view, 1..8)
    }

    proptest! {
        #[test]
        fn a_choice_is_never_drained_nor_tried_and_ill_only_in_panic(views in views(), start in 0..8_usize, least: bool) {
            let settings = if least { LEAST } else { TURN };
            match choose(settings, start, &views) {
                Some(chosen) => {
                    let view = views[chosen.index];
                    prop_assert!(!view.is_drained && !view.was_tried && (view.is_healthy || chosen.is_panic));
                }
                None => prop_assert!(views.iter().all(|view| view.is_drained || view.was_tried || !view.is_healthy)),
            }
        }
    }
}
