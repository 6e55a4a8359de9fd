"""What composed hours say and write: sentences and slides with blanks, and what goes into the blanks.

A family makes near duplicates: the same sentence or slide of another person, city or number. Its questions name
the distinguishing blank (`key`), and ask for the rest.
"""

from typing import NamedTuple

__all__ = [
    "ABSENT",
    "COUNTED",
    "COUNTED_IN",
    "FILLERS",
    "POOLS",
    "SAID",
    "STAMPS",
    "WRITTEN",
    "Family",
]


class Family(NamedTuple):
    """A sentence, or the title of a slide, with blanks (`{city}`).

    Attributes:
        key: The blank that distinguishes near duplicates.
        text: The sentence or title.
        questions: Several ways to ask about it; each holds the key.
        called: How other questions name the slide.
        rows: The slide's rows.
        code: Separate text at the bottom of the slide; may be empty.
    """

    key: str
    text: str
    questions: tuple[str, ...]
    called: str = ""
    rows: tuple[str, ...] = ()
    code: str = ""


POOLS: dict[str, tuple[str, ...]] = {
    # Names and words that Whisper base transcribes correctly in this voice: the benchmark measures search, not recognition.
    "who": tuple(
        "Oliver Michael Peter Victor Martin Alice Robert Helen Thomas George Edward Monica Patrick Rachel Simon Vanessa "
        "David Christopher Elizabeth Kevin Stephanie Jonathan Margaret Nicholas Gregory Jessica Alexander Benjamin "
        "Caroline Veronica".split()
    ),
    "city": tuple(
        "Boston Chicago Denver London Paris Berlin Madrid Tokyo Sydney Toronto Seattle Vienna Dublin Lisbon Atlanta "
        "Houston Phoenix Prague Rome Athens Montreal Cairo Milan Detroit Brussels Helsinki Warsaw Melbourne Baltimore "
        "Copenhagen".split()
    ),
    "surname": tuple(
        "Whitfield|Harrington|Castellano|Lindqvist|Okafor|Brandt|Delacroix|Yamamoto|Petrov|Sullivan|Novak|Ferreira|"
        "Hoffmann|MacLeod|Rossi|Tanaka|Bergstrom|Kowalski|Moreau|Sandoval".split("|")
    ),
    "month": tuple("January February March April May June July August September October November December".split()),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "few": ("three", "four", "five", "six", "seven", "eight", "nine", "eleven", "twelve"),
    "many": tuple(
        "fourteen|twenty two|thirty five|forty one|fifty six|sixty eight|seventy three|eighty four|ninety seven|"
        "two hundred|three hundred|four hundred|five hundred|seven hundred".split("|")
    ),
    "colour": ("yellow", "purple", "orange", "green", "pink", "turquoise"),
    "find": ("gold coin", "silver ring", "treasure map", "love letter", "glass bowl", "silver spoon", "old camera"),
    "machine": ("tractor", "washing machine", "typewriter", "radio", "sewing machine", "elevator"),
    "gift": ("scanner", "ambulance", "helicopter", "generator", "swimming pool", "kitchen"),
    "food": ("mushrooms", "lentils", "tomatoes", "potatoes", "carrots", "cabbages", "apples"),
    "goods": ("medicine", "newspapers", "blankets", "mirrors", "flowers", "furniture"),
    "things": ("stamps", "postcards", "seashells", "old watches", "dolls", "books"),
    "instrument": ("guitar", "trumpet", "flute", "harp", "violin", "clarinet"),
    "company": tuple(
        "Bluewater Foods|Granite Logistics|Maple Insurance|Orbit Travel|Falcon Textiles|Silver Oak Press|Harbor Tools|"
        "Crescent Dairy|Summit Paints|Lantern Books|Redwood Motors|Velvet Sound|Copperfield Bank|Ivory Dental".split(
            "|"
        )
    ),
    "dish": tuple(
        "Lemon cake|Walnut bread|Cherry pie|Spinach pancakes|Ginger biscuits|Carrot muffins|Apple strudel|Plum dumplings|"
        "Almond tart|Banana waffles".split("|")
    ),
    "product": tuple(
        "Desk lamp|Office chair|Coffee grinder|Rain jacket|Camping stove|Hiking boots|Garden hose|Travel pillow|"
        "Wall clock|Bread knife".split("|")
    ),
    "team": tuple(
        "Tigers|Falcons|Pirates|Comets|Badgers|Knights|Dolphins|Rangers|Hornets|Bisons|Wolves|Cardinals".split("|")
    ),
    "subject": ("Biology", "Geometry", "Economics", "Linguistics", "Astronomy", "Philosophy", "Statistics", "Geology"),
    "server": tuple("Jupiter Saturn Neptune Mercury Orion Andromeda Pegasus Cassiopeia Hydra Perseus Lyra".split()),
    "cause": ("expired certificate", "full disk", "broken cable", "power failure", "wrong password", "memory leak"),
    "sky": ("sunny", "heavy rain", "light snow", "thick fog", "strong wind", "thunderstorms"),
}

