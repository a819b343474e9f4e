import html
import json
import re
import shutil
import subprocess

import pytest

from densevl.visualize.palette import palette
from densevl.visualize.report import ReportRow, write_report

NASTY = "</script><script>alert(1)</script><!-- \"'&\u2028 {{DATA}} \\ 東京 \ud800"
CLASSES = ("wall", "sky", NASTY)
ROWS = [
    ReportRow("a/1", "overlay/a/1.jpg", 0.25, {"wall": 0.2, "sky": 0.8, NASTY: 0.0}),
    ReportRow(NASTY, None, 0.75, {"wall": 0.0, NASTY: 0.123456}),
]


def page_of(rows=ROWS, **changes):
    options = {"title": "Photos", "settings": {"model": "lite"}, "class_names": CLASSES, **changes}
    return write_report(rows, **options).decode("utf-8")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_the_rows_with_shares_from_large_to_small_and_none_of_zero():
    data = data_of(page_of())
    assert data["rows"][0] == ["a/1", "overlay/a/1.jpg", 0.25, [[1, 0.8], [0, 0.2]]]
    assert data["rows"][1][1:] == [None, 0.75, [[2, 0.1235]]]
    assert data["settings"] == [["model", "lite"]]


def test_classes_have_the_colours_of_the_overlays():
    colours = [colour for _, colour in data_of(page_of())["classes"]]
    assert colours == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in palette(3)]


def test_names_titles_and_settings_cannot_break_out_of_the_page():
    page = page_of(title=NASTY, settings={NASTY: NASTY})
    plain = page_of([], class_names=())
    for tag in ("<script", "</script", "<!--"):
        assert page.count(tag) == plain.count(tag)
    shown = NASTY.replace("\ud800", "?")
    data = data_of(page)
    assert data["rows"][1][0] == shown
    assert data["classes"][2][0] == shown
    assert data["settings"] == [[shown, shown]]


def test_the_page_needs_no_network():
    page = page_of()
    assert "http" not in page
    assert not re.search(r'(src|href)="', page)


def test_a_run_without_pictures_has_a_page_too():
    assert data_of(page_of([]))["rows"] == []


def test_the_same_rows_give_the_same_bytes():
    assert page_of() == page_of()


PROBE = """<script>
const log = [], key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const cards = document.getElementsByClassName("card"), names = document.getElementsByClassName("name");
const note = () => log.push([cards.length, cards.length ? names[0].textContent : ""]);
const set = (id, value, event) => { at(id).value = value; at(id).dispatchEvent(new Event(event)); };
note(); key("n"); note(); key("p"); set("sort", "name", "change"); note();
set("search", "7 pic", "input"); note(); set("search", "absent", "input"); note();
set("search", "", "input"); set("class", "2", "change"); note(); set("class", "", "change");
cards[59].click(); key("ArrowRight");
log.push([at("large").open, at("large-name").textContent]);
document.title = JSON.stringify(log);
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_sorts_turns_searches_filters_and_opens_in_a_browser(tmp_path):
    rows = [ReportRow(f"pic {i}", f"overlay/pic {i}.jpg", i / 100, {"wall": 0.6, "sky": 0.4}) for i in range(70)]
    rows.append(ReportRow(NASTY, None, 0.0, {NASTY: 1.0}))
    (tmp_path / "report.html").write_text(page_of(rows).replace("</body>", PROBE), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    address = (tmp_path / "report.html").as_uri()
    dom = subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=True).stdout
    log = json.loads(html.unescape(re.search("<title>(.*?)</title>", dom, re.DOTALL)[1]))
    shown = NASTY.replace("\ud800", "?")
    assert log[0] == [60, "pic 69"]
    assert log[1] == [11, "pic 9"]
    assert log[2][0] == 60
    assert log[3] == [7, "pic 7"]
    assert log[4] == [0, ""]
    assert log[5] == [1, shown]
    assert log[6][0] is True
    assert log[6][1].startswith("pic ")
