//! Configuration of the `fanout` function.