SAID = (
    Family(
        "who",
        "{who} sold {many} tickets for the summer concert.",
        (
            "How many concert tickets did {who} sell?",
            "What does the speaker say about the tickets that {who} sold?",
            "When is it said that {who} sold tickets for the concert?",
        ),
    ),
    Family(
        "city",
        "The old bridge in {city} stays closed for repairs until {month}.",
        (
            "Until when does the bridge in {city} stay closed?",
            "What is said about the bridge in {city}?",
            "When does the speaker mention the bridge repairs in {city}?",
        ),
    ),
    Family(
        "who",
        "{who} found a {find} in the garden behind the museum.",
        (
            "What did {who} find in the museum garden?",
            "What does the speaker say that {who} found behind the museum?",
            "When does the speaker talk about what {who} found in the garden?",
        ),
    ),
    Family(
        "city",
        "Farmers near {city} lost {many} sheep in the flood.",
        (
            "How many sheep did the farmers near {city} lose?",
            "What is said about the farmers near {city}?",
            "When does the speaker mention the sheep that were lost near {city}?",
        ),
    ),
    Family(
        "who",
        "{who} teaches the {instrument} to young children every {day}.",
        (
            "On which day does {who} teach children?",
            "Which instrument does {who} teach, according to the speaker?",
            "What does the speaker say about {who} and the children's music lessons?",
        ),
    ),
    Family(
        "city",
        "The public library in {city} received {many} books from a private collector.",
        (
            "How many books did the library in {city} receive?",
            "What does the speaker say about the library in {city}?",
            "When is the library in {city} mentioned?",
        ),
    ),
    Family(
        "who",
        "{who} crossed the desert on a bicycle in {few} days.",
        (
            "In how many days did {who} cross the desert?",
            "What is said about the desert journey of {who}?",
            "When does the speaker say that {who} crossed the desert by bicycle?",
        ),
    ),
    Family(
        "city",
        "The children's hospital in {city} bought a new {gift} last week.",
        (
            "What did the children's hospital in {city} buy?",
            "What does the speaker say about the hospital in {city}?",
            "When is the hospital in {city} talked about?",
        ),
    ),
    Family(
        "who",
        "{who} promised to plant {many} trees along the river.",
        (
            "How many trees did {who} promise to plant?",
            "What does the speaker say about the trees that {who} wants to plant?",
            "When is it said that {who} will plant trees?",
        ),
    ),
    Family(
        "city",
        "The night ferry to {city} leaves the harbor at {few} o'clock.",
        (
            "At what time does the night ferry to {city} leave?",
            "What is said about the ferry to {city}?",
            "When does the speaker mention the ferry to {city}?",
        ),
    ),
    Family(
        "who",
        "{who} wrote a cookbook about soups made of {food}.",
        (
            "What is the cookbook of {who} about?",
            "What does the speaker say about the cookbook by {who}?",
            "When is the cookbook of {who} mentioned?",
        ),
    ),
    Family(
        "city",
        "Engineers in {city} tested a drone that carries {goods}.",
        (
            "What does the drone that was tested in {city} carry?",
            "What does the speaker say about the engineers in {city}?",
            "When does the speaker talk about the drone test in {city}?",
        ),
    ),
    Family(
        "who",
        "{who} will lead the research department from {month} on.",
        (
            "From when on will {who} lead the research department?",
            "What does the speaker say about {who} and the research department?",
            "When is it announced that {who} will lead the research department?",
        ),
    ),
    Family(
        "city",
        "The football club of {city} sold its stadium for {few} million dollars.",
        (
            "For how many million dollars was the stadium in {city} sold?",
            "What is said about the football club of {city}?",
            "When does the speaker mention the stadium of {city}?",
        ),
    ),
    Family(
        "who",
        "{who} painted the school kitchen in bright {colour}.",
        (
            "In which colour did {who} paint the school kitchen?",
            "What does the speaker say that {who} painted?",
            "When does the speaker talk about {who} painting the kitchen?",
        ),
    ),
    Family(
        "city",
        "The railway museum in {city} opens again in {month}.",
        (
            "In which month does the railway museum in {city} open again?",
            "What does the speaker say about the railway museum in {city}?",
            "When is the railway museum in {city} mentioned?",
        ),
    ),
    Family(
        "who",
        "{who} lost a suitcase full of {things} at the airport.",
        (
            "What was in the suitcase that {who} lost?",
            "What does the speaker say about the suitcase of {who}?",
            "When is it said that {who} lost a suitcase?",
        ),
    ),
    Family(
        "city",
        "The price of drinking water in {city} will rise by {many} percent.",
        (
            "By how many percent will the price of water in {city} rise?",
            "What is said about the water price in {city}?",
            "When does the speaker talk about drinking water in {city}?",
        ),
    ),
    Family(
        "who",
        "{who} won the chess tournament against {few} grandmasters.",
        (
            "Against how many grandmasters did {who} win?",
            "What does the speaker say about the chess tournament that {who} won?",
            "When does the speaker mention {who} and chess?",
        ),
    ),
    Family(
        "city",
        "A beekeeper from {city} produced {many} jars of honey this year.",
        (
            "How many jars of honey did the beekeeper from {city} produce?",
            "What does the speaker say about the beekeeper from {city}?",
            "When is the beekeeper from {city} mentioned?",
        ),
    ),
    Family(
        "who",
        "{who} repaired the broken {machine} with a spoon and some tape.",
        (
            "What did {who} repair with a spoon?",
            "What does the speaker say about the repair that {who} made?",
            "When is it said that {who} repaired something with a spoon and tape?",
        ),
    ),
    Family(
        "city",
        "In {city} the teachers were on strike for {few} weeks.",
        (
            "For how many weeks were the teachers in {city} on strike?",
            "What is said about the teachers in {city}?",
            "When does the speaker mention the strike in {city}?",
        ),
    ),
)

