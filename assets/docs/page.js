// The API page: Swagger UI, plus a plain-language explanation of each answer's source.
"use strict";

// --- The source of an answer -------------------------------------------------------------------

/** Parses the first entry of `cache-status` (RFC 9211), such as `predict-once; hit; detail=redis`; later entries are other caches'. */
function cacheStatus(value) {
  const parts = String(value).split(",")[0].split(";").map((part) => part.trim());
  const named = Object.fromEntries(parts.slice(1).map((part) => part.split("=")));
  return { hit: "hit" in named, forward: named.fwd, detail: named.detail, collapsed: "collapsed" in named };
}

/** The milliseconds of `server-timing`: `cache;dur=0.1841, model;dur=0.0043`. */
function timings(value) {
  // Swagger UI returns a header that contains a comma and a space as a list.
  const entries = String(value).split(",").map((entry) => entry.trim().split(";dur="));
  return Object.fromEntries(entries.map(([name, milliseconds]) => [name, `${Number(milliseconds).toPrecision(2)} ms`]));
}

/** The caches by their name in `cache-status`. A test compares them with the service's. */
const TIERS = { memory: "the service's memory", redis: "Redis", dynamodb: "DynamoDB" };

/** Explains the headers of a prediction in a sentence or two; `undefined` without `cache-status`. */
function howAnswered(status, headers) {
  if (!headers["cache-status"]) return undefined;
  const { hit, forward, detail, collapsed } = cacheStatus(headers["cache-status"]);
  const took = timings(headers["server-timing"] ?? "");
  const computed = `the model computed the answer in ${took.model}`;
  if (hit) {
    return `From the cache (${TIERS[detail] ?? detail}) in ${took.cache}. The model did not run.`;
  }
  if (status === 504) return "The request allowed only a cached answer, and none is available. The model did not run.";
  if (status !== 200) return undefined;
  if (collapsed) return "Another request was computing this prediction: the answer is its result.";
  if (forward === "partial") return `Some of the inputs were in the cache. For the others, ${computed}.`;
  if (forward === "bypass" && detail === "cost") return `The model is faster than the cache: ${computed}.`;
  if (forward === "request") return `Your cache-control header bypassed the cache: ${computed}.`;
  if (forward === "bypass") return `The service has no cache: ${computed}.`;
  if (detail === "unavailable") return `The cache did not answer: ${computed}.`;
  if (detail === "corrupt") return `The cache held an invalid entry: ${computed}, and the entry is overwritten.`;
  return `Not in the cache yet: ${computed}. It is now stored: execute again to get it from the cache.`;
}

/** The response's problem details (RFC 9457), or `undefined` if it is no error. */
function problemOf(response) {
  if (!String(response.headers?.["content-type"]).startsWith("application/problem+json")) return undefined;
  try {
    return JSON.parse(response.text);
  } catch {
    return undefined;
  }
}

/** The content shown and announced for a response. */
function summary(response) {
  const problem = problemOf(response);
  const how = howAnswered(response.status, response.headers ?? {});
  const fields = (problem?.errors ?? []).map(({ pointer, detail, suggestion }) => ({
    name: decodeURIComponent(pointer.slice(2)),
    text: suggestion ? `${detail}. Probably meant: ${suggestion}` : detail,
  }));
  return { problem, how, fields };
}

/** The text that a screen reader announces for a response. */
function announced({ problem, how, fields }) {
  const parts = problem ? [`${problem.title}.`, ...fields.map(({ name, text }) => `${name} ${text}.`)] : ["Answered."];
  return [...parts, how ?? ""].join(" ");
}

// --- The page ----------------------------------------------------------------------------------

/** Wraps Swagger UI's components. */
function plugin({ React }) {
  const element = React.createElement;

  function Outcome({ response }) {
    const { problem, how, fields } = summary(response);
    const spoken = announced({ problem, how, fields });
    const requestId = response.headers?.["x-request-id"];
    React.useEffect(() => {
      document.getElementById("announcement").textContent = spoken;
    }, [spoken, requestId]);
    if (!problem && !how) return null;
    return element(
      "div",
      { className: problem ? "outcome problem" : "outcome" },
      problem && element("p", null, element("strong", null, problem.title), ". ", errorLink(problem)),
      fields.length > 0 &&
        element("ul", null, fields.map(({ name, text }) => element("li", { key: name }, element("code", null, name), " ", text))),
      how && element("p", null, how),
    );
  }

  // `type` starts at the service's root or with its base path. A proxy may have removed another prefix, so make it relative to this page.
  const errorLink = ({ type }) =>
    type?.includes("/docs/") && element("a", { href: type.slice(type.lastIndexOf("/docs/") + 1) }, "What this error means");

  return {
    wrapComponents: {
      liveResponse: (Original) => (props) => {
        const response = props.response.toJS();
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
  description.info.description = description.info.description.replaceAll("https://…", root);
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
  const ui = SwaggerUIBundle({
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
  if (!location.hash.startsWith("#/")) openFirst(ui, description);
}

/** Opens the first operation, ready to execute, without changing the address. */
function openFirst(ui, description) {
  const { tags, operationId } = Object.values(description.paths)[0].post;
  ui.getStore().dispatch({ type: "layout_show", payload: { thing: ["operations", tags[0], operationId], shown: true } });
}

followColorScheme();
start().catch((error) => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = `Cannot show the API description: ${error.message}`;
  document.getElementById("api").replaceChildren(notice);
});
