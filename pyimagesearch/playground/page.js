// The page: what the reader changes, and what the network makes of it. The network itself is in network.js. It works in
// a Web Worker made from the same source, so that the page never waits for it.
"use strict";

const SIDE = 28, PATCH = 7; // pixels; the patch is as large as that of --explain
const FRAME = "#56b4e9", CURSOR = "#e69f00";
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

function write(number, digits = 3) {
  const text = number.toFixed(Math.abs(number) < 10 ? digits : 1);
  return Number(text) === 0 ? "0" : text.replace("-", "\u2212");
}
function writeShort(number) { // in at most four characters: .12, 1.23, \u221212
  const size = Math.abs(number), digits = size >= 9.95 ? 0 : size < 0.995 || number > 0 ? 2 : 1;
  const text = number.toFixed(digits);
  return Number(text) === 0 ? "0" : text.replace("-", "\u2212").replace("0.", ".");
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
function onArrow(element, act) { // act: (rows, columns, event)
  element.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    act(...ARROWS[event.key], event);
  });
}

// Make a group of buttons one stop of the Tab key; arrow keys go from one button to the next.
function oneStop(group) {
  const buttons = [...group.querySelectorAll("button")];
  const stop = (chosen) => buttons.forEach((one) => (one.tabIndex = one === chosen ? 0 : -1));
  stop(buttons[0]);
  group.addEventListener("focusin", ({ target }) => stop(target));
  onArrow(group, (down, right, { target }) => {
    buttons.at((buttons.indexOf(target) + down + right) % buttons.length).focus();
  });
}

// COLORS, 256 of each kind: gray for pixels, viridis for feature maps, orange and purple for weights and products.

