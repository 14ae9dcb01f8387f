"""The contrast of all text of a page to its ground, by a script that runs in the page."""

from __future__ import annotations

__all__ = ["CONTRAST"]

CONTRAST = """() => {
  const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  // A canvas turns every way to write a colour into red, green, blue and alpha.
  const pen = Object.assign(document.createElement("canvas"), {width: 1, height: 1})
    .getContext("2d", {willReadFrequently: true});
  const parse = (text) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const weights = [0.2126, 0.7152, 0.0722];
  const light = (text) => weights.reduce((sum, weight, at) => sum + weight * channel(parse(text)[at]), 0);
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha] = parse(getComputedStyle(at).backgroundColor);
      if (alpha > 0) layers.push([[r, g, b], alpha]);
      if (alpha === 1) break;
    }
    const mixed = layers.reduceRight((under, [over, alpha]) => over.map((v, at) => alpha * v + (1 - alpha) * under[at]),
                                     [255, 255, 255]);
    return `rgb(${mixed.join(",")})`;
  };
  let worst = 99, where = "";
  // The value of a slider stands above its thumb, not on it; what cannot be used may be faint, and icons are no text.
  const apart = "script, style, noscript, svg, :disabled, [aria-disabled=true], "
    + "[data-testid=stSliderThumbValue], [data-testid=stIconMaterial]";
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.textContent.trim())
        || element.closest(apart)
        || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const under = ground(element), [r, g, b, alpha] = parse(getComputedStyle(element).color), below = parse(under);
    let seen = alpha;
    for (let at = element; at; at = at.parentElement) seen *= getComputedStyle(at).opacity;
    const mixed = [r, g, b].map((each, at) => seen * each + (1 - seen) * below[at]);
    const [one, other] = [light(`rgb(${mixed.join(",")})`), light(under)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < worst) { worst = ratio; where = element.tagName + ": " + element.textContent.slice(0, 40); }
  }
  return [worst, where];
}"""
