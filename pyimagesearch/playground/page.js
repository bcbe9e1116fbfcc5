// The page: what the reader changes, and what the network makes of it. The network itself is in network.js; it works in
// a Web Worker made from the same source, so that the page never waits for it.
"use strict";

const SIDE = 28, PATCH = 7; // pixels; the patch is that of --explain
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const { classNames, network } = data;
const { layers } = network;

// ELEMENTS. Text from the file is only ever appended as text.

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function button(text, onclick, properties = {}) {
  return make("button", { type: "button", onclick, ...properties }, text);
}

// Make one of these buttons the only one in the order of Tab; arrow keys go to the others.
function arrowKeys(group) {
  const buttons = [...group.querySelectorAll("button")];
  buttons.forEach((one, k) => (one.tabIndex = k ? -1 : 0));
  group.addEventListener("focusin", ({ target }) => buttons.forEach((one) => (one.tabIndex = one === target ? 0 : -1)));
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const place = buttons.indexOf(document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    buttons[(place + step + buttons.length) % buttons.length].focus();
  });
}

const percent = (fraction) => `${(100 * fraction).toFixed(0)}%`;
function write(number, digits = 2) {
  const text = number.toFixed(Math.abs(number) < 10 ? digits : Math.abs(number) < 100 ? 1 : 0);
  return (Number(text) === 0 ? (0).toFixed(digits) : text).replace("-", "\u2212");
}

// COLORS: 256 steps each; gray for images, viridis for feature maps, orange and purple for weights.

const hexes = { ...data.colors, gray: Array.from({ length: 256 }, (_, k) => `#${k.toString(16).padStart(2, "0").repeat(3)}`) };
const pixelsOf = Object.fromEntries(Object.entries(hexes).map(([name, colors]) => [name, Uint32Array.from(colors, (color) => {
  const [red, green, blue] = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0; // the bytes of a pixel: red, green, blue, opacity
})]));
const step = (value, [low, high]) => Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))));

function draw(canvas, width, height, values, colors, range) {
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height), cells = new Uint32Array(image.data.buffer);
  for (let i = 0; i < cells.length; i++) cells[i] = pixelsOf[colors][step(values[i], range)];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
const picture = (pixels) => draw(make("canvas"), SIDE, SIDE, pixels, "gray", [0, 255]);

// Give an element a color, and black or white text, whichever can be read on it (WCAG: a contrast of 4.5 or more).
function tint(element, value, colors, range) {
  const color = hexes[colors][step(value, range)];
  const [red, green, blue] = [1, 3, 5].map((k) => (parseInt(color.slice(k, k + 2), 16) / 255) ** 2.2);
  Object.assign(element.style, { background: color, color: 0.213 * red + 0.715 * green + 0.072 * blue > 0.18 ? "#000" : "#fff" });
}

function table(values, columns, colors, range, className = () => "") {
  const cells = [...values].map((value, i) => make("td", { className: className(i) }, columns > 5 ? "" : write(value)));
  cells.forEach((cell, i) => tint(cell, values[i], colors, range));
  const rows = Array.from({ length: cells.length / columns }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
  return make("table", {}, make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row))));
}
const evenly = (values) => { const most = Math.max(...values.map(Math.abs)) || 1; return [-most, most]; };

// THE FILE: base64, and 16-bit floats in it.