const COLORS = { ...data.colors, gray: range(256).map((k) => `#${k.toString(16).padStart(2, "0").repeat(3)}`) };
const partsOf = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16)); // red, green, blue
const PIXELS = {}; // the same as the numbers that an ImageData has
for (const [kind, colors] of Object.entries(COLORS)) {
  PIXELS[kind] = colors.map(partsOf).map(([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red);
}
const stepOf = (value, ends) => clamp(Math.round((255 * (value - ends[0])) / (ends[1] - ends[0] || 1)), 0, 255);
const endsOf = (values) => [Math.min, Math.max].map((choose) => values.reduce((a, b) => choose(a, b)));
const evenly = (values) => [-1, 1].map((sign) => sign * Math.max(...values.map(Math.abs)));

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
for (const one of [...data.gallery, ...data.quiz, ...Object.values(data.experiments)]) one.pixels = bytes(one.pixels);

// THE WORKER computes one image at a time: the newest one of the reader first, then those that wait.

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

const jobs = { newest: null, waiting: [], running: null };
let port;
try {
  const source = [byId("network").textContent, `(${work})(self);`];
  port = new Worker(URL.createObjectURL(new Blob(source, { type: "text/javascript" })));
} catch { // a browser that allows a file no worker
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
  if (jobs.running || !(jobs.newest || jobs.waiting.length)) return;
  jobs.running = jobs.newest ?? jobs.waiting.shift();
  if (jobs.running === jobs.newest) jobs.newest = null;
  port.postMessage({ pixels: jobs.running.pixels, all: jobs.running.all });
}

function compute(pixels, all = false) { // a promise of the probabilities, and of all numbers
  return new Promise((done) => {
    jobs.waiting.push({ pixels, all, done });
    nextJob();
  });
}

// THE IMAGE. cover: the place of the black patch, or null; field: the pixels that the explained number depends on.

const image = { pixels: null, original: null, label: null, undo: [], cover: null, field: null };
const brush = { tool: 255, size: 2, place: [13, 13] }; // tool: a gray, or "cover"
let current = null, before = null; // what the network makes of the image now (all numbers), and of the original

function open(pixels, { label = null, note, question = null }) {
  Object.assign(image, { pixels: pixels.slice(), original: pixels, label, undo: [] });
  choose(brush.tool === "cover" ? 255 : brush.tool);
  byId("image-note").textContent = note;
  byId("question").replaceChildren(question ?? "");
  byId("question").hidden = !question;
  for (const one of byId("gallery").children) one.ariaPressed = one.pixels === pixels;
  before = null;
  compute(pixels).then(({ probabilities }) => {
    if (image.original === pixels) before = probabilities; // if no other image was opened meanwhile
    if (current) showPrediction();
  });
  changed();
}

function changed() {
  drawImage();
  byId("Undo").disabled = !image.undo.length;
  byId("Reset").disabled = !image.undo.length && !image.cover;
  jobs.newest = { pixels: shown(), all: true, done: show };
  nextJob();
}

function shown() { // the pixels that the network sees
  const pixels = image.pixels.slice();
  if (image.cover) square(image.cover, PATCH, (i) => (pixels[i] = 0));
  return pixels;
}

function square([row, column], size, visit) { // call visit with the number of each pixel of a square around a place
  const first = (size - 1) >> 1;
  for (let y = Math.max(0, row - first); y < Math.min(SIDE, row - first + size); y++) {
    for (let x = Math.max(0, column - first); x < Math.min(SIDE, column - first + size); x++) visit(y * SIDE + x);
  }
}

const canvas = byId("image"), CELL = canvas.width / SIDE;
function drawImage() {
  const context = canvas.getContext("2d");
  context.fillStyle = "#3a3a3a"; // the lines between the cells
  context.fillRect(0, 0, canvas.width, canvas.height);
  shown().forEach((pixel, i) => {
    context.fillStyle = COLORS.gray[pixel];
    context.fillRect((i % SIDE) * CELL, Math.floor(i / SIDE) * CELL, CELL - 1, CELL - 1);
  });
  const frame = (color, top, left, bottom, right) => {
    Object.assign(context, { strokeStyle: color, lineWidth: 4 });
    context.strokeRect(left * CELL, top * CELL, (right - left + 1) * CELL - 1, (bottom - top + 1) * CELL - 1);
  };
  if (image.field) frame(FRAME, ...image.field);
  if (image.cover) frame(CURSOR, ...image.cover.map((place) => place - 3), ...image.cover.map((place) => place + 3));
  else if (canvas.matches(":focus-visible")) frame(CURSOR, ...brush.place, ...brush.place);
}

// Change all pixels: from(row, column) is the place whose pixel comes here, or outside of the image, which is black.
function change(from, transform = (pixel) => pixel) {
  image.undo.push(image.pixels);
  image.pixels = image.pixels.map((_, i, pixels) => {
    const [row, column] = from(Math.floor(i / SIDE), i % SIDE);
    return transform(row === clamp(row, 0, 27) && column === clamp(column, 0, 27) ? pixels[row * SIDE + column] : 0, i);
  });
  changed();
}
const recolor = (transform) => change((row, column) => [row, column], transform);
const move = (down, right) => change((row, column) => [row - down, column - right]);
const mirror = () => change((row, column) => [row, SIDE - 1 - column]);

function undo() {
  image.pixels = image.undo.pop();
  changed();
}
function reset() {
  Object.assign(image, { pixels: image.original.slice(), undo: [], cover: null });
  changed();
}

function strokeBegins() {
  if (brush.tool === "cover") return;
  image.undo.push(image.pixels);
  image.pixels = image.pixels.slice();
}

function paint(place) {
  brush.place = place;
  if (brush.tool === "cover") image.cover = place;
  else square(place, brush.size, (i) => (image.pixels[i] = brush.tool));
  changed();
}

function cellAt({ clientX, clientY }, element, rows, columns) {
  const { top, left, width, height } = element.getBoundingClientRect();
  return [Math.floor(((clientY - top) / height) * rows), Math.floor(((clientX - left) / width) * columns)];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  strokeBegins();
  paint(cellAt(event, canvas, SIDE, SIDE));
});
canvas.addEventListener("pointermove", (event) => {
  const place = cellAt(event, canvas, SIDE, SIDE);
  if (brush.tool === "cover") return paint(place.map((cell) => clamp(cell, 0, SIDE - 1)));
  if (!event.buttons) return;
  const from = brush.place, steps = Math.max(...place.map((cell, axis) => Math.abs(cell - from[axis])));
  for (let k = 1; k <= steps; k++) { // a fast stroke leaves no gaps
    paint(from.map((cell, axis) => Math.round(cell + ((place[axis] - cell) * k) / steps)));
  }
});
onArrow(canvas, (down, right) => {
  brush.place = [brush.place[0] + down, brush.place[1] + right].map((cell) => clamp(cell, 0, SIDE - 1));
  if (brush.tool === "cover") paint(brush.place);
  else drawImage();
});
canvas.addEventListener("keydown", (event) => {
  if (event.key !== " ") return;
  event.preventDefault();
  strokeBegins();
  paint(brush.place);
});
for (const name of ["focus", "blur"]) canvas.addEventListener(name, drawImage);

// THE TOOLS.

function choose(tool, size = brush.size) {
  Object.assign(brush, { tool, size });
  image.cover = tool === "cover" ? image.cover ?? [13, 13] : null;
  for (const one of byId("tools").querySelectorAll("[role=radio]")) {
    one.ariaChecked = [String(tool), `size ${size}`].includes(one.value);
  }
}

function radio(group, value, name, text, style, act) {
  const one = button(text, act, { role: "radio", value, title: name, ariaLabel: name });
  one.className = text ? "" : "swatch";
  for (const [property, setting] of Object.entries(style)) one.style.setProperty(property, setting);
  byId(group).append(one);
}
for (const [gray, name] of [[0, "black"], [128, "gray"], [255, "white"]]) {
  radio("tool", gray, `Draw in ${name}`, "", { "--ink": COLORS.gray[gray] }, () => (choose(gray), changed()));
}
radio("tool", "cover", "Cover 7x7 pixels", "Cover", {}, () => (choose("cover"), changed()));
for (const size of [1, 2, 3]) {
  const style = { "--dot": `${0.2 + 0.3 * size}rem`, "--ink": "currentColor" };
  radio("size", `size ${size}`, `Brush of ${size}x${size} pixels`, "", style, () => choose(brush.tool, size));
}
const CHANGES = [
  ["\u2190", "Move left", () => move(0, -1)], ["\u2191", "Move up", () => move(-1, 0)],
  ["\u2193", "Move down", () => move(1, 0)], ["\u2192", "Move right", () => move(0, 1)],
  ["Mirror", "Mirror", mirror], ["Turn", "Turn by a quarter", () => change((row, column) => [SIDE - 1 - column, row])],
  ["Invert", "Invert: black becomes white", () => recolor((pixel) => 255 - pixel)],
  ["Undo", "Undo", undo], ["Reset", "Reset", reset], ["Clear", "Clear: all black", () => recolor(() => 0)],
];
for (const [text, name, act] of CHANGES) {
  byId("changes").append(button(text, act, { id: text, title: name, ariaLabel: name }));
}

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
    const gray = (row, column) => [0.299, 0.587, 0.114].reduce(
      (sum, weight, k) => sum + weight * colors[4 * (row * width + column) + k], 0);
    const corners = [gray(0, 0), gray(0, width - 1), gray(height - 1, 0), gray(height - 1, width - 1)];
    const light = corners.reduce((a, b) => a + b) > 4 * 127, pixels = new Uint8Array(SIDE * SIDE);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        pixels[(top + row) * SIDE + left + column] = light ? 255 - gray(row, column) : gray(row, column);
      }
    }
    open(pixels, { note: `${file.name}, scaled to 28x28 pixels${light ? " and negated" : ""}` });
  } catch {
    byId("image-note").textContent = `This browser cannot open ${file.name} as a picture.`;
  }
}
byId("file").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});

