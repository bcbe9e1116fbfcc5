// The forward pass of a convolutional network: from the 28x28 pixels of an image to a probability for each class.
//
// A network is a list of layers. Each layer computes new numbers from those of an earlier layer, and each kind of layer
// is a function with a few loops. The numbers of height x width x channels are kept in one row: first the channels of
// the upper left place, then those of the place to its right, and so on. So the number at row y, column x and channel c
// is number (y * width + x) * channels + c. This is also how Keras orders them.
"use strict";

// CONVOLUTION: slide each filter over the image. At each place, multiply the numbers under the filter by its weights,
// and add the products. input: height x width x channels; kernel: rows x columns x channels x filters
function convolution(layer, [input], [[inputHeight, inputWidth, channels]]) {
  const { kernel, bias, size: [rows, columns], strides: [down, right], padding: [above, left] } = layer;
  const [height, width, filters] = layer.shape;
  const output = new Float32Array(height * width * filters);
  const sums = new Float64Array(filters); // those of all filters at one place
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      bias ? sums.set(bias) : sums.fill(0);
      for (let row = 0; row < rows; row++) {
        const inputY = y * down + row - above;
        if (inputY < 0 || inputY >= inputHeight) continue; // outside the image there are zeros, which add nothing
        for (let column = 0; column < columns; column++) {
          const inputX = x * right + column - left;
          if (inputX < 0 || inputX >= inputWidth) continue;
          const numbers = (inputY * inputWidth + inputX) * channels;
          const weights = (row * columns + column) * channels * filters;
          for (let c = 0; c < channels; c++) {
            const number = input[numbers + c];
            if (number === 0) continue; // black pixels, and what ReLU has set to 0, add nothing
            const start = weights + c * filters;
            for (let f = 0; f < filters; f++) sums[f] += number * kernel[start + f];
          }
        }
      }
      output.set(sums, (y * width + x) * filters);
    }
  }
  return output;
}

// BATCH NORMALIZATION, after training: multiply each channel by its scale and add its shift.
function scaling({ scale, shift }, [input]) {
  const channels = scale.length;
  return input.map((number, i) => number * scale[i % channels] + shift[i % channels]);
}

// ACTIVATION: a function of each number alone. ReLU, the usual one, sets negative numbers to 0.
const ACTIVATIONS = {
  relu: (x, { slope, threshold, largest }) => (x < threshold ? slope * (x - threshold) : Math.min(x, largest ?? x)),
  elu: (x, { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  selu: (x) => 1.05070098735548 * (x > 0 ? x : 1.67326324235438 * Math.expm1(x)),
  exponential: (x) => Math.exp(x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  hard_sigmoid: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  silu: (x) => x / (1 + Math.exp(-x)),
  hard_silu: (x) => x * ACTIVATIONS.hard_sigmoid(x),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  tanh: (x) => Math.tanh(x),
  mish: (x) => x * Math.tanh(ACTIVATIONS.softplus(x)),
  gelu: (x) => {
    const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z); // Abramowitz and Stegun, 7.1.26
    const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return x * (x > 0 ? 1 - (polynomial * Math.exp(-z * z)) / 2 : (polynomial * Math.exp(-z * z)) / 2);
  },
};
function activation(layer, [input]) {
  const f = ACTIVATIONS[layer.name];
  return input.map((number) => f(number, layer));
}

// SOFTMAX: exp(logit), divided by the sum of all of them. The results are positive and add up to 1.
function softmax(layer, [logits]) {
  const count = layer.shape.at(-1), output = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += count) {
    const row = logits.subarray(start, start + count), largest = Math.max(...row); // subtracted: exp would overflow
    const powers = row.map((logit) => Math.exp(logit - largest)), sum = powers.reduce((a, b) => a + b);
    output.set(powers.map((power) => power / sum), start);
  }
  return output;
}

// POOLING: keep the largest number of each block, or the mean. kind: "maximum" or "average"
function pooling(layer, [input], [[inputHeight, inputWidth, channels]]) {
  const { size: [rows, columns], strides: [down, right], padding: [above, left] } = layer;
  const [height, width] = layer.shape, output = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const top = Math.max(y * down - above, 0), bottom = Math.min(y * down - above + rows, inputHeight);
      const first = Math.max(x * right - left, 0), last = Math.min(x * right - left + columns, inputWidth);
      for (let c = 0; c < channels; c++) {
        let sum = 0, largest = -Infinity;
        for (let inputY = top; inputY < bottom; inputY++) {
          for (let inputX = first; inputX < last; inputX++) {
            const number = input[(inputY * inputWidth + inputX) * channels + c];
            sum += number;
            largest = Math.max(largest, number);
          }
        }
        const mean = sum / ((bottom - top) * (last - first));
        output[(y * width + x) * channels + c] = layer.name === "maximum" ? largest : mean;
      }
    }
  }
  return output;
}

