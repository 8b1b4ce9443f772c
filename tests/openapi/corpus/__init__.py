"""An app whose tasks are those of the corpus of signatures."""