function bytes(base64) {
  const text = atob(base64), array = new Uint8Array(text.length);
  for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

function floats({ numbers, largest }) {
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
for (const one of [...data.gallery, ...data.quiz, ...Object.values(data.experiments)]) one.pixels = bytes(one.pixels);

// THE WORKER computes one image at a time. The newest image of the reader comes first, then those of the gallery.

function work(port) {
  let network;
  port.onmessage = ({ data }) => {
    if (data.network) network = data.network;
    if (data.kernel) network.layers[data.layer].kernel = data.kernel;
    if (!data.pixels) return;
    const outputs = forward(network, data.pixels);
    port.postMessage({ outputs: data.all ? outputs : null, probabilities: probabilities(network, outputs) });
  };
}

const jobs = { live: null, waiting: [], running: null };
let port;
try {
  const source = new Blob([byId("network").textContent, `(${work})(self);`], { type: "text/javascript" });
  port = new Worker(URL.createObjectURL(source));
} catch { // a browser that allows no worker from a file
  const channel = new MessageChannel();
  work(channel.port1);
  port = channel.port2;
}
port.onmessage = ({ data }) => {
  const { done } = jobs.running;
  jobs.running = null;
  nextJob();
  done(data);
};
port.postMessage({ network });

function nextJob() {
  if (jobs.running || !(jobs.live || jobs.waiting.length)) return;
  jobs.running = jobs.live ?? jobs.waiting.shift();
  if (jobs.running === jobs.live) jobs.live = null;
  port.postMessage({ pixels: jobs.running.pixels, all: jobs.running.all });
}

function later(pixels) {
  return new Promise((done) => {
    jobs.waiting.push({ pixels, done });
    nextJob();
  });
}

// THE IMAGE. `cover`: the place of the black patch, or null.

const image = { original: null, pixels: null, label: null, cover: null, undo: [], cursor: [13, 13], tool: 255, size: 2 };
let current = null, before = null; // what the worker made of the image: now, and before the changes

function shown() {
  const pixels = image.pixels.slice();
  if (image.cover) eachCell(image.cover, PATCH, (i) => (pixels[i] = 0));
  return pixels;
}

function eachCell([row, column], size, visit) {
  const first = Math.floor((size - 1) / 2);
  for (let y = row - first; y < row - first + size; y++) {
    for (let x = column - first; x < column - first + size; x++) {
      if (y >= 0 && y < SIDE && x >= 0 && x < SIDE) visit(y * SIDE + x);
    }
  }
}

function open(pixels, { label = null, note, question = "" }) {
  Object.assign(image, { original: pixels, pixels: pixels.slice(), label, undo: [], cover: null });
  before = null;
  byId("image-note").textContent = note;
  byId("question").replaceChildren(question);
  byId("question").hidden = !question;
  for (const one of byId("gallery").children) one.ariaPressed = one.pixels === pixels;
  choose(image.tool === "cover" ? 255 : image.tool);
  later(pixels).then((result) => {
    if (image.original !== pixels) return; // another image was opened meanwhile
    before = result;
    if (current) showPrediction();
  });
  changed();
}

function changed() {
  drawImage();
  for (const name of ["Undo", "Reset"]) byId(name).disabled = !image.undo.length && !(name === "Reset" && image.cover);
  jobs.live = { pixels: shown(), all: true, done: show };
  nextJob();
}

function change(transform) { // of the whole image: transform(row, column) is the number of the pixel to put there
  image.undo.push(image.pixels);
  image.pixels = image.pixels.map((_, i) => transform(Math.floor(i / SIDE), i % SIDE, image.pixels));
  changed();
}
const at = (pixels, row, column) => (row >= 0 && row < SIDE && column >= 0 && column < SIDE ? pixels[row * SIDE + column] : 0);
const move = (down, right) => change((row, column, pixels) => at(pixels, row - down, column - right));
const CHANGES = {
  "\u2190": ["Move left", () => move(0, -1)],
  "\u2191": ["Move up", () => move(-1, 0)],
  "\u2193": ["Move down", () => move(1, 0)],
  "\u2192": ["Move right", () => move(0, 1)],
  Mirror: ["Mirror", () => change((row, column, pixels) => at(pixels, row, SIDE - 1 - column))],
  Turn: ["Turn by a quarter", () => change((row, column, pixels) => at(pixels, SIDE - 1 - column, row))],
  Invert: ["Invert: white becomes black", () => change((row, column, pixels) => 255 - at(pixels, row, column))],
};
function undo() {
  image.pixels = image.undo.pop();
  changed();
}
function reset() {
  Object.assign(image, { pixels: image.original.slice(), undo: [], cover: null });
  changed();
}
const clear = () => change(() => 0);

const canvas = byId("image"), CELL = canvas.width / SIDE;
function drawImage() {
  const context = canvas.getContext("2d"), pixels = shown();
  context.fillStyle = "#3a3a3a"; // the lines between the cells
  context.fillRect(0, 0, canvas.width, canvas.height);
  pixels.forEach((pixel, i) => {
    context.fillStyle = hexes.gray[pixel];
    context.fillRect((i % SIDE) * CELL, Math.floor(i / SIDE) * CELL, CELL - 1, CELL - 1);
  });
  const frame = (top, left, bottom, right, color) => {
    Object.assign(context, { strokeStyle: color, lineWidth: 4 });
    context.strokeRect(left * CELL, top * CELL, (right - left + 1) * CELL, (bottom - top + 1) * CELL);
  };
  if (image.field) frame(...image.field, "#56b4e9");
  if (image.cover) frame(image.cover[0] - 3, image.cover[1] - 3, image.cover[0] + 3, image.cover[1] + 3, "#e69f00");
  else if (document.activeElement === canvas && canvas.matches(":focus-visible")) frame(...image.cursor, ...image.cursor, "#e69f00");
}

function paint(place) {
  image.cursor = place;
  if (image.tool === "cover") image.cover = place;
  else eachCell(place, image.size, (i) => (image.pixels[i] = image.tool));
  changed();
}

function startStroke() {
  if (image.tool === "cover") return;
  image.undo.push(image.pixels);
  image.pixels = image.pixels.slice();
}

function cellAt(event, element, rows, columns) {
  const box = element.getBoundingClientRect();
  const [row, column] = [((event.clientY - box.top) / box.height) * rows, ((event.clientX - box.left) / box.width) * columns];
  return [Math.floor(row), Math.floor(column)];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  startStroke();
  paint(cellAt(event, canvas, SIDE, SIDE));
});
canvas.addEventListener("pointermove", (event) => {
  const place = cellAt(event, canvas, SIDE, SIDE), [row, column] = image.cursor;
  if (image.tool !== "cover" && !event.buttons) return;
  const steps = image.tool === "cover" ? 1 : Math.max(Math.abs(place[0] - row), Math.abs(place[1] - column));
  for (let k = 1; k <= steps; k++) { // a fast stroke leaves no gaps
    paint([row, column].map((from, axis) => Math.round(from + ((place[axis] - from) * k) / steps)));
  }
});
canvas.addEventListener("keydown", (event) => {
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
  if (!down && !right && event.key !== " " && event.key !== "Enter") return;
  event.preventDefault();
  image.cursor = [image.cursor[0] + down, image.cursor[1] + right].map((place) => Math.max(0, Math.min(SIDE - 1, place)));
  if (image.tool === "cover") return paint(image.cursor);
  if (down || right) return drawImage();
  startStroke();
  paint(image.cursor);
});
for (const name of ["focus", "blur"]) canvas.addEventListener(name, drawImage);

// The tools: a color of the brush, or the cover.
const TOOLS = [[0, "Draw in black"], [128, "Draw in gray"], [255, "Draw in white"], ["cover", "Cover 7x7 pixels"]];
function choose(tool, size = image.size) {
  Object.assign(image, { tool, size, cover: tool === "cover" ? image.cover ?? [13, 13] : null });
  for (const one of byId("tool").children) one.ariaChecked = one.value === String(tool);
  for (const one of byId("size").children) one.ariaChecked = one.value === String(size);
}
for (const [tool, name] of TOOLS) {
  const one = button(tool === "cover" ? "Cover" : "", () => (choose(tool), changed()), { role: "radio", value: tool, title: name, ariaLabel: name });
  if (tool !== "cover") {
    one.className = "swatch";
    one.style.setProperty("--ink", hexes.gray[tool]);
  }
  byId("tool").append(one);
}
for (const size of [1, 2, 3]) {
  const name = `Brush of ${size}x${size} pixels`;
  const one = button("", () => choose(image.tool, size), { role: "radio", value: size, title: name, ariaLabel: name, className: "swatch" });
  one.style.setProperty("--dot", `${0.2 + 0.3 * size}rem`);
  one.style.setProperty("--ink", "currentColor");
  byId("size").append(one);
}
for (const [text, [name, act]] of Object.entries(CHANGES)) byId("changes").append(button(text, act, { ariaLabel: name, title: name }));
for (const [text, act] of [["Undo", undo], ["Reset", reset], ["Clear", clear]]) byId("backs").append(button(text, act, { id: text }));

// A picture of the reader's own: the longest edge becomes 28 pixels, and a light background black.
async function openFile(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    byId("image-note").textContent = `${file.name} is not a picture that this browser can open.`;
    return;
  }
  const context = make("canvas", { width: SIDE, height: SIDE }).getContext("2d", { willReadFrequently: true });
  const scale = SIDE / Math.max(bitmap.width, bitmap.height), [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const [left, top] = [(SIDE - width) / 2, (SIDE - height) / 2];
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, width, height);
  const { data: colors } = context.getImageData(0, 0, SIDE, SIDE);
  const inside = (i) => colors[4 * i + 3] > 127;
  const gray = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => 0.299 * colors[4 * i] + 0.587 * colors[4 * i + 1] + 0.114 * colors[4 * i + 2]);
  const border = [...gray.keys()].filter((i) => {
    const row = Math.floor(i / SIDE), column = i % SIDE;
    return inside(i) && (row < top + 1 || row > top + height - 2 || column < left + 1 || column > left + width - 2);
  });
  const light = border.reduce((sum, i) => sum + gray[i], 0) > 127 * border.length;
  open(gray.map((pixel, i) => (inside(i) ? (light ? 255 - pixel : pixel) : 0)), { note: `${file.name}, scaled to 28x28${light ? " and negated" : ""}` });
}
byId("file").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});

