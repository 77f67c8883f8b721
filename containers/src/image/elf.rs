//! Whether a program can run where nothing else is, and on which machine.

use crate::EngineFault;

const PROGRAM_INTERPRETER: u32 = 3;

/// The machine that `binary` is for, in the words of images. Refuses what is not a static ELF program (elf(5)).
pub(super) fn architecture(binary: &[u8]) -> Result<&'static str, EngineFault> {
    let refuse = |why: &'static str| EngineFault::NotStatic { why };
    let truncated = || refuse("it is cut short");
    if binary.get(..4) != Some(b"\x7fELF".as_slice()) {
        return Err(refuse("it is not an ELF program"));
    }
    if binary.get(4..6) != Some([2, 1].as_slice()) {
        return Err(refuse("it is not for 64 bits, lowest byte first"));
    }
    let architecture = match short(binary, 18).ok_or_else(truncated)? {
        62 => "amd64",
        183 => "arm64",
        243 => "riscv64",
        _ => return Err(refuse("it is for a machine that is not known here")),
    };
    let table = usize::try_from(long(binary, 32).ok_or_else(truncated)?).map_err(|_| truncated())?;
    let (size, count) = (short(binary, 54).ok_or_else(truncated)?, short(binary, 56).ok_or_else(truncated)?);
    for number in 0..usize::from(count) {
        let at = number.checked_mul(size.into()).and_then(|offset| offset.checked_add(table)).ok_or_else(truncated)?;
        let kind = at.checked_add(4).and_then(|end| binary.get(at..end)).ok_or_else(truncated)?;
        if kind == PROGRAM_INTERPRETER.to_le_bytes() {
            return Err(refuse("it is linked to libraries of this host (a static build is needed)"));
        }
    }
    Ok(architecture)
}

fn short(binary: &[u8], at: usize) -> Option<u16> {
    binary.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn long(binary: &[u8], at: usize) -> Option<u64> {
    binary.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(binary: &[u8]) -> &'static str {
        match architecture(binary) {
            Err(EngineFault::NotStatic { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_static_programs_pass() {
        // This program is built as all of ours are: without an interpreter.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(architecture(&own).is_ok());
        let mut interpreted = own.clone();
        let table = usize::try_from(long(&own, 32).unwrap()).unwrap();
        interpreted[table..table + 4].copy_from_slice(&PROGRAM_INTERPRETER.to_le_bytes());
        assert!(why(&interpreted).contains("libraries"), "{}", why(&interpreted));
        assert!(why(b"#!/bin/sh\n").contains("not an ELF"));
        for length in 0..own.len().min(600) {
            assert!(architecture(&own[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn tables_beyond_the_file_are_refused() {
        let mut binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        binary[32..40].fill(0xff);
        assert!(why(&binary).contains("cut short"));
    }
}
