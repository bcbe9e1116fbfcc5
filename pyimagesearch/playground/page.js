// The page: what the reader changes, and what the network makes of it. The network itself is in network.js. It works in
// a Web Worker made from the same source, so that the page never waits for it.
"use strict";

const SIDE = 28, PATCH = 7; // pixels; the patch is as large as that of --explain
const FRAME = "#56b4e9", CURSOR = "#0072b2";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const { classNames, network } = data, { layers } = network;

// ELEMENTS. Names from the model file are appended as text; nothing here is ever parsed as HTML.

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
const button = (text, onclick, properties = {}) => make("button", { type: "button", onclick, ...properties }, text);
const result = (text) => make("span", { className: "result" }, text);
const range = (count) => [...Array(count).keys()];
const clamp = (number, low, high) => Math.max(low, Math.min(high, number));
const percent = (fraction) => `${(100 * fraction).toFixed(0)}%`;

function write(number, digits = Math.abs(number) < 10 ? 3 : 1) { // "0" only for an exact 0
  return number && number.toFixed(digits).replace("-", "\u2212");
}
function writeShort(number) { // in at most four characters: .12, 1.23, \u221212
  const size = Math.abs(number), digits = size >= 9.95 ? 0 : size < 0.995 || number > 0 ? 2 : 1;
  return number && number.toFixed(digits).replace(/^-(?!0\.00)/, "\u2212").replace(/^(\D?)-?0\./, "$1.");
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
function onArrow(element, act) { // act: (rows, columns, event)
  element.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    act(...ARROWS[event.key], event);
  });
}

// Make a group of buttons one stop of the Tab key. Arrow keys go from one to the next, and in a radio group choose it.
function oneStop(group) {
  const buttons = [...group.querySelectorAll("button")];
  const stop = (chosen) => buttons.forEach((one) => (one.tabIndex = one === chosen ? 0 : -1));
  const go = (to) => {
    to?.focus();
    if (group.role === "radiogroup") to?.click();
  };
  stop(buttons[0]);
  group.addEventListener("focusin", ({ target }) => stop(target));
  onArrow(group, (down, right, { target }) => {
    const columns = buttons.filter((one) => one.offsetTop === buttons[0].offsetTop).length;
    go(buttons[buttons.indexOf(target) + right + down * (columns < buttons.length ? columns : 1)]);
  });
  group.addEventListener("keydown", ({ key }) => key === "Home" ? go(buttons[0]) : key === "End" && go(buttons.at(-1)));
}

// COLORS, 256 of each kind: gray for pixels; orange for positive and purple for negative numbers.

const COLORS = { signed: data.colors, gray: range(256).map((k) => `#${k.toString(16).padStart(2, "0").repeat(3)}`) };
const partsOf = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16)); // red, green, blue
const PIXELS = {}; // the same as the numbers that an ImageData has
for (const [kind, colors] of Object.entries(COLORS)) {
  PIXELS[kind] = colors.map(partsOf).map(([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red);
}
const stepOf = (value, ends) => clamp(Math.round((255 * (value - ends[0])) / (ends[1] - ends[0] || 1)), 0, 255);
const endsOf = (values) => [Math.min, Math.max].map((choose) => values.reduce((a, b) => choose(a, b)));
const evenly = (values) => [-1, 1].map((sign) => sign * (Math.max(...values.map(Math.abs)) || 1)); // 0 is always white

function draw(canvas, width, height, values, kind, ends) {
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height), cells = new Uint32Array(image.data.buffer), colors = PIXELS[kind];
  for (let i = 0; i < cells.length; i++) cells[i] = colors[stepOf(values[i], ends)];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
const picture = (pixels) => draw(make("canvas"), SIDE, SIDE, pixels, "gray", [0, 255]);

// Give an element a color, and black or white text, whichever can be read on it (WCAG: a contrast of 4.5 or more).
function tint({ style }, value, kind, ends) {
  style.background = COLORS[kind][stepOf(value, ends)];
  const [red, green, blue] = partsOf(COLORS[kind][stepOf(value, ends)]).map((part) => (part / 255) ** 2.2);
  style.color = 0.213 * red + 0.715 * green + 0.072 * blue > 0.18 ? "#000" : "#fff";
}

function table(values, columns, kind, ends, className = () => "") {
  const cells = values.map((value, i) => make("td", { className: className(i) }, columns > 5 ? "" : writeShort(value)));
  cells.forEach((cell, i) => tint(cell, values[i], kind, ends));
  const rows = range(cells.length / columns).map((row) => cells.slice(row * columns, (row + 1) * columns));
  return make("table", {}, make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row))));
}

// THE NETWORK of the file: base64, and in it 32-bit floats, or 16-bit floats to be multiplied by the largest.