FILLERS = tuple(
    "Let us take a short break before we go on.|Thank you for being so patient with me today.|"
    "I will come back to this point in a moment.|Please write your questions on the paper in front of you.|"
    "The light in this room is a little too bright.|Some of you have heard this story before.|"
    "We do not have much time, so I will be brief.|It was a cold morning and nobody wanted to get up.|"
    "My grandmother used to say that hurry makes waste.|There is fresh water at the back of the hall.|"
    "I am always surprised how quickly a year goes by.|This is the part that I enjoy most.|"
    "You may disagree with me, and that is perfectly fine.|Let me show you what I mean by that.|"
    "A good plan is worth more than a good excuse.|We tried it once, and it did not work at all.|"
    "The next part is a bit more difficult.|Remember that simple ideas often travel far.|"
    "I promise that this will make sense at the end.|Nobody knows what the weather will be like.|"
    "When I was young, we walked to school every morning.|It takes a while until people trust each other.|"
    "Please switch off your phones while we are here.|I have brought some pictures from my last holiday.|"
    "The people in the last row can come closer.|We learned a lot from our mistakes.|"
    "Sometimes the shortest way is not the fastest one.|I would like to thank the whole team for their work.|"
    "This question comes up again and again.|It is easy to forget how lucky we are.|"
    "Let me repeat that, because it matters.|The answer is not as simple as it seems.|"
    "Our guests arrived late because of heavy traffic.|I could talk about this for hours.|"
    "Every family has its own way of telling stories.|Please take one sheet and pass on the rest.".split("|")
)

# Words that are counted, and sentences that hold one of them once.
COUNTED = ("volcano", "penguin", "telescope", "pyramid", "umbrella", "crocodile", "castle", "carpet")
COUNTED_IN = (
    "The children drew a big {word} on the wall.",
    "Nobody expected to hear about a {word} today.",
    "My favourite story has a {word} in it.",
    "She paid a lot of money for a picture of a {word}.",
    "The gift shop sells a small {word} made of glass.",
    "We named the whole project after a {word}.",
    "He dreamed of a {word} three nights in a row.",
)
STAMPS = ("Approved", "Confidential", "Draft", "Rejected", "Archived")