// THE GALLERY.

function describe({ number, label, predicted }) {
  const mistake = label === predicted ? "" : ` (the network says ${classNames[predicted]})`;
  return `Test image ${number}: ${classNames[label]}${mistake}`;
}
for (const one of data.gallery) {
  const note = describe(one), className = one.label === one.predicted ? "" : "mistake";
  const act = () => open(one.pixels, { label: one.label, note });
  const properties = { ariaLabel: note, title: note, className, pixels: one.pixels };
  byId("gallery").append(button(picture(one.pixels), act, properties));
}

// THE PREDICTION.

const best = (values) => values.indexOf(Math.max(...values));
function scaled(values) { // temperature scaling: the logits are divided by the temperature
  if (!byId("scaled").checked) return values;
  const powers = values.map((value) => value ** (1 / data.temperature)), sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

const bars = classNames.slice(0, 10).map(() => {
  const [name, bar, tick, value] = ["name", "bar", "tick", "value"].map((className) => make("span", { className }));
  tick.hidden = true;
  const row = make("li", {}, name, make("span", { className: "track" }, bar, tick), value);
  byId("bars").append(row);
  return { row, name, bar, tick, value };
});

function showPrediction() {
  const values = scaled(current.probabilities), old = scaled(before ?? current.probabilities), winner = best(values);
  const likeliest = range(values.length).sort((a, b) => values[b] - values[a]).slice(0, bars.length);
  likeliest.sort((a, b) => a - b);
  const same = values.every((value, k) => Math.abs(value - old[k]) < 0.005);
  bars.forEach(({ row, name, bar, tick, value }, place) => {
    const k = likeliest[place];
    name.textContent = name.title = classNames[k];
    bar.style.width = `${100 * values[k]}%`;
    tick.style.left = `calc(${100 * old[k]}% - 1px)`;
    tick.hidden = same;
    value.textContent = percent(values[k]);
    row.className = k === winner ? "best" : "";
  });
  const verdict = image.label === null ? "" : winner === image.label ? ", right" : ", wrong";
  byId("prediction").replaceChildren(make("strong", {}, classNames[winner]), ` ${percent(values[winner])}${verdict}`);
  const past = `${classNames[best(old)]} ${percent(old[best(old)])}`;
  byId("before").textContent = same ? "" : `Before the change (thin lines): ${past}`;
}
byId("scaled").addEventListener("change", showPrediction);
byId("scaling").hidden = data.temperature === 1;
byId("scaling").append(` temperature scaling (logits divided by ${data.temperature.toFixed(2)})`);

function show(computed) {
  current = computed;
  showPrediction();
  if (selected) showLayers();
}

// THE LAYERS. A stage is a convolution or a pooling, with the normalization and activation that follow it.

const SIZE = 56, GAP = 4; // the width of a map on the page and the space between two, in pixels
const stages = layers.flatMap((layer, first) => {
  const [height, width, maps] = layer.shape;
  if (!["convolution", "pooling"].includes(layer.kind) || height * width === 1) return [];
  const steps = [first]; // the layers of the stage
  for (;;) {
    const users = range(layers.length).filter((k) => layers[k].inputs.includes(steps.at(-1)));
    if (users.length !== 1 || !["scaling", "activation"].includes(layers[users[0]].kind)) break;
    steps.push(users[0]);
  }
  const [canvas, small] = [make("canvas"), make("canvas")]; // small: one map below the other, a pixel for each number
  return { layer, steps, last: steps.at(-1), height, width, maps, ends: null, canvas, small };
});
for (const kind of ["convolution", "pooling"]) {
  stages.filter(({ layer }) => layer.kind === kind).forEach((stage, k) => (stage.name = `${kind} ${k + 1}`));
}
const stageOf = (number) => stages.find((stage) => stage.last === number);
const wide = matchMedia("(min-width: 1250px)"); // the explanation has a place of its own; else below the chosen strip
let selected = null; // { stage, map, row, column } of the number that is explained

// The maps of a stage, one after the other. (A layer puts the numbers of all maps at one place together.)
function mapsOf({ last, height, width, maps }, { outputs } = current) {
  const numbers = outputs[last], places = height * width, rows = new Float32Array(numbers.length);
  for (let map = 0, i = 0; map < maps; map++) {
    for (let place = 0; place < places; place++) rows[i++] = numbers[place * maps + map];
  }
  return rows;
}

// Fix the scale of colors of each stage: a tenth of its maps, for some images of the gallery, have numbers beyond it.
async function fixScales() {
  const some = data.gallery.filter((_, k) => k % 5 === 0), computed = [];
  for (const one of some) computed.push(await compute(one.pixels, true));
  for (const stage of stages) {
    const size = stage.height * stage.width, extremes = computed.flatMap((one) => {
      const maps = mapsOf(stage, one);
      return range(stage.maps).map((map) => endsOf(maps.subarray(map * size, (map + 1) * size)));
    });
    const [lowest, highest] = [0, 1].map((k) => extremes.map((ends) => ends[k]).sort((a, b) => a - b));
    const tenth = Math.floor(0.1 * lowest.length), low = Math.min(0, lowest[tenth]), high = highest.at(-1 - tenth);
    stage.ends = [low, high];
    const bar = draw(make("canvas"), 256, 1, range(256), "viridis", [0, 255]);
    stage.scale.replaceChildren(write(low, 1), bar, `${write(high, 1)} or more`);
  }
  selected = brightest(stages[0]);
  byId("inside").hidden = false;
  byId("filters").hidden = !first;
  placeExplanation();
  showLayers();
}

function brightest(stage) { // the largest number of a stage
  const numbers = current.outputs[stage.last], most = numbers.indexOf(endsOf(numbers)[1]);
  const place = Math.floor(most / stage.maps);
  return { stage, map: most % stage.maps, row: Math.floor(place / stage.width), column: place % stage.width };
}

function showLayers() {
  stages.forEach(drawStage);
  explain();
}

function drawStage(stage) {
  const { height, width, maps, canvas, small, ends } = stage, tall = Math.round((SIZE * height) / width);
  const fitting = Math.floor((byId("stages").clientWidth + GAP) / (SIZE + GAP));
  const columns = Math.min(maps, Math.max(fitting, Math.ceil(maps / 5))); // more than fit: the strip scrolls
  Object.assign(stage, { columns, tall });
  Object.assign(canvas, { width: columns * (SIZE + GAP), height: Math.ceil(maps / columns) * (tall + GAP) });
  const context = canvas.getContext("2d");
  draw(small, width, height * maps, mapsOf(stage), "viridis", ends);
  Object.assign(context, { imageSmoothingEnabled: false, strokeStyle: CURSOR, lineWidth: 3 });
  for (let map = 0; map < maps; map++) {
    const [x, y] = [(map % columns) * (SIZE + GAP) + 2, Math.floor(map / columns) * (tall + GAP) + 2];
    context.drawImage(small, 0, map * height, width, height, x, y, SIZE, tall);
    if (selected.stage === stage && selected.map === map) context.strokeRect(x - 0.5, y - 0.5, SIZE + 1, tall + 1);
  }
}

function select(stage, map, row, column) {
  const old = selected.stage, { maps, height, width } = stage, within = (k, length) => clamp(k, 0, length - 1);
  selected = { stage, map: within(map, maps), row: within(row, height), column: within(column, width) };
  for (const one of new Set([old, stage])) drawStage(one);
  explain();
}

function pointAt(stage, { clientX, clientY }) {
  const { left, top } = stage.canvas.getBoundingClientRect();
  const [x, y] = [(clientX - left) / (SIZE + GAP), (clientY - top) / (stage.tall + GAP)];
  const map = Math.floor(y) * stage.columns + Math.floor(x);
  if (map < stage.maps) select(stage, map, Math.floor((y % 1) * stage.height), Math.floor((x % 1) * stage.width));
}

function placeExplanation() {
  if (wide.matches) byId("stages").before(byId("explanation"));
  else selected.stage.section.append(byId("explanation"));
}
wide.addEventListener("change", () => selected && placeExplanation());

for (const stage of stages) {
  const { canvas, name, height, width, maps } = stage;
  const ariaLabel = `The ${maps} feature maps of ${name}. Arrow keys choose a map.`;
  Object.assign(canvas, { tabIndex: 0, role: "application", ariaLabel });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && (wide.matches || selected.stage === stage)) pointAt(stage, event);
  });
  canvas.addEventListener("click", (event) => {
    pointAt(stage, event);
    placeExplanation();
  });
  onArrow(canvas, (down, right) => {
    const { map, row, column } = selected.stage === stage ? selected : { ...selected, map: -1 };
    select(stage, map + down * stage.columns + right, row, column);
    placeExplanation();
  });
  stage.scale = make("span", { className: "scale" });
  const title = make("header", {}, make("h3", {}, `${name}: ${height} x ${width} x ${maps}`), stage.scale);
  stage.section = make("section", { className: "stage" }, title, make("div", { className: "strip" }, canvas));
  byId("stages").append(stage.section);
}
new ResizeObserver(() => selected && stages.forEach(drawStage)).observe(byId("stages"));

