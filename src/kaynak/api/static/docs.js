"use strict";

// Fills the page from /openapi.json. Text goes in as text nodes only: nothing of the document becomes markup.

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

// Every other part of a text split at backticks is code.
const prose = (text) => (text || "").split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));

const resolve = (spec, schema) => {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((node, step) => node[step], spec);
};

const typeName = (spec, schema) => {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map((option) => typeName(spec, option)).join(" | ");
  if (schema.type === "array") return `${typeName(spec, schema.items)}[]`;
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  return schema.format ? `${schema.type} (${schema.format})` : schema.type || "any";
};

const fieldTable = (spec, schema) => {
  const known = resolve(spec, schema);
  if (!known.properties) return null;
  const required = new Set(known.required || []);
  const rows = Object.entries(known.properties).map(([name, field]) =>
    element("tr", {},
      element("td", {}, element("code", {}, name), required.has(name) ? " *" : ""),
      element("td", {}, typeName(spec, field)),
      element("td", {}, ...prose(field.description || resolve(spec, field).description))));
  return element("table", {}, element("tbody", {}, ...rows));
};

const nested = (spec, schema, seen = new Set()) => {
  const found = [];
  const visit = (part) => {
    if (!part || typeof part !== "object") return;
    if (part.$ref && !seen.has(part.$ref)) {
      seen.add(part.$ref);
      const known = resolve(spec, part);
      if (known.properties) found.push([part.$ref.split("/").pop(), part]);
      Object.values(known.properties || {}).forEach(visit);
    }
    [part.items, part.additionalProperties, ...(part.anyOf || [])].forEach(visit);
  };
  visit(schema);
  return found;
};

const schemaBlock = (spec, schema) => element("div", {}, ...nested(spec, schema).map(([name, part], position) =>
  element("details", position ? {} : { open: "" }, element("summary", {}, name), fieldTable(spec, part))));

const exampleOf = (spec, schema) => {
  const known = resolve(spec, schema);
  return known.examples ? JSON.stringify(known.examples[0], null, 2) : "";
};

const parameters = (operation) => {
  const inputs = new Map();
  const rows = (operation.parameters || []).map((parameter) => {
    const input = element("input", { "aria-label": parameter.name });
    inputs.set(parameter, input);
    return element("tr", {},
      element("td", {}, element("code", {}, parameter.name), parameter.required ? " *" : "", ` (${parameter.in})`),
      element("td", {}, ...prose(parameter.description)),
      element("td", {}, input));
  });
  return [rows.length ? element("table", {}, element("tbody", {}, ...rows)) : null, inputs];
};

const tryIt = (path, method, inputs, body) => {
  const button = element("button", { type: "button" }, "Send");
  const output = element("pre", { hidden: "" });
  button.addEventListener("click", async () => {
    let address = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.append(parameter.name, input.value);
    }
    const options = { method: method.toUpperCase() };
    if (body) Object.assign(options, { body: body.value, headers: { "Content-Type": "application/json" } });
    output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await fetch(query.size ? `${address}?${query}` : address, options);
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: show it as it is */ }
      output.textContent = `${answer.status} ${answer.statusText}\n\n${shown}`;
    } catch (error) {
      output.textContent = String(error);
    }
  });
  return element("div", {}, button, output);
};

const operationBlock = (spec, path, method, operation) => {
  const [table, inputs] = parameters(operation);
  const content = (operation.requestBody || {}).content || {};
  const json = content["application/json"];
  const body = json ? element("textarea", { rows: "8", "aria-label": "Body" }) : null;
  if (body) body.value = exampleOf(spec, json.schema);
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const shape = ((answer.content || {})["application/json"] || {}).schema;
    const examples = Object.values(((answer.content || {})["application/problem+json"] || {}).examples || {});
    return element("details", {}, element("summary", {}, element("code", {}, status), " ", ...prose(answer.description)),
      shape ? schemaBlock(spec, shape) : null,
      ...examples.map((example) => element("p", {}, element("code", {}, example.value.type), ` ${example.value.detail}`)));
  });
  return element("details", { class: "operation", id: operation.operationId },
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path),
      element("h3", {}, operation.summary || "")),
    element("p", {}, ...prose(operation.description)),
    table,
    ...Object.entries(content).map(([type, part]) =>
      element("div", {}, element("h4", {}, `Body: ${type}`), schemaBlock(spec, part.schema))),
    body,
    element("h4", {}, "Answers"), ...answers,
    tryIt(path, method, inputs, body));
};

const show = (spec) => {
  const groups = new Map((spec.tags || []).map((tag) => [tag.name, { tag, operations: [] }]));
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      groups.get(operation.tags[0]).operations.push([path, method, operation]);
    }
  }
  const index = document.getElementById("index");
  const content = document.getElementById("content");
  content.replaceChildren(...spec.info.description.split("\n\n").map((part) => element("p", {}, ...prose(part))));
  for (const { tag, operations } of groups.values()) {
    index.append(element("b", {}, tag.name));
    content.append(element("h2", {}, tag.name), element("p", {}, ...prose(tag.description)));
    for (const [path, method, operation] of operations) {
      const link = element("a", { href: `#${operation.operationId}` }, operation.summary || path);
      const block = operationBlock(spec, path, method, operation);
      link.addEventListener("click", () => { block.open = true; });
      index.append(link);
      content.append(block);
    }
  }
};

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("content").textContent = `The description could not be loaded: ${error}`; });
