"""The tasks of both modules of the corpus, under their own names."""

from tests.signatures_corpus import *  # noqa: F403
from tests.signatures_corpus_of_strings import *  # noqa: F403
