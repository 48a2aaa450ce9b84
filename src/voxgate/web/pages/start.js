// Starts Swagger UI on the document of this very service; nothing is loaded from elsewhere.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

// A page cannot set these cookies, and the browser shows them by itself, so there is nothing to fill in.
const withoutCookies = () => ({
  statePlugins: {
    auth: {
      wrapSelectors: {
        definitionsToAuthorize: (original) => (...given) =>
          original(...given)?.filter((each) => each.first().get("in") !== "cookie"),
      },
    },
  },
});

window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [withoutCookies],
    layout: "BaseLayout",
    persistAuthorization: false,
    validatorUrl: null,
  });
});
