"""HTTP itself: how requests are read and answers written, whatever the resource."""