// THE GALLERY.
function describe({ number, label, predicted }) {
  return `Test image ${number}: ${classNames[label]}${label === predicted ? "" : ` (the network said ${classNames[predicted]})`}`;
}
for (const one of data.gallery) {
  const name = describe(one), act = () => open(one.pixels, { label: one.label, note: name });
  const thumbnail = button(picture(one.pixels), act, { ariaLabel: name, title: name, ariaPressed: false, pixels: one.pixels });
  thumbnail.className = one.label === one.predicted ? "" : "mistake";
  byId("gallery").append(thumbnail);
}

// THE PREDICTION.
function scaled(values) { // temperature scaling: the logits are divided by the temperature
  if (!byId("scaled").checked) return values;
  const powers = values.map((value) => value ** (1 / data.temperature)), sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
const best = (values) => values.indexOf(Math.max(...values));
const bars = classNames.slice(0, 10).map(() => {
  const [name, bar, tick, value] = ["name", "bar", "tick", "value"].map((className) => make("span", { className }));
  bar.style.display = "block";
  const row = make("li", {}, name, make("span", { className: "track" }, bar, tick), value);
  byId("bars").append(row);
  return { row, name, bar, tick, value };
});

function showPrediction() {
  const values = scaled(current.probabilities), old = before ? scaled(before.probabilities) : values, winner = best(values);
  const likeliest = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, bars.length).sort((a, b) => a - b);
  bars.forEach(({ row, name, bar, tick, value }, place) => {
    const k = likeliest[place];
    name.textContent = name.title = classNames[k];
    bar.style.width = percent(values[k]);
    tick.style.left = `calc(${percent(old[k])} - 1px)`;
    value.textContent = percent(values[k]);
    row.className = k === winner ? "best" : "";
  });
  const right = image.label === null ? "" : winner === image.label ? ", which is right" : ", which is wrong";
  byId("prediction").replaceChildren(make("strong", {}, classNames[winner]), ` ${percent(values[winner])}${right}`);
  const same = values.every((value, k) => Math.abs(value - old[k]) < 0.005);
  for (const { tick } of bars) tick.hidden = same;
  byId("before").textContent = same ? "" : `Lines: before your changes (${classNames[best(old)]} ${percent(old[best(old)])}).`;
}
byId("scaled").addEventListener("change", showPrediction);
byId("scaling").hidden = data.temperature === 1;
byId("scaling").lastChild.textContent = ` temperature scaling (divide the logits by ${data.temperature.toFixed(2)})`;

