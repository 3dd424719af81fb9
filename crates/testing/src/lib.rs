//! Faulty storage, crash images, model log and seeded randomness for Pagelog's tests.
