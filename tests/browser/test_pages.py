"""The pages of the service in a real browser, under their own strict policy."""

import json

import pytest
from tests.support.service import V1
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # the first test may have to fetch the browser


def test_description_is_shown_without_a_violation(visit, home, context):
    """Swagger UI runs under the policy, and nothing is asked of another host."""
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = visit(f"{home}/docs")
    page.wait_for_selector(".opblock-summary")
    page.click(".opblock-summary >> nth=0")
    page.wait_for_selector(".opblock-body")
    assert page.told == []
    assert [url for url in asked if not url.startswith((home, "data:"))] == []


# Relative luminance and contrast of WCAG 2.2; a background that is clear is that of the nearest parent that is not.
CONTRAST = """selector => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => parts(colour).slice(0, 3)
        .map(value => value / 255)
        .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = getComputedStyle(node).backgroundColor;
            if ((parts(colour)[3] ?? 1) > 0.5) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    return Math.min(...[...document.querySelectorAll(selector)].map(node => {
        const [low, high] = [getComputedStyle(node).color, behind(node)].map(luminance).sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector",
    [".opblock-summary-method", ".opblock-summary-path", ".opblock-summary-description", ".btn.authorize", ".info a"],
)
def test_description_can_be_read(visit, home, context, scheme, selector):
    """WCAG 2.2, 1.4.3: 4.5 to 1, in the light and in the dark."""
    page = visit("about:blank")
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{home}/docs")
    page.wait_for_selector(".opblock-summary")
    assert page.evaluate(CONTRAST, selector) >= 4.5


def test_examples_of_the_page_work_as_they_are(visit, app, open_site):
    """A stranger registers, shows the key, and asks for audio, without writing anything else."""
    page = visit(f"{open_site(app)}/docs")

    def execute(path):
        block = page.locator(".opblock", has=page.locator(f'[data-path="{path}"]')).first
        block.locator(".opblock-summary-control").click()
        block.locator(".try-out__btn").click()
        block.locator(".btn.execute").click()
        answer = block.locator(".live-responses-table .response").first
        return int(answer.locator(".response-col_status").inner_text()), answer.locator("pre").first.inner_text()

    status, body = execute("/api/v1/auth/register")
    assert status == 201, body
    page.click(".btn.authorize")
    asked = page.locator(".auth-container")
    assert [text.split()[0] for text in asked.locator("h4").all_inner_texts()] == ["bearer", "apiKey", "refresh"]
    asked.nth(1).locator("input").fill(json.loads(body)["api_key"])
    asked.nth(1).locator(".btn.authorize").click()
    page.click(".close-modal")
    status, body = execute("/api/v1/tts/generate")
    assert status == 202, body


def test_description_fits_a_telephone(visit, home):
    """Nothing is cut off or has to be moved sideways."""
    page = visit("about:blank")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{home}/docs")
    page.wait_for_selector(".opblock-summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_policy_stops_what_is_injected(visit, home):
    """A script or a style that somebody has smuggled into the page does not run."""
    page = visit(f"{home}/docs")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.stolen = 1";
        document.body.append(script);
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.stolen = 2");
        image.src = "data:image/png;base64,x";
        document.body.append(image);
    }""")

    def is_told():
        page.wait_for_timeout(20)
        return sum("Content Security Policy" in each for each in page.told) >= 2

    eventually(is_told, "the browser's word on both")
    assert page.evaluate("window.stolen") is None


@pytest.mark.parametrize("path", ["/nowhere/<script>document.title='run'</script>", f"{V1}/tts/audio/<b>x</b>"])
def test_text_of_a_caller_is_shown_as_text(visit, home, path):
    """An answer that is opened as a page runs nothing, whatever its address says."""
    page = visit(home + path)
    assert page.evaluate("document.title") == ""
    assert page.evaluate("document.querySelectorAll('b').length") == 0
