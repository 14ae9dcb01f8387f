// Colours the SQL in a text field while it is typed: a layer with the same letters lies over the field, whose own
// letters are transparent. Without the field nothing happens, and the query stays plain text.
const WORDS =
  "all and any as asc asof between by case cast coalesce count cross cube desc distinct else end escape except exclude " +
  "exists extract false fetch filter following from full grouping group having if ilike in inner intersect interval " +
  "into is join lateral left like limit natural not null nulls offset on or order outer over partition pivot positional " +
  "preceding qualify range recursive right rollup rows sample select semi sets similar then ties true try_cast " +
  "unbounded union unnest unpivot using values when where window with within";
// Words that are names of columns more often, such as timestamp, are left out.
const KEYWORDS = new Set(WORDS.split(" "));
const TOKEN =
  /(?<note>--[^\n]*|\/\*[^]*?(?:\*\/|$))|(?<text>'(?:[^']|'')*(?:'|$))|(?<name>"(?:[^"]|"")*(?:"|$))|(?<number>\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|(?<word>[a-z_]\w*)/gi;
const SAME = ["font", "letterSpacing", "lineHeight", "padding", "tabSize", "textAlign", "textIndent", "wordSpacing"];

function paint(layer, query, colours) {
  const parts = [];
  let end = 0;
  for (const found of query.matchAll(TOKEN)) {
    const { note, text, number, word } = found.groups;
    const keyword = word && KEYWORDS.has(word.toLowerCase());
    const kind = note ? "note" : text ? "text" : number ? "number" : keyword ? "keyword" : null;
    if (!kind) continue;
    parts.push(query.slice(end, found.index));
    const span = document.createElement("span");
    span.style.color = colours[kind];
    span.textContent = found[0];
    span.dataset.kind = kind;
    parts.push(span);
    end = found.index + found[0].length;
  }
  layer.replaceChildren(...parts, query.slice(end), "\n");
}

export default function ({ data }) {
  const field = document.querySelector(`.st-key-${data.key} textarea`);
  if (!field) return undefined;
  const layer = document.createElement("pre");
  layer.className = "sql-colours";
  layer.setAttribute("aria-hidden", "true");
  const home = field.parentElement;
  home.style.position = "relative";
  home.append(layer);
  let shown = null;

  const place = () => {
    const style = getComputedStyle(field);
    for (const name of SAME) layer.style[name] = style[name];
    Object.assign(layer.style, {
      position: "absolute", margin: "0", border: "0", background: "none", pointerEvents: "none", overflow: "hidden",
      whiteSpace: "pre-wrap", overflowWrap: "break-word", boxSizing: "border-box", color: style.color,
      left: `${field.offsetLeft + field.clientLeft}px`, top: `${field.offsetTop + field.clientTop}px`,
      width: `${field.clientWidth}px`, height: `${field.clientHeight}px`, maxWidth: "none",
    });
  };
  const update = () => {
    if (field.value !== shown) {
      shown = field.value;
      paint(layer, shown, data.colours);
      place();
    }
    layer.scrollTop = field.scrollTop;
  };
  field.style.webkitTextFillColor = "transparent";
  field.addEventListener("input", update);
  field.addEventListener("scroll", update);
  const sized = new ResizeObserver(() => { place(); update(); });
  sized.observe(field);
  // A query that is chosen from the list arrives without an event.
  const timer = setInterval(update, 200);
  place();
  update();
  return () => {
    clearInterval(timer);
    sized.disconnect();
    field.removeEventListener("input", update);
    field.removeEventListener("scroll", update);
    field.style.webkitTextFillColor = "";
    layer.remove();
  };
}
