"""Price tables go out to a spreadsheet and come back, and every line that is wrong is said."""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from openpyxl import Workbook, load_workbook

from catalog.models import Episode, ProvenanceKind, Series
from config.csv_files import as_meant
from payments.desk import price_versions
from payments.desk.price_changes import effects
from payments.desk.price_tables import reading, sheets, writing
from payments.desk.price_tables.reading import TableRefused
from payments.desk.price_tables.sheets import Format
from payments.models import PriceChange, PricePlan, PriceVersion
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator
from tests.factories.payments import PAST, assign
from tests.payments.desk.price_changes.conftest import price_of
from tests.payments.desk.price_changes.test_admin_changes import LIST, Desk, complaints
from tests.proof import Proof

HEAD = "external_id,title,free_count,base_price_coins,steps,overrides"
EXPORT = f"{LIST}prices/"


@pytest.fixture
def desk(dana: User, now: datetime) -> Desk:
    return Desk(dana, now)


def send(desk: Desk, content: bytes | str, **fields: Any) -> HttpResponse:
    content = content.encode() if isinstance(content, str) else content
    return desk.send("table", file=SimpleUploadedFile("prices.csv", content), **fields)


def line(series: Series, rest: str = "8,70,10:80;30:90,5:0") -> str:
    return f"{series.external_id},whatever,{rest}"


def table(*lines: str) -> str:
    return "\n".join([HEAD, *lines])


