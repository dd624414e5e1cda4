import rr


@rr.hookimpl
def rr_register_scorers():
    raise RuntimeError("raised at registration")
