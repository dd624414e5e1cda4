"""Questions and articles of the help desks that the embedded base is pretrained on; each has systems of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rr_data.generators.helpdesk import Wordings

PURPOSES = """
invoices budgets calendars holidays shipping inventory recruiting surveys bookings parking security meetings marketing
design archives sales billing catering cleaning claims forms grades health insurance leave licences loans logistics maps
messages news passwords pensions photos planning prices quotes recipes refunds repairs reports research safety
schedules shifts stock storage suppliers support taxes tickets tools translations vehicles video videos warehouses
"""

FAULTS = """
makes me log in all day long
kicks me out while I am typing
wants my password every time
does not remember me at all
sends me to the start page over and over
logs me off in the middle of work
= Login token lost
= Sign-in cookie too short
= Authentication ends early
= User session invalid or timed out

will not let me in
tells me I am forbidden to enter
closed the door after my wrong password
blocked me because I tried too often
refuses my password now and says no entry
= User account disabled
= Login denied after failed attempts
= Identity locked for safety
= Directory entry suspended

is so slow that I get coffee meanwhile
needs minutes for one page
loads and loads and nothing comes
is really sluggish today
hangs for ages before it opens
= Poor performance under load
= Slow answers of the server
= Delay in the database
= Long response time of the index

has eaten my old entries
lost what I wrote months ago
no longer shows past years
my previous stuff is missing
hides half of my history
= Old records archived
= Data removed by retention
= Closed items moved away
= History beyond the policy is hidden

lists every line two times
has doubled all my entries
shows the same thing again and again
gives me copies of copies
= Duplicate records in the table
= Double rows since the merge
= Replication made copies
= Unique keys missing

sends no reminder
forgets to tell me about news
is quiet when it should alert me
no message comes and I learn too late
stopped to ping my colleagues
= Alerts not delivered
= Notification service off
= Push messages fail
= Subscription to reminders ended

gives no excel file
fails when I save as a sheet
I cannot get my numbers out as a table
does not download my list
makes an empty spreadsheet file
= Export of data broken
= Download of the report fails
= Spreadsheet extraction stops
= Table job aborted

rejects my photo
refuses the pdf that I add
throws back the picture of my bill
does not accept my scanned receipt
I cannot attach a file
= Upload fails
= Attachment too large for the limit
= Image refused
= File blocked as payload

I can read but not write
has grey buttons everywhere
does not allow me to edit
I may see it but change nothing
= Missing permission to edit
= Write access not assigned
= User role is read only
= Scope without change rights

shows the wrong time
is a day late with my dates
has the clock one hour ahead
my morning is in the evening there
= Calendar offset wrong
= Time settings of another region
= Zone of the clock incorrect
= Date format differs

shows me only white
is blank after I open it
has an empty screen
nothing at all is on the page
= Page does not render
= Script stopped by security rules
= Blocked content of the client
= Display component missing

crashes when I open it
shuts itself down
goes away after one click
quits suddenly and says nothing
dies again and again at start
= Program terminates at launch
= Runtime failure
= Crash from a broken profile
= Application ends because files are corrupt

finds nothing when I search
my search has no result
does not find what I know exists
looks for my words and comes up empty
= Search index incomplete
= Crawler does not see items
= Missing hits for new content
= Query results skipped

talks in a foreign tongue
is suddenly french
switched to spanish by itself
I do not understand the language any more, german maybe
= Wrong language pack
= Locale changed
= Translation reset to another language
= Foreign preference active

prints nothing
my paper comes out empty
leaves the printer idle
= Print queue stuck
= Printer driver missing

cannot hear anybody
my microphone is dead in calls
has no sound
= Audio device not detected
= Sound input muted

says the disk is full
has no room for my things
runs out of space
= Storage quota exceeded
= Volume has no free capacity

shows sums that are wrong
cannot add numbers properly
my totals do not fit
= Rounding in calculations
= Formula returns an incorrect total