def workbook(*rows: Sequence[Any]) -> bytes:
    book = Workbook()
    for row in (HEAD.split(","), *rows):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_table_is_drafted_looked_at_and_put_in_force(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    one, two, other = titles
    send(desk, table(line(one), line(two, "8,75,,")))
    change = PriceChange.objects.get()
    assert price_of(one, 9, now) == 60
    preview = desk.page(change).context["preview"]
    assert (preview.reach.titles_count, preview.refusals) == (2, [])

    desk.step(change, "propose")

    assert [price_of(one, number, now) for number in (5, 8, 9, 10, 12)] == [0, 0, 70, 80, 80]
    assert [price_of(each, 9, now) for each in (two, other)] == [75, 60]


def test_a_second_table_prices_the_same_titles_and_is_rolled_back(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    for price_coins in (70, 80):
        send(desk, table(*(line(one, f"8,{price_coins},10:85,") for one in titles)))
        change = PriceChange.objects.first()
        desk.step(change, "propose")
        desk.now += timedelta(minutes=1)
    assert PricePlan.objects.filter(own_series__isnull=False).count() == 3

    desk.step(change, "end")

    later = desk.now + timedelta(seconds=1)
    assert [price_of(one, 9, later) for one in titles] == [70, 70, 70]
    assert [price_of(one, 10, later) for one in titles] == [85, 85, 85]


@pytest.mark.parametrize("form", list(Format))
def test_what_is_exported_comes_back_as_it_was(
    desk: Desk, plan: PricePlan, titles: Sequence[Series], now: datetime, form: Format
) -> None:
    stepped = PricePlan.objects.create(name="Stepped", created_at=PAST)
    price_versions.add(
        plan=stepped,
        effective_from=PAST,
        free_count=3,
        base_price_coins=50,
        steps={10: 60, 30: 80},
        overrides={5: 0, 7: 90},
        now=PAST,
    )
    assign(stepped, [titles[0].id])

    answer = desk.get(EXPORT, form=form)

    assert answer["Content-Disposition"].endswith(f'prices-2026-03-14.{form}"')
    read = reading.read(answer.content)
    assert len(read) == 3
    terms = read[titles[0].id]
    assert (terms.free_count, terms.base_price_coins) == (3, 50)
    assert (terms.steps, terms.overrides) == ({10: 60, 30: 80}, {5: 0, 7: 90})
    send(desk, answer.content)
    change = PriceChange.objects.get()
    assert effects.reach(change, now=now).titles_count == 0


def test_exports_just_what_the_filter_finds(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    Series.objects.filter(id=titles[1].id).update(genre="romance")
    rows = list(
        csv.DictReader(
            desk.get(EXPORT, **{"titles-genre": "romance"}).content.decode().splitlines()
        )
    )
    assert [row["external_id"] for row in rows] == [titles[1].external_id]
    refused = desk.get(EXPORT, **{"titles-minimum_episodes": "many"})
    assert refused.status_code == 302
    assert Desk(operator("ann", role="analyst"), now).get(EXPORT).status_code == 403


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1"])
def test_no_title_is_a_formula_in_a_spreadsheet(
    titles: Sequence[Series], now: datetime, text: str
) -> None:
    series = SeriesFactory(external_id=text, title=text)
    file = writing.write([series.id], at=now, form=Format.CSV)
    _, row = csv.reader(io.StringIO(file.decode(), newline=""))
    assert row[:2] == [f"'{text}"] * 2
    assert as_meant(row[0]) == text
    file = writing.write([series.id], at=now, form=Format.XLSX)
    cells = next(load_workbook(io.BytesIO(file)).active.iter_rows(min_row=2))
    assert {cell.data_type for cell in cells[:2]} == {"s"}
    assert cells[0].value == f"'{text}"
    assert {cell.number_format for cell in cells[:2]} == {"@"}


def test_reads_what_other_spreadsheets_write(desk: Desk, titles: Sequence[Series]) -> None:
    one = titles[0]
    wanted = reading.read(table(line(one)).encode())
    semicolons = f'\ufeffbase_price_coins;free_count;external_id;steps;overrides\r\n70;8;{one.external_id};"10:80;30:90";5:0\r\n\r\n'
    assert reading.read(semicolons.encode()) == wanted
    tabs = table(line(one)).replace(",", "\t")
    assert reading.read(tabs.encode()) == wanted
    assert (
        reading.read(workbook([one.external_id, "x", 8.0, "70", " 10:80 ; 30:90 ", "5:0"]))
        == wanted
    )


WRONG_LINES: Sequence[tuple[str, str]] = [
    ("nobody,x,8,60,,", "Line 2: there is no title “nobody”"),
    (",x,8,60,,", "Line 2: it names no title"),
    ("{0},x,8,,,", "Line 2: base_price_coins is empty"),
    ("{0},x,,60,,", "Line 2: free_count is empty"),
    ("{0},x,8,0,,", "Line 2: base_price_coins is 0. It is between 1 and 1,000,000. To give"),
    ("{0},x,8,1000001,,", "Line 2: base_price_coins is 1000001"),
    ("{0},x,-1,60,,", "Line 2: free_count is “-1”. Write a whole number"),
    ("{0},x,8,sixty,,", "Line 2: base_price_coins is “sixty”"),
    ("{0},x,8,60.5,,", "Line 2: base_price_coins is “60.5”"),
    ('{0},x,8,"1,000",,', "Line 2: base_price_coins is “1,000”"),
    ("{0},x,8,٦٠,,", "Line 2: base_price_coins is “٦٠”"),
    ("{0},x,8,060,,", "Line 2: base_price_coins is “060”"),
    ("{0},x,10001,60,,", "Line 2: free_count is 10001"),
    ("{0},x,8,60,10-80,", "Line 2: steps has “10-80”. Write an episode and a price, as in 10:60"),
    ("{0},x,8,60,10:50,", "a step costs more than what comes before it"),
    ("{0},x,8,60,1:80,", "Line 2: steps has episode 1. It is between 2"),
    ("{0},x,8,60,10:0,", "Line 2: steps has 0 coins for episode 10"),
    ("{0},x,8,60,10:80;10:90,", "Line 2: steps has episode 10 twice"),
    ("{0},x,8,60,10:05,", "Line 2: steps has “10:05”"),
    ("{0},x,8,60,,0:5", "Line 2: overrides has episode 0"),
    ("{0},x,8,60,,5:0;5:1", "Line 2: overrides has episode 5 twice"),
    ("{0},x,8,=50+10,,", "Line 2: base_price_coins is a formula"),
    ("=A1,x,8,60,,", "Line 2: external_id is a formula"),
    ("{0},x,8,60,=B2,", "Line 2: steps is a formula"),
    ("{0},x,8,60,,\n{0},x,8,70,,", "Line 3: {0} is on line 2 already. Keep one of them"),
]


@pytest.mark.matrix(3)
@pytest.mark.parametrize(("lines", "sentence"), WRONG_LINES)
def test_every_wrong_line_is_said_by_its_number(
    desk: Desk, titles: Sequence[Series], lines: str, sentence: str
) -> None:
    name = titles[0].external_id
    answer = send(desk, f"{HEAD}\n{lines.format(name)}")
    assert sentence.format(name) in complaints(answer).replace("&#x27;", "'")
    assert not PriceChange.objects.exists()


def test_says_all_that_is_wrong_and_takes_nothing(desk: Desk, titles: Sequence[Series]) -> None:
    good = line(titles[0])
    answer = send(desk, table(good, "a,x,8,60,,", line(titles[1], "8,0,,"), "b,x,8,60,,"))
    said = answer.context["form"].errors["file"]
    assert [one.partition(":")[0] for one in said] == ["Line 3", "Line 4", "Line 5"]
    with pytest.raises(TableRefused) as refusal:
        reading.read(table(*(f"t{n},x,8,60,," for n in range(150))).encode())
    assert len(refusal.value.complaints) == 101
    assert refusal.value.complaints[-1] == "And 50 more lines are wrong."
    assert not PriceChange.objects.exists()


def test_cells_of_a_workbook_that_are_no_values_are_said(titles: Sequence[Series]) -> None:
    name = titles[0].external_id
    rows = [
        [name, "x", 8, "=50+10", None, None],
        [titles[1].external_id, "x", 8, 60, time(11, 0), None],
        [titles[2].external_id, "x", True, 60, None, None],
    ]
    with pytest.raises(TableRefused) as refusal:
        reading.read(workbook(*rows))
    first, second, third = refusal.value.complaints
    assert first == "Line 2: base_price_coins is a formula. Paste its value in place of it."
    assert second.startswith("Line 3: in steps the spreadsheet made a time")
    assert third.startswith("Line 4: free_count is “True”")


def bomb() -> bytes:
    """A workbook of a few kB that unpacks to 60 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"xl/{number}.xml", b"0" * (sheets.MAXIMUM_UNPACKED_BYTES - 1))
    return file.getvalue()


def with_part(name: str, content: bytes) -> bytes:
    """A workbook in which one part is another."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["a", "b", 8, 60, "", ""]))) as old,
        zipfile.ZipFile(file, "w") as new,
    ):
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return file.getvalue()


def entities() -> bytes:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&l9;</t></is></c></row></sheetData></worksheet>'
    return (head + sheet).encode()


SHEET = "xl/worksheets/sheet1.xml"
HUGE_ROW = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
UNREADABLE: Sequence[tuple[str, Callable[[], bytes], str]] = [
    ("empty", lambda: b"", "The submitted file is empty"),
    ("a head alone", HEAD.encode, "a head and no line below it"),
    ("another head", lambda: b"title,price\nx,1", "The first line names the columns"),
    ("a column twice", lambda: (HEAD + ",title").encode(), "The first line names the columns"),
    ("no price", lambda: b"external_id,free_count\nx,1", "base_price_coins is missing"),
    ("not UTF-8", lambda: HEAD.encode() + b"\n\xff\xfe,x,8,60,,", "neither XLSX nor CSV in UTF-8"),
    ("an open quote", lambda: (HEAD + '\n"x,x,8,60,,').encode(), "a quotation mark"),
    ("a null", lambda: (HEAD + "\nx\x00,x,8,60,,").encode(), "there is no title"),
    ("a picture", lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "neither XLSX nor CSV"),
    ("half a zip", lambda: workbook()[:300], "no workbook that can be read"),
    ("a zip of something", lambda: b"PK\x05\x06" + bytes(18), "no workbook that can be read"),
    ("a bomb", bomb, "unpacks to more than a price table can be"),
    ("entities", lambda: with_part(SHEET, entities()), "no workbook that can be read"),
    ("broken xml", lambda: with_part(SHEET, b"<worksheet><"), "no workbook that can be read"),
    ("a far row", lambda: with_part(SHEET, HUGE_ROW), "names the columns"),
    ("no sheets", lambda: with_part("xl/workbook.xml", b"<workbook/>"), "no workbook that can"),
    (
        "too many lines",
        lambda: (HEAD + "\n" + "x,x,8,60,,\n" * (sheets.MAXIMUM_ROWS + 1)).encode(),
        "more than 50,000 lines",
    ),
    ("too large", lambda: b"x" * (sheets.MAXIMUM_BYTES + 1), "more than 10 MB"),
]


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    ("content", "sentence"),
    [case[1:] for case in UNREADABLE],
    ids=[case[0] for case in UNREADABLE],
)
def test_what_is_no_table_is_refused_in_a_sentence(
    desk: Desk, plan: PricePlan, content: Callable[[], bytes], sentence: str
) -> None:
    answer = send(desk, content())
    assert answer.status_code == 200
    assert sentence in complaints(answer)
    assert not PriceChange.objects.exists()


def test_without_a_file_it_says_so(desk: Desk) -> None:
    assert "This field is required" in complaints(desk.send("table"))


def test_warns_of_prices_by_country_that_a_table_cannot_carry(
    desk: Desk, plan: PricePlan, titles: Sequence[Series]
) -> None:
    variant = {
        "variants-TOTAL_FORMS": 1,
        "variants-0-regions": "BR",
        "variants-0-percent": 50,
    }
    desk.step(desk.draft("plan", plan=plan.id, **variant), "propose")
    desk.now += timedelta(minutes=1)
    send(desk, table(line(titles[0], "8,80,,")))
    change = PriceChange.objects.first()
    page = desk.page(change)
    assert "the titles lose them" in page.content.decode()
    lines = {line.name: line.whole for line in page.context["preview"].by_sample}
    assert lines["BR"] == ("160", "320")


def many(number: int) -> Sequence[Series]:
    """Published titles of two episodes, by the thousand: no statement is long in coming."""
    sizes = [min(1000, number - done) for done in range(0, number, 1000)]
    return [one for size in sizes for one in _many(size)]


def _many(number: int) -> Sequence[Series]:
    made: list[Series] = Series.objects.bulk_create(
        Series(
            external_id=f"many-{uuid4()}",
            state=Series.State.PUBLISHED,
            published_at=PAST,
            original_locale="en",
            genre="adventure",
            provenance_kind=ProvenanceKind.HUMAN,
            created_at=PAST,
            updated_at=PAST,
        )
        for _ in range(number)
    )
    Episode.objects.bulk_create(
        Episode(
            series=one,
            external_id=f"e{place}",
            number=place,
            created_at=PAST,
            updated_at=PAST,
        )
        for one in made
        for place in (9, 10)
    )
    return made


def test_thirty_thousand_titles_take_as_many_questions_as_a_few(
    desk: Desk,
    plan: PricePlan,
    now: datetime,
    django_assert_max_num_queries: Any,
    proof: Proof,
) -> None:
    number = proof.rounds(full=30_000)
    premiere = PricePlan.objects.create(name="Premiere", created_at=PAST)
    price_versions.add(
        plan=premiere, effective_from=PAST, free_count=8, base_price_coins=70, now=PAST
    )
    chosen = {"plan": premiere.id, "titles-genre": "adventure"}
    many(20)
    few = desk.draft("move", **chosen)
    desk.page(few)
    with django_assert_max_num_queries(120) as page_of_few:
        desk.page(few)
    # Rows go in by the 5,000; a step also shows the page again.
    page_queries = len(page_of_few) + 2 * (number // 5_000)
    many(number - 20)

    with django_assert_max_num_queries(page_queries + 60):
        drafted = desk.draft("move", **chosen)
    assert drafted.changed_series.count() == number
    with django_assert_max_num_queries(page_queries):
        page = desk.page(drafted)
    assert page.context["preview"].reach.titles_count == number
    assert len(page.content) < 200_000
    with django_assert_max_num_queries(page_queries + 60):
        desk.post(f"{LIST}{drafted.id}/propose/", shown=page.context["shown"], confirmed="1")
    drafted.refresh_from_db()
    assert (drafted.state, drafted.titles_count) == ("waiting", number)
    with django_assert_max_num_queries(20):
        file = desk.get(EXPORT).content
    assert file.count(b"\n") == number + 1
    proof.record(
        "P24", "Titles in one change whose preview asks as much as that of 20", violations=0
    )


def test_a_table_of_many_titles_takes_as_many_questions_as_one_of_few(
    desk: Desk, plan: PricePlan, now: datetime, django_assert_max_num_queries: Any
) -> None:
    made = many(300)
    few, lots = (table(*(line(one, "8,70,10:80,") for one in part)) for part in (made[:20], made))
    send(desk, few)
    with django_assert_max_num_queries(300) as asked_of_few:
        send(desk, few)
    with django_assert_max_num_queries(len(asked_of_few)):
        send(desk, lots)
    change = PriceChange.objects.first()
    assert desk.page(change).context["preview"].reach.titles_count == 300
    assert PriceVersion.objects.count() == 1


def test_episodes_are_priced_by_the_file_to_the_coin(
    desk: Desk, titles: Sequence[Series], now: datetime
) -> None:
    episodes_of(titles[0], range(13, 40))
    send(desk, table(line(titles[0])))
    change = PriceChange.objects.get()
    seen = {e.number: e.after_coins for e in desk.page(change).context["preview"].episodes}
    desk.step(change, "propose")
    assert seen == {number: price_of(titles[0], number, now) for number in range(1, 40)}
