//! RNS-CKKS approximate homomorphic encryption.
