//! Load control of a controller: which failure is of which kind, how long to wait, whether to try at all, and what to do next.
//!
//! It stands in the core because the operator runs it against a real API server and the simulator against a modelled one,
//! so that a class table or a queue limit found in a study is the one that runs. Everything is handed `now` and draws, and
//! answers with a value; `now` must come from a clock that does not run backwards (each part says what happens if it does).
//!
//! | part | what |
//! |---|---|
//! | [`error_class`] | a failure from typed parts, never from message text, and its class |
//! | [`backoff`] | delay per class; a step is taken only if the delay before it was served |
//! | [`retry_budget`] | retries as a share of requests, shared by all keys |
//! | [`circuit`] | stop asking a destination that does not answer, one probe at a time |
//! | [`work_queue`] | one slot per key, priorities with a bound on waiting, delayed adds, a fixed order |

pub mod backoff;
pub mod circuit;
pub mod error_class;
pub mod retry_budget;
pub mod work_queue;
