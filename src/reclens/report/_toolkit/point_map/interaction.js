/** One view of a map: pan, zoom, lasso, hover, keyboard; labels, lasso and neighbours are drawn on a second canvas. */

const LABEL_ZOOM = 2.5;
/** Letters of its text that are shown where the pointer is over a point. */
const TIP = 160;

class MapView {
  /**
   * @param {HTMLElement} host where the view is put
   * @param {MapModel} model
   * @param {{name: string, array: string, labels: object[], colour: string?}} view
   * @param {() => object} theme the colours of now
   */
  constructor(host, model, view, theme) {
    Object.assign(this, { model, view, theme, lassoing: false, lasso: null, pointers: new Map(), cursor: -1 });
    host.insertAdjacentHTML(
      "beforeend",
      `<div class="pm-view"><canvas class="pm-points" tabindex="0" role="application"></canvas>
       <canvas class="pm-over" aria-hidden="true"></canvas><div class="pm-tip" hidden></div>
       <p class="pm-name"></p></div>`,
    );
    this.host = host.lastElementChild;
    [this.canvas, this.over, this.tip] = this.host.children;
    this.host.querySelector(".pm-name").textContent = view.name;
    this.canvas.setAttribute(
      "aria-label",
      `${view.name}: map of ${model.count.toLocaleString("en")} points. Arrows move, plus and minus zoom, N and P step ` +
        "through points, Enter shows a point, Escape ends. The table below holds the same.",
    );
    this.renderer = new PointRenderer(this.canvas, model.arrays[view.array]);
    this.pen = this.over.getContext("2d");
    this.#listen();
    this.recolour();
    new ResizeObserver(() => this.refresh()).observe(this.canvas);
  }

  /** Colours of the theme, and of the column. */
  recolour() {
    const { palette, dim, ground } = this.theme(this.model.column(this.colouredBy));
    this.renderer.setPalette(palette, dim, ground);
    this.renderer.setColours(this.model.colours(this.colouredBy));
    this.refresh();
  }

  get colouredBy() {
    return this.view.colour ?? this.model.colouredBy;
  }

