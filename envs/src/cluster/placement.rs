//! The best node for a pod among thousands, exactly as filter and scores say.
