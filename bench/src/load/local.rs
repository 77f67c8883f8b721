//! A listener and a connector of one address in one place.

use super::{Load, bulk, request};
use crate::competitor::Shape;

pub(super) fn load() -> Load {
    let mut cases = vec![bulk::case(1), bulk::case(8), request::case(1), request::case(16)];
    for case in &mut cases {
        case.shape = Shape::One;
    }
    Load {
        name: "local",
        about: "A listener and a connector of one address on one router, without an uplink, beside one plain hop of haproxy. \
                The router has no encapsulation to choose here.",
        fresh: false,
        cases,
    }
}
