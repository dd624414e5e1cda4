"""The words of the help desk: products, and problems as engineers and as users describe them."""

from __future__ import annotations

PRODUCTS = (
    "Larkmail",
    "Tundra Drive",
    "Pennywise Ledger",
    "Quillpad",
    "Beacon Chat",
    "Fernsheet",
    "Cobalt Calendar",
    "Moorgate VPN",
    "Sparrow Print",
    "Anvil Builder",
    "Willow Survey",
    "Harbor CRM",
)

DEVICES = ("Windows", "macOS", "Android", "an iPad", "Linux", "a Chromebook")

OPENERS = ("", "help,", "hi,", "why is it that", "since yesterday", "no idea why, but", "every morning")

URGES = ("", "", "please", "what now?", "it is urgent", "any ideas?")

BODIES = (
    "{cause} {remedy}",
    "Cause: {cause} Resolution: {remedy}",
    "{remedy} Background: {cause}",
    "Engineers traced this in {product}. {cause} {remedy}",
)

# title, cause, remedy; and the symptoms, as users tell them
PROBLEMS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "expired identity token",
        "The identity provider's token has a lifetime of twelve hours.",
        "Renew it from the account menu.",
        (
            "I get thrown out after lunch",
            "it asks who I am again and again",
            "my session keeps dying",
            "I must retype my password all day",
        ),
    ),
    (
        "stale cache on the client",
        "Old entries are served from the local cache.",
        "Purge the cache and reload.",
        (
            "yesterday's numbers still show up",
            "my edits look undone until tomorrow",
            "colleagues see something newer than me",
            "the page never changes",
        ),
    ),
    (
        "quota exhausted",
        "The tenant has reached its storage quota.",
        "Archive old items or raise the limit.",
        (
            "it says there is no room left",
            "nothing new can be added",
            "attachments bounce back as too much",
            "uploading stops at the last bit",
        ),
    ),
    (
        "mismatched time zone",
        "The profile and the server disagree on the UTC offset.",
        "Align both in the regional settings.",
        (
            "everything is off by one hour",
            "reminders ring in the middle of the night",
            "meetings appear on the wrong day",
            "clocks do not agree",
        ),
    ),
    (
        "blocked by the proxy",
        "Outgoing traffic is filtered by the corporate proxy.",
        "Add the vendor's domain to the allow list.",
        (
            "works at home but not in the office",
            "only my phone's hotspot helps",
            "it spins forever behind the company network",
            "cannot reach it from my desk at work",
        ),
    ),
    (
        "corrupted font package",
        "Glyphs are missing from the installed typeface.",
        "Reinstall the typeface bundle.",
        (
            "letters turn into little squares",
            "umlauts come out as boxes",
            "text is unreadable gibberish",
            "accents vanish from names",
        ),
    ),
    (
        "insufficient role permissions",
        "The assigned role lacks the write privilege.",
        "An administrator must grant the editor role.",
        (
            "I can look but not touch",
            "the save button is grey",
            "my boss can edit and I cannot",
            "I am not allowed to change anything",
        ),
    ),
    (
        "memory leak in the renderer",
        "The renderer does not release its buffers.",
        "Install the hotfix and restart weekly.",
        (
            "it gets slower the longer I leave it open",
            "the fan howls after some hours",
            "my laptop crawls by the evening",
            "it eats all the RAM",
        ),
    ),
    (
        "duplicate synchronisation job",
        "Two sync jobs write the same records.",
        "Disable one of the jobs.",
        (
            "I find each entry two times",
            "contacts are doubled",
            "everything arrives twice",
            "copies keep breeding overnight",
        ),
    ),
    (
        "revoked certificate",
        "The TLS certificate was withdrawn by its authority.",
        "Import the replacement certificate.",
        (
            "a red padlock frightens my customers",
            "the browser says it is not private",
            "a security warning covers the screen",
            "it calls itself unsafe",
        ),
    ),
    (
        "outdated graphics driver",
        "Hardware acceleration fails with old display drivers.",
        "Update the display driver.",
        (
            "the picture flickers",
            "half of the window is black",
            "scrolling leaves smears behind",
            "colours are psychedelic",
        ),
    ),
    (
        "spam heuristics too strict",
        "Legitimate messages are classified as unsolicited.",
        "Lower the threshold of the filter.",
        (
            "replies from clients never reach me",
            "invoices end up in junk",
            "notices disappear before I read them",
            "nobody's answers get through",
        ),
    ),
    (
        "keyboard layout override",
        "The application forces its own input locale.",
        "Turn the input override off.",
        (
            "y and z are swapped when I type",
            "I cannot find the at sign any more",
            "wrong characters come out of my keys",
            "typing an umlaut gives a semicolon",
        ),
    ),
    (
        "orphaned file lock",
        "A crashed process still holds an exclusive lock.",
        "Clear the lock in the admin console.",
        (
            "it claims somebody else has it open",
            "read-only although I am alone",
            "it is in use by a colleague who left",
            "I am told to wait for another person",
        ),
    ),
    (
        "rate limiting by the API gateway",
        "Requests above sixty a minute are rejected.",
        "Throttle the integration.",
        (
            "our script fails when it runs fast",
            "bulk import dies half way",
            "too many calls, it says",
            "it refuses after a burst of clicks",
        ),
    ),
    (
        "malformed export template",
        "A column is missing in the template's schema.",
        "Restore the default template.",
        (
            "the PDF comes out empty",
            "my spreadsheet download has shifted columns",
            "reports lack the totals",
            "what I save as a file is garbage",
        ),
    ),
    (
        "microphone privacy switch",
        "The operating system denies access to audio input.",
        "Allow audio input in the privacy panel.",
        ("people cannot hear me", "I am mute in every call", "my voice does not come through", "talking does nothing"),
    ),
    (
        "push service deregistered",
        "The device token was dropped by the notification broker.",
        "Register the device anew.",
        (
            "my phone stays silent when something arrives",
            "alerts do not pop up",
            "no badge, no sound, nothing",
            "I only notice news when I open it",
        ),
    ),
    (
        "licence seat reassigned",
        "The subscription seat was transferred to another user.",
        "Assign a free seat in billing.",
        (
            "it wants me to pay again",
            "it fell back to the trial",
            "premium features are gone",
            "it tells me to buy though we did",
        ),
    ),
    (
        "index rebuild pending",
        "Full-text lookup is unavailable until reindexing ends.",
        "Trigger the reindexing task.",
        (
            "searching finds nothing",
            "it cannot find what I wrote last week",
            "looking for a name gives zero hits",
            "old stuff turns up, new stuff does not",
        ),
    ),
)
