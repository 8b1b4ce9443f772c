from tasks_api.management.switching import SwitchingCommand


class Command(SwitchingCommand):
    """Serves the requests of a client again."""

    help = "Serve the requests of a client again."
    enables = True