// THE EXPLANATION of one number of a feature map.

const large = byId("large");
for (const name of ["pointermove", "click"]) {
  large.addEventListener(name, (event) => {
    const { stage, map } = selected;
    select(stage, map, ...cellAt(event, large, stage.height, stage.width));
  });
}
onArrow(large, (down, right) => select(selected.stage, selected.map, selected.row + down, selected.column + right));

function explain() {
  const { stage, map, row, column } = selected, { layer, steps, height, width, maps } = stage;
  const cell = large.width / width;
  large.height = cell * height;
  const context = large.getContext("2d");
  Object.assign(context, { imageSmoothingEnabled: false, strokeStyle: CURSOR, lineWidth: 3 });
  context.drawImage(stage.small, 0, map * height, width, height, 0, 0, large.width, large.height);
  context.strokeRect(column * cell, row * cell, cell, cell);

  const valueAfter = (number) => current.outputs[number][(row * width + column) * maps + map];
  const items = [layer.kind === "convolution" ? explainSum(selected) : explainPooling(stage, map, row, column)];
  steps.slice(1).forEach((number, k) => {
    items.push(explainStep(layers[number], valueAfter(steps[k]), valueAfter(number), map));
  });
  const pool = stages.find((one) => one.layer.kind === "pooling" && one.layer.inputs[0] === stage.last);
  if (pool) {
    const { padding, strides } = pool.layer;
    const [down, right] = [row, column].map((place, axis) => Math.floor((place + padding[axis]) / strides[axis]));
    if (down < pool.height && right < pool.width) items.push(explainPooling(pool, map, down, right));
  }
  const place = `Row ${row}, column ${column} of map ${map + 1} of ${stage.name}: `;
  byId("number").replaceChildren(place, result(write(valueAfter(stage.last))));
  byId("steps").replaceChildren(...items.map((parts) => make("li", {}, ...parts)));
  image.field = network.format.fit === "unchanged" ? fieldOf(steps[0], [row, column, row, column]) : null;
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
  const ends = (name) => evenly(shown.flatMap((part) => part[name]));
  const { zero, unit } = network.format, pixels = zero === 0 && unit === 255 ? "pixels / 255" : "pixels, scaled";
  const rows = shown.flatMap(({ channel, numbers, inside, weights, products, sum }, k) => {
    const captioned = (caption, cells) => make("figure", {}, make("figcaption", {}, k ? "" : caption), cells);
    const outside = (i) => (inside[i] ? "" : "outside");
    const under = source ? table(numbers, size[1], "viridis", source.ends, outside)
      : table(numbers, size[1], "gray", endsOf(current.outputs[input]), outside);
    const name = channels === 1 ? "They add up to" : `${source ? "Map" : "Channel"} ${channel + 1} adds`;
    return [make("div", { className: "sum" },
      captioned(source ? "numbers" : pixels, under), "\u00d7",
      captioned("weights", table(weights, size[1], "PuOr_r", ends("weights"))), "=",
      captioned("products", table(products, size[1], "PuOr_r", ends("products")))),
    make("p", {}, `${name} `, result(write(sum)))];
  });
  const rest = channels > 3 ? `The other ${channels - 3} add ${write(others)}. ` : "";
  const count = channels * size[0] * size[1];
  if (channels > 1) rows.push(make("p", {}, `${rest}All ${count} products: `, result(write(all))));
  if (bias) rows.push(make("p", {}, `The bias adds ${write(bias[map])}: `, result(write(all + bias[map]))));
  const many = channels === 1 ? "" : ` The filter has ${size.join("x")} weights for each of the ${channels} ` +
    `${source ? `maps of ${source.name}` : "channels"}. Those that count most here:`;
  return [`Multiply each number under the filter by the filter\u2019s weight, and add the products.${many}`, ...rows];
}