function bytes(base64) {
  const text = atob(base64), array = new Uint8Array(text.length);
  for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

function floats({ numbers, largest }) {
  if (!largest) return new Float32Array(bytes(numbers).buffer);
  const halves = new Uint16Array(bytes(numbers).buffer), array = new Float32Array(halves.length);
  for (let i = 0; i < array.length; i++) {
    const exponent = (halves[i] >> 10) & 31, fraction = (halves[i] & 1023) / 1024;
    const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
    array[i] = largest * (halves[i] >> 15 ? -size : size);
  }
  return array;
}

for (const layer of layers) {
  for (const name of ["kernel", "bias", "scale", "shift"]) if (layer[name]) layer[name] = floats(layer[name]);
}
for (const one of [...data.gallery, ...data.quiz, ...Object.values(data.experiments)]) {
  one.pixels = bytes(one.pixels);
  one.note = `Test image ${one.number}: ${classNames[one.label]}`;
  if (one.label !== one.predicted) one.note += ` (the trained network says ${classNames[one.predicted]})`;
}

// THE WORKER computes one image at a time: the newest one of the reader first, then those that wait. With each go the
// weights of the first convolution, the only ones that change.

function work(port) {
  let network;
  port.onmessage = ({ data }) => {
    if (data.network) return (network = data.network);
    if (data.kernel) network.layers[data.layer].kernel = data.kernel;
    const outputs = forward(network, data.pixels);
    port.postMessage({ outputs, probabilities: probabilities(network, outputs) });
  };
}

const firstLayer = layers.find(({ kind }) => kind === "convolution"), trained = firstLayer?.kernel.slice();
const jobs = { newest: null, waiting: [], running: null };
const source = new Blob([byId("network").textContent, `(${work})(self);`], { type: "text/javascript" });
const port = new Worker(URL.createObjectURL(source));
port.onmessage = ({ data }) => {
  const { done } = jobs.running;
  jobs.running = null;
  nextJob();
  done(data);
};
port.postMessage({ network });

function nextJob() {
  if (jobs.running || !(jobs.newest || jobs.waiting.length)) return;
  jobs.running = jobs.newest ?? jobs.waiting.shift();
  jobs.newest = null;
  const { pixels, kernel } = jobs.running;
  port.postMessage({ pixels, kernel, layer: layers.indexOf(firstLayer) });
}

function compute(pixels, kernel = firstLayer?.kernel) { // a promise of what the worker posts
  return new Promise((done) => {
    jobs.waiting.push({ pixels, kernel, done });
    nextJob();
  });
}

// THE IMAGE. last: the tool of the last change; field: the pixels that the explained number depends on; job: computes
// its prediction.

const image = { pixels: null, original: null, label: null, undo: [], last: null, field: null, job: null };
const brush = { tool: "255", size: "2x2", place: [13, 13] }; // tool: a gray, or "cover"
const brushSize = () => (brush.tool === "cover" ? PATCH : parseInt(brush.size));
// What the network has computed last, and the trained one for the original; how an experiment in progress ends.
let current = null, before = null, conclude = null;

function open({ pixels, label, note }) { // label: null if it is unknown
  Object.assign(image, { pixels, original: pixels, label, undo: [], last: null });
  byId("image-note").textContent = note;
  byId("file-note").textContent = "";
  conclude = null;
  for (const one of document.querySelectorAll(".experiment")) one.hidden = true;
  for (const one of byId("gallery").children) one.ariaPressed = one.pixels === pixels;
  before = null;
  compute(pixels, trained).then(({ probabilities }) => {
    if (image.original === pixels) before = probabilities; // if no other image was opened meanwhile
    showPrediction();
  });
  changed();
}
const isOriginal = (pixels = image.pixels) => pixels.every((pixel, i) => pixel === image.original[i]);

function changed() {
  drawImage();
  byId("undo").ariaDisabled = !image.undo.length; // a button that is disabled would lose the focus
  byId("reset").ariaDisabled = isOriginal();
  const { pixels, original } = image, done = (computed) => show({ ...computed, original });
  image.job = jobs.newest = { pixels, kernel: firstLayer?.kernel, done };
  nextJob();
  showPrediction();
}

function remember(what) { // before the pixels change; a cover that is moved is one change
  if (what !== "cover" || image.last !== "cover") image.undo.push(image.pixels);
  image.last = what;
  image.pixels = image.pixels.slice();
}

const cornerOf = (place) => place.map((cell) => cell - ((brushSize() - 1) >> 1)); // of a brush at a place

const canvas = byId("image"), CELL = canvas.width / SIDE;
function drawImage() {
  const [context, copy] = [canvas, byId("copy")].map((one) => one.getContext("2d")); // copy: with the explanation
  context.fillStyle = "#3a3a3a"; // the lines between the cells
  context.fillRect(0, 0, canvas.width, canvas.height);
  image.pixels.forEach((pixel, i) => {
    context.fillStyle = COLORS.gray[pixel];
    context.fillRect((i % SIDE) * CELL, Math.floor(i / SIDE) * CELL, CELL - 1, CELL - 1);
  });
  const frame = (on, color, top, left, bottom, right) => {
    const cell = on.canvas.width / SIDE;
    Object.assign(on, { strokeStyle: color, lineWidth: 4 });
    on.strokeRect(left * cell, top * cell, (right - left + 1) * cell - 1, (bottom - top + 1) * cell - 1);
  };
  copy.drawImage(canvas, 0, 0, copy.canvas.width, copy.canvas.width);
  if (image.field) [context, copy].forEach((on) => frame(on, FRAME, ...image.field));
  const size = brushSize(), [top, left] = cornerOf(brush.place);
  if (canvas.matches(":hover, :focus-visible")) frame(context, CURSOR, top, left, top + size - 1, left + size - 1);
}

// Change all pixels: from(row, column) is the place whose pixel comes here, or outside of the image, which is black.
function change(from, transform = (pixel) => pixel) {
  remember("change");
  image.pixels = image.pixels.map((_, i, pixels) => {
    const [row, column] = from(Math.floor(i / SIDE), i % SIDE);
    return transform(row === clamp(row, 0, 27) && column === clamp(column, 0, 27) ? pixels[row * SIDE + column] : 0, i);
  });
  changed();
}
const recolor = (transform) => change((row, column) => [row, column], transform);
const move = (down, right) => change((row, column) => [row - down, column - right]);
const rotate = () => change((row, column) => [SIDE - 1 - column, row]);
const mirror = () => change((row, column) => [row, SIDE - 1 - column]);

function undo() {
  image.pixels = image.undo.pop() ?? image.pixels;
  image.last = null;
  changed();
}
const reset = () => isOriginal() || recolor((_, i) => image.original[i]);
document.addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && event.target.tagName !== "INPUT") undo();
});

