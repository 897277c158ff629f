"""Text burnt into uploaded pictures is shown before they become a pool, and pre-flight says which class has it."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_desk import assert_accessible, first_password, in_tab, log_in, shot
from tests.uploads import encoded, lettered, zipped

pytestmark = pytest.mark.browser
IMAGES = {f"set/Real/im{n}.png": encoded(n, "PNG") for n in range(4)}
IMAGES |= {"set/Real/im4.png": lettered(4), "set/Real/im5.png": lettered(5, "12.03.1968", (120, 100))}
IMAGES |= {f"set/Synthetic/im{n}.png": encoded(20 + n, "PNG") for n in range(6)}


def looked_at(page, name, width):
    assert_accessible(page)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"burnt-in-{name}-{width}")


@pytest.mark.parametrize("width", [1440, 390])
def test_text_in_pictures_is_framed_on_the_upload_page_and_told_by_class_before_the_study_opens(
    own_house, new_context, tmp_path, width
):
    page = new_context().new_page()
    page.set_viewport_size({"width": width, "height": 900})
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.get_by_role("link", name="Pools").click()
    (tmp_path / "set.zip").write_bytes(zipped(IMAGES))
    page.get_by_label("Files or a zip").set_input_files(tmp_path / "set.zip")
    for label, value in (("Name", "Lettered"), ("Practice cases", "2"), ("Width", "256"), ("Height", "128")):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Upload").click()

    found = page.get_by_role("group", name="Burnt-in text")
    expect(found).to_contain_text("part of the picture in 2 images", timeout=120_000)
    for file in ("set/Real/im4.png", "set/Real/im5.png"):
        picture = found.get_by_role("img", name=f"{file}, with the text framed")
        picture.scroll_into_view_if_needed()
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    looked_at(page, "survey", width)
    create = page.get_by_role("button", name="Create pool")
    create.click()
    assert page.locator("form:invalid").count()  # nothing is made before the question is answered
    found.get_by_label("Keep these images. I have checked them.").check()
    create.click()
    expect(page.get_by_text("The pool is ready")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("text seems to be burnt into the picture, kept: 2 of 6 real images")).to_be_visible()

    page.get_by_role("link", name="Studies").click()
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Title").fill("With text")
    page.get_by_label("Pool", exact=True).select_option("lettered")
    page.get_by_role("button", name="Create draft", exact=True).click()
    in_tab(page, "Pre-flight")
    page.get_by_role("button", name="Audit the pool").click()
    check = page.get_by_role("listitem").filter(has_text="Text in the pictures").first
    expect(check).to_contain_text("Only real images have text", timeout=120_000)
    expect(check).to_contain_text("of 5 real images and 0 of 5 synthetic images")
    looked_at(page, "preflight", width)