  /** Draw in the next frame. */
  refresh() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const begin = performance.now();
      this.renderer.fit();
      this.renderer.draw();
      this.#drawOver();
      this.milliseconds = performance.now() - begin;
    });
  }

  /** All points in view. */
  reset() {
    Object.assign(this.renderer.view, { x: 0.5, y: 0.5, zoom: 1 });
    this.refresh();
  }

  /** Zoom by a factor around pixels of the canvas. */
  zoom(factor, left = this.canvas.clientWidth / 2, top = this.canvas.clientHeight / 2) {
    const { view } = this.renderer;
    const [x, y] = this.renderer.toPlace(left, top);
    const zoom = Math.min(400, Math.max(0.5, view.zoom * factor));
    const share = view.zoom / zoom;
    Object.assign(view, { x: x + (view.x - x) * share, y: y + (view.y - y) * share, zoom });
    this.refresh();
  }

  pan(right, down) {
    const { view, unit } = this.renderer;
    view.x = Math.min(1.2, Math.max(-0.2, view.x - right / unit));
    view.y = Math.min(1.2, Math.max(-0.2, view.y + down / unit));
    this.refresh();
  }

  /** Move so that a point is in the middle. */
  centre(index) {
    const [x, y] = this.renderer.placeOf(index);
    Object.assign(this.renderer.view, { x, y, zoom: Math.max(this.renderer.view.zoom, 4) });
    this.refresh();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #listen() {
    const on = (name, take, options) => this.canvas.addEventListener(name, take.bind(this), options);
    on("pointerdown", this.#down);
    on("pointermove", this.#move);
    on("pointerup", this.#up);
    on("pointercancel", this.#up);
    on("pointerleave", () => this.#hover(-1));
    on("keydown", this.#key);
    on("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...this.#at(event));
    }, { passive: false });
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    this.begin = this.#at(event);
    this.moved = false;
    if ((this.lassoing || event.shiftKey) && this.pointers.size === 1) this.lasso = [this.renderer.toPlace(...this.begin)];
  }

  #move(event) {
    const now = this.#at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.#hover(this.renderer.near(...now), ...now);
    if (Math.hypot(now[0] - this.begin[0], now[1] - this.begin[1]) > 4) this.moved = true;
    if (this.lasso) {
      this.lasso.push(this.renderer.toPlace(...now));
      this.refresh();
    } else if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.max(8, Math.hypot(point[0] - other[0], point[1] - other[1]));
      this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (this.moved) this.pan(now[0] - before[0], now[1] - before[1]);
    this.pointers.set(event.pointerId, now);
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.lasso) {
      const drawn = this.lasso;
      this.lasso = null;
      if (drawn.length > 2) this.model.select(this.renderer.inside(drawn), "lasso");
      this.refresh();
    } else if (!this.moved && event.type === "pointerup") this.model.pin(this.renderer.near(...this.#at(event)));
  }

  #hover(index, left, top) {
    this.tip.hidden = index < 0;
    if (index < 0) return;
    const column = this.model.column(this.colouredBy);
    const text = this.model.details?.[index] ?? "";
    this.tip.textContent = this.model.title(index) + (column ? ` · ${column.name}: ${this.model.shown(column, index)}` : "");
    if (text) this.tip.append(Object.assign(document.createElement("small"), { textContent: text.length > TIP ? `${text.slice(0, TIP)} …` : text }));
    const right = left > this.canvas.clientWidth / 2;
    this.tip.style.cssText = `top:${top + 14}px;${right ? `right:${this.canvas.clientWidth - left + 8}px` : `left:${left + 12}px`}`;
  }

  #key(event) {
    const step = 60;
    const keys = {
      ArrowLeft: () => this.pan(step, 0),
      ArrowRight: () => this.pan(-step, 0),
      ArrowUp: () => this.pan(0, step),
      ArrowDown: () => this.pan(0, -step),
      "+": () => this.zoom(1.4),
      "=": () => this.zoom(1.4),
      "-": () => this.zoom(1 / 1.4),
      0: () => this.reset(),
      n: () => this.#step(1),
      p: () => this.#step(-1),
      Enter: () => this.model.pin(this.cursor < 0 ? this.#middle() : this.cursor),
      Escape: () => {
        this.cursor = -1;
        this.model.pin(-1);
        this.model.select(null);
      },
    };
    const take = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!take || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    take();
  }

  /** The point next to the middle of what is seen. */
  #middle() {
    const { clientWidth, clientHeight } = this.canvas;
    for (const reach of [20, 80, 320, 1280]) {
      const index = this.renderer.near(clientWidth / 2, clientHeight / 2, reach);
      if (index >= 0) return index;
    }
    return -1;
  }

  /** The next point of the selection, or of all that are shown; it is told aloud by the card. */
  #step(by) {
    const chosen = this.model.chosen();
    if (!chosen.length) return;
    const at = chosen.indexOf(this.cursor < 0 ? this.#middle() : this.cursor);
    this.cursor = chosen[(Math.max(at, 0) + by + chosen.length) % chosen.length];
    this.centre(this.cursor);
    this.model.pin(this.cursor);
  }

  #drawOver() {
    const { pen, over, canvas, renderer } = this;
    if (over.width !== canvas.width || over.height !== canvas.height) [over.width, over.height] = [canvas.width, canvas.height];
    const ratio = canvas.width / Math.max(canvas.clientWidth, 1);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const { ink, halo } = this.theme(null);
    this.#drawNeighbours(ink);
    this.#drawLabels(ink, halo);
    if (this.lasso) {
      pen.beginPath();
      for (const [x, y] of this.lasso) pen.lineTo(...renderer.toScreen(x, y));
      pen.closePath();
      pen.setLineDash([5, 4]);
      pen.strokeStyle = ink;
      pen.lineWidth = 1.5;
      pen.stroke();
      pen.setLineDash([]);
    }
  }

  #drawNeighbours(ink) {
    const { pen, renderer, model } = this;
    if (model.pinned < 0) return;
    const from = renderer.toScreen(...renderer.placeOf(model.pinned));
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const index of model.neighbours(model.pinned)) {
      pen.moveTo(...from);
      pen.lineTo(...renderer.toScreen(...renderer.placeOf(index)));
    }
    pen.stroke();
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.arc(...from, renderer.size / 2 + 5, 0, 2 * Math.PI);
    pen.stroke();
  }

  #drawLabels(ink, halo) {
    const { pen, canvas, renderer } = this;
    const levels = new Set(this.view.labels.map((label) => label.level));
    const level = renderer.view.zoom >= LABEL_ZOOM && levels.has(1) ? 1 : 0;
    const taken = [];
    pen.font = `600 ${level ? 12 : 13}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    for (const label of this.view.labels) {
      if (label.level !== level) continue;
      let [left, top] = renderer.toScreen(label.x, label.y);
      const half = (label.width ??= pen.measureText(label.text).width) / 2 + 4;
      if (left < 0 || left > canvas.clientWidth || top < 0 || top > canvas.clientHeight) continue;
      // A label whose point is seen is seen whole.
      [left, top] = [Math.min(Math.max(left, half), canvas.clientWidth - half), Math.min(Math.max(top, 10), canvas.clientHeight - 10)];
      if (taken.some((box) => Math.abs(box[0] - left) < box[2] + half && Math.abs(box[1] - top) < 18)) continue;
      taken.push([left, top, half]);
      pen.lineWidth = 4;
      pen.strokeStyle = halo;
      pen.strokeText(label.text, left, top);
      pen.fillStyle = ink;
      pen.fillText(label.text, left, top);
    }
  }
}