// Draw, or put the cover, from where the brush was to a place: a fast stroke leaves no gaps.
function paint(place) {
  const cover = brush.tool === "cover", from = cover ? place : brush.place;
  const steps = Math.max(1, ...place.map((cell, axis) => Math.abs(cell - from[axis])));
  if (cover) image.pixels = image.undo.at(-1).slice();
  for (let k = 1; k <= steps; k++) {
    const [top, left] = cornerOf(from.map((cell, axis) => Math.round(cell + ((place[axis] - cell) * k) / steps)));
    const reaches = (offset) => offset >= 0 && offset < brushSize();
    image.pixels.forEach((_, i, pixels) => {
      if (reaches(Math.floor(i / SIDE) - top) && reaches((i % SIDE) - left)) pixels[i] = cover ? 0 : brush.tool;
    });
  }
  brush.place = place;
  changed();
}
function strokeAt(place) {
  remember(brush.tool);
  brush.place = place;
  paint(place);
}

function cellAt({ clientX, clientY }, element, rows, columns) {
  const { top, left, width, height } = element.getBoundingClientRect();
  return [Math.floor(((clientY - top) / height) * rows), Math.floor(((clientX - left) / width) * columns)];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  strokeAt(cellAt(event, canvas, SIDE, SIDE));
});
canvas.addEventListener("pointermove", (event) => {
  const place = cellAt(event, canvas, SIDE, SIDE);
  if (canvas.hasPointerCapture(event.pointerId) && image.last) return paint(place); // not after Ctrl+Z in a stroke
  brush.place = place;
  drawImage();
});
onArrow(canvas, (down, right) => {
  brush.place = [brush.place[0] + down, brush.place[1] + right].map((cell) => clamp(cell, 0, SIDE - 1));
  drawImage();
});
canvas.addEventListener("keydown", (event) => {
  if (event.key !== " ") return;
  event.preventDefault();
  strokeAt(brush.place);
});
for (const name of ["focus", "blur", "pointerleave"]) canvas.addEventListener(name, drawImage);

// THE TOOLS.

const radios = [...byId("tools").querySelectorAll("[role=radio]")];
function choose(value) {
  brush[value.includes("x") ? "size" : "tool"] = value;
  for (const one of radios) one.ariaChecked = [brush.tool, brush.size].includes(one.value);
}
for (const one of radios) Object.assign(one, { title: one.ariaLabel, onclick: () => choose(one.value) });
choose("255");
const ACTS = {
  left: () => move(0, -1), up: () => move(-1, 0), down: () => move(1, 0), right: () => move(0, 1), mirror, rotate,
  invert: () => recolor((pixel) => 255 - pixel), undo, reset, clear: () => recolor(() => 0),
};
for (const [id, act] of Object.entries(ACTS)) byId(id).onclick = act;

// A picture of the reader's own: its longest edge becomes 28 pixels, and its background, seen in its corners, black.
async function openFile(file) {
  try {
    const bitmap = await createImageBitmap(file), scale = SIDE / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(length * scale)));
    const [left, top] = [width, height].map((length) => (SIDE - length) >> 1);
    const context = make("canvas", { width, height }).getContext("2d");
    Object.assign(context, { fillStyle: "#fff", imageSmoothingQuality: "high" });
    context.fillRect(0, 0, width, height); // behind what is transparent
    context.drawImage(bitmap, 0, 0, width, height);
    const colors = context.getImageData(0, 0, width, height).data;
    const gray = (i) => 0.299 * colors[4 * i] + 0.587 * colors[4 * i + 1] + 0.114 * colors[4 * i + 2];
    const corners = [0, width - 1, (height - 1) * width, height * width - 1].map(gray);
    const light = corners.reduce((a, b) => a + b) > 4 * 127, pixels = new Uint8Array(SIDE * SIDE);
    for (let i = 0; i < height * width; i++) {
      pixels[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = light ? 255 - gray(i) : gray(i);
    }
    open({ pixels, label: null, note: `${file.name}, scaled to 28x28 pixels${light ? " and inverted" : ""}` });
  } catch {
    byId("file-note").textContent = `This browser cannot open ${file.name} as a picture. Try a PNG or JPEG file.`;
  }
}
byId("file").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});

for (const one of data.gallery) {
  const { pixels, note } = one, className = one.label === one.predicted ? "" : "mistake";
  byId("gallery").append(button(picture(pixels), () => open(one), { ariaLabel: note, title: note, className, pixels }));
}

// THE PREDICTION.

