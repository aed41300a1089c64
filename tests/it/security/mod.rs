//! What others can put in the way, and what must not come out.
