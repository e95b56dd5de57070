// The API page: a form to try the model, and Swagger UI for all that the API has.
import { announced, explained } from "./answer.js";
import { showForm } from "./form.js";

/** Wraps Swagger UI's components. */
function plugin({ React }) {
  const element = React.createElement;

  function Outcome({ response }) {
    const requestId = response.headers?.["x-request-id"];
    const spoken = announced(response);
    React.useEffect(() => {
      document.getElementById("announcement").textContent = spoken;
    }, [spoken, requestId]);
    return element("div", { ref: (node) => node?.replaceChildren(...explained(response)) });
  }

  return {
    wrapComponents: {
      liveResponse: (Original) => (props) => {
        const { status, headers, text } = props.response.toJS();
        const response = { status, headers: headers ?? {}, text: text ?? "" };
        return element(React.Fragment, null, element(Outcome, { response }), element(Original, props));
      },
      // The only server is the page's own.
      ServersContainer: () => () => null,
      // The service itself requires no authorisation.
      authorizeBtn: () => () => null,
      // `tryItOutEnabled` makes every operation executable from the start.
      TryItOutButton: () => () => null,
      // The path is inside the button that opens the operation, and a button must not contain a link.
      DeepLink: () => ({ text }) => element("span", null, text),
    },
  };
}

/** Accessible names for controls that Swagger UI leaves unnamed; screen readers need them. */
const NAMES = {
  ".opblock-section-request-body .examples-select-element": "Example to send",
  ".responses-wrapper .examples-select-element": "Example of this response",
  "select.content-type": "Media type",
  "textarea.body-param__text": "The request's body, JSON",
  ".opblock-section-request-body input[type=file]": "The request's body, a file",
  ".parameters-col_description select": "Value",
};

/** Names the controls and landmarks within `root`, and makes scrollable code focusable by keyboard. */
function mend(root) {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const control of root.querySelectorAll(`${selector}:not([aria-label])`)) control.ariaLabel = name;
  }
  for (const code of root.querySelectorAll("pre:not(.version, [tabindex])")) code.tabIndex = 0;
  for (const table of root.querySelectorAll("table[role=region]:not([aria-label])")) {
    table.ariaLabel = `Responses of ${table.closest(".opblock").querySelector(".opblock-summary-path").textContent}`;
  }
  const about = root.querySelector(".information-container:not([role])");
  if (about) Object.assign(about, { role: "region", ariaLabel: "About this API" });
}

/** Adapts the document for the page: adds the wrong examples, and sends requests to the page's own origin. */
function forThePage(description, address) {
  for (const item of Object.values(description.paths)) {
    for (const content of Object.values(item.post?.requestBody?.content ?? {})) {
      content.examples = { ...content.examples, ...content["x-wrong-examples"] };
    }
  }
  const root = new URL(".", address).href.replace(/\/$/, "");
  description.servers = [{ url: root }];
  const { info } = description;
  // The form shows the model's own description.
  info.description = info.description.slice(info["x-model"].description.length).trim().replaceAll("https://…", root);
  return description;
}

function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

async function start() {
  const address = new URL("openapi.json", location.href);
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} returned ${response.status}`);
  const description = forThePage(await response.json(), address);
  showForm(document.getElementById("try"), description);
  await loaded;
  SwaggerUIBundle({
    spec: description,
    dom_id: "#api",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [plugin],
    layout: "BaseLayout",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 3,
    validatorUrl: null,
    // Numbers in the default theme have too little contrast.
    syntaxHighlight: { theme: "monokai" },
  });
  const root = document.getElementById("api");
  new MutationObserver(() => mend(root)).observe(root, { childList: true, subtree: true });
}

/** The document's scripts have run: Swagger UI, the largest, comes after this one, so that the form need not wait for it. */
const loaded = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));

followColorScheme();
start().catch((error) => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = `Cannot show the API description: ${error.message}`;
  document.getElementById("try").replaceChildren(notice);
});
