import rr


def rows(module, names):
    return [rr.Component(name, f"rr_wrong_library.{module}:{name}", f"Wrong: {name}") for name in names]


READERS = """right gives_none raises exits files_are_none files_are_one_text files_are_numbers document_under_another_id
query_under_another_id document_is_text blank_id number_as_id grade_is_text grade_is_a_share grade_is_true history_of_ids
run_is_nan run_is_text weight_is_nan negative_is_an_id group_is_a_number notes_are_text goes_around_the_checks
qrels_are_a_list""".split()
RETRIEVERS = """fits_nothing finds_nothing_known gives_nan gives_text gives_true gives_a_list gives_a_score_for_none exits_in_fit
exits_in_scores edits_documents edits_the_query learns_is_missing""".split()
COMMANDS = ["list", "data list", "bench deeply", "shelf", "shelf count", "exits", "breaks", "numbers", "endless", "typed"]


@rr.hookimpl
def rr_register_readers():
    return rows("readers", READERS)


@rr.hookimpl
def rr_register_retrievers():
    return rows("retrievers", RETRIEVERS)


@rr.hookimpl
def rr_register_commands():
    return [rr.Component(name, f"rr_wrong_library.commands:{name.split()[-1]}", "Wrong") for name in COMMANDS]
