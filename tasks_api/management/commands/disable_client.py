from tasks_api.management.switching import SwitchingCommand


class Command(SwitchingCommand):
    """Stops a client: its requests are refused, and those that wait or watch end."""

    help = (
        "Stop a client: its requests are refused with all its keys and task tokens, until "
        "enable_client. Its tasks run all the same."
    )
    enables = False
