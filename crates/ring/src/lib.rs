//! Polynomial rings Z_q\[X\]/(X^N+1) in residue form.