const best = (values) => values.indexOf(Math.max(...values));
const naming = (values) => `${classNames[best(values)]} ${percent(Math.max(...values))}`;
function scaled(values) { // temperature scaling: the logits are divided by the temperature
  if (!byId("scaled").checked) return values;
  const powers = values.map((value) => value ** (1 / data.temperature)), sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

const bars = classNames.slice(0, 10).map(() => {
  const [name, bar, tick, value] = ["name", "bar", "tick", "value"].map((className) => make("span", { className }));
  const row = make("li", {}, name, make("span", { className: "track" }, bar, tick), value);
  byId("bars").append(row);
  return { row, name, bar, tick, value };
});

const COMPUTING = "computing \u2026";
function showPrediction() { // while it is computed, the bars keep the last answer for this image; a new image has none
  const computing = [jobs.newest, jobs.running].includes(image.job), known = current?.original === image.original;
  const values = known ? scaled(current.probabilities) : classNames.map(() => 0), winner = best(values);
  const old = before && scaled(before), prediction = computing ? COMPUTING : naming(values);
  const shown = range(values.length).sort((a, b) => values[b] - values[a]).slice(0, bars.length).sort((a, b) => a - b);
  const original = isOriginal(), touched = !original || editedFilters().length > 0;
  bars.forEach(({ row, name, bar, tick, value }, place) => {
    const k = shown[place];
    name.textContent = name.title = classNames[k];
    bar.style.width = `${100 * values[k]}%`;
    tick.style.left = `calc(${100 * old?.[k]}% - 1px)`;
    tick.hidden = !touched || !old;
    value.textContent = known ? percent(values[k]) : "";
    row.className = known && k === winner ? "best" : "";
  });
  byId("ticks").hidden = !touched || !old;
  const hasVerdict = !computing && original && image.label !== null;
  const verdict = !hasVerdict ? "" : winner === image.label ? ", right" : ", wrong";
  byId("prediction").replaceChildren("Prediction: ", make("strong", {}, prediction), verdict,
    touched ? ` (before your changes: ${old ? naming(old) : COMPUTING})` : "");
  fill("now", prediction);
  document.body.className = computing ? "computing" : "";
  if (!computing && old) conclude?.(old, values);
}
byId("scaled").addEventListener("change", () => show(current));

// FROM MAPS TO PERCENTAGES, for the class with the highest probability; for networks that end in a dense layer.

const { output, format } = network, outputLayer = layers[output].kind === "softmax" ? layers[output].inputs[0] : output;
const hasLogits = layers[outputLayer].kind === "dense" && !format.classes.length && classNames.length > 1 &&
  (outputLayer !== output || format.outputs === "logits");

function fill(className, text) {
  for (const one of document.querySelectorAll(`.${className}`)) one.textContent = text;
}
function showPercentages() {
  const count = (number) => number.toLocaleString("en", { maximumSignificantDigits: 4 });
  const divisor = byId("scaled").checked ? data.temperature : 1, winner = best(current.probabilities);
  const powers = [...current.outputs[outputLayer]].map((logit) => Math.exp(logit / divisor));
  const sum = powers.reduce((a, b) => a + b);
  const last = stages.at(-1), dense = layers.slice(0, outputLayer + 1).filter(({ kind }) => kind === "dense");
  fill("last-maps", last ? `the last ${last.maps} maps of ${last.height}x${last.width} numbers` : "the pixels");
  fill("units", dense.map(({ shape }) => shape.at(-1)).join(" and "));
  fill("inputs", count(current.outputs[layers[outputLayer].inputs[0]].length));
  fill("logit", write(current.outputs[outputLayer][winner]));
  fill("divided", divisor === 1 ? "" : ` / ${divisor.toFixed(2)}`);
  fill("class", classNames[winner]);
  fill("power", count(powers[winner]));
  fill("sum-of-all", count(sum));
  fill("probability", `${((100 * powers[winner]) / sum).toFixed(1)}%`);
}

function show(computed) {
  current = computed;
  document.body.className = "";
  void byId("bars").offsetTop; // applies it: the fading starts anew with each answer, also in a stroke
  showPrediction();
  if (hasLogits) showPercentages();
  byId("percentages").hidden = !hasLogits;
  if (selected) showLayers();
}

// THE LAYERS. A stage is a convolution or a pooling, with the normalization and activation that follow it.

const GAP = 4, small = make("canvas"); // pixels between two maps on the page; a map before it is enlarged
const stages = layers.flatMap((layer, first) => {
  const [height, width, maps] = layer.shape;
  if (!["convolution", "pooling"].includes(layer.kind) || height * width === 1) return [];
  const steps = [first]; // the layers of the stage
  for (;;) {
    const users = range(layers.length).filter((k) => layers[k].inputs.includes(steps.at(-1)));
    if (users.length !== 1 || !["scaling", "activation"].includes(layers[users[0]].kind)) break;
    steps.push(users[0]);
  }
  const name = `${layer.kind} ${layers.slice(0, first + 1).filter(({ kind }) => kind === layer.kind).length}`;
  return { layer, name, steps, last: steps.at(-1), height, width, maps, ends: null, canvas: make("canvas") };
});
const stageOf = (number) => stages.find((stage) => stage.last === number);
let selected = null, pinned = null; // { stage, map, row, column } of the number that is explained, and that was clicked

// One map of a stage. (A layer puts the numbers of all maps at one place together.)
function mapOf({ last, height, width, maps }, map, { outputs } = current) {
  const numbers = outputs[last];
  return new Float32Array(height * width).map((_, place) => numbers[place * maps + map]);
}

// Fix the scale of colors of each stage: a tenth of its maps, for some images of the gallery, have numbers beyond it.
async function fixScales() {
  const some = data.gallery.filter((_, k) => k % 5 === 0), computed = [];
  for (const one of some) computed.push(await compute(one.pixels, trained));
  for (const stage of stages) {
    const extremes = computed.flatMap((one) => range(stage.maps).map((map) => endsOf(mapOf(stage, map, one))));
    const [lowest, highest] = [0, 1].map((k) => extremes.map((ends) => ends[k]).sort((a, b) => a - b));
    const tenth = Math.floor(0.1 * lowest.length), low = Math.min(0, lowest[tenth]), high = highest.at(-1 - tenth);
    stage.ends = evenly([low, high]);
    const steps = range(256).map((k) => low + (k / 255) * (high - low));
    const bar = draw(make("canvas"), 256, 1, steps, "signed", stage.ends);
    stage.scale.replaceChildren(write(low, 1), bar, `${write(high, 1)} or more`);
  }
  byId("inside").hidden = false;
  byId("filters").hidden = !first;
  showLayers();
}

function showLayers() {
  if (!pinned?.byReader) { // then the largest number of the first stage
    const [stage] = stages, numbers = current.outputs[stage.last], most = numbers.indexOf(endsOf(numbers)[1]);
    const place = Math.floor(most / stage.maps), row = Math.floor(place / stage.width);
    selected = pinned = { stage, map: most % stage.maps, row, column: place % stage.width };
  }
  stages.forEach(drawStage);
  if (first) showFilters();
  explain();
}

function drawStage(stage) {
  const { height, width, maps, canvas, section } = stage;
  if (!section.open) return;
  const available = byId("stages").clientWidth + GAP, narrowest = Math.max(60, 3 * width); // pixels
  const columns = clamp(Math.floor(available / (narrowest + GAP)), 1, maps);
  const size = Math.min(Math.floor(available / columns) - GAP, 2 * narrowest);
  const tall = Math.round((size * height) / width);
  Object.assign(stage, { columns, size, tall });
  Object.assign(canvas, { width: columns * (size + GAP), height: Math.ceil(maps / columns) * (tall + GAP) });
  for (let map = 0; map < maps; map++) {
    const [x, y] = [(map % columns) * (size + GAP) + 2, Math.floor(map / columns) * (tall + GAP) + 2];
    const context = drawMap(canvas, stage, map, x, y, size, tall);
    if (selected.stage === stage && selected.map === map) context.strokeRect(x - 0.5, y - 0.5, size + 1, tall + 1);
    Object.assign(context, { font: "bold 12px sans-serif", fillStyle: "#fff", strokeStyle: "#000", lineJoin: "round" });
    for (const write of ["strokeText", "fillText"]) context[write](map + 1, x + 3, y + 13);
  }
}
function drawMap(canvas, stage, map, ...place) { // place: left, top, width and height
  const context = canvas.getContext("2d");
  Object.assign(context, { imageSmoothingEnabled: false, strokeStyle: CURSOR, lineWidth: 3 });
  context.drawImage(draw(small, stage.width, stage.height, mapOf(stage, map), "signed", stage.ends), ...place);
  return context;
}

function select({ stage, map, row, column }) {
  const old = selected.stage, { maps, height, width } = stage, within = (k, length) => clamp(k, 0, length - 1);
  selected = { stage, map: within(map, maps), row: within(row, height), column: within(column, width), byReader: true };
  for (const one of new Set([old, stage])) drawStage(one);
  explain();
}
function pin(number) {
  select(number);
  pinned = selected;
  if (pinned.stage === first) filters.chosen = pinned.map;
  if (first) showFilters();
}

// On a canvas with maps, the mouse previews a number; a click or an arrow key chooses it. at(event): the number there.
function pointing(element, at, onArrowKey) {
  element.addEventListener("pointermove", (event) => event.pointerType === "mouse" && select(at(event)));
  element.addEventListener("pointerleave", () => select(pinned));
  element.addEventListener("click", (event) => {
    pin(at(event));
    byId("explanation").scrollIntoView({ block: "nearest" });
  });
  onArrow(element, (down, right) => pin(onArrowKey(down, right)));
}

for (const stage of stages) {
  const { canvas, name, height, width, maps } = stage;
  const ariaLabel = `The ${maps} feature maps of ${name}. Arrow keys choose a map.`;
  Object.assign(canvas, { tabIndex: 0, role: "application", ariaLabel });
  pointing(canvas, ({ clientX, clientY }) => {
    const { left, top } = canvas.getBoundingClientRect();
    const [x, y] = [(clientX - left) / (stage.size + GAP), (clientY - top) / (stage.tall + GAP)];
    const map = Math.floor(y) * stage.columns + Math.floor(x);
    return { stage, map, row: Math.floor((y % 1) * height), column: Math.floor((x % 1) * width) };
  }, (down, right) => ({ ...pinned, stage, map: pinned.map + down * stage.columns + right }));
  stage.scale = make("span", { className: "scale" });
  const summary = make("summary", {}, make("h3", {}, `${name}: ${maps} maps of ${height}x${width}`), stage.scale);
  stage.section = make("details", { className: "stage", open: stage === stages[0] }, summary, canvas);
  stage.section.addEventListener("toggle", () => selected && drawStage(stage));
  byId("stages").append(stage.section);
}
byId("to-maps").onclick = () => pinned.stage.canvas.focus();
new ResizeObserver(() => selected && stages.forEach(drawStage)).observe(byId("stages"));

// THE EXPLANATION of one number of a feature map.

const large = byId("large");
pointing(large, (event) => {
  const [row, column] = cellAt(event, large, pinned.stage.height, pinned.stage.width);
  return { ...pinned, row, column };
}, (down, right) => ({ ...pinned, row: pinned.row + down, column: pinned.column + right }));

function explain() {
  const { stage, map, row, column } = selected, { layer, steps, height, width, maps } = stage;
  const cell = large.width / width;
  large.height = cell * height;
  const context = drawMap(large, stage, map, 0, 0, large.width, large.height);
  context.strokeRect(column * cell, row * cell, cell, cell);

  const valueAfter = (number) => current.outputs[number][(row * width + column) * maps + map];
  const sum = layer.kind === "convolution" ? explainSum(selected) : explainPooling(stage, map, row, column);
  const items = steps.slice(1).map((number, k) => {
    return explainStep(layers[number], valueAfter(steps[k]), valueAfter(number), map);
  });
  const place = `Row ${row + 1}, column ${column + 1} of map ${map + 1} of ${stage.name}: `;
  byId("number").replaceChildren(place, result(write(valueAfter(stage.last))));
  byId("steps").replaceChildren(...[sum, ...items].map((parts) => make("li", {}, ...parts)));
  byId("next").replaceChildren();
  const pool = stages.find((one) => one.layer.kind === "pooling" && one.layer.inputs[0] === stage.last);
  if (pool) {
    const { padding, strides } = pool.layer;
    const [down, right] = [row, column].map((place, axis) => Math.floor((place + padding[axis]) / strides[axis]));
    const inside = down < pool.height && right < pool.width;
    if (inside) byId("next").append(...explainPooling(pool, map, down, right, "Next, pooling"));
  }
  const known = selected.byReader && format.fit === "unchanged";
  image.field = known ? fieldOf(steps[0], [row, column, row, column]) : null;
  byId("field").hidden = !known;
  drawImage();
}

// The pixels that a block of a layer's cells depends on. A block: its top, left, bottom and right.
function fieldOf(number, block) {
  const { inputs, size = [1, 1], strides = [1, 1], padding = [0, 0] } = layers[number];
  if (!inputs.length) return block.map((cell) => clamp(cell, 0, SIDE - 1));
  const cells = block.map((cell, k) => cell * strides[k % 2] - padding[k % 2] + (k < 2 ? 0 : size[k % 2] - 1));
  const fields = inputs.map((input) => fieldOf(input, cells));
  return range(4).map((k) => Math[k < 2 ? "min" : "max"](...fields.map((one) => one[k])));
}

// The numbers under the window of a layer, of one channel of its input. A filter finds 0 outside of the image.
function windowOf({ inputs: [input], size, strides, padding }, row, column, channel) {
  const [height, width, channels] = layers[input].shape;
  const places = range(size[0] * size[1]).map((i) => [
    row * strides[0] - padding[0] + Math.floor(i / size[1]), column * strides[1] - padding[1] + (i % size[1])]);
  const inside = places.map(([y, x]) => y >= 0 && y < height && x >= 0 && x < width);
  const values = current.outputs[input];
  return { numbers: places.map(([y, x], i) => (inside[i] ? values[(y * width + x) * channels + channel] : 0)), inside };
}

function explainSum({ stage: { layer, maps }, map, row, column }) {
  const { inputs: [input], size, bias } = layer, channels = layers[input].shape[2], source = stageOf(input);
  const add = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const parts = range(channels).map((channel) => {
    const { numbers, inside } = windowOf(layer, row, column, channel);
    const weights = numbers.map((_, i) => layer.kernel[(i * channels + channel) * maps + map]);
    const products = numbers.map((number, i) => number * weights[i]);
    return { channel, numbers, inside, weights, products, sum: add(products) };
  });
  const shown = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, 3);
  const all = add(parts.map(({ sum }) => sum)), others = all - add(shown.map(({ sum }) => sum));
  const own = parts.flatMap((part) => part.weights), inputEnds = source?.ends ?? endsOf(current.outputs[input]);
  const ends = evenly(own), most = evenly(inputEnds)[1] * ends[1]; // the same scale at each place of a map
  const pixels = format.zero === 0 && format.unit === 255 ? "pixels, 0 to 1" : "pixels, scaled";
  const rows = shown.flatMap(({ channel, numbers, inside, weights, products, sum }, k) => {
    const captioned = (caption, cells) => make("figure", {}, make("figcaption", {}, k ? "" : caption), cells);
    const outside = (i) => (inside[i] ? "" : "outside");
    const under = table(numbers, size[1], source ? "signed" : "gray", inputEnds, outside);
    const name = channels === 1 ? "They add up to" : `${source ? "Map" : "Channel"} ${channel + 1} adds`;
    return [make("div", { className: "sum" },
      captioned(source ? "numbers" : pixels, under), "\u00d7",
      captioned("weights", table(weights, size[1], "signed", ends)), "=",
      captioned("products", table(products, size[1], "signed", [-most, most]))),
    make("p", {}, `${name} `, result(write(sum)))];
  });
  const rest = channels > 3 ? `The other ${channels - 3} add ${write(others)}. ` : "";
  const count = channels * size[0] * size[1];
  if (channels > 1) rows.push(make("p", {}, `${rest}All ${count} products: `, result(write(all))));
  if (bias) rows.push(make("p", {}, `The bias adds ${write(bias[map])}: `, result(write(all + bias[map]))));
  const many = channels === 1 ? "" : ` The filter has ${size.join("x")} weights for each of the ${channels} ` +
    `${source ? `maps of ${source.name}` : "channels"}. Those that count most here:`;
  const border = parts[0].inside.every(Boolean) ? "" : " Dashed cells lie outside of the image and count as 0.";
  return ["Multiply each number under the filter by the weight at its place, and add the products (shown rounded)." +
    border + many, ...rows];
}

