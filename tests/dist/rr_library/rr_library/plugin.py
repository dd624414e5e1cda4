import rr


@rr.hookimpl
def rr_register_readers():
    return [
        rr.Component(
            "shelf", "rr_library.shelf:Shelf", "Title, a tab, what it answers", settings="rr_library.settings:ShelfSettings"
        )
    ]


@rr.hookimpl
def rr_register_retrievers():
    return [rr.Component("initial", "rr_library.shelf:Initial", "Titles by their first letter")]


@rr.hookimpl
def rr_register_commands():
    return [
        rr.Component("shelf count", "rr_library.commands:count", "Count the lines of a shelf"),
        rr.Component("data shelf", "rr_library.commands:show", "Show a shelf"),
        rr.Component("shelf copy", "rr_library.commands:copy", "Put shelves together"),
    ]