sends my mails to nowhere
my letters never arrive
swallows what I send
= Outgoing messages undelivered
= Mail relay refuses recipients

jumps around when I scroll
has tiny letters
looks all broken
= Layout damaged
= Style sheet not loaded

let others see my private things
shows my salary to everyone
= Confidential data exposed
= Visibility rule too wide

cannot be reached
says no connection
is offline for me
= Server not reachable
= Network connection refused

wants money again
says my trial is over
= Licence expired
= Subscription payment due

took my order twice
cancelled what I booked
= Transaction repeated
= Reservation revoked
"""

CIRCUMSTANCES = """
on the small screen of my mobile
with my iphone
on my android in the train
while I use my cell phone
= on mobile devices
= on smartphones and tablets
= with handheld hardware
= on small phone screens

when I work at my kitchen table
at home with my own internet
from my living room
not in the building but from my house
= outside the company network
= for remote work
= when working at home over the tunnel
= with remote office connections

as I joined this month
because I am new here
since my first day
I began on monday
= for new employees
= for staff who just joined
= for starters without a profile
= when a person was recently hired

since the update
after it changed overnight
since the new version came
it got renewed and now
= after an upgrade
= following the latest release
= since the deployment of changes
= with the current version

with my macbook
on the computer from apple
on a mac at the desk
= on apple hardware
= for computers without Windows
= on macOS
= outside the standard workstations

because my name is different now
after my wedding
since I took my wife's name
= when a name was changed
= with a new surname
= after marriage in the directory

with the account of our group
in our common inbox
for the box that all of us read
= in shared mailboxes
= with team accounts
= for identities of a group
= when access is delegated to several

on holiday in Italy
while I travel overseas
in another country
from a hotel far away
= when connecting from abroad
= with foreign addresses
= outside the home country and its filtering
= in other geographic ranges

as I changed my team
since my transfer
because I moved to another office
after I went to the finance people
= following a move between departments
= after organisational changes
= with a new cost centre

with my brand new pc
since I got a different computer
after my old laptop was replaced
on the device I was given
= after hardware replacement
= on exchanged devices
= with new laptops
= on freshly installed computers

in the browser
when I use chrome
= with web clients
= under other browsers

behind two screens
with the big monitor
= with several displays
= on external monitors

when many people are in
at the end of the month
= at peak load
= during month end closing

late at night
on weekends
= outside business hours
= during maintenance windows

as a boss of others
since I lead the team
= for managers
= for supervisors with reports

for my intern
with a guest
= for temporary staff
= for external persons
"""

NAMING = ("{name}", "our {purpose} system", "{name}, the {purpose} thing", "my {name}", "the {name} {purpose} app")

ASKING = (
    "{system} {fault} {circumstance}",
    "{circumstance}: {system} {fault}",
    "hello, {circumstance} {system} {fault}",
    "{system} {fault} and that {circumstance}",
    "{system} {fault} {circumstance}, what now?",
    "help! {system} {fault} {circumstance}",
)

REMEDIES = ("Ask a colleague.", "Call us.")

SYLLABLES = """
ba be co da do fa fi ga go hu ja ka ki la le lo ma me mi na ne no pa pe po ra re ri ro sa se ta ti to va vi zo
"""


def wordings(names: Sequence[str], generator: random.Random) -> Wordings:
    """Sixteen systems: half are called by one of `names`, words that mean other things, half by made-up ones."""
    called = generator.sample(names, 8)
    called += ["".join(generator.sample(SYLLABLES.split(), generator.randint(2, 4))) for _ in range(8)]
    purposes = generator.sample(PURPOSES.split(), len(called))
    systems = "\n".join(f"{name.title()} | {purpose}" for name, purpose in zip(called, purposes, strict=True))
    return Wordings(systems, FAULTS, CIRCUMSTANCES, NAMING, ASKING, REMEDIES)