function explainStep({ name, scale, shift, slope, threshold, largest }, number, next, map) {
  if (scale) {
    const sign = shift[map] < 0 ? "\u2212" : "+";
    const sum = `${write(number)} \u00d7 ${write(scale[map])} ${sign} ${write(Math.abs(shift[map]))}`;
    const origin = name === "rescaling" ? "" : ", both found in training for this map";
    return [`Then ${name} multiplies by a scale and adds a shift${origin}: ${sum} = `, result(write(next))];
  }
  const text = name !== "relu" || slope || threshold || largest ? `The activation (${name}) turns it into `
    : `ReLU sets negative numbers to 0. This one ${number < 0 ? "becomes" : "stays"} `;
  return [text, result(write(next))];
}

function explainPooling({ layer, ends }, map, row, column, subject = "Pooling") {
  const { numbers, inside } = windowOf(layer, row, column, map), source = stageOf(layer.inputs[0]);
  const within = numbers.map((number, i) => (inside[i] ? number : -Infinity)), maximum = layer.name === "maximum";
  const mark = (i) => (!inside[i] ? "outside" : maximum && i === best(within) ? "kept" : "");
  const block = `${layer.size.join("x")} numbers of map ${map + 1}${source ? ` of ${source.name}` : ""}`;
  const value = current.outputs[layers.indexOf(layer)][(row * layer.shape[1] + column) * layer.shape[2] + map];
  return [`${subject} ${maximum ? "keeps the largest" : "takes the mean"} of these ${block}: ${write(value)}.`,
    table(numbers, layer.size[1], "signed", ends, mark)];
}

