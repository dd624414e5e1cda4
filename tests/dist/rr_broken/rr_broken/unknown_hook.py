import rr


@rr.hookimpl
def rr_register_scorer():  # the hook is called rr_register_scorers
    return []
