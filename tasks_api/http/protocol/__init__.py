"""HTTP itself: how requests are read and answers are written, for all resources."""