// THE FILTERS of the first convolution, if it takes a gray image.

const first = stages.find(({ layer }) => layer === firstLayer && layers[layer.inputs[0]].shape[2] === 1);
const filters = { chosen: null, measurement: null }, LARGEST = 100; // a weight that a reader may enter

const weightsOf = (filter, kernel = firstLayer.kernel) => [...kernel].filter((_, k) => k % first.maps === filter);
const allFilters = range(first?.maps ?? 0);
const isLike = (filter, weights) => weightsOf(filter).every((weight, i) => weight === weights[i]);
const editedFilters = () => allFilters.filter((filter) => !isLike(filter, weightsOf(filter, trained)));
function edit(chosen, change) { // change: (weights, filter) => new weights
  if (!first) return;
  for (const filter of chosen) {
    change(weightsOf(filter), filter).forEach((weight, i) => (firstLayer.kernel[i * first.maps + filter] = weight));
  }
  changed();
  showFilters();
  measure();
}
const bringBack = () => edit(allFilters, (_, filter) => weightsOf(filter, trained));
function rotated(weights) { // by 90 degrees, clockwise
  const side = firstLayer.size[0];
  return weights.map((_, i) => weights[(side - 1 - (i % side)) * side + Math.floor(i / side)]);
}
function turning(filter) { // how much half a turn changes it, relative to its largest weight: most if it is an edge
  const weights = weightsOf(filter, trained);
  return Math.hypot(...weights.map((weight, i) => weight - weights.at(-1 - i))) / evenly(weights)[1];
}
function edge(weights, filter) { // made by hand: dark on the left, light on the right; as long as the trained filter
  const columns = firstLayer.size[1], signs = weights.map((_, i) => Math.sign((i % columns) - (columns - 1) / 2));
  return signs.map((sign) => (sign * Math.hypot(...weightsOf(filter, trained))) / Math.hypot(...signs));
}