function explainStep({ name, scale, shift, slope, threshold, largest }, number, next, map) {
  if (scale) {
    const title = name[0].toUpperCase() + name.slice(1), sign = shift[map] < 0 ? "\u2212" : "+";
    const sum = `${write(number)} \u00d7 ${write(scale[map])} ${sign} ${write(Math.abs(shift[map]))}`;
    return [`${title} multiplies by a scale and adds a shift: ${sum} = `, result(write(next))];
  }
  const text = name !== "relu" || slope || threshold || largest ? `The activation (${name}) turns it into `
    : `ReLU sets negative numbers to 0. This one ${number < 0 ? "becomes" : "stays"} `;
  return [text, result(write(next))];
}

function explainPooling({ layer, ends }, map, row, column) {
  const { numbers, inside } = windowOf(layer, row, column, map), source = stageOf(layer.inputs[0]);
  const within = numbers.map((number, i) => (inside[i] ? number : -Infinity)), maximum = layer.name === "maximum";
  const mark = (i) => (!inside[i] ? "outside" : maximum && i === best(within) ? "kept" : "");
  const block = `${layer.size.join("x")} numbers of map ${map + 1}${source ? ` of ${source.name}` : ""}`;
  return [`Pooling takes these ${block}, and keeps ${maximum ? "the largest" : "their mean"}.`,
    table(numbers, layer.size[1], "viridis", ends, mark)];
}

