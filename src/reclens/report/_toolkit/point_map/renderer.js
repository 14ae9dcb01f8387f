/**
 * Draws up to some millions of points by WebGL2, in one draw call a frame.
 *
 * Positions are 16-bit integers over the unit square; a point has one byte for its colour (a place in a palette of 256)
 * and one for its state. Nothing here knows items, columns or events.
 */

const STATE = { plain: 0, dimmed: 1, selected: 2, hidden: 3 };

const VERTEX = `#version 300 es
layout(location = 0) in vec2 place;
layout(location = 1) in float colour;
layout(location = 2) in float state;
uniform vec2 centre;
uniform vec2 scale;
uniform float size;
uniform vec4 dim;
uniform sampler2D palette;
out vec4 tone;
out float wide;
void main() {
  if (state > 2.5) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 0.0;
    return;
  }
  vec4 own = texelFetch(palette, ivec2(int(colour), 0), 0);
  tone = state > 0.5 && state < 1.5 ? dim : own;
  wide = state > 1.5 ? max(size * 1.5, size + 2.0) : size;
  gl_PointSize = wide;
  // Selected points lie above plain ones, these above those that are less than opaque, and these above dimmed ones.
  float depth = state > 1.5 ? 0.0 : state > 0.5 ? 0.8 : own.a < 0.998 ? 0.6 : 0.4;
  gl_Position = vec4((place - centre) * scale, depth, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 tone;
in float wide;
out vec4 shown;
void main() {
  if (wide > 3.0) {
    vec2 from = gl_PointCoord * 2.0 - 1.0;
    if (dot(from, from) > 1.0) discard;
  }
  shown = vec4(tone.rgb, 1.0);
}`;

/** Whether this browser draws by WebGL2. */
function hasWebGL2() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