function show(result) {
  current = result;
  showPrediction();
  stages.forEach(drawStage);
  if (selected) explain();
}

// THE LAYERS: a stage is a convolution or a pooling with the normalization and activation that follow it.

const users = layers.map((_, i) => layers.flatMap((layer, k) => (layer.inputs.includes(i) ? [k] : [])));
const stages = [], count = { convolution: 0, pooling: 0 };
layers.forEach((layer, first) => {
  if (!(layer.kind in count) || layer.shape[0] * layer.shape[1] === 1) return;
  const steps = [];
  let last = first;
  while (users[last].length === 1 && ["scaling", "activation"].includes(layers[users[last][0]].kind)) {
    last = users[last][0];
    steps.push(last);
  }
  const [height, width, maps] = layer.shape, name = `${layer.kind} ${++count[layer.kind]}`;
  stages.push({ name, layer, first, steps, last, height, width, maps, range: layers[last].range, canvas: make("canvas", { tabIndex: 0 }) });
});
const stageOf = (number) => stages.find((stage) => stage.last === number);
let selected = null; // { stage, map, row, column }

const SIZE = 56, GAP = 4; // of a map on the page, in pixels
function drawStage(stage) {
  const { height, width, maps, canvas, range } = stage, numbers = current.outputs[stage.last];
  const columns = Math.max(Math.floor((byId("stages").clientWidth + GAP) / (SIZE + GAP)), Math.ceil(maps / 5));
  const across = Math.min(columns, maps), down = Math.ceil(maps / columns), tall = Math.round((SIZE * height) / width);
  stage.columns = columns;
  stage.tall = tall;
  const [w, h] = [across * (SIZE + GAP), down * (tall + GAP)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const all = new Float32Array(numbers.length); // one map below the other
  for (let map = 0, i = 0; map < maps; map++) for (let place = map; place < numbers.length; place += maps) all[i++] = numbers[place];
  stage.drawn = draw(stage.drawn ?? make("canvas"), width, height * maps, all, "viridis", range);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, w, h);
  for (let map = 0; map < maps; map++) {
    const [x, y] = [(map % columns) * (SIZE + GAP) + 2, Math.floor(map / columns) * (tall + GAP) + 2];
    context.drawImage(stage.drawn, 0, map * height, width, height, x, y, SIZE, tall);
    if (selected?.stage !== stage || selected.map !== map) continue;
    Object.assign(context, { strokeStyle: "#e69f00", lineWidth: 3 });
    context.strokeRect(x - 0.5, y - 0.5, SIZE + 1, tall + 1);
  }
}

function select(stage, map, row, column) {
  const old = selected?.stage;
  const within = (place, length) => Math.max(0, Math.min(length - 1, place));
  selected = { stage, map: within(map, stage.maps), row: within(row, stage.height), column: within(column, stage.width) };
  if (!current) return;
  if (old && old !== stage) drawStage(old);
  drawStage(stage);
  explain();
}

function mapAt(stage, event) {
  const box = stage.canvas.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const [across, down] = [Math.floor(x / (SIZE + GAP)), Math.floor(y / (stage.tall + GAP))];
  const map = down * stage.columns + across;
  if (across >= stage.columns || map >= stage.maps || map < 0) return;
  const row = ((y - down * (stage.tall + GAP) - 2) / stage.tall) * stage.height, column = ((x - across * (SIZE + GAP) - 2) / SIZE) * stage.width;
  select(stage, map, Math.floor(row), Math.floor(column));
}