function showFilters() {
  const [rows, columns] = firstLayer.size, chosen = weightsOf(filters.chosen), changedOnes = editedFilters();
  [...byId("kernels").children].forEach((one, filter) => {
    const weights = weightsOf(filter);
    draw(one.firstChild, columns, rows, weights, "signed", evenly(weights));
    one.ariaPressed = filter === filters.chosen;
    one.className = changedOnes.includes(filter) ? "edited" : "";
  });
  fill("chosen", filters.chosen + 1);
  [...byId("weights").children].forEach((input, i) => {
    if (document.activeElement !== input) input.value = chosen[i].toFixed(2);
    tint(input, chosen[i], "signed", evenly(chosen));
  });
  if (first.ends) drawMap(byId("filter-map"), first, filters.chosen, 0, 0, 112, 112);
  byId("banner").hidden = !changedOnes.length;
  fill("changed", `${changedOnes.length} of the ${first.maps}`);
}

async function measure() { // the accuracy on the gallery; a later measurement ends an earlier one
  const own = (filters.measurement = {}), all = data.gallery.length, edited = editedFilters().length > 0;
  let right = 0;
  fill("with-yours", edited ? "With your filters: counting \u2026" : "");
  byId("accuracy").ariaBusy = edited; // a screen reader waits for the last count
  if (!edited) return;
  for (const [k, one] of data.gallery.entries()) {
    right += best((await compute(one.pixels)).probabilities) === one.label;
    if (filters.measurement !== own) return;
    byId("accuracy").ariaBusy = k < all - 1;
    fill("with-yours", `With your filters: ${right} of ${k < all - 1 ? `the ${k + 1} counted so far` : `the ${all}`}.`);
  }
}

if (first) {
  const [rows, columns] = firstLayer.size, one = () => [filters.chosen];
  for (const filter of allFilters) {
    const act = () => pin({ ...pinned, stage: first, map: filter });
    byId("kernels").append(button(make("canvas"), act, { ariaLabel: `Filter ${filter + 1}` }));
  }
  byId("weights").style.gridTemplateColumns = `repeat(${columns}, auto)`;
  for (const cell of range(rows * columns)) {
    const ariaLabel = `Weight in row ${Math.floor(cell / columns) + 1}, column ${(cell % columns) + 1}`;
    const oninput = ({ target: { valueAsNumber: weight } }) => {
      if (Number.isFinite(weight)) edit(one(), (weights) => weights.with(cell, clamp(weight, -LARGEST, LARGEST)));
    };
    const onblur = showFilters, limits = { min: -LARGEST, max: LARGEST, step: 0.1 }; // which shows the weight in force
    byId("weights").append(make("input", { type: "number", ...limits, ariaLabel, oninput, onblur }));
  }
  byId("edge").onclick = () => edit(one(), edge);
  byId("zero").onclick = () => edit(one(), (weights) => weights.map(() => 0));
  byId("rotate-filter").onclick = () => edit(one(), rotated);
  byId("rotate-all").onclick = () => edit(allFilters, rotated);
  for (const back of document.querySelectorAll(".back")) { // that in the banner disappears
    back.onclick = () => (bringBack(), back.checkVisibility() || canvas.focus());
  }
  for (const square of document.querySelectorAll(".square")) square.hidden = rows !== columns;
  filters.chosen = best(allFilters.map(turning));
  const right = data.gallery.filter((image) => image.label === image.predicted);
  fill("with-trained", `${right.length} of the ${data.gallery.length}`);
  showFilters();
}

