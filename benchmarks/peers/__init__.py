"""The service beside other ways to enqueue over HTTP, as real servers, in one run."""
