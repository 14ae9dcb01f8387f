/**
 * What a map holds: places, columns, titles, neighbours and findings, unpacked from one buffer; and which points are
 * hidden by filters, selected, or dimmed because others are selected. Nothing here draws.
 */

const MISSING = 255;
const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };

/** The header and the arrays of a packed map: "RLM1", length of the header, the header as JSON, then the arrays from
 *  the next multiple of 4 on. */
function unpackMap(bytes) {
  // Arrays need places that their width divides; a copy begins at 0.
  const whole = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  if (new TextDecoder().decode(whole.subarray(0, 4)) !== "RLM1") throw new Error("this is no packed map");
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(whole.subarray(8, 8 + length)));
  const begin = whole.byteOffset + 4 * Math.ceil((8 + length) / 4);
  const arrays = {};
  for (const [name, { type, at, count }] of Object.entries(header.arrays)) {
    arrays[name] = new TYPES[type](whole.buffer, begin + at, count);
  }
  const text = (name) => JSON.parse(new TextDecoder().decode(arrays[name]));
  return { header, arrays, text };
}

/** Text without case and accents, so that "amelie" finds "Amélie". */
function plainText(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

class MapModel extends EventTarget {
  constructor(bytes) {
    super();
    const { header, arrays, text } = unpackMap(bytes);
    this.header = header;
    this.count = header.count;
    this.arrays = arrays;
    this.columns = header.columns;
    this.titles = header.titles ? text(header.titles) : null;
    this.details = header.details ? text(header.details) : null;
    this.findings = header.findings;
    this.colouredBy = header.colour ?? this.columns[0]?.name ?? null;
    this.states = new Uint8Array(this.count);
    this.filters = new Map();
    this.selected = null;
    this.pinned = -1;
  }

  column(name) {
    return this.columns.find((each) => each.name === name);
  }

  title(index) {
    return this.titles ? this.titles[index] : String(index);
  }

  /** The value of a point as it is shown, numbers with their unit. */
  shown(column, index, unit = true) {
    const value = this.arrays[column.array][index];
    if (column.kind === "category") return value < column.labels.length ? column.labels[value] : "unknown";
    if (Number.isNaN(value)) return "unknown";
    const text = value.toLocaleString("en", { maximumSignificantDigits: 4, useGrouping: false });
    return unit && column.unit ? `${text} ${column.unit}` : text;
  }

  /** The place in the palette of each point, by a column: categories from 0, numbers over 0 … 239, unknown 255. */
  colours(name) {
    const codes = new Uint8Array(this.count);
    const column = this.column(name);
    if (!column) return codes;
    const values = this.arrays[column.array];
    if (column.kind === "category") {
      for (let index = 0; index < this.count; index++) codes[index] = column.slots[values[index]] ?? MISSING;
      return codes;
    }
    const width = column.high - column.low || 1;
    for (let index = 0; index < this.count; index++) {
      const share = (values[index] - column.low) / width;
      codes[index] = Number.isNaN(share) ? MISSING : Math.round(239 * Math.min(1, Math.max(0, share)));
    }
    return codes;
  }

  /** Colour by another column. */
  colourBy(name) {
    this.colouredBy = name;
    this.#changed("colour");
  }

  /** Keep points by a column: `keep` is a Set of labels' places, [low, high], or null for all. */
  filter(name, keep) {
    if (keep === null) this.filters.delete(name);
    else this.filters.set(name, keep);
    this.#update();
  }

  /** Select points; null ends the selection. */
  select(indices, origin = "") {
    this.selected = indices === null ? null : Uint32Array.from(indices);
    this.origin = origin;
    this.#update();
  }

  /** Select the points whose title or text holds some words; the number of them. */
  search(words) {
    const sought = plainText(words).split(/\s+/).filter(Boolean);
    if (!sought.length) {
      this.select(null);
      return 0;
    }
    this.haystack ??= Array.from({ length: this.count }, (_, index) =>
      plainText(`${this.title(index)} ${this.details ? this.details[index] ?? "" : ""}`),
    );
    const found = [];
    this.haystack.forEach((text, index) => {
      if (sought.every((word) => text.includes(word))) found.push(index);
    });
    this.select(found, "search");
    return found.length;
  }

  /** Show the card and the neighbours of a point; -1 for none. */
  pin(index) {
    this.pinned = index;
    this.#changed("pin");
  }

  /** Neighbours of a point, the nearest first; empty where the map has none. */
  neighbours(index) {
    const { array, k } = this.header.neighbours ?? {};
    const near = array ? this.arrays[array].subarray(index * k, (index + 1) * k) : new Uint32Array(0);
    return near.filter((other) => other < this.count); // fewer points than k: the rest is no point
  }

  /** The points that are neither hidden nor dimmed, in their order. */
  chosen() {
    const found = [];
    for (const index of this.selected ?? this.states.keys()) if (this.states[index] !== STATE.hidden) found.push(index);
    return found;
  }

  #keeps(index) {
    for (const [name, keep] of this.filters) {
      const value = this.arrays[this.column(name).array][index];
      if (keep instanceof Set ? !keep.has(value) : !(value >= keep[0] && value <= keep[1])) return false;
    }
    return true;
  }

  #update() {
    const { states, selected } = this;
    states.fill(selected ? STATE.dimmed : STATE.plain);
    if (selected) for (const index of selected) states[index] = STATE.selected;
    if (this.filters.size) {
      for (let index = 0; index < this.count; index++) if (!this.#keeps(index)) states[index] = STATE.hidden;
    }
    this.#changed("state");
  }

  #changed(what) {
    this.dispatchEvent(new Event(what));
  }
}
