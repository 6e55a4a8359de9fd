"""The talks of `narrated.py`: their slides, what is said, and what people ask: each question with its answer and scene.

Sentences of our own. The questions were written before any model saw the talks. What is fitted is fitted on the talks that are not held
out; half of the questions about "ferry" are "why". Failures on the talk "river" were read after it was measured, those on
"observatory" and "software" were not. "bakery", "clinic" and "software" were written by someone who had not seen how questions are answered.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from make_sample import Scene, Slide

from playhead import Claim

__all__ = ["TALKS", "Asked", "Scenes", "Talk"]

# When each scene starts and ends.
Scenes = list[tuple[float, float]]

_REVIEW = (
    Scene(
        Slide("Harbour Foods", ("Annual review", "Presented by Helen Marsh"), cover=True),
        ("Welcome to the annual review of our company.", "My name is Helen, and I run the kitchens."),
    ),
    Scene(
        Slide("Revenue", ("2024: 3.2 million", "2025: 4.1 million", "Strongest region: Norway")),
        ("Our revenue grew by almost a third.", "Norway sold more than all other regions together."),
    ),
    Scene(
        Slide("Delivery vans", ("18 electric vans", "Range 240 km", "Depot: Hall 7"), "VAN-PLAN-18"),
        ("We replaced the old diesel vans with electric ones.", "The drivers charge them at night, because power is cheap then."),
    ),
    Scene(
        Slide("Outage in May", ("19 May, 06:10 to 09:40", "Cause: freezer fuse", "Loss: 12,000 euros")),
        ("In May the large freezer stopped working for three hours.", "We had to throw away all of the fish."),
    ),
    Scene(
        Slide("Hiring", ("Five bakers", "One food chemist", "Apply before 30 June")),
        ("We are looking for five bakers and one chemist.", "The chemist will test our bread for salt."),
    ),
    Scene(
        Slide("New recipe", ("Bread without sugar", "Oven 230 degrees", "Bake for 42 minutes")),
        ("Our new bread has no sugar in it.", "Customers asked for it, since many of them must not eat sweet things."),
    ),
    Scene(
        Slide("Prices", ("Rye bread: $4", "Fish soup: $9", "Catering: $310 a day")),
        ("We raised the prices only once this year.", "The reason was the price of wheat, which doubled."),
    ),
    Scene(
        Slide("Safety", ("Wear gloves", "Emergency number 5512", "Meeting point: north gate")),
        ("If there is a fire, leave by the north gate.", "Please call the emergency number before you do anything else."),
    ),
    Scene(
        Slide("Questions", ("helen@harbour.example", "Office 3, every Friday"), cover=True),
        ("That was all for today.", "You can find me in the office every Friday."),
    ),
)  # fmt: skip


class Asked(NamedTuple):
    """A question.

    Attributes:
        kind: `spoken`, `written`, `paraphrase`, `why`, or `never` for what does not happen.
        question: As typed.
        answer: A pattern that the answer's text must match; empty for `never`.
        scene: In which scene the answer is, from 0.
    """

    kind: str
    question: str
    answer: str = ""
    scene: int = -1

    def checked_on(self, scenes: "Scenes") -> Callable[[Sequence[Claim]], bool]:
        """Return a check of claims: they are right if they have the words asked for and cite the scene."""

        def is_right(claims: Sequence[Claim]) -> bool:
            if not claims or not self.answer:
                return False
            start, end = scenes[self.scene]
            cited = [citation for claim in claims for citation in claim.citations]
            said = re.search(self.answer, " ".join(claim.text for claim in claims), re.IGNORECASE)
            return said is not None and any(one.start < end and one.end > start for one in cited)

        return is_right


_REVIEW_QUESTIONS = (
    Asked("spoken", "How long was the freezer broken?", r"three hours|3 hours|06:10", 3),
    Asked("spoken", "When do the drivers charge the vans?", r"night", 2),
    Asked("spoken", "What will the chemist do?", r"salt", 4),
    Asked("spoken", "Where should people go if there is a fire?", r"north gate", 7),
    Asked("spoken", "What did they have to throw away?", r"fish", 3),
    Asked("spoken", "How many bakers do they want to hire?", r"five|\b5\b", 4),
    Asked("written", "What was the revenue in 2025?", r"4\.1", 1),
    Asked("written", "How much is catering a day?", r"310", 6),
    Asked("written", "What is the emergency number?", r"5512", 7),
    Asked("written", "How far can a van drive?", r"240", 2),
    Asked("written", "How hot must the oven be?", r"230", 5),
    Asked("written", "What is the price of the fish soup?", r"\$?9", 6),
    Asked("paraphrase", "What was the reason for the breakdown of the fridge?", r"fuse", 3),
    Asked("paraphrase", "Which country brought in the most money?", r"norway", 1),
    Asked("paraphrase", "By when must applicants send in their papers?", r"30 June|June 30", 4),
    Asked("paraphrase", "Who is the speaker?", r"helen", 0),
    Asked("paraphrase", "What was the damage in euros?", r"12,?000", 3),
    Asked("why", "Why are the vans charged at night?", r"cheap", 2),
    Asked("why", "Why did they raise the prices?", r"wheat", 6),
    Asked("why", "Why is there no sugar in the new bread?", r"customers|sweet|asked", 5),
    Asked("why", "Why did the freezer stop working?", r"fuse", 3),
    Asked("never", "Who won the football match?"),
    Asked("never", "What does Helen say about the new website?"),
    Asked("never", "How many people died in the accident?"),
    Asked("never", "When was the restaurant in Paris opened?"),
    Asked("never", "What colour is the airplane?"),
    Asked("never", "How much does the beef burger cost?"),
)


_MUSEUM = (
    Scene(
        Slide("City Museum", ("Plan for the new season", "Tom Baker, director"), cover=True),
        ("Good morning to everybody in the hall.", "I am Tom Baker, and I direct the museum since last winter."),
    ),
    Scene(
        Slide("Visitors", ("2023: 210,000", "2024: 264,000", "Busiest month: August")),
        ("More people came than in any year before.", "Most of them were families with small children."),
    ),
    Scene(
        Slide("New roof", ("Cost: 1.8 million", "Builder: Larsen and Sons", "Finished on 4 March"), "ROOF-22"),
        ("The old roof let the rain in.", "We closed the upper floor for six weeks while it was repaired."),
    ),
    Scene(
        Slide("Tickets", ("Adults: 14 euros", "Students: 7 euros", "Free on Sundays")),
        ("Students pay half of what adults pay.", "Nobody pays anything on Sunday."),
    ),
    Scene(
        Slide("Whale skeleton", ("Length: 18 metres", "Found in 1921", "Room 12")),
        ("The whale hangs from the ceiling of room twelve.", "It was found on the beach by a fisherman."),
    ),
    Scene(
        Slide("Guides", ("Eleven guides", "Four languages", "Training in May")),
        ("Our guides speak English, French, Polish and Spanish.", "Each of them is trained for three days."),
    ),
    Scene(
        Slide("Cafe", ("Opens at 9:30", "Soup of the day: $6", "Closed on Monday")),
        ("The cafe has moved into the garden.", "It moved because the kitchen in the cellar was too small."),
    ),
    Scene(
        Slide("Theft in June", ("Stolen: a silver cup", "Alarm at 02:40", "Police report 7719")),
        ("In June somebody stole a silver cup.", "The thief came in through a window that was left open."),
    ),
    Scene(
        Slide("Night opening", ("Every first Friday", "Until 23:00", "Music in the hall")),
        ("Once a month we stay open until eleven in the evening.", "A jazz band plays for the guests."),
    ),
    Scene(
        Slide("Thank you", ("tom@museum.example", "Desk at the east door"), cover=True),
        ("Thank you for your patience.", "If you have lost something, ask at the desk by the east door."),
    ),
)
_MUSEUM_QUESTIONS = (
    Asked("spoken", "How long was the upper floor closed?", r"six weeks|6 weeks", 2),
    Asked("spoken", "Which languages do the guides speak?", r"polish", 5),
    Asked("spoken", "Where does the whale hang?", r"ceiling|room twelve|room 12", 4),
    Asked("spoken", "What does the band play?", r"jazz", 8),
    Asked("spoken", "Where do I ask for something I lost?", r"east door|desk", 9),
    Asked("spoken", "Who came to the museum most?", r"famil", 1),
    Asked("spoken", "How many days is a guide trained?", r"three|\b3\b", 5),
    Asked("written", "How many visitors were there in 2024?", r"264", 1),
    Asked("written", "What does a ticket for adults cost?", r"14", 3),
    Asked("written", "Which company built the roof?", r"larsen", 2),
    Asked("written", "How long is the whale?", r"18", 4),
    Asked("written", "When does the cafe open?", r"9:30|9.30", 6),
    Asked("written", "What is the number of the police report?", r"7719", 7),
    Asked("paraphrase", "On which day is admission free of charge?", r"sunday", 3),
    Asked("paraphrase", "What was taken by the burglar?", r"cup", 7),
    Asked("paraphrase", "Who is in charge of the museum?", r"baker|tom", 0),
    Asked("paraphrase", "In which year was the animal discovered?", r"1921", 4),
    Asked("paraphrase", "How late can you visit on a first Friday?", r"23|eleven|11", 8),
    Asked("paraphrase", "How much did the repair of the roof cost?", r"1\.8", 2),
    Asked("paraphrase", "What time did the alarm ring?", r"2:40", 7),
    Asked("why", "Why was the roof repaired?", r"rain", 2),
    Asked("why", "Why did the cafe move?", r"small|kitchen", 6),
    Asked("why", "How did the thief get in?", r"window", 7),
    Asked("never", "Who painted the Mona Lisa?"),
    Asked("never", "What does Tom say about the dinosaur?"),
    Asked("never", "How many cars can park at the museum?"),
    Asked("never", "What is the password of the wifi?"),
    Asked("never", "Why was the director fired?"),
    Asked("never", "How much does a ticket for dogs cost?"),
    Asked("never", "Who scored the second goal?"),
    Asked("never", "When does the swimming pool close?"),
)
_FERRY = (
    Scene(
        Slide("Island Ferries", ("Report to the council", "Speaker: Ruth Adler"), cover=True),
        ("Good evening, I am glad that so many of you came.", "I am Ruth Adler, and I plan the timetable."),
    ),
    Scene(
        Slide("Passengers", ("2023: 88,000", "2024: 71,000", "Quiet month: November")),
        (
            "Fewer tourists took the ferry last summer.",
            "The hotel on the island was closed, so they went elsewhere.",
        ),
    ),
    Scene(
        Slide("New ship", ("Name: Heron", "Length: 46 metres", "Batteries: 2 hours"), "HERON-46"),
        (
            "The new ship is quiet, since it runs on batteries.",
            "It cannot cross in a strong wind, because it is so light.",
        ),
    ),
    Scene(
        Slide("Strike in April", ("Four days", "Reason: night shifts", "Ended on 17 April")),
        ("In April our sailors stopped working.", "Nobody could reach the island during that time."),
    ),
    Scene(
        Slide("Pier", ("Concrete, 1962", "Repair: 390,000 crowns", "Load: 20 tonnes")),
        ("Salt water has eaten into the old pier.", "That is why lorries may no longer drive on it."),
    ),
    Scene(
        Slide("Timetable", ("First boat 5:40", "Last boat 21:15", "Sunday: 4 boats")),
        (
            "The first boat leaves twenty minutes earlier now.",
            "The nurses asked for that, as their work begins at seven.",
        ),
    ),
    Scene(
        Slide("Seals", ("Colony: 260 animals", "Distance: 300 metres")),
        (
            "In spring our boats go around the sand bank.",
            "The seals have their young there and must not be disturbed.",
        ),
    ),
    Scene(
        Slide("Fares", ("Adults: 11 crowns", "Bicycles: 5 crowns", "Free under 6 years")),
        ("Diesel became cheaper, so we lowered the fares.", "Bicycles still cost extra."),
    ),
    Scene(
        Slide("Collision", ("2 December, 07:25", "Thick fog", "Damage: 8,300 crowns")),
        (
            "In December a fishing boat hit our ship.",
            "Its captain had switched off the radar to save power.",
        ),
    ),
    Scene(
        Slide("Coffee", ("Bar closed since May", "Machines are for sale", "Kiosk at the pier")),
        (
            "You can no longer buy coffee on board.",
            "Most passengers bring their own cup, so it did not pay.",
        ),
    ),
    Scene(
        Slide("Dogs", ("Upper deck only", "On a leash", "At most 12 dogs")),
        ("Dogs travel on the upper deck now.", "A guest who is afraid of them had complained twice."),
    ),
    Scene(
        Slide("Thank you", ("ruth@ferry.example", "Office: Quay 2"), cover=True),
        (
            "We end a little early, because the last boat will not wait.",
            "Please leave your ideas in the box by the door.",
        ),
    ),
)
_FERRY_QUESTIONS = (
    Asked("paraphrase", "How much will it cost to mend the pier?", r"390", 4),
    Asked("paraphrase", "What is the vessel called?", r"heron", 2),
    Asked("paraphrase", "On what date was the walkout over?", r"17 April|April 17", 3),
    Asked("paraphrase", "How many seals live there?", r"260", 6),
    Asked("paraphrase", "Who is giving the report?", r"ruth|adler", 0),
    Asked("paraphrase", "What do grown-ups pay for the crossing?", r"11|eleven", 7),
    Asked("paraphrase", "At what time does the last ship go?", r"21:15", 5),
    Asked("paraphrase", "How many people travelled in 2024?", r"71", 1),
    Asked("why", "Why did fewer tourists come?", r"hotel", 1),
    Asked("why", "Why is the new ship so quiet?", r"batter", 2),
    Asked("why", "Why can the ship not sail in a strong wind?", r"light", 2),
    Asked("why", "Why did the sailors stop working?", r"night|shift", 3),
    Asked("why", "Why may lorries not use the pier?", r"salt|eaten", 4),
    Asked("why", "Why does the first boat leave earlier?", r"nurse|seven", 5),
    Asked("why", "Why do the boats avoid the sand bank in spring?", r"seal|young|disturb", 6),
    Asked("why", "Why were the fares lowered?", r"diesel", 7),
    Asked("why", "why did the fishing boat hit the ferry", r"radar|fog", 8),
    Asked("why", "Why was the radar off?", r"save|power", 8),
    Asked("why", "Why is no coffee sold on the ship any more?", r"own|cup|pay", 9),
    Asked("why", "Why do dogs have to stay on the upper deck?", r"afraid|complain", 10),
    Asked("why", "Why does the meeting end early?", r"last boat|wait", 11),
    Asked("never", "Why was the lighthouse painted?"),
    Asked("never", "Why did the captain resign?"),
    Asked("never", "How much does a room in the hotel cost?"),
    Asked("never", "Who found the treasure?"),
    Asked("never", "What does Ruth say about the airport?"),
)

_RIVER = (
    Scene(
        Slide("River Trust", ("Report of the year", "Speaker: Maria Olsen"), cover=True),
        ("Hello and welcome to our yearly meeting.", "I am Maria Olsen, and I look after the river."),
    ),
    Scene(
        Slide("Water quality", ("Oxygen: 9.2", "Nitrate: 31", "Measured at 14 places")),
        ("The water is cleaner than ten years ago.", "Only the part below the sugar factory is still bad."),
    ),
    Scene(
        Slide("Salmon", ("2022: 340 fish", "2023: 515 fish", "Counted at the old mill")),
        ("The salmon have come back to the upper river.", "We took away a weir, so that they can swim up again."),
    ),
    Scene(
        Slide("Flood of 9 January", ("Level: 4.6 metres", "62 houses", "Bridge closed for 5 days"), "FLOOD-09"),
        ("The flood in January was the worst since the war.", "Heavy rain fell on snow, and all of it melted at once."),
    ),
    Scene(
        Slide("Volunteers", ("128 people", "Meet on Saturday", "Bring rubber boots")),
        ("Our volunteers collect rubbish from the banks.", "They found two bicycles and a piano this year."),
    ),
    Scene(
        Slide("Boats", ("Licence: 25 pounds", "Speed limit 6 knots", "No engines above Kelm")),
        ("Motor boats may not go beyond the village of Kelm.", "Their waves destroy the nests of the birds."),
    ),
    Scene(
        Slide("Budget", ("Income: 86,000", "Expenses: 79,500", "Auditor: J. Reed")),
        ("We spent a little less than we earned.", "The largest part was paid for the new fish ladder."),
    ),
    Scene(
        Slide("School project", ("Nine schools", "Kit: 48 euros", "Starts in September")),
        ("Children test the water with a small kit.", "Their teachers send the results to us by phone."),
    ),
    Scene(
        Slide("Path", ("12 kilometres", "From Kelm to Dorf", "Open all year")),
        (
            "A new path follows the river from Kelm to Dorf.",
            "It is covered with gravel, since asphalt was too expensive.",
        ),
    ),
    Scene(
        Slide("Contact", ("maria@river.example", "Phone 0300 4471"), cover=True),
        ("That is the end of my report.", "Coffee and cake are waiting in the next room."),
    ),
)
_RIVER_QUESTIONS = (
    Asked("spoken", "What did the volunteers find?", r"piano|bicycle", 4),
    Asked("spoken", "What are the waves of boats bad for?", r"nest|bird", 5),
    Asked("spoken", "Where is the water still bad?", r"sugar|factory", 1),
    Asked("spoken", "What is the path covered with?", r"gravel", 8),
    Asked("spoken", "What do the children test?", r"water", 7),
    Asked("spoken", "Where are coffee and cake?", r"next room", 9),
    Asked("spoken", "How do teachers send the results?", r"phone", 7),
    Asked("written", "How many salmon were counted in 2023?", r"515", 2),
    Asked("written", "What is the speed limit for boats?", r"\b6\b|six", 5),
    Asked("written", "How high was the flood?", r"4\.6", 3),
    Asked("written", "Who is the auditor?", r"reed", 6),
    Asked("written", "What does a boat licence cost?", r"25", 5),
    Asked("written", "How long is the path?", r"12", 8),
    Asked("paraphrase", "For how long could nobody cross the bridge?", r"5 days|five days", 3),
    Asked("paraphrase", "What footwear should helpers bring?", r"boots", 4),
    Asked("paraphrase", "Who is giving the talk?", r"maria|olsen", 0),
    Asked("paraphrase", "What was most of the money spent on?", r"ladder", 6),
    Asked("paraphrase", "How many homes were hit by the high water?", r"62", 3),
    Asked("paraphrase", "What telephone number can I call?", r"0300|4471", 9),
    Asked("paraphrase", "Which month does the project with pupils begin?", r"september", 7),
    Asked("why", "Why can salmon swim up the river again?", r"weir", 2),
    Asked("why", "Why was there a flood in January?", r"rain|snow|melt", 3),
    Asked("why", "Why is the path not made of asphalt?", r"expensive", 8),
    Asked("never", "Who won the election?"),
    Asked("never", "What does Maria say about the crocodile?"),
    Asked("never", "How many people drowned in the lake?"),
    Asked("never", "When does the train to London leave?"),
    Asked("never", "Why was the airport closed?"),
    Asked("never", "How much does a salmon sandwich cost?"),
    Asked("never", "What is the name of the mayor's dog?"),
    Asked("never", "Which singer opened the meeting?"),
)

_OBSERVATORY = (
    Scene(
        Slide("Hill Observatory", ("Open evening", "Guide: Peter Novak"), cover=True),
        (
            "Good evening, and mind the step at the door.",
            "My name is Peter Novak, and I have worked here for nineteen years.",
        ),
    ),
    Scene(
        Slide("The telescope", ("Mirror: 1.4 metres", "Built in Jena", "Weight: 11 tonnes")),
        (
            "A motor turns the telescope against the rotation of the earth.",
            "Otherwise every star would leave the picture within a minute.",
        ),
    ),
    Scene(
        Slide("Light", ("Lamps off at 22:00", "Red torches only", "No phones in the dome")),
        (
            "We use red light, because red does not blind eyes that are used to the dark.",
            "It takes twenty minutes until you see well.",
        ),
    ),
    Scene(
        Slide("Comet 88P", ("Seen on 3 October", "Tail: 2 degrees", "Returns in 2031"), "COMET-88"),
        (
            "A student discovered the comet on a photograph from the night before.",
            "She thought at first that it was a scratch.",
        ),
    ),
    Scene(
        Slide("The mirror", ("New coating: 7 June", "Aluminium", "Price: 46,500 francs")),
        ("The mirror had lost a fifth of its brightness.", "Dust from the quarry had made tiny scratches in it."),
    ),
    Scene(
        Slide("Visits", ("Groups of up to 15", "Adults: 12 francs", "Not in rain")),
        (
            "School classes come in the afternoon and look at the sun through a filter.",
            "Never look at the sun without one.",
        ),
    ),
    Scene(
        Slide("Power cut", ("14 February", "Dome open for 6 hours", "Snow on the floor")),
        ("When the power failed, the roof could not be closed.", "Two of us shovelled the snow out until the morning."),
    ),
    Scene(
        Slide("Meteors", ("12 August", "80 an hour", "Look to the north east")),
        ("The best night for shooting stars is in the middle of August.", "You need no telescope, only a blanket."),
    ),
    Scene(
        Slide("Plans", ("Camera: 24 megapixels", "Library on floor 2", "Opening: spring 2027")),
        (
            "The old library moves upstairs, because the cellar is too damp for books.",
            "A cousin of the founder gave the money for it.",
        ),
    ),
    Scene(
        Slide("Good night", ("peter@hill.example", "Bus 41 at 23:15"), cover=True),
        ("Please take the last bus, there are no taxis up here.", "The shop sells maps of the stars."),
    ),
)
_OBSERVATORY_QUESTIONS = (
    Asked("spoken", "How long has Peter worked there?", r"nineteen|\b19\b", 0),
    Asked("spoken", "How long does it take until you see well in the dark?", r"twenty|\b20\b", 2),
    Asked("spoken", "Who discovered the comet?", r"student", 3),
    Asked("spoken", "what did she think the comet was", r"scratch", 3),
    Asked("spoken", "How much brightness had the mirror lost?", r"fifth", 4),
    Asked("spoken", "When do school classes come?", r"afternoon", 5),
    Asked("spoken", "What does the shop sell?", r"maps", 9),
    Asked("spoken", "Who gave money for the library?", r"cousin", 8),
    Asked("written", "How big is the mirror?", r"1\.4", 1),
    Asked("written", "How heavy is the telescope?", r"\b11\b|eleven", 1),
    Asked("written", "When does comet 88P return?", r"2031", 3),
    Asked("written", "what did the new coating cost", r"46,?500", 4),
    Asked("written", "How many people can be in a group?", r"15|fifteen", 5),
    Asked("written", "Which bus goes at 23:15?", r"41", 9),
    Asked("written", "How many meteors can be seen in an hour?", r"80|eighty", 7),
    Asked("paraphrase", "Where was the telescope made?", r"jena", 1),
    Asked("paraphrase", "What is the entrance fee for grown-ups?", r"12|twelve", 5),
    Asked("paraphrase", "For how long was the roof stuck open?", r"6 hours|six hours", 6),
    Asked("paraphrase", "What should I bring to watch shooting stars?", r"blanket", 7),
    Asked("paraphrase", "Who is showing the visitors around?", r"peter|novak", 0),
    Asked("paraphrase", "Which metal covers the mirror?", r"alumini?um", 4),
    Asked("paraphrase", "At what time are the lights switched off?", r"22|ten", 2),
    Asked("paraphrase", "On what date did the electricity fail?", r"14 February|February 14", 6),
    Asked("why", "Why do they use red light?", r"blind|dark", 2),
    Asked("why", "Why does a motor turn the telescope?", r"rotation|leave|earth|star", 1),
    Asked("why", "Why was the mirror scratched?", r"dust|quarry", 4),
    Asked("why", "why could the roof not be closed", r"power", 6),
    Asked("why", "Why is the library moved upstairs?", r"damp", 8),
    Asked("why", "Why should visitors take the last bus?", r"taxi", 9),
    Asked("never", "Who paid for the new car park?"),
    Asked("never", "What does Peter say about black holes?"),
    Asked("never", "How many astronauts live on the station?"),
    Asked("never", "What did the telescope cost?"),
    Asked("never", "When was the observatory on the moon built?"),
    Asked("never", "Why was the concert cancelled?"),
    Asked("never", "How many people were injured in the storm?"),
    Asked("never", "What is the recipe of the soup?"),
    Asked("never", "Who won the chess tournament?"),
)

_BAKERY = (
    Scene(
        Slide("Corner Bakery", ("Third quarter in review", "Speaker: Alice Green"), cover=True),
        ("Hello, and thanks for coming so early.", "I am Alice, and I look after the money in this bakery."),
    ),
    Scene(
        Slide("Sales", ("This summer: $186,000", "Last summer: $171,500", "Best seller: lemon cake")),
        (
            "We sold more this summer than we did last summer.",
            "The lemon cake did well because a newspaper wrote about it.",
        ),
    ),
    Scene(
        Slide("Station shop", ("Closed on 31 August", "Rent: $2,900 a month", "Staff moved: 4")),
        (
            "We have given up the shop at the train station.",
            "The new timetable took most of its morning customers away.",
            "All four people who worked there are now in the main shop.",
        ),
    ),
    Scene(
        Slide("New oven", ("Delivered 17 July", "Price: $24,600", "Holds 90 loaves"), "OVEN-K40"),
        ("The old oven burned the bottom of every third tray.", "So we bought a new one, and it runs on gas."),
    ),
    Scene(
        Slide("Mixer", ("Delivered 22 September", "Price: $8,150", "Guarantee: 3 years")),
        ("We also bought a mixer.", "Two of our people had hurt their backs doing that work by hand."),
    ),
    Scene(
        Slide("Price list", ("White loaf: $3.20", "Lemon cake: $26", "Coffee: $2.80")),
        (
            "A cup of coffee costs twenty cents more than before.",
            "We left the white loaf alone so that our older neighbors can still afford it.",
        ),
    ),
    Scene(
        Slide("Complaints", ("Total: 37", "Most common: bread came late", "Reason: van in repair")),
        ("Everyone who complained got a free breakfast from us.",),
    ),
    Scene(
        Slide("Night shift", ("Begins at 01:30", "Six people", "Bonus: $18 a night")),
        (
            "The night shift now starts one hour earlier.",
            "Two hotels have ordered rolls, and they want them on the table before six.",
        ),
    ),
    Scene(
        Slide("Market stall", ("Closed from 5 November", "Opens again 12 March", "Average day: $340")),
        (
            "Our market stall will be shut during the winter.",
            "Last January the water pipes were frozen on nine days.",
        ),
    ),
    Scene(
        Slide("Waste", ("Thrown away: 4 percent", "Target: 2 percent", "Food bank: Tuesday")),
        (
            "We no longer bake in the afternoon, to have less left over.",
            "A food bank picks up the rest with a small truck.",
        ),
    ),
    Scene(
        Slide("Apprentices", ("Three places", "Began on 1 September", "Mentor: Daniel")),
        (
            "Three young people are learning the trade with us.",
            "That is one more than planned, since Peter will retire in the spring.",
        ),
    ),
    Scene(
        Slide("Next meeting", ("14 January, 07:15", "alice@corner.example"), cover=True),
        ("We will meet again in the room above the shop.", "Please bring your holiday plans with you."),
    ),
)
_BAKERY_QUESTIONS = (
    Asked("spoken", "What does the new oven run on?", r"\bgas\b", 3),
    Asked("spoken", "what did people get who complained", r"breakfast", 6),
    Asked("spoken", "How much more does a cup of coffee cost now?", r"(twenty|\b20) ?(cent|¢)|\$0?\.20", 5),
    Asked("spoken", "On how many days were the pipes frozen?", r"\bnine\b|\b9\b", 8),
    Asked("spoken", "What should we bring to the next meeting?", r"holiday", 11),
    Asked("spoken", "Who picks up the bread that is left over?", r"food ?bank", 9),
    Asked("written", "What was the price of the oven?", r"24[,. ]?600", 3),
    Asked("written", "When was the mixer delivered?", r"22 ?(nd )?(of )?Sep|Sep\w* 22", 4),
    Asked("written", "How high was the rent of the station shop?", r"2[,. ]?900", 2),
    Asked("written", "how many loafs does the oven hold", r"\b90\b|ninety", 3),
    Asked("written", "When does the market stall open again?", r"12 ?(th )?(of )?March|March 12", 8),
    Asked("written", "what does a white loaf cost", r"3[.,]20", 5),
    Asked("paraphrase", "When do the people who work after dark have to be there?", r"\b0?1[:.]30|half past one", 7),
    Asked("paraphrase", "Which product was the most popular one?", r"lemon", 1),
    Asked("paraphrase", "How long is the warranty on the dough machine?", r"(3|three) ?years", 4),
    Asked("paraphrase", "Who teaches the trainees?", r"daniel", 10),
    Asked("paraphrase", "How many customers were unhappy?", r"\b37\b|thirty[- ]seven", 6),
    Asked("paraphrase", "What did they earn from July to September this year?", r"186[,. ]?000", 1),
    Asked("paraphrase", "What share of the food ends up in the garbage?", r"\b(4|four) ?(per ?cent|%)", 9),
    Asked("why", "Why did the lemon cake sell so well?", r"newspaper", 1),
    Asked("why", "Why did they give up the shop at the station?", r"time ?table|morning customers", 2),
    Asked("why", "Why was a new oven bought?", r"burn", 3),
    Asked("why", "why didnt the white loaf get more expensive", r"afford|older neighbou?rs", 5),
    Asked("why", "Why did the bread come late?", r"\bvan\b|repair", 6),
    Asked("why", "What is the reason for closing the market stall in winter?", r"froze|pipes", 8),
    Asked("why", "Why are there more apprentices than planned?", r"retire", 10),
    Asked("never", "How much does the chocolate cake cost?"),
    Asked("never", "Why did the coffee become more expensive?"),
    Asked("never", "Who repaired the old oven?"),
    Asked("never", "What is the phone number of the food bank?"),
    Asked("never", "when is the christmas party"),
    Asked("never", "Which school did the apprentices go to?"),
)

_CLINIC = (
    Scene(
        Slide("Hill Street Clinic", ("Yearly meeting", "Chair: Dr. Robert King"), cover=True),
        ("Please take a seat, we have one hour.", "I am Doctor King, and I will lead you through the past year."),
    ),
    Scene(
        Slide("Phone lines", ("Calls a day: 240", "Average wait: 7 minutes", "Second line: 555-0142")),
        (
            "On Monday mornings many callers hung up before anybody answered.",
            "That is why we have a second phone line now.",
            "A student answers it.",
        ),
    ),
    Scene(
        Slide("Staff", ("Left: 2 nurses", "New: Dr. Susan Park", "Since 6 October")),
        (
            "We lost two of our nurses this year.",
            "The big hospital pays them better.",
            "Doctor Park is new, and she sees only children.",
        ),
    ),
    Scene(
        Slide("Blood tests", ("Monday to Thursday", "07:00 to 09:30", "Do not eat for 8 hours")),
        (
            "We do not take any blood on Fridays.",
            "The laboratory is closed on the weekend, and the blood would spoil.",
        ),
    ),
    Scene(
        Slide("Flu vaccine", ("From 22 September", "Price: $35", "Given so far: 612")),
        (
            "The flu vaccine is free for everybody over sixty five.",
            "We also give it in the evening so that people with a job can come.",
        ),
    ),
    Scene(
        Slide("Travel vaccine", ("From 3 November", "Price: $80", "By appointment only")),
        (
            "People who travel far can get their vaccine here too.",
            "They need an appointment, since one bottle has to be shared by ten people.",
        ),
    ),
    Scene(
        Slide("Waiting room", ("28 chairs", "Painted in April", "Paint: $1,150")),
        (
            "The walls of the waiting room are green now.",
            "We took out the fish tank because it was leaking onto the floor.",
        ),
    ),
    Scene(
        Slide("Car park", ("Closed 10 to 21 August", "30 spaces", "Permit HSC-77")),
        (
            "For two weeks in the summer nobody could use the car park.",
            "The roots of the old trees had lifted the ground.",
        ),
    ),
    Scene(
        Slide("Back entrance", ("Closed since 1 February", "Ring the bell at night", "Door code 4086")),
        (
            "Last winter somebody walked in and stole medicine.",
            "We keep the back entrance locked, and only the nurses have a key.",
        ),
    ),
    Scene(
        Slide("Dark afternoon", ("12 June, 15:20 to 16:05", "Power cut due to a flooded cellar", "46 doses spoiled")),
        ("In June all of our lights went out.", "The doctors finished their work with small lamps."),
    ),
    Scene(
        Slide("Missed appointments", ("Last year: 930", "This year: 410", "Reminder 24 hours before")),
        ("Since February we have sent a text message to every patient.",),
    ),
    Scene(
        Slide("Money", ("Income: $1.34 million", "Costs: $1.29 million", "Heating: 18 percent less")),
        ("Heating has become much cheaper.", "The new windows keep the warm air inside."),
    ),
    Scene(
        Slide("Any questions?", ("king@hillstreet.example", "Minutes online on 19 December"), cover=True),
        ("You can read all of this on our website.", "There is soup for everyone in the kitchen."),
    ),
)
_CLINIC_QUESTIONS = (
    Asked("spoken", "what colour are the walls of the waiting room", r"green", 6),
    Asked("spoken", "Who answers the second phone line?", r"student", 1),
    Asked("spoken", "From what age is the flu vaccine free?", r"sixty[- ]?five|\b65\b", 4),
    Asked("spoken", "Who has a key to the back entrance?", r"nurse", 8),
    Asked("spoken", "What did the doctors use when the lights were out?", r"lamps?\b|flashlight|torch", 9),
    Asked("spoken", "What is there in the kitchen?", r"soup", 12),
    Asked("written", "When was the car park closed?", r"10.{1,9}21.{0,4} ?Aug|Aug\w* 10", 7),
    Asked("written", "What is the door code?", r"4086", 8),
    Asked("written", "How much is the travel vaccine?", r"\b80\b|eighty", 5),
    Asked("written", "how long do callers wait on average", r"\b(7|seven) ?min", 1),
    Asked("written", "How many chairs are in the waiting room?", r"\b28\b|twenty[- ]eight", 6),
    Asked("written", "What was the clinic's income?", r"1[.,]34", 11),
    Asked("paraphrase", "How many people got a shot against influenza up to now?", r"\b612\b", 4),
    Asked("paraphrase", "Who is the new pediatrician?", r"susan|(doctor|dr\.?) ?park", 2),
    Asked("paraphrase", "How long must my stomach be empty before they draw blood?", r"\b(8|eight) ?hours", 3),
    Asked("paraphrase", "How many patients did not turn up this year?", r"\b410\b", 10),
    Asked("paraphrase", "room for how many vehicles is there", r"\b30\b|thirty", 7),
    Asked("paraphrase", "How much was spent on redecorating?", r"1[,. ]?150", 6),
    Asked("paraphrase", "At what time did the electricity come back?", r"16[:.]05|\b0?4[:.]05", 9),
    Asked("why", "Why did they get a second phone line?", r"hung up|hang up", 1),
    Asked("why", "Why did two nurses leave?", r"\bpays?\b|\bpaid\b|salar", 2),
    Asked("why", "why is no blood taken on fridays", r"\blab(orator)?|weekend|spoil", 3),
    Asked("why", "Why do I need an apointment for the travel vaccine?", r"bottle|shared|(ten|10) people", 5),
    Asked("why", "Why was the fish tank removed?", r"leak", 6),
    Asked("why", "What is the reason that the back entrance is locked?", r"stole|medicine|theft|thief", 8),
    Asked("why", "Why was there no power in June?", r"flood|cellar", 9),
    Asked("never", "How much does a dental check cost?"),
    Asked("never", "Why did Doctor Park leave her last job?"),
    Asked("never", "What was the name of the nurses who left?"),
    Asked("never", "When was the clinic founded?"),
    Asked("never", "who painted the waiting room"),
    Asked("never", "How many beds are on the second floor?"),
)

_SOFTWARE = (
    Scene(
        Slide("Checkout team", ("What broke and what comes next", "Host: Laura Stone"), cover=True),
        ("Let us look back at a difficult month.", "I am Laura, and my team builds the page where people pay."),
    ),
    Scene(
        Slide("First crash", ("9 February, from 11:05", "Down for 74 minutes", "Ticket PAY-2218")),
        (
            "On a Monday in February our shop stopped taking orders.",
            "The disk was full of old files.",
            "Four thousand shopping carts were lost.",
        ),
    ),
    Scene(
        Slide("Who noticed", ("First call: 11:12", "Alarm: 11:31", "Engineer on duty: Mark")),
        (
            "A customer told us about it before our own system did.",
            "Our alarm came late because somebody had turned it off for a test.",
        ),
    ),
    Scene(
        Slide("The repair", ("Server restarted at 12:19", "Files kept for 14 days", "Free space: 61 percent")),
        ("We now delete old files every night so that there is always room for new orders.",),
    ),
    Scene(
        Slide("Second crash", ("26 February at 20:40", "Down for 18 minutes", "Due to a wrong password"), "PAY-2305"),
        ("Later in the same month we had another crash.", "It was short, and only people in Canada saw it."),
    ),
    Scene(
        Slide("Refunds", ("Customers: 1,260", "Total: $48,300", "Paid out by 20 March")),
        (
            "Some customers were charged twice.",
            "They had pressed the button again when the page did not answer.",
            "They have their money back, and a coupon.",
        ),
    ),
    Scene(
        Slide("Hosting", ("Now: $5,400 a month", "After the move: $3,700", "Move on 16 May")),
        (
            "In May our servers move to another building.",
            "We chose one in the far north, since the cold air there cools the machines for free.",
        ),
    ),
    Scene(
        Slide("Mobile app", ("Version 6.2 on 14 April", "Dark mode", "Needs 85 MB")),
        (
            "The new version of our app comes out in April.",
            "White screens hurt the eyes at night, so it will have a dark mode.",
        ),
    ),
    Scene(
        Slide("Search page", ("Version 3.0 on 9 June", "Answers in 0.4 seconds", "Beta testers: 150")),
        (
            "The new search page will come two months later than we promised.",
            "The woman who wrote most of it has just had a baby.",
        ),
    ),
    Scene(
        Slide("Old website", ("Switched off on 30 June", "Archive until 2028", "Redirect code 301")),
        (
            "Hardly anybody visits the old website these days.",
            "We will switch it off at the end of June.",
        ),
    ),
    Scene(
        Slide("Meetings", ("Tuesday at 09:45", "15 minutes", "Room 6B")),
        ("There is no meeting on Thursday any more.", "Most of you said that it broke up your best working hours."),
    ),
    Scene(
        Slide("Open jobs", ("Two testers", "One designer", "Salary from $64,000")),
        (
            "We are hiring two testers to find mistakes before our customers do.",
            "The designer may work from another country.",
        ),
    ),
    Scene(
        Slide("Thanks", ("laura@checkout.example", "Chat room: pay-help"), cover=True),
        ("Write to us in the chat room if anything looks strange.", "The pizza will be here at noon."),
    ),
)
_SOFTWARE_QUESTIONS = (
    Asked("spoken", "how many shopping carts were lost", r"four thousand|\b4[,. ]?000", 1),
    Asked("spoken", "Who told them about the first crash?", r"customer", 2),
    Asked("spoken", "In which country did people see the second crash?", r"canada", 4),
    Asked("spoken", "What did customers get besides their money?", r"coupon|voucher", 5),
    Asked("spoken", "Where may the designer work from?", r"another country|other countr|abroad", 11),
    Asked("spoken", "When will the pizza be here?", r"\bnoon\b|midday|twelve|\b12( ?p\.?m|:00| o)", 12),
    Asked("written", "For how many minutes was the shop down on 9 February?", r"\b74\b", 1),
    Asked("written", "At what time was the alarm?", r"11[:.]31", 2),
    Asked("written", "How many days are files kept?", r"\b14\b|fourteen", 3),
    Asked("written", "When does version 3.0 of the search page come out?", r"\b9 ?(th )?(of )?June|June 9", 8),
    Asked("written", "what does hosting cost after the move", r"3[,. ]?700", 6),
    Asked("written", "How many MB does the app need?", r"\b85", 7),
    Asked("paraphrase", "Which employee was responsible for emergencies that day?", r"\bmark\b", 2),
    Asked("paraphrase", "What sum was returned to the clients?", r"48[,. ]?300", 5),
    Asked("paraphrase", "How short was the later failure?", r"\b(18|eighteen) ?min", 4),
    Asked("paraphrase", "On what date will the computers be relocated?", r"\b16 ?(th )?(of )?May|May 16", 6),
    Asked("paraphrase", "How fast does it find things?", r"\b0?[.,]4 ?s", 8),
    Asked("paraphrase", "untill when can one read the retired site's pages", r"2028", 9),
    Asked("paraphrase", "What is the lowest pay for new staff?", r"64[,. ]?000", 11),
    Asked("why", "Why did the shop stop taking orders?", r"\bdis[ck]\b|old files|\bfull\b", 1),
    Asked("why", "Why did the alarm come late?", r"turned (it )?off|\btest\b|muted", 2),
    Asked("why", "why are old files deleted every night", r"\broom for|enough (room|space)|fill up|new orders", 3),
    Asked("why", "What was the cause of the crash on 26 February?", r"password", 4),
    Asked("why", "Why will the servers go to the north?", r"\bcold\b|\bcool", 6),
    Asked("why", "Why is the new search page late?", r"baby|birth", 8),
    Asked("why", "Why is the old website going to be switched off?", r"hardly|visit|nobody uses|few (people|users)", 9),
    Asked("never", "What is the name of the customer who called first?"),
    Asked("never", "What was the wrong password?"),
    Asked("never", "When did Mark join the company?"),
    Asked("never", "How many lines of code does the checkout page have?"),
    Asked("never", "does the app run on a watch"),
    Asked("never", "Why did the last designer quit?"),
)


class Talk(NamedTuple):
    """A talk and its questions.

    Attributes:
        name: Of the file.
        scenes: Its slides, and what is said while each is shown.
        questions: What is asked about it.
        held_out: Whether nothing is fitted on its questions.
    """

    name: str
    scenes: tuple[Scene, ...]
    questions: tuple[Asked, ...]
    held_out: bool


TALKS = (
    Talk("review", _REVIEW, _REVIEW_QUESTIONS, held_out=False),
    Talk("museum", _MUSEUM, _MUSEUM_QUESTIONS, held_out=False),
    Talk("ferry", _FERRY, _FERRY_QUESTIONS, held_out=False),
    Talk("bakery", _BAKERY, _BAKERY_QUESTIONS, held_out=False),
    Talk("clinic", _CLINIC, _CLINIC_QUESTIONS, held_out=False),
    Talk("river", _RIVER, _RIVER_QUESTIONS, held_out=True),
    Talk("observatory", _OBSERVATORY, _OBSERVATORY_QUESTIONS, held_out=True),
    Talk("software", _SOFTWARE, _SOFTWARE_QUESTIONS, held_out=True),
)
