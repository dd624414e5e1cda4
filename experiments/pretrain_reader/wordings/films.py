"""Titles of the films that the embedded base is pretrained on."""

from __future__ import annotations

from rr_data.generators.films import Wordings

THEMES = """
pier ship wave captain mast fleet shipwreck
guitar drummer band singer melody chorus jazz
cake bread chocolate butter dessert sugar baker
winter ice frost polar penguin frozen skater
murder clue investigator crime corpse inspector killer
planet star galaxy spaceship alien gravity satellite
farm farmer cow field crop pig cattle
king queen palace prince sword kingdom nobleman
doctor patient clinic disease medicine pill bandage
football soccer coach league champion goal striker
sand heat cactus nomad drought pyramid sahara
hour calendar watch second decade midnight century
ant bee fly moth wasp bug larva
train station rail engine carriage freight wagon
magician magic parade carnival audience costume wizard
eruption ash disaster flood hurricane tornado crack
student college university lesson professor campus lecture
army war battle weapon grenade rifle sergeant
marriage groom husband wife engagement ring couple
computer software hacker code keyboard internet screen
bet prize fortune lottery card chip winner
ghost zombie demon monster curse witch skeleton
art artist drawing sketch brush museum statue
president politician vote parties congress mayor democracy
monkey tiger elephant lion snake crocodile zoo
book author novel writer page chapter reader
city street building apartment traffic downtown neighbor
fish lake boat shark whale pond swimmer
law attorney trial prison crimes guilt sentence
horse gun outlaw saddle bandit frontier gunslinger
dress fashion shoe jewel model hat makeup
sea diver coral ocean squid pearl reef
travel airport flight airplane pilot luggage journey
forest tree squirrel deer hunter woods fox
money dollar market trader debt profit stock
toy game childhood playground kite baby cradle
church priest bible angel heaven faith bishop
car driver wheel truck road tire motor
drink beer cocktail bar whiskey pub bartender
television phone news camera broadcast journalist newspaper
flower garden plant seed leaf lily lawn
mine coal steel iron hammer copper metal
restaurant waiter menu dinner chef lunch soup
mountain climber summit valley cliff peak hiker
mother father sister brother grandmother daughter uncle
police officer patrol arrest handcuff cop badge
theater actor stage actress drama script rehearsal
dance ballet dancer waltz tango ballroom partner
dog cat puppy kitten leash bark tail
rain storm thunder lightning cloud umbrella fog
spy agent mission passwords cipher embassy traitor
island beach pirate treasure palm castaway coconut
chicken egg rooster duck goose feather nest
chess pawn rook checkmate puzzle riddle maze
fire smoke flame firefighter match burn torch
tennis racket serve golf ball basketball volleyball
bicycle cyclist pedal helmet skateboard scooter brake
laundry soap broom bathtub towel shower sponge
tea coffee cup teapot sip mug espresso
blood heart bone brain lung skin muscle
""".strip()

ADJECTIVES = """
angry blue brave bright calm cheap clever cold cruel curious dark dear dirty dry early evil fair fat final fresh
friendly funny gray green guilty happy heavy holy invisible kind large late lazy little loud mad magic mighty narrow new
old pale poor proud pure purple quick rare red rich rough sad scarlet shy sleepy slow small smart soft sour strange
strong sweet tall terrible tiny ugly violent warm wet white wild wise wooden wrong yellow young
""".strip()

FORMS = ("A {} {}", "Our {} {}", "{} {} Again", "Return of the {} {}", "One {} {}", "That {} {}", "{} {}")

WORDINGS = Wordings(THEMES, ADJECTIVES, FORMS)