const wide = matchMedia("(min-width: 900px)");
for (const stage of stages) {
  const { canvas, name, height, width, maps, range } = stage;
  canvas.role = "application";
  canvas.ariaLabel = `The ${maps} feature maps of ${name}. Arrow keys choose a map.`;
  canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && mapAt(stage, event));
  canvas.addEventListener("click", (event) => {
    if (!wide.matches) stage.section.append(byId("explanation")); // where the finger is
    mapAt(stage, event);
  });
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && selected.stage !== stage && select(stage, 0, height >> 1, width >> 1));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -stage.columns, ArrowDown: stage.columns }[event.key];
    if (!step) return;
    event.preventDefault();
    select(stage, selected.map + step, selected.row, selected.column);
  });
  const scale = draw(make("canvas"), 256, 1, Float32Array.from({ length: 256 }, (_, k) => k), "viridis", [0, 255]);
  stage.section = make("section", { className: "stage" },
    make("header", {}, make("h3", {}, `${name}: ${height} x ${width} x ${maps}`),
      make("span", { className: "scale" }, write(range[0], 1), scale, `${write(range[1], 1)} or more`)),
    make("div", { className: "strip" }, canvas));
  byId("stages").append(stage.section);
}
new ResizeObserver(() => current && stages.forEach(drawStage)).observe(byId("stages"));
byId("inside").hidden = !stages.length;

// The cells of the input that a number depends on: [top, left, bottom, right].
function field(number, [top, left, bottom, right]) {
  const { kind, size, strides, padding, inputs } = layers[number];
  if (kind === "input") return [Math.max(top, 0), Math.max(left, 0), Math.min(bottom, SIDE - 1), Math.min(right, SIDE - 1)];
  const cells = size ? [
    top * strides[0] - padding[0], left * strides[1] - padding[1],
    bottom * strides[0] - padding[0] + size[0] - 1, right * strides[1] - padding[1] + size[1] - 1,
  ] : [top, left, bottom, right];
  const fields = inputs.map((input) => field(input, cells));
  return [0, 1, 2, 3].map((k) => fields.map((one) => one[k]).reduce(k < 2 ? (a, b) => Math.min(a, b) : (a, b) => Math.max(a, b)));
}

// The window of a layer at a place, of one channel of its input: its numbers in rows, and which of them are outside.
function windowOf({ layer }, row, column, channel) {
  const [input] = layer.inputs, [height, width, channels] = layers[input].shape;
  const places = Array.from({ length: layer.size[0] * layer.size[1] }, (_, i) => [
    row * layer.strides[0] - layer.padding[0] + Math.floor(i / layer.size[1]),
    column * layer.strides[1] - layer.padding[1] + (i % layer.size[1]),
  ]);
  const outside = places.map(([y, x]) => y < 0 || y >= height || x < 0 || x >= width);
  return { outside, numbers: places.map(([y, x], i) => (outside[i] ? 0 : current.outputs[input][(y * width + x) * channels + channel])) };
}

// THE EXPLANATION: how the selected number came about, step by step.

const result = (text) => make("span", { className: "result" }, text);
const captioned = (caption, content) => make("figure", {}, make("figcaption", {}, caption), content);
const large = make("canvas", { width: 252, tabIndex: 0, role: "application", ariaLabel: "One feature map. Arrow keys choose one of its numbers." });
const title = make("h3", { ariaLive: "polite" }), steps = make("ol", { className: "steps" });
byId("explanation").append(title, make("div", { className: "parts" }, large, steps));

function explain() {
  const { stage, map, row, column } = selected, { layer, height, width, maps } = stage;
  const valueAt = (number) => current.outputs[number][(row * width + column) * maps + map];
  const items = layer.kind === "convolution" ? explainSum(selected) : explainPooling(selected);
  let number = valueAt(stage.first);
  for (const k of stage.steps) {
    items.push([...explainStep(layers[k], number, valueAt(k), map)]);
    number = valueAt(k);
  }
  const pool = stages.find(({ layer: { kind, inputs } }) => kind === "pooling" && inputs[0] === stage.last);
  if (pool && layer.kind === "convolution") items.push(explainKept(pool, selected));
  title.replaceChildren(`Where does this ${write(number, 3)} come from? Row ${row}, column ${column} of map ${map + 1} of ${stage.name}`);
  steps.replaceChildren(...items.map((parts) => make("li", {}, ...parts)));

  const own = Float32Array.from({ length: height * width }, (_, i) => current.outputs[stage.last][i * maps + map]);
  const [context, cell] = [large.getContext("2d"), large.width / width];
  large.height = cell * height;
  context.imageSmoothingEnabled = false;
  context.drawImage(draw(make("canvas"), width, height, own, "viridis", stage.range), 0, 0, large.width, large.height);
  Object.assign(context, { strokeStyle: "#e69f00", lineWidth: 3 });
  context.strokeRect(column * cell, row * cell, cell, cell);
  image.field = network.format.fit === "unchanged" ? field(stage.first, [row, column, row, column]) : null;
  drawImage();
}

