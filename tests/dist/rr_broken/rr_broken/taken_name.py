import rr


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("bm25", "rr_broken.in_use:Constant", "A name that another distribution has")]
