//! Progressive coding: T.81, annex G.

use super::frame::Frame;
use super::scan::{Scan, State, Tables, predict};
use super::segments::NATURAL;
use super::{Outcome, Problem};

/// Refuses a scan that does not follow on those before it, and notes what it brings.
pub(super) fn admit(frame: &mut Frame, scan: &Scan) -> Outcome<()> {
    let bad = Problem::Damaged("a progressive scan is impossible or out of order");
    let (start, end) = (usize::from(scan.start), usize::from(scan.end));
    let band = if start == 0 { end == 0 } else { scan.components.len() == 1 && (start..64).contains(&end) };
    let steps = scan.low < 14 && (scan.high == 0 || scan.high == scan.low + 1);
    if !band || !steps {
        return Err(bad);
    }
    for part in &scan.components {
        let accuracy = &mut frame.components[part.index].accuracy;
        if start > 0 && accuracy[0] < 0 {
            return Err(bad);
        }
        for known in &mut accuracy[start..=end] {
            // A first scan finds nothing; a refinement finds what the one before left.
            let expected = if scan.high == 0 { -1 } else { scan.high as i8 };
            if *known != expected {
                return Err(bad);
            }
            *known = scan.low as i8;
        }
    }
    Ok(())
}

/// One block of a scan.
pub(super) fn block(
    state: &mut State<'_>,
    slot: usize,
    tables: Tables<'_>,
    scan: &Scan,
    block: &mut [i16; 64],
) -> Outcome<()> {
    match (scan.start, scan.high) {
        (0, 0) => {
            let level = predict(state, slot, tables.dc()?)?;
            block[0] = (level << scan.low) as i16;
            Ok(())
        }
        (0, _) => {
            state.bits.fill();
            block[0] |= (state.bits.take(1)? << scan.low) as i16;
            Ok(())
        }
        (_, 0) => first(state, tables, scan, block),
        _ => refine(state, tables, scan, block),
    }
}

/// The first bits of a band of coefficients.
fn first(state: &mut State<'_>, tables: Tables<'_>, scan: &Scan, block: &mut [i16; 64]) -> Outcome<()> {
    if state.run > 0 {
        state.run -= 1;
        return Ok(());
    }
    let ac = tables.ac()?;
    let (mut k, end) = (usize::from(scan.start), usize::from(scan.end));
    while k <= end {
        state.bits.fill();
        let symbol = ac.symbol(&mut state.bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run < 15 {
                state.run = (1 << run) - 1 + state.bits.take(run)? as u32;
                break;
            }
            k += 16;
            continue;
        }
        k += run as usize;
        if k > end || size > 10 {
            return Err(Problem::Damaged("its image data holds a coefficient that no block has"));
        }
        block[NATURAL[k]] = (state.bits.signed(size)? << scan.low) as i16;
        k += 1;
    }
    Ok(())
}

/// One more bit of a band of coefficients.
fn refine(state: &mut State<'_>, tables: Tables<'_>, scan: &Scan, block: &mut [i16; 64]) -> Outcome<()> {
    let (mut k, end) = (usize::from(scan.start), usize::from(scan.end));
    let bit = 1i16 << scan.low;
    let correct = |state: &mut State<'_>, value: &mut i16| -> Outcome<()> {
        state.bits.fill();
        if state.bits.take(1)? == 1 && *value & bit == 0 {
            *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
        }
        Ok(())
    };
    if state.run == 0 {
        let ac = tables.ac()?;
        while k <= end {
            state.bits.fill();
            let symbol = ac.symbol(&mut state.bits)?;
            let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
            let new = match size {
                0 if run < 15 => {
                    state.run = (1 << run) + state.bits.take(run)? as u32;
                    break;
                }
                0 => 0,
                1 if state.bits.take(1)? == 1 => bit,
                1 => -bit,
                _ => return Err(Problem::Damaged("a refinement brings more than a bit")),
            };
            // Passes `run` coefficients that are zero, correcting those that are not.
            while k <= end {
                let value = &mut block[NATURAL[k]];
                if *value != 0 {
                    correct(state, value)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if new != 0 {
                if k > end {
                    return Err(Problem::Damaged("its image data holds a coefficient that no block has"));
                }
                block[NATURAL[k]] = new;
            }
            k += 1;
        }
    }
    if state.run > 0 {
        for natural in NATURAL.get(k..=end).unwrap_or(&[]) {
            let value = &mut block[*natural];
            if *value != 0 {
                correct(state, value)?;
            }
        }
        state.run -= 1;
    }
    Ok(())
}