// DENSE: a weighted sum of all numbers for each unit, like a convolution whose filters are as large as the image.
function dense(layer, [input]) {
  const { kernel, bias } = layer, units = layer.shape.at(-1), channels = kernel.length / units;
  const output = new Float32Array((input.length / channels) * units), sums = new Float64Array(units);
  for (let place = 0; place * channels < input.length; place++) {
    bias ? sums.set(bias) : sums.fill(0);
    for (let c = 0; c < channels; c++) {
      const number = input[place * channels + c];
      if (number !== 0) for (let u = 0; u < units; u++) sums[u] += number * kernel[c * units + u];
    }
    output.set(sums, place * units);
  }
  return output;
}

// Layers that join others: the sum of two or more (a residual network has them), or their channels one after another.
const add = (layer, inputs) => inputs[0].map((_, i) => inputs.reduce((sum, input) => sum + input[i], 0));
function concatenate(layer, inputs, shapes) {
  const channels = layer.shape.at(-1), output = new Float32Array(inputs.reduce((sum, input) => sum + input.length, 0));
  let before = 0;
  inputs.forEach((input, k) => {
    const own = shapes[k].at(-1);
    input.forEach((number, i) => (output[Math.floor(i / own) * channels + before + (i % own)] = number));
    before += own;
  });
  return output;
}

// Flatten and Reshape leave the numbers and their order as they are.
const reshape = (layer, [input]) => input;

const LAYERS = { convolution, scaling, activation, softmax, pooling, dense, add, concatenate, reshape };

// THE NETWORK: return the numbers that each layer computes from the pixels of an image, 0 to 255.
function forward({ format, layers }, pixels) {
  const outputs = [prepare(format, pixels)];
  for (const layer of layers.slice(1)) {
    const inputs = layer.inputs.map((i) => outputs[i]), shapes = layer.inputs.map((i) => layers[i].shape);
    outputs.push(LAYERS[layer.kind](layer, inputs, shapes));
  }
  return outputs;
}

// THE INPUT: bring the image to the size and the pixels to the range that the network was trained on.
function prepare({ height, width, channels, fit, range, zero, unit }, pixels) {
  const image = new Float32Array(height * width).map((_, i) => {
    const y = Math.floor(i / width), x = i % width;
    if (fit === "resized") return between(pixels, ((y + 0.5) * 28) / height - 0.5, ((x + 0.5) * 28) / width - 0.5);
    const row = y + Math.trunc((28 - height) / 2), column = x + Math.trunc((28 - width) / 2); // black margins, or cut
    return row >= 0 && row < 28 && column >= 0 && column < 28 ? pixels[row * 28 + column] : 0;
  });
  const mean = (f) => image.reduce((sum, pixel) => sum + f(pixel), 0) / image.length;
  if (range === "standardized-per-image") zero = mean((pixel) => pixel);
  if (["standardized-per-image", "unit-norm"].includes(range)) { // each image has a length of 1, or a deviation of 1
    const square = mean((pixel) => (pixel - zero) ** 2) * (range === "unit-norm" ? image.length : 1);
    unit = Math.max(Math.sqrt(square), 1e-6);
  }
  return new Float32Array(image.length * channels).map((_, i) => (image[Math.floor(i / channels)] - zero) / unit);
}

// The gray between pixels, at a row and a column with fractions (bilinear interpolation).
function between(pixels, row, column) {
  const [y, x] = [row, column].map((place) => Math.min(Math.max(place, 0), 27));
  const [top, left] = [y, x].map(Math.floor), [bottom, right] = [top, left].map((place) => Math.min(place + 1, 27));
  const mix = (a, b, part) => a + (b - a) * part;
  const across = (line) => mix(pixels[line * 28 + left], pixels[line * 28 + right], x - left);
  return mix(across(top), across(bottom), y - top);
}

// THE OUTPUT: what the last layer computes, as a probability for each class.
function probabilities({ format, output }, outputs) {
  let values = [...outputs[output]];
  const sigmoid = ACTIVATIONS.sigmoid;
  const { outputs: meaning, classes } = format;
  if (values.length === 1) { // of two classes, the second
    const [value] = meaning.includes("logits") ? values.map(sigmoid) : values;
    return [1 - value, value];
  }
  if (classes.length) values = classes.map((number) => values[number]);
  if (meaning === "logits") return [...softmax({ shape: [values.length] }, [Float64Array.from(values)])];
  if (meaning === "sigmoid logits") values = values.map(sigmoid);
  const sum = values.reduce((a, b) => a + b, 0) + 1e-12 * values.length;
  return values.map((value) => (value + 1e-12) / sum);
}
