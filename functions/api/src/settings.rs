//! Configuration of the `api` function.
