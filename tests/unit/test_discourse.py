import pytest

from bhiv.pictures.discourse import Listing, Milestone, Sides, is_ending, listing, milestones, sides


@pytest.mark.parametrize(
    ("text", "lead", "items"),
    [
        ("We need water, light and air to live.", "We need", ("Water", "Light", "Air")),
        ("Soil holds three things: sand, silt, clay.", "Soil holds three things", ("Sand", "Silt", "Clay")),
        ("It is sent on, by clouds, by ice, and by the air itself.", "It is sent on", ("Clouds", "Ice", "Air itself")),
        ("The market sells mangoes, figs and sweet lime in summer.", "The market sells",
         ("Mangoes", "Figs", "Sweet lime")),
        ("जीवन के लिए पानी, हवा और धूप चाहिए।", "जीवन के लिए", ("पानी", "हवा", "धूप")),
        ("खेत को चार चीज़ें चाहिए: बीज, जल, खाद और श्रम।", "खेत को चार चीज़ें चाहिए", ("बीज", "जल", "खाद", "श्रम")),
        ("Our garden:\nRoses\nTulips of two colours\nMint", "Our garden", ("Roses", "Tulips of two colours", "Mint")),
        ("- Boil water\n- Add tea\n- Serve", "", ("Boil water", "Add tea", "Serve")),
        ("1. Soak\n2. Grind\n3. Steam", "", ("Soak", "Grind", "Steam")),
    ],
)  # fmt: skip
def test_things_in_a_row_are_a_list(text: str, lead: str, items: tuple[str, ...]) -> None:
    assert listing(text) == Listing(lead, items)


@pytest.mark.parametrize(
    "text",
    [
        "Then the sun rose, the birds sang, and the lotus opened.",
        "He came, saw, and conquered.",
        'He folded his hands and said, "Now, and here, I know."',
        "न प्रकाश, न रंग, न कोई साथी।",
        "Water and air are free.",
        "One slow drop upon the step,\nas round as any coin,\nand one more drop, and then a third.",
        "",
    ],
)
def test_deeds_clauses_and_pairs_are_no_list(text: str) -> None:
    assert listing(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The rain is late, but the farmers wait.", Sides("The rain is late", "The farmers wait", "but", False)),
        ("It was very cold. But nobody complained.", Sides("It was very cold", "Nobody complained", "But", False)),
        ("From the village to the city, all changed.", Sides("The village", "The city", "", True)),
        ("Trains versus planes.", Sides("Trains", "Planes", "versus", False)),
        ("Unlike coal, sunlight costs nothing.", Sides("Coal", "Sunlight costs nothing", "Unlike", False)),
        ("A desert is dry, while a forest is wet.", Sides("A desert is dry", "A forest is wet", "while", False)),
        ("गाँव छोटा है, लेकिन दिल बड़ा है।", Sides("गाँव छोटा है", "दिल बड़ा है", "लेकिन", False)),
        ("बीज से वृक्ष तक", Sides("बीज", "वृक्ष", "", True)),
        ("शहर तेज़ है, जबकि गाँव शांत है।", Sides("शहर तेज़ है", "गाँव शांत है", "जबकि", False)),
        ("From 1914 to 1918", None),
        ("The sea was calm.", None),
    ],
)  # fmt: skip
def test_two_sides_are_found_in_the_words_that_oppose_them(text: str, expected: Sides | None) -> None:
    assert sides(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In 1957 Sputnik circled the Earth. In 1961 Gagarin followed, and in 1969 people walked on the Moon.",
         [("1957", "Sputnik circled the Earth"), ("1961", "Gagarin followed"), ("1969", "People walked on the Moon")]),
        ("India became free on 15 August 1947. In 1950 it was a republic.",
         [("15 August 1947", "India became free"), ("1950", "It was a republic")]),
        ("1947 में भारत आज़ाद हुआ। 1950 में संविधान लागू हुआ।", [("1947", "भारत आज़ाद हुआ"), ("1950", "संविधान लागू हुआ")]),
        ("First soak the rice, then grind it, and finally steam it.",
         [("First", "Soak the rice"), ("Then", "Grind it"), ("Finally", "Steam it")]),
        ("पहले बीज बोओ। फिर पानी दो। अंत में फसल काटो।", [("पहले", "बीज बोओ"), ("फिर", "पानी दो"), ("अंत में", "फसल काटो")]),
        ("The war lasted from 1914 to 1918.", []),
        ("He had 1500 sheep and 2000 goats.", []),
        ("Then he slept.", []),
    ],
)  # fmt: skip
def test_dates_and_steps_make_a_line_of_time(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(milestones(text)) == [Milestone(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("text", "ends"), [("The End", True), ("समाप्त।", True), ("Thank you!", True), ("The end of war", False)]
)
def test_an_ending_says_nothing_else(text: str, ends: bool) -> None:
    assert is_ending(text) == ends