// THE QUIZ. The trained network answers, whatever the reader has changed.

const score = { round: 0, you: 0, network: 0 };
byId("quiz").hidden = !data.quiz.length;
byId("rounds").textContent = data.quiz.length;
for (const one of document.querySelectorAll(".people")) one.hidden = !data.genuine;

function ask() {
  const one = data.quiz[score.round], text = make("p", { ariaLive: "polite" });
  const choices = make("div", { role: "group", ariaLabel: "Your answer" });
  const verdict = (right) => make("span", { className: right ? "right" : "wrong" }, right ? "right" : "wrong");
  const answer = async (yours) => {
    const { probabilities: values } = await compute(one.pixels, trained), its = best(values);
    Object.assign(score, {
      round: score.round + 1, you: score.you + (yours === one.label), network: score.network + (its === one.label) });
    const { round, you, network } = score, last = round === data.quiz.length;
    const rate = (right) => `${right} right (${percent(right / round)})`;
    text.replaceChildren(
      `The label is ${classNames[one.label]}. You: ${classNames[yours]}, `, verdict(yours === one.label),
      `. The network: ${naming(values)}, `, verdict(its === one.label),
      `. After ${round} of ${data.quiz.length}: you ${rate(you)}, the network ${rate(network)}.`);
    if (last) Object.assign(score, { round: 0, you: 0, network: 0 });
    const next = () => (ask(), byId("round").querySelector("button").focus());
    choices.replaceChildren(button(last ? "Start again" : "Next image", next));
    choices.firstChild.focus();
  };
  choices.append(...classNames.map((name, k) => button(name, () => answer(k))));
  byId("round").replaceChildren(picture(one.pixels), make("div", {}, text, choices));
}
if (data.quiz.length) ask();

// THE EXPERIMENTS: the tool for each, what "Show me" does, and whether the image is as after that. Then a conclusion
// shows, also if the reader did it. The words are in page.html. The images are certain ones of the genuine test set.

const inBag = (row, column) => (row > 11 && row < 26 && column > 3 && column < 24) ||
  (row > 3 && row < 12 && (column === 8 || column === 19)) || (row === 4 && column > 8 && column < 19);
const inSleeves = (i, top, width) => i >= top * SIDE && (i % SIDE < width || i % SIDE >= SIDE - width);
const changes = (from) => image.pixels.filter((pixel, i) => pixel !== (image.original[from(i)] ?? 0));
const EXPERIMENTS = {
  collar: ["cover", () => strokeAt([3, 14]), () => image.last === "cover" && isOriginal(image.undo.at(-1))],
  boot: ["255", () => move(-4, 0), () => !changes((i) => i + 4 * SIDE).length],
  mirror: ["255", mirror, () => !changes((i) => i + SIDE - 1 - 2 * (i % SIDE)).length],
  sleeves: ["0", () => recolor((pixel, i) => (inSleeves(i, 13, 8) ? 0 : pixel)), // by hand, nearly
    () => !image.pixels.some((pixel, i) => pixel > 60 && inSleeves(i, 16, 6)) &&
      changes((i) => inSleeves(i, 13, 8) ? -1 : i).length < 40],
  filters: ["255", () => edit(allFilters, rotated),
    () => isOriginal() && allFilters.every((filter) => isLike(filter, rotated(weightsOf(filter, trained))))],
  bag: ["255", () => recolor((_, i) => (inBag(Math.floor(i / SIDE), i % SIDE) ? 220 : 0)), () => !isOriginal()],
};
const BAG = 8, empty = { pixels: new Uint8Array(SIDE * SIDE), label: null, note: "An empty image" };
for (const [name, [tool, act, done]] of Object.entries(EXPERIMENTS)) {
  const one = name === "bag" && data.genuine ? empty : data.experiments[name];
  if (!one || (name === "filters" && !first)) continue;
  const box = document.querySelector(`.experiment.${name}`), [question, conclusion] = box.querySelectorAll("p");
  const show = box.querySelector("button"), [comparison, different, same] = conclusion.children;
  const start = () => { // from the original image and the trained filters
    bringBack();
    open(one);
    box.hidden = false;
    conclusion.hidden = true;
    for (const value of [tool, "3x3"]) choose(value);
    conclude = (old, now) => {
      conclusion.hidden = (name !== "filters" && editedFilters().length > 0) || !done();
      comparison.textContent = `Before: ${naming(old)}. After: ${naming(now)}.`;
      same.hidden = !(different.hidden = name === "bag" ? best(now) !== BAG : best(now) === best(old));
    };
  };
  show.onclick = () => (start(), act());
  const card = button(picture(one.pixels), () => {
    start();
    show.focus({ preventScroll: true });
    box.scrollIntoView({ block: innerWidth < 900 ? "start" : "nearest" }); // with the image below it, on a phone
  });
  card.append(question.querySelector("strong").textContent.replace(".", ""));
  byId("cards").append(card);
}
byId("experiments").hidden = !byId("cards").children.length;

// THE START: the last image that the network gets right.

byId("about").textContent = data.about;
byId("failures").textContent = data.failures;
byId("temperature").textContent = data.temperature.toFixed(2);
for (const group of document.querySelectorAll("[role=radiogroup], #gallery, #kernels")) oneStop(group);
open(data.gallery.findLast((one) => one.label === one.predicted) ?? data.gallery[0]);
if (stages.length) fixScales();
byId("scaling").hidden = data.temperature === 1;