class PointRenderer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Uint16Array} places x and y of each point, interleaved; the unit square is 0 … 65535
   */
  constructor(canvas, places) {
    this.canvas = canvas;
    this.places = places;
    this.count = places.length / 2;
    this.colours = new Uint8Array(this.count);
    this.states = new Uint8Array(this.count);
    this.palette = new Uint8Array(256 * 4).fill(128);
    this.dim = [0.8, 0.8, 0.8, 1];
    this.ground = [1, 1, 1, 1];
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.#start();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#start();
      this.draw();
    });
  }

  #start() {
    const gl = this.canvas.getContext("webgl2", { antialias: false, alpha: false });
    if (!gl) throw new Error("this browser has no WebGL2");
    this.gl = gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    this.uniforms = Object.fromEntries(
      ["centre", "scale", "size", "dim", "palette"].map((name) => [name, gl.getUniformLocation(program, name)]),
    );
    this.buffers = [this.places, this.colours, this.states].map((values, at) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, at === 0 ? gl.STATIC_DRAW : gl.DYNAMIC_DRAW);
      gl.enableVertexAttribArray(at);
      if (at === 0) gl.vertexAttribPointer(at, 2, gl.UNSIGNED_SHORT, true, 0, 0);
      else gl.vertexAttribPointer(at, 1, gl.UNSIGNED_BYTE, false, 0, 0);
      return buffer;
    });
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.uniform1i(this.uniforms.palette, 0);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    this.#uploadPalette();
  }

  /** @param {Uint8Array} colours the place of each point's colour in the palette */
  setColours(colours) {
    this.colours = colours;
    this.#upload(1, colours);
  }

  /** @param {Uint8Array} states one of STATE for each point */
  setStates(states) {
    this.states = states;
    this.#upload(2, states);
  }

  /**
   * @param {Uint8Array} palette 256 × RGBA; what is less than opaque lies behind the other points, and is as solid
   * @param {number[]} dim colour of dimmed points, RGBA from 0 to 1
   * @param {number[]} ground colour behind the points
   */
  setPalette(palette, dim, ground) {
    this.palette = palette;
    this.dim = dim;
    this.ground = ground;
    this.#uploadPalette();
  }

  #upload(at, values) {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[at]);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, values);
  }

  #uploadPalette() {
    const gl = this.gl;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, this.palette);
  }

  /** Make the canvas as large as it is shown; true if that changed. */
  fit() {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (!width || !height || (this.canvas.width === width && this.canvas.height === height)) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    return true;
  }

  /** Pixels of the page for one unit of the square: at zoom 1 the whole square is seen. */
  get unit() {
    return 0.94 * Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * this.view.zoom;
  }

  /** Diameter of a point in pixels of the page. */
  get size() {
    const few = 14 - 2.2 * Math.log10(Math.max(this.count, 10));
    return Math.max(1.5, few) * Math.min(3, this.view.zoom ** 0.35);
  }

  draw() {
    const { gl, view, uniforms } = this;
    const ratio = this.canvas.width / Math.max(this.canvas.clientWidth, 1);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(...this.ground);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform2f(uniforms.centre, view.x, view.y);
    gl.uniform2f(uniforms.scale, (2 * this.unit) / this.canvas.clientWidth, (2 * this.unit) / this.canvas.clientHeight);
    gl.uniform1f(uniforms.size, this.size * ratio);
    gl.uniform4f(uniforms.dim, ...this.dim);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  /** Where a place of the unit square is on the canvas, in pixels of the page. */
  toScreen(x, y) {
    const { canvas, view, unit } = this;
    return [canvas.clientWidth / 2 + (x - view.x) * unit, canvas.clientHeight / 2 - (y - view.y) * unit];
  }

  /** The place of the unit square at pixels of the page. */
  toPlace(left, top) {
    const { canvas, view, unit } = this;
    return [view.x + (left - canvas.clientWidth / 2) / unit, view.y - (top - canvas.clientHeight / 2) / unit];
  }

  /** The place of a point in the unit square. */
  placeOf(index) {
    return [this.places[2 * index] / 65535, this.places[2 * index + 1] / 65535];
  }

  /** The point that is nearest to pixels of the page, hidden ones left out; -1 if none is within reach. */
  near(left, top, reach = 12) {
    const [x, y] = this.toPlace(left, top);
    const radius = reach / this.unit;
    let [best, least] = [-1, radius * radius];
    this.#within(x - radius, y - radius, x + radius, y + radius, (index) => {
      if (this.states[index] === STATE.hidden) return;
      const [px, py] = this.placeOf(index);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least) [best, least] = [index, distance];
    });
    return best;
  }

  /** The points within a polygon of the unit square, hidden ones left out. */
  inside(polygon) {
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const found = [];
    this.#within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (index) => {
      if (this.states[index] === STATE.hidden) return;
      const [x, y] = this.placeOf(index);
      let within = false;
      for (let at = 0, last = polygon.length - 1; at < polygon.length; last = at++) {
        const crosses = ys[at] > y !== ys[last] > y;
        if (crosses && x < ((xs[last] - xs[at]) * (y - ys[at])) / (ys[last] - ys[at]) + xs[at]) within = !within;
      }
      if (within) found.push(index);
    });
    return Uint32Array.from(found).sort();
  }

  /** Calls `take` for each point in the cells that a box touches. */
  #within(left, low, right, high, take) {
    const { starts, order } = (this.grid ??= gridOf(this.places));
    const cell = (value) => Math.min(GRID - 1, Math.max(0, Math.floor(value * GRID)));
    for (let row = cell(low); row <= cell(high); row++) {
      for (let at = starts[row * GRID + cell(left)]; at < starts[row * GRID + cell(right) + 1]; at++) take(order[at]);
    }
  }
}

const GRID = 256;

/** Points by cell of a grid, row after row: `order[starts[cell] … starts[cell + 1]]`. */
function gridOf(places) {
  const count = places.length / 2;
  const starts = new Uint32Array(GRID * GRID + 1);
  const cells = new Uint16Array(count);
  for (let index = 0; index < count; index++) {
    cells[index] = (places[2 * index + 1] >> 8) * GRID + (places[2 * index] >> 8);
    starts[cells[index] + 1]++;
  }
  for (let cell = 0; cell < GRID * GRID; cell++) starts[cell + 1] += starts[cell];
  const order = new Uint32Array(count);
  const next = starts.slice();
  for (let index = 0; index < count; index++) order[next[cells[index]]++] = index;
  return { starts, order };
}