// THE FILTERS of the first convolution. Where it has several channels, all see the same gray image: their sum is shown.

const first = stages.find(({ layer }) => layer.kind === "convolution"), firstLayer = first?.layer;
const filters = { trained: firstLayer?.kernel.slice(), chosen: 0, measurement: null };

const cells = () => range(firstLayer.size[0] * firstLayer.size[1]);
function placesOf(cell, filter) { // in the kernel: those of the weights of a cell, one for each channel
  const { kernel, shape: [, , count] } = firstLayer, channels = kernel.length / count / cells().length;
  return range(channels).map((channel) => (cell * channels + channel) * count + filter);
}
function weightsOf(filter, kernel = firstLayer.kernel) {
  return cells().map((cell) => placesOf(cell, filter).reduce((sum, k) => sum + kernel[k], 0));
}

function edit(chosen, change) { // change: (weights, filter) => new weights
  for (const filter of chosen) {
    const old = weightsOf(filter), weights = change(old, filter);
    for (const cell of cells()) {
      const places = placesOf(cell, filter);
      for (const k of places) firstLayer.kernel[k] += (weights[cell] - old[cell]) / places.length;
    }
  }
  edited();
}
function bringBack(chosen) {
  for (const k of chosen.flatMap((filter) => cells().flatMap((cell) => placesOf(cell, filter)))) {
    firstLayer.kernel[k] = filters.trained[k];
  }
  edited();
}
function edited() {
  port.postMessage({ layer: layers.indexOf(firstLayer), kernel: firstLayer.kernel });
  changed();
  showFilters();
  measure();
}
function turned(weights) { // by a quarter, clockwise
  const side = firstLayer.size[0];
  return weights.map((_, i) => weights[(side - 1 - (i % side)) * side + Math.floor(i / side)]);
}
function edge(weights, filter) { // made by hand: dark on the left, light on the right; as long as the trained filter
  const columns = firstLayer.size[1], signs = weights.map((_, i) => Math.sign((i % columns) - (columns - 1) / 2));
  return signs.map((sign) => (sign * Math.hypot(...weightsOf(filter, filters.trained))) / Math.hypot(...signs));
}