function explainSum({ stage, map, row, column }) {
  const { layer, maps } = stage, [input] = layer.inputs, channels = layers[input].shape[2], source = stageOf(input);
  const parts = Array.from({ length: channels }, (_, channel) => {
    const { numbers, outside } = windowOf(stage, row, column, channel);
    const weights = numbers.map((_, i) => layer.kernel[(i * channels + channel) * maps + map]);
    const products = numbers.map((number, i) => number * weights[i]);
    return { channel, numbers, outside, weights, products, sum: products.reduce((a, b) => a + b) };
  });
  const shown = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, 3);
  const all = parts.reduce((sum, part) => sum + part.sum, 0), bias = layer.bias ? layer.bias[map] : 0;
  const range = evenly(shown.flatMap((part) => part.products)), weightRange = evenly(shown.flatMap((part) => part.weights));
  const rows = shown.map(({ channel, numbers, outside, weights, products, sum }) => {
    const count = numbers.length, columns = layer.size[1];
    const name = source ? `map ${channel + 1} of ${source.name}` : channels === 1 ? pixelNames(count) : `channel ${channel + 1}`;
    const colors = source ? ["viridis", source.range] : ["gray", layers[input].range];
    return make("div", { className: "sum" },
      captioned(name, table(numbers, columns, ...colors, (i) => (outside[i] ? "outside" : ""))), "\u00d7",
      captioned(`${count} weights`, table(weights, columns, "PuOr_r", weightRange)), "=",
      captioned(`${count} products`, table(products, columns, "PuOr_r", range)), make("span", {}, "sum ", result(write(sum, 3))));
  });
  const plus = bias ? ` The bias adds ${write(bias, 3)}, which makes ${write(all + bias, 3)}.` : "";
  if (channels === 1) return [["Multiply each number under the filter by the filter\u2019s weight, and add the products." + plus, ...rows]];
  const others = all - shown.reduce((sum, part) => sum + part.sum, 0);
  return [[`The filter has weights for each of the ${channels} maps of the layer before. Multiply and add. The three maps that add most here:`, ...rows,
    make("p", {}, `The other ${channels - shown.length} maps add ${write(others, 3)}. All ${parts.length * layer.size[0] * layer.size[1]} products together: `, result(write(all, 3)), `.${plus}`)]];
}

function pixelNames(count) {
  const { zero, unit } = network.format;
  return `${count} pixels${zero === 0 && unit === 255 ? ", divided by 255" : ""}`;
}

function explainStep({ kind, name, scale, shift }, number, next, map) {
  if (kind === "scaling") {
    const title = name[0].toUpperCase() + name.slice(1), sign = shift[map] < 0 ? "\u2212" : "+";
    return [`${title} multiplies by a scale and adds a shift: ${write(number, 3)} \u00d7 ${write(scale[map], 3)} ${sign} ${write(Math.abs(shift[map]), 3)} = `, result(write(next, 3))];
  }
  if (name !== "relu") return [`The activation ${name} makes `, result(write(next, 3)), ` of ${write(number, 3)}.`];
  return [`ReLU sets negative numbers to 0. This one ${number < 0 ? "is negative and becomes" : "is not negative and stays"} `, result(write(next, 3)), "."];
}

function explainPooling({ stage, map, row, column }) {
  const { numbers, outside } = windowOf(stage, row, column, map), [rows, columns] = stage.layer.size;
  const inside = numbers.map((number, i) => (outside[i] ? -Infinity : number)), largest = inside.indexOf(Math.max(...inside));
  const maximum = stage.layer.name === "maximum", source = stageOf(stage.layer.inputs[0]);
  return [[`Pooling takes ${rows}x${columns} numbers of map ${map + 1}${source ? ` of ${source.name}` : ""} and keeps ${maximum ? "the largest" : "their mean"}.`,
    table(numbers, columns, "viridis", stage.range, (i) => (outside[i] ? "outside" : maximum && i === largest ? "kept" : ""))]];
}

function explainKept(pool, { stage, map, row, column }) {
  const { strides, padding } = pool.layer;
  const [poolRow, poolColumn] = [row, column].map((place, axis) => Math.floor((place + padding[axis]) / strides[axis]));
  if (poolRow >= pool.height || poolColumn >= pool.width) return ["The pooling after it leaves this row or column out."];
  const [[text, numbers]] = explainPooling({ stage: pool, map, row: poolRow, column: poolColumn });
  return [text, numbers];
}

// THE FILTERS of the first layer, if that is a convolution. Where it has several channels, they all see the same image,
// so a filter is shown as the sum over them.

