"""The pages of the service in a real browser, under their own strict policy."""

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
