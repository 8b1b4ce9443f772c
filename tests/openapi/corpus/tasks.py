"""The tasks of both modules of the corpus, under their own names."""

from tests.arguments.signatures_corpus import *  # noqa: F403
from tests.arguments.signatures_corpus_of_strings import *  # noqa: F403