WRITTEN = (
    Family(
        "n4",
        "Incident {n4}",
        (
            "What does the slide give as the cause of incident {n4}?",
            "Who is the owner of incident {n4} on the slide?",
            "When is the slide about incident {n4} on the screen?",
        ),
        "incident {n4}",
        ("Cause: {cause}", "Duration: {n2} minutes", "Owner: {surname}"),
        "ERR-{n4b}",
    ),
    Family(
        "company",
        "Invoice",
        (
            "What amount is written on the invoice for {company}?",
            "When is the invoice for {company} due, according to the slide?",
            "Which slide has the invoice for {company}?",
        ),
        "the invoice of {company}",
        ("Customer: {company}", "Amount: {n4} euros", "Due: {n2} {month}"),
        "INV-{n4b}",
    ),
    Family(
        "city",
        "Departures to {city}",
        (
            "From which platform do the departures to {city} leave, according to the slide?",
            "What does the slide say about departures to {city}?",
            "What is the fare to {city} on the slide?",
        ),
        "departures to {city}",
        ("First train {clock}", "Platform {n2}", "Fare {n2b} dollars"),
        "",
    ),
    Family(
        "surname",
        "Dr. {surname}",
        (
            "Which room is written on the slide of Dr. {surname}?",
            "What telephone number does the slide show for Dr. {surname}?",
            "When are the office hours of Dr. {surname}, according to the slide?",
        ),
        "Dr. {surname}",
        ("Room {n3}", "Telephone {n4}", "Office hours on {day}"),
        "",
    ),
    Family(
        "dish",
        "Recipe: {dish}",
        (
            "How many grams of flour are written in the recipe for {dish}?",
            "What does the slide with the recipe for {dish} say?",
            "Which slide shows the recipe for {dish}?",
        ),
        "the recipe for {dish}",
        ("{n3} grams of flour", "{few} eggs", "Bake for {n2} minutes"),
        "",
    ),
    Family(
        "code",
        "Course {code}",
        (
            "In which lecture hall does course {code} take place, according to the slide?",
            "What does the slide say about course {code}?",
            "When is the exam of course {code} on the slide?",
        ),
        "course {code}",
        ("{subject} for beginners", "Lecture hall {n2}", "Exam on {n2b} {month}"),
        "",
    ),
    Family(
        "product",
        "{product}",
        (
            "What price is written on the slide for the {product}?",
            "Which warranty does the slide give for the {product}?",
            "How much does the {product} weigh, according to the slide?",
        ),
        "the {product}",
        ("Price: {n3} dollars", "Weight: {n4} grams", "Warranty: {few} years"),
        "ITEM-{n4b}",
    ),
    Family(
        "team",
        "{team} won {n2} to {digit}",
        (
            "Who is the referee on the slide about the {team}?",
            "How many spectators are written on the slide about the {team}?",
            "What does the slide say about the {team}?",
        ),
        "the {team}",
        ("Spectators: {n4}", "Referee: {surname}", "Next match on {day}"),
        "",
    ),
    Family(
        "server",
        "Server {server}",
        (
            "What address does the slide show for the server {server}?",
            "When is the backup of the server {server}, according to the slide?",
            "How much memory does the server {server} have on the slide?",
        ),
        "the server {server}",
        ("Address 10.{n2}.{n2b}.7", "Memory {n3} gigabytes", "Backup at {clock}"),
        "",
    ),
    Family(
        "city",
        "Weather in {city}",
        (
            "What is the weather in {city} on the slide?",
            "Which slide shows the weather in {city}?",
            "How many degrees does the slide show for {city}?",
        ),
        "the weather in {city}",
        ("{sky}", "{n2} degrees", "Sunrise {clock}"),
        "",
    ),
    Family(
        "n3",
        "Flight LX {n3}",
        (
            "Which gate is written on the slide for flight LX {n3}?",
            "When does boarding of flight LX {n3} begin, according to the slide?",
            "What does the slide say about flight LX {n3}?",
        ),
        "flight LX {n3}",
        ("Gate {digit}", "Boarding at {clock}", "Seat {n2}"),
        "",
    ),
    Family(
        "company",
        "{company}: results",
        (
            "What revenue does the slide give for {company}?",
            "How many staff does {company} have, according to the slide?",
            "Which slide shows the results of {company}?",
        ),
        "the results of {company}",
        ("Revenue {n3} million", "Staff {n4}", "Founded in 19{n2}"),
        "",
    ),
)

# Things that no photograph and no clip shows.
ABSENT = (
    "an elephant", "a piano", "an airplane", "a snowman", "a waterfall", "a pizza", "a horse", "a violin", "a lighthouse",
    "a giraffe", "a windmill", "a polar bear", "a hot-air balloon", "a church",
)  # fmt: skip
