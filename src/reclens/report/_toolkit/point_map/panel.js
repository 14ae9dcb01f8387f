/** What stands around the views: search, colours with their legend as a filter, findings, the card of a point, the table. */

const ROWS = 100;
const ROWS_ON_A_PHONE = 20; // each is a card there
const RAMP = {
  light: ["#8fb92e", "#2a9d6f", "#1f6f8b", "#3b3f8c", "#440154"],
  dark: ["#4a5ab0", "#2878a8", "#1fa187", "#8fd744", "#fde725"],
};

/** Red, green and blue, from 0 to 255, of a colour as the browser computes it. */
function channels(colour) {
  const pen = (channels.pen ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

/** The place in the palette of the category that the others stand out from; an opacity that says it lies behind them. */
const GREY = 7;
const BEHIND = 254;

/** Colours of the page as they are now: for the points, by a column, and for what is drawn over them. */
function themeOf(element, palettes, column) {
  const style = getComputedStyle(element);
  const [ground, ink] = [style.getPropertyValue("--pm-paper"), style.getPropertyValue("--pm-ink")];
  const paper = channels(ground);
  const dark = 0.299 * paper[0] + 0.587 * paper[1] + 0.114 * paper[2] < 128;
  const mixed = (colour, share) => channels(colour).map((value, at) => Math.round(share * value + (1 - share) * paper[at]));
  const palette = new Uint8Array(256 * 4);
  const put = (place, rgb) => palette.set([...rgb, 255], 4 * place);
  if (column?.kind === "number") {
    const stops = RAMP[dark ? "dark" : "light"].map(channels);
    for (let place = 0; place < 240; place++) {
      const at = (place / 239) * (stops.length - 1);
      const low = Math.min(Math.floor(at), stops.length - 2);
      put(place, stops[low].map((value, part) => Math.round(value + (at - low) * (stops[low + 1][part] - value))));
    }
  } else {
    const colours = palettes[dark ? "dark" : "light"].map(channels);
    colours.forEach((colour, place) => put(place, colour));
    // What the others stand out from lies behind them: few points are not lost among many grey ones.
    palette[4 * GREY + 3] = BEHIND;
  }
  put(MISSING, mixed(ink, 0.4));
  return { palette, dim: [...mixed(ink, 0.15).map((value) => value / 255), 1], ground: [...paper.map((value) => value / 255), 1], ink, halo: ground };
}

/** The colour of a place of a palette as CSS. */
function cssOf(palette, place) {
  return `rgb(${palette.slice(4 * place, 4 * place + 3).join(" ")})`;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

class MapPanel {
  /**
   * @param {HTMLElement} host
   * @param {MapModel} model
   * @param {(indices: number[]) => void} told called with the selection, a moment after it changed
   */
  constructor(host, model, told = () => {}) {
    Object.assign(this, { model, told });
    this.host = element("div", { class: "pm" });
    host.append(this.host);
    this.#build();
    const theme = (column) => themeOf(this.host, model.header.palettes, column);
    try {
      if (!hasWebGL2()) throw new Error("this browser has no WebGL2");
      this.views = model.header.views.map((view) => new MapView(this.stage, model, view, theme));
    } catch (error) {
      this.views = [];
      this.#picture(theme, error.message);
    }
    model.addEventListener("state", () => this.#stateChanged());
    model.addEventListener("colour", () => this.#recolour());
    model.addEventListener("pin", () => this.#pinChanged());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    this.#legend();
    this.#table();
    this.#tell();
  }

  #build() {
    const { model } = this;
    this.find = element("input", { type: "search", placeholder: "Search titles and texts", "aria-label": "Search titles and texts" });
    this.find.addEventListener("input", () => {
      clearTimeout(this.searching);
      this.searching = setTimeout(() => model.search(this.find.value), 150);
    });
    this.colour = element("select", { "aria-label": "Colour by", onchange: () => model.colourBy(this.colour.value) },
      ...model.columns.map(({ name }) => element("option", { value: name, selected: name === model.colouredBy }, name)));
    this.lassoButton = element("button", { type: "button", "aria-pressed": "false", title: "Or hold Shift while drawing", onclick: () => this.#toggleLasso() }, "Lasso");
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    this.status = element("p", { class: "pm-status", role: "status" });
    this.bar = element("div", { class: "pm-bar" }, this.find, element("label", {}, "Colour by ", this.colour), this.lassoButton,
      button("Clear", () => this.#clear()), button("Whole map", () => this.views.forEach((view) => view.reset())));
    this.stage = element("div", { class: "pm-stage" });
    this.legend = element("div", { class: "pm-legend" });
    this.card = element("div", { class: "pm-card", "aria-live": "polite" });
    this.findings = element("ul", { class: "pm-findings" }, ...model.findings.map((finding) =>
      element("li", {}, element("button", { type: "button", onclick: () => this.#find(finding) }, finding.text))));
    this.table = element("table");
    const parts = [this.bar, this.status, element("div", { class: "pm-body" }, this.stage,
      element("div", { class: "pm-side" }, this.card, this.legend, model.findings.length ? element("h3", {}, "Findings") : "", this.findings))];
    this.host.append(...parts, element("div", { class: "pm-rows" }, this.table), button("Download these rows as CSV", () => this.#download()));
    this.host.lastElementChild.className = "pm-csv";
  }

  /** Without WebGL2: the points once, as a picture. */
  #picture(theme, why) {
    const { model } = this;
    const canvas = element("canvas", { width: 900, height: 900, class: "pm-picture", role: "img", "aria-label": "Picture of the map" });
    this.stage.append(element("p", { class: "pm-note" }, `The map needs WebGL2, and ${why}. Here is a picture; the table below works.`), canvas);
    const { palette, ground } = theme(model.column(model.colouredBy));
    const pen = canvas.getContext("2d");
    pen.fillStyle = `rgb(${ground.slice(0, 3).map((value) => 255 * value).join(" ")})`;
    pen.fillRect(0, 0, 900, 900);
    const places = model.arrays[model.header.views[0].array];
    model.colours(model.colouredBy).forEach((code, index) => {
      pen.fillStyle = cssOf(palette, code);
      pen.fillRect(25 + (places[2 * index] / 65535) * 850, 25 + (1 - places[2 * index + 1] / 65535) * 850, 3, 3);
    });
  }

  #toggleLasso() {
    const on = this.lassoButton.getAttribute("aria-pressed") !== "true";
    this.lassoButton.setAttribute("aria-pressed", String(on));
    for (const view of this.views) {
      view.lassoing = on;
      view.canvas.classList.toggle("pm-draws", on);
    }
  }

  #clear() {
    this.find.value = "";
    this.model.filters.clear();
    this.model.pin(-1);
    this.model.select(null);
    this.#legend();
  }

  #find(finding) {
    this.model.select(this.model.arrays[finding.array], "finding");
    if (this.model.selected.length) this.views.forEach((view) => view.reset());
  }

  #recolour() {
    this.views.forEach((view) => view.recolour());
    this.#legend();
    this.#table();
  }

  /** The colours, each a filter: a button for each category, two ends for numbers. */
  #legend() {
    const { model } = this;
    const column = model.column(model.colouredBy);
    this.legend.replaceChildren();
    if (!column) return;
    const { palette } = themeOf(this.host, model.header.palettes, column);
    const kept = model.filters.get(column.name);
    this.legend.append(element("h3", {}, column.name));
    if (column.about) this.legend.append(element("p", { class: "pm-note" }, column.about));
    if (column.kind === "number") {
      const stops = [0, 60, 120, 180, 239].map((place) => cssOf(palette, place));
      const end = (at) => element("input", { type: "number", step: "any", value: kept ? kept[at] : at ? column.high : column.low, "aria-label": `${column.name}, ${at ? "highest" : "lowest"}`,
        onchange: () => model.filter(column.name, ends.map((input) => Number(input.value))) });
      const ends = [end(0), end(1)];
      this.legend.append(element("div", { class: "pm-ramp", style: `background: linear-gradient(to right, ${stops.join(", ")})` }), element("div", { class: "pm-ends" }, ...ends));
      return;
    }
    const all = new Set([...column.labels.keys(), column.missing].filter((code) => column.counts[code]));
    for (const code of all) {
      const keeps = !kept || kept.has(code);
      const name = column.labels[code] ?? "unknown";
      const dot = element("i", { style: `background: ${cssOf(palette, column.slots[code] ?? MISSING)}` });
      this.legend.append(element("button", { type: "button", "aria-pressed": String(keeps), title: "Show or hide", onclick: () => this.#toggle(column, all, code) },
        dot, `${name} `, element("small", {}, column.counts[code].toLocaleString("en"))));
    }
  }

  #toggle(column, all, code) {
    const kept = new Set(this.model.filters.get(column.name) ?? all);
    // The first click keeps that category alone; further clicks add and remove.
    const next = kept.size === all.size ? new Set([code]) : kept;
    if (kept.size !== all.size && !next.delete(code)) next.add(code);
    this.model.filter(column.name, next.size === 0 || next.size === all.size ? null : next);
    this.#legend();
  }

  #stateChanged() {
    for (const view of this.views) {
      view.renderer.setStates(this.model.states);
      view.refresh();
    }
    this.#table();
    this.#tell();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.told(this.model.selected ? this.model.chosen() : []), 250);
  }

  #tell() {
    const { model } = this;
    const shown = model.states.reduce((sum, state) => sum + (state !== STATE.hidden), 0);
    const all = model.count.toLocaleString("en");
    const parts = [shown < model.count ? `${shown.toLocaleString("en")} of ${all} points are shown` : `${all} points`];
    if (model.selected) parts.push(`${model.chosen().length.toLocaleString("en")} selected`);
    this.status.textContent = `${parts.join(", ")}.`;
  }

  #pinChanged() {
    const { model, card } = this;
    this.views.forEach((view) => view.refresh());
    card.replaceChildren();
    if (model.pinned < 0) return;
    const index = model.pinned;
    card.append(element("h3", {}, model.title(index)));
    if (model.details?.[index]) card.append(element("p", {}, model.details[index]));
    card.append(element("dl", {}, ...model.columns.flatMap((column) => [element("dt", {}, column.name), element("dd", {}, model.shown(column, index))])));
    const near = [...model.neighbours(index)];
    if (near.length) {
      const items = near.map((other) => element("li", {}, element("button", { type: "button", onclick: () => model.pin(other) }, model.title(other))));
      card.append(element("h3", {}, "Nearest"), element("ol", {}, ...items),
        element("button", { type: "button", onclick: () => model.select([index, ...near], "neighbours") }, "Select these"));
    }
  }

  #table() {
    const { model, table } = this;
    const most = matchMedia("(max-width: 640px)").matches ? ROWS_ON_A_PHONE : ROWS;
    const chosen = model.selected || model.filters.size ? model.chosen() : [...Array(Math.min(most, model.count)).keys()];
    const heads = [model.header.noun, ...model.columns.map((column) => column.name + (column.unit ? ` (${column.unit})` : ""))];
    const numbers = [false, ...model.columns.map((column) => column.kind === "number")];
    const rows = chosen.slice(0, most).map((index) =>
      element("tr", {}, element("th", { scope: "row" }, element("button", { type: "button", onclick: () => this.#show(index) }, model.title(index))),
        ...model.columns.map((column, at) => element("td", { class: column.kind === "number" ? "pm-number" : null, "data-head": heads[at + 1] }, model.shown(column, index, false)))));
    const total = model.selected || model.filters.size ? chosen.length : model.count;
    table.replaceChildren(
      element("caption", {}, total > rows.length ? `The first ${rows.length} of ${total.toLocaleString("en")} rows` : `${total.toLocaleString("en")} rows`),
      element("thead", {}, element("tr", {}, ...heads.map((head, at) => element("th", { scope: "col", class: numbers[at] ? "pm-number" : null }, head)))), element("tbody", {}, ...rows));
  }

  #show(index) {
    this.model.pin(index);
    this.views.forEach((view) => view.centre(index));
  }

  #download() {
    const { model } = this;
    // A cell that begins as a formula does would be run by a spreadsheet.
    const cell = (text) => `"${(/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text).replaceAll('"', '""')}"`;
    const value = (column, index) => {
      const raw = model.arrays[column.array][index];
      return column.kind === "number" ? (Number.isNaN(raw) ? "" : String(raw)) : cell(model.shown(column, index, false));
    };
    const lines = [[model.header.noun, ...model.columns.map((column) => column.name)].map(cell)];
    for (const index of model.chosen()) lines.push([cell(model.title(index)), ...model.columns.map((column) => value(column, index))]);
    const link = element("a", { href: URL.createObjectURL(new Blob([`${lines.map((line) => line.join(",")).join("\r\n")}\r\n`], { type: "text/csv" })), download: `${model.header.file}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