function showFilters() {
  const [rows, columns] = firstLayer.size, chosen = weightsOf(filters.chosen);
  [...byId("kernels").children].forEach((one, filter) => {
    const weights = weightsOf(filter), trained = weightsOf(filter, filters.trained);
    draw(one.firstChild, columns, rows, weights, "PuOr_r", evenly(weights));
    one.ariaPressed = filter === filters.chosen;
    one.className = weights.some((weight, i) => Math.abs(weight - trained[i]) > 1e-6) ? "edited" : "";
  });
  const name = filters.chosen + 1;
  byId("filter-name").textContent = `Filter ${name}, which makes map ${name} of convolution 1`;
  [...byId("weights").children].forEach((input, i) => {
    if (document.activeElement !== input) input.value = chosen[i].toFixed(2);
    tint(input, chosen[i], "PuOr_r", evenly(chosen));
  });
}

async function measure() { // the accuracy on the gallery; a later measurement ends an earlier one
  const own = (filters.measurement = {}), { length } = data.gallery;
  const before = data.gallery.filter((one) => one.label === one.predicted).length;
  const text = `Of the ${length} images above, the network classifies ${before} correctly with the trained filters`;
  let right = 0;
  byId("accuracy").textContent = `${text} ...`;
  for (const one of data.gallery) {
    right += best((await compute(one.pixels)).probabilities) === one.label;
    if (filters.measurement !== own) return;
  }
  byId("accuracy").textContent = `${text}, and ${right} with these.`;
}

if (first) {
  const [rows, columns] = firstLayer.size, all = range(firstLayer.shape[2]), one = () => [filters.chosen];
  for (const filter of all) {
    byId("kernels").append(button(make("canvas"), () => {
      filters.chosen = filter;
      select(first, filter, selected.row, selected.column);
      showFilters();
    }, { ariaLabel: `Filter ${filter + 1}` }));
  }
  byId("weights").style.gridTemplateColumns = `repeat(${columns}, auto)`;
  for (const cell of cells()) {
    const ariaLabel = `Weight in row ${Math.floor(cell / columns)}, column ${cell % columns}`;
    byId("weights").append(make("input", { type: "number", step: 0.1, ariaLabel, oninput: ({ target }) => {
      const weight = target.valueAsNumber;
      if (Number.isFinite(weight)) edit(one(), (weights) => weights.with(cell, weight));
    } }));
  }
  const add = (group, text, act) => byId(group).append(button(text, act));
  add("edits", "Edge, made by hand", () => edit(one(), edge));
  if (rows === columns) add("edits", "Turn by a quarter", () => edit(one(), turned));
  add("edits", "Set to 0", () => edit(one(), (weights) => weights.map(() => 0)));
  add("edits", "Trained weights", () => bringBack(one()));
  if (rows === columns) add("all-edits", "Turn all by a quarter", () => edit(all, turned));
  add("all-edits", "Bring all trained weights back", () => bringBack(all));
  showFilters();
}

