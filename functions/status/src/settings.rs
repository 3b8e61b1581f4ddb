//! Configuration of the `status` function.