const firstLayer = layers.findIndex(({ kind }) => kind === "convolution");
const kernels = firstLayer < 0 ? null : { trained: layers[firstLayer].kernel.slice(), chosen: 0 };

function weightsOf(filter, kernel = layers[firstLayer].kernel) {
  const { size, shape } = layers[firstLayer], channels = kernel.length / shape[2] / size[0] / size[1];
  return Array.from({ length: size[0] * size[1] }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += kernel[(i * channels + c) * shape[2] + filter];
    return sum;
  });
}

function setWeights(filter, weights) {
  const { kernel, size, shape } = layers[firstLayer], channels = kernel.length / shape[2] / size[0] / size[1];
  weightsOf(filter).forEach((old, i) => {
    for (let c = 0; c < channels; c++) kernel[(i * channels + c) * shape[2] + filter] += (weights[i] - old) / channels;
  });
}

const EDITS = {
  "Vertical edge": (filter) => edge(filter, (row, column, middle) => column - middle),
  "Horizontal edge": (filter) => edge(filter, (row, column, middle) => row - middle),
  "Turn by a quarter": (filter) => {
    const side = layers[firstLayer].size[0], weights = weightsOf(filter);
    return weights.map((_, i) => weights[(side - 1 - (i % side)) * side + Math.floor(i / side)]);
  },
  "Set to zero": (filter) => weightsOf(filter).map(() => 0),
  "Trained weights": (filter) => weightsOf(filter, kernels.trained),
};
// A filter made by hand, with the length (the root of the sum of squares) of the trained one.
function edge(filter, weight) {
  const [rows, columns] = layers[firstLayer].size;
  const signs = weightsOf(filter).map((_, i) => Math.sign(weight(Math.floor(i / columns), i % columns, (columns - 1) / 2)));
  const length = (values) => Math.hypot(...values);
  return signs.map((sign) => (sign * length(weightsOf(filter, kernels.trained))) / length(signs));
}

function edit(filters, change) {
  for (const filter of filters) setWeights(filter, change(filter));
  port.postMessage({ layer: firstLayer, kernel: layers[firstLayer].kernel });
  changed();
  showFilters();
  measure();
}

function showFilters() {
  const { size, shape } = layers[firstLayer];
  [...byId("kernels").children].forEach((one, filter) => {
    const weights = weightsOf(filter), trained = weightsOf(filter, kernels.trained);
    draw(one.firstChild, size[1], size[0], weights, "PuOr_r", evenly(weights));
    one.ariaPressed = filter === kernels.chosen;
    one.className = weights.some((weight, i) => Math.abs(weight - trained[i]) > 1e-6) ? "edited" : "";
  });
  byId("editor").firstElementChild.textContent = `Filter ${kernels.chosen + 1} of ${shape[2]}, which makes map ${kernels.chosen + 1}`;
  const weights = weightsOf(kernels.chosen);
  [...byId("weights").children].forEach((input, i) => {
    if (document.activeElement !== input) input.value = weights[i].toFixed(2);
    tint(input, weights[i], "PuOr_r", evenly(weights));
  });
}

async function measure() { // the accuracy on the gallery, before and after; the newest filters win
  const measurement = (kernels.measurement = {}), right = (predicted) => data.gallery.filter((one, k) => one.label === predicted[k]).length;
  const old = right(data.gallery.map((one) => one.predicted)), predicted = [];
  jobs.waiting = [];
  for (const one of data.gallery) {
    predicted.push(best((await later(one.pixels)).probabilities));
    if (kernels.measurement !== measurement) return;
    byId("accuracy").textContent = `Correct on the ${data.gallery.length} images of the gallery: ${old} with the trained filters, ` +
      (predicted.length < data.gallery.length ? "..." : `${right(predicted)} with these.`);
  }
}

if (kernels) {
  const { size, shape } = layers[firstLayer];
  byId("filters").hidden = false;
  for (let filter = 0; filter < shape[2]; filter++) {
    byId("kernels").append(button(make("canvas"), () => {
      kernels.chosen = filter;
      select(stages[0], filter, selected.row, selected.column);
      showFilters();
    }, { ariaLabel: `Filter ${filter + 1}` }));
  }
  byId("weights").style.gridTemplateColumns = `repeat(${size[1]}, auto)`;
  for (let i = 0; i < size[0] * size[1]; i++) {
    const oninput = ({ target }) => Number.isFinite(target.valueAsNumber) && edit([kernels.chosen], (filter) => weightsOf(filter).map((old, k) => (k === i ? target.valueAsNumber : old)));
    byId("weights").append(make("input", { type: "number", step: 0.1, oninput, ariaLabel: `Weight in row ${Math.floor(i / size[1])}, column ${i % size[1]}` }));
  }
  const all = [...Array(shape[2]).keys()];
  const square = size[0] === size[1];
  for (const [name, change] of Object.entries(EDITS)) {
    if (name.startsWith("Turn") && !square) continue;
    byId("edits").append(button(name, () => edit([kernels.chosen], change)));
  }
  const turn = EDITS["Turn by a quarter"], train = EDITS["Trained weights"];
  if (square) byId("all-edits").append(button("Turn all by a quarter", () => edit(all, turn)));
  byId("all-edits").append(button("All trained weights", () => edit(all, train)));
  showFilters();
}