// THE QUIZ.

const score = { round: 0, you: 0, network: 0 };
byId("quiz-text").textContent =
  `Name the class of ${data.quiz.length} other test images. The network answers after you.` +
  (data.genuine ? " People whom the authors of the data set asked named 83.5% of such images correctly." : "");
byId("quiz").hidden = !data.quiz.length;

function ask() {
  const one = data.quiz[score.round], text = make("p", { ariaLive: "polite" });
  const choices = make("div", { role: "group", ariaLabel: "Your answer" });
  const verdict = (right) => make("span", { className: right ? "right" : "wrong" }, right ? "right" : "wrong");
  const answer = async (yours) => {
    const { probabilities: values } = await compute(one.pixels), its = best(values);
    Object.assign(score, {
      round: score.round + 1, you: score.you + (yours === one.label), network: score.network + (its === one.label) });
    text.replaceChildren(
      `The label is ${classNames[one.label]}. You: ${classNames[yours]}, `, verdict(yours === one.label),
      `. The network: ${classNames[its]} (${percent(values[its])}), `, verdict(its === one.label),
      `. Correct after ${score.round} of ${data.quiz.length}: you ${score.you}, the network ${score.network}.`);
    const last = score.round === data.quiz.length;
    const next = button(last ? "Start again" : "Next image", () => {
      if (last) Object.assign(score, { round: 0, you: 0, network: 0 });
      ask();
      byId("round").querySelector("button").focus();
    });
    choices.replaceChildren(next);
    next.focus();
  };
  choices.append(...classNames.map((name, k) => button(name, () => answer(k))));
  byId("round").replaceChildren(picture(one.pixels), make("div", {}, text, choices));
}
if (data.quiz.length) ask();

// THE EXPERIMENTS: a title, a question, and what "Show me" does. The images are certain ones of the genuine test set.

const inBag = (row, column) => (row > 11 && row < 26 && column > 3 && column < 24) ||
  (row > 3 && row < 12 && (column === 8 || column === 19)) || (row === 4 && column > 8 && column < 19);
const EXPERIMENTS = {
  collar: ["Cover the collar", "Is it still a shirt without its collar? Move the black square over it.",
    () => (choose("cover"), paint([3, 14]))],
  boot: ["Move a boot", "In training, images were moved by one pixel at most. What happens if this boot moves up by " +
    "four?", () => move(-4, 0)],
  mirror: ["Mirror a shoe", "Shoes of this data set point to the left. Does the network know this one if it points " +
    "to the right? (The recipes fast and best mirror half of the training images; classic does not.)", mirror],
  sleeves: ["Shorten the sleeves", "Draw over the lower sleeves in black. What is a pullover with short sleeves?",
    () => recolor((pixel, i) => (i > 12 * SIDE && (i % SIDE < 8 || i % SIDE > 19) ? 0 : pixel))],
  filters: ["Turn all filters", "The later layers have learned from the maps of these filters. What happens if each " +
    "filter is turned by a quarter?", () => edit(range(firstLayer.shape[2]), turned)],
  bag: ["Draw a bag", "Draw a bag in white. Which stroke makes it a bag for the network?",
    () => recolor((pixel, i) => (inBag(Math.floor(i / SIDE), i % SIDE) ? 220 : 0))],
};
const empty = { pixels: new Uint8Array(SIDE * SIDE), label: null };
for (const [name, [title, question, act]] of Object.entries(EXPERIMENTS)) {
  const one = name === "bag" && data.genuine ? empty : data.experiments[name];
  if (!one || (name === "filters" && !first)) continue;
  const start = () => {
    const text = make("span", {}, make("strong", {}, `${title}. `), `${question} `, button("Show me", act));
    open(one.pixels, { label: one.label, note: one === empty ? "An empty image" : describe(one), question: text });
    byId("question").scrollIntoView({ block: "nearest" });
  };
  const card = button(picture(one.pixels), start);
  card.append(title);
  byId("cards").append(card);
}
byId("experiments").hidden = !byId("cards").children.length;

// THE START: the first image that the network gets right.

byId("about").textContent = data.about;
for (const id of ["tool", "size", "gallery", "kernels"]) if (byId(id).children.length) oneStop(byId(id));
const start = data.gallery.find((one) => one.label === one.predicted) ?? data.gallery[0];
open(start.pixels, { label: start.label, note: describe(start) });
if (stages.length) fixScales();
