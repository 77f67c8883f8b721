//! Archives cut off and changed at random: always an answer, never a panic, and what is accepted is what was packed.

use moorline_bundle::{Bundle, Maker};

use crate::sample::{archive, entries, gzip, tar_of};

/// Pseudo-random numbers, the same on each run.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    }
}

fn damage(bytes: &mut Vec<u8>, next: &mut impl FnMut(usize) -> usize) {
    for _ in 0..=next(3) {
        let at = next(bytes.len());
        match next(5) {
            0 => bytes[at] = u8::try_from(next(256)).unwrap(),
            1 => bytes[at] ^= 1 << next(8),
            2 => drop(bytes.drain(at..(at + next(600)).min(bytes.len()))),
            3 => bytes.insert(at, b"\0/.7\xff"[next(5)]),
            _ => {
                let piece = bytes[at..(at + 512).min(bytes.len())].to_vec();
                let to = next(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// What the sums vouch for is as it was; the manifest may say another version, host or date.
fn assert_same(found: &Bundle, packed: &Bundle) {
    assert_eq!((&found.name, &found.credentials), (&packed.name, &packed.credentials));
    assert_eq!((&found.router_config, &found.unit), (&packed.router_config, &packed.unit));
    assert_eq!((&found.program, &found.service_profiles), (&packed.program, &packed.service_profiles));
    match (&found.maker, &packed.maker) {
        (Maker::Moorline { definition, .. }, Maker::Moorline { definition: expected, .. }) => {
            assert_eq!(definition, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_archive_cut_off_anywhere_is_refused() {
    for end in 0..archive().len() {
        Bundle::from_archive(&archive()[..end]).unwrap_err();
    }
}

#[test]
fn damaged_archives_never_panic() {
    let packed = Bundle::from_archive(archive()).unwrap();
    let mut next = numbers();
    for _ in 0..4000 {
        let mut bytes = archive().to_vec();
        damage(&mut bytes, &mut next);
        if let Ok(found) = Bundle::from_archive(&bytes) {
            assert_same(&found, &packed);
        }
    }
}

/// Behind gzip, whose sum would find nearly all of it.
#[test]
fn damaged_tar_never_panics() {
    let packed = Bundle::from_archive(archive()).unwrap();
    let tar = tar_of(&entries());
    let headers: Vec<usize> = (0..tar.len()).step_by(512).filter(|at| tar[at + 257..].starts_with(b"ustar")).collect();
    assert_eq!(headers.len(), entries().len());
    let mut next = numbers();
    let (mut accepted, mut refused) = (0, 0);
    for turn in 0..6000 {
        let mut bytes = tar.clone();
        if turn % 2 == 0 {
            damage(&mut bytes, &mut next);
        } else {
            // A field of a header, with the sum of the header made right again, so that it counts.
            let header = headers[next(headers.len())];
            for _ in 0..=next(3) {
                bytes[header + next(512)] = b"\0/.07Lx5\xff\x80 "[next(11)];
            }
            let mut fixed = tar::Header::new_gnu();
            fixed.as_mut_bytes().copy_from_slice(&bytes[header..header + 512]);
            fixed.set_cksum();
            bytes[header..header + 512].copy_from_slice(fixed.as_bytes());
        }
        match Bundle::from_archive(&gzip(&bytes)) {
            Ok(found) => {
                accepted += 1;
                assert_same(&found, &packed);
            }
            Err(fault) => {
                refused += 1;
                assert!(fault.to_string().len() < 2000, "{fault}");
            }
        }
    }
    assert!(accepted > 100 && refused > 1000, "{accepted} accepted, {refused} refused");
}