// THE QUIZ.

const quiz = { round: 0, yours: 0, network: 0 };
byId("quiz-text").textContent = `${data.quiz.length} other test images. Name each one, then see the label and the network\u2019s answer.` +
  (data.genuine ? " Of the people whom the authors of the data set asked, 83.5% of the answers were right." : "");

function ask() {
  const one = data.quiz[quiz.round], text = make("p", { ariaLive: "polite" });
  const choices = make("div", { role: "group", ariaLabel: "Your answer" }, ...classNames.map((name, k) => button(name, () => answer(k))));
  const answer = async (k) => {
    for (const choice of choices.children) choice.disabled = true;
    const { probabilities: values } = await later(one.pixels), predicted = best(values);
    quiz.round++;
    quiz.yours += k === one.label;
    quiz.network += predicted === one.label;
    const verdict = (right) => make("span", { className: right ? "right" : "wrong" }, right ? "right" : "wrong");
    text.replaceChildren(`The label is ${classNames[one.label]}. You said ${classNames[k]}: `, verdict(k === one.label),
      `. The network said ${classNames[predicted]} (${percent(values[predicted])}): `, verdict(predicted === one.label),
      `. After ${quiz.round} of ${data.quiz.length}: you ${quiz.yours}, the network ${quiz.network}.`);
    const end = quiz.round === data.quiz.length;
    const next = button(end ? "Start again" : "Next image", () => {
      if (end) Object.assign(quiz, { round: 0, yours: 0, network: 0 });
      ask();
      byId("round").querySelector("button").focus();
    });
    choices.replaceWith(next);
    next.focus();
  };
  byId("round").replaceChildren(picture(one.pixels), make("div", {}, text, choices));
}
if (data.quiz.length) ask();
byId("quiz").hidden = !data.quiz.length;

// THE EXPERIMENTS: a question, and what the button "Show me" does. The images were chosen by number from the test set.

const erase = (inside) => change((row, column, pixels) => (inside(row, column) ? 0 : at(pixels, row, column)));
const EXPERIMENTS = {
  collar: ["Cover the collar", "Is it still a shirt without its collar? Choose Cover and move the square over it.",
    () => (choose("cover"), paint([3, 14]))],
  boot: ["Shift a boot", "The network saw images moved by one pixel at most. Move this boot four pixels up: what happens?",
    () => move(-4, 0)],
  mirror: ["Mirror a shoe", "All shoes of the data point to the left. Mirror this one: does the network still know it?",
    () => CHANGES.Mirror[1]()],
  sleeves: ["Shorten the sleeves", "Draw over the lower sleeves in black. What is a pullover with short sleeves?",
    () => erase((row, column) => row > 11 && (column < 8 || column > 19))],
  filters: ["Turn all filters", "Turn every filter of the first layer by a quarter. Do the other layers understand these maps?",
    () => edit([...Array(layers[firstLayer].shape[2]).keys()], EDITS["Turn by a quarter"])],
  nothing: ["Draw a bag", "Start from black, and draw a bag in white. Which stroke makes it a bag for the network?",
    () => change((row, column) => (row > 11 && row < 26 && column > 3 && column < 24) || (row > 4 && row < 12 && (column === 8 || column === 19)) || (row === 4 && column > 7 && column < 20) ? 220 : 0)],
};

for (const [name, [title, question, act]] of Object.entries(EXPERIMENTS)) {
  const one = name === "nothing" ? { pixels: new Uint8Array(SIDE * SIDE), label: null } : data.experiments[name];
  if (!one || (name === "nothing" && !data.genuine) || (name === "filters" && !kernels)) continue;
  const note = name === "nothing" ? "An empty image" : describe(one);
  const start = () => {
    open(one.pixels, { label: one.label, note, question: make("span", {}, make("strong", {}, `${title}. `), question, " ", button("Show me", act)) });
    byId("question").scrollIntoView({ block: "nearest" });
  };
  byId("experiments").lastElementChild.append(button(picture(one.pixels), start, {}));
  byId("experiments").lastElementChild.lastChild.append(make("span", {}, title));
  byId("experiments").hidden = false;
}

// The start.
byId("about").textContent = data.about;
for (const id of ["gallery", "kernels", "tool", "size"]) arrowKeys(byId(id));
choose(255);
const first = data.gallery.find((one) => one.label === one.predicted) ?? data.gallery[0];
open(first.pixels, { label: first.label, note: describe(first) });
if (stages.length) select(stages[0], 0, 10, 10);
