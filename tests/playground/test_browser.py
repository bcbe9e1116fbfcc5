"""The page in a real browser: the same numbers as Keras, and everything that a reader can do with them."""

import base64
import contextlib
import json
import re
import shutil
import zlib

import keras
import matplotlib.image
import numpy as np
import pytest
from keras import layers

from conftest import chain
from pyimagesearch.evaluation.calibration import apply_temperature
from pyimagesearch.evaluation.layers import activations
from pyimagesearch.evaluation.predict import OURS, predict
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files.input_format import InputFormat
from pyimagesearch.playground import page

with contextlib.suppress(ImportError):  # then these tests are skipped
    from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService, Keys

pytestmark = [pytest.mark.needs("selenium"), pytest.mark.needs("chromedriver")]
HOSTILE = "</script><img src=x onerror=alert(1)>"
NAMES = (HOSTILE, "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
LABELS = np.arange(200, dtype=np.uint8) % 10
# Images that differ much: squares of random grays, half of them black.
SQUARES = np.random.default_rng(0).integers(-255, 256, (200, 7, 7, 1)).clip(0).astype(np.uint8)
IMAGES = SQUARES.repeat(4, axis=1).repeat(4, axis=2)


def varied(model, input_format=OURS):
    """Give each weight of a model a random value, and each output, before its activation, mean 0 and deviation 1.

    Kernels have values that are 16-bit floats, so that the page can have the same.
    """
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) > 1:
                weight.assign(rounded(rng.normal(0, 1.5 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)))
            else:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    last, inputs = [layer for layer in model.layers if layer.weights][-1], input_format.inputs(IMAGES)
    activation, last.activation = getattr(last, "activation", None), keras.activations.linear
    outputs = keras.Model(model.inputs[0], last.output).predict_on_batch  # unlike a call, it does not augment
    last.kernel.assign(rounded(last.kernel / np.std(outputs(inputs), axis=0)))
    last.bias.assign(last.bias - np.mean(outputs(inputs), axis=0))
    last.activation = activation
    return model


def rounded(kernel):
    largest = np.float32(np.max(np.abs(kernel)))
    return (np.asarray(kernel, np.float32) / largest).astype(np.float16) * largest


def residual():
    """A network with each of the other layers: two ways that are added, and two that stand side by side."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.RandomFlip()(inputs))
    x = layers.Conv2D(6, 5, strides=2, padding="same", activation="leaky_relu")(x)
    y = layers.BatchNormalization(scale=False)(layers.Conv2D(6, (1, 3), padding="same")(x))
    x = layers.LeakyReLU()(layers.Add()([x, y]))
    x = chain(layers.Conv2D(8, 2, activation="gelu"), layers.SpatialDropout2D(0.5), shape=x.shape[1:])(x)
    x = layers.Concatenate()([layers.MaxPooling2D(3, 2, "same")(x), layers.AveragePooling2D(3, 2, "same")(x)])
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    x = layers.Concatenate()([layers.Activation(name)(x) for name in page.ACTIVATIONS if name != "exponential"])
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(layers.Dropout(0.5)(x))))


def flat():
    first = layers.Reshape((28, 28, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D()
    return chain(*first, layers.Conv2D(8, 3, activation="elu"), layers.Flatten(), layers.Dense(10), shape=(784,))


def colored(activation=None):
    blocks = [layers.Conv2D(8, 3, strides=2, activation="relu"), layers.GlobalAveragePooling2D()]
    return chain(*blocks, layers.Dense(11, activation=activation), shape=(32, 32, 3))


IN_COLOR = InputFormat((32, 32, 3), "minus1..1-inverted", "resized", "scores", tuple(range(1, 11)))
NETWORKS = {
    "default": (lambda: MiniVGGNet.build(28, 28, 1, 10), OURS),
    "three blocks": (lambda: MiniVGGNet.build(28, 28, 1, 10, filters=(4, 8, (8, 12, 8)), dense=0), OURS),
    "residual": (residual, InputFormat(range="0..255")),
    "784 standardized pixels, logits": (flat, InputFormat((784,), "standardized-per-image", outputs="logits")),
    "32x32 in color, another order": (lambda: colored("sigmoid"), IN_COLOR),
    "padded": (colored, InputFormat((32, 32, 3), "unit-norm", "padded", "sigmoid logits", tuple(range(10)))),
}


@pytest.fixture(scope="module")
def browser():
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as driver:
        driver.set_script_timeout(120)
        yield driver


def write(path, model, input_format=OURS, temperature=1.0):
    probabilities = predict(model, IMAGES, input_format)
    assert page.write(path, "a.h5", model, input_format, IMAGES, LABELS, probabilities, NAMES, temperature) is None
    return probabilities


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_same_numbers_as_keras(browser, tmp_path, kind):
    build, input_format = NETWORKS[kind]
    model = varied(build(), input_format)
    expected = write(tmp_path / "page.html", model, input_format)
    assert expected.std(axis=0).max() > 0.02  # or the test would show nothing
    browser.get((tmp_path / "page.html").as_uri())
    count = 30 if kind == "default" else 200
    maps = activations(model, input_format.inputs(IMAGES[:1])[0])
    computed, last_map = browser.execute_script(
        """const all = bytes(arguments[0]), results = [];
        for (let i = 0; i < all.length; i += 784) results.push(forward(network, all.subarray(i, i + 784)));
        const { last } = stages.find(({ name }) => name === arguments[1]);
        return [results.map((outputs) => probabilities(network, outputs)), [...results[0][last]]];""",
        base64.b64encode(IMAGES[:count].tobytes()).decode(),
        f"convolution {len(maps)}",
    )
    np.testing.assert_allclose(computed, expected[:count], atol=0.0005)
    np.testing.assert_allclose(last_map, maps[-1][1].ravel(), atol=0.0005 * abs(maps[-1][1]).max())


@pytest.fixture(scope="module")
def model():
    return varied(MiniVGGNet.build(28, 28, 1, 10, filters=(4, 8), dense=16))


@pytest.fixture
def opened(browser, tmp_path, monkeypatch, model):
    """The page of a small network, freshly opened, on a wide screen; every experiment has an image."""
    predicted = predict(model, IMAGES).argmax(axis=1)
    right = np.flatnonzero(predicted == LABELS)
    chosen = {name: (int(k), zlib.crc32(IMAGES[k].tobytes())) for name, k in zip(page.EXPERIMENTS, right, strict=False)}
    monkeypatch.setattr(page, "EXPERIMENTS", chosen)
    write(tmp_path / "page.html", model, temperature=0.5)
    show(browser, tmp_path / "page.html")
    return browser


def show(browser, path, width=1400, height=900, scheme="light"):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("browser"), browser.get_log("performance")  # of pages before
    browser.get(path.as_uri())
    settle(browser)


def settle(browser, condition="current && before && selected && !jobs.running"):
    """Wait until a condition in JavaScript is met: the network has answered."""
    wait = f"const [done] = arguments, wait = () => ({condition} ? done() : setTimeout(wait, 10)); wait();"
    browser.execute_async_script(wait)


def find(browser, selector):
    return browser.find_element("css selector", selector)


def texts(browser, selector):
    return [one.text for one in browser.find_elements("css selector", selector)]


def press(browser, name):
    """Press the visible button with this name."""
    script = "const [name] = arguments, buttons = [...document.querySelectorAll('button')];"
    script += "return buttons.find((one) => (one.ariaLabel ?? one.textContent) === name && one.checkVisibility());"
    browser.execute_script(script, name).click()
    settle(browser)


def pixels(browser):
    """Return the image that the network sees, uint8 (28, 28)."""
    return np.array(browser.execute_script("return [...image.pixels]"), np.uint8).reshape(28, 28)


def percentages(browser):
    return [int(bar.rstrip("%")) for bar in texts(browser, "#bars .value")]


def assert_prediction(browser, model):
    """Check that the bars show what Keras predicts for the image as it is now."""
    settle(browser)
    expected = predict(model, pixels(browser)[None, ..., None])[0]
    assert percentages(browser) == pytest.approx(100 * expected, abs=1)
    return expected


def test_every_change_of_the_image_changes_the_prediction(opened, model):
    start = pixels(opened)
    last = assert_prediction(opened, model)
    ActionChains(opened).move_to_element(find(opened, "#image")).click_and_hold().move_by_offset(60, 30).perform()
    ActionChains(opened).release().perform()
    assert (pixels(opened)[14:20, 14:20] == 255).sum() > 8 and (pixels(opened)[:13] == start[:13]).all()
    changes = {
        "Move right": lambda image: np.pad(image, ((0, 0), (1, 0)))[:, :28],
        "Mirror": lambda image: image[:, ::-1],
        "Rotate": lambda image: np.rot90(image, -1),
        "Invert": lambda image: 255 - image,
    }
    for name, change in changes.items():
        prediction = assert_prediction(opened, model)
        assert abs(prediction - last).max() > 0.001
        before, last = pixels(opened), prediction
        press(opened, name)
        np.testing.assert_array_equal(pixels(opened), change(before))
    for name, expected in ("Undo", before), ("Reset", start), ("Undo", before):
        press(opened, name)
        np.testing.assert_array_equal(pixels(opened), expected)


def test_a_picture_of_the_readers_own(opened, tmp_path):
    def choose(path, place):
        find(opened, "#file").send_keys(str(path))
        settle(opened, f"byId('{place}').textContent.includes('{path.name}')")
        return pixels(opened)

    start = pixels(opened)
    (tmp_path / "a.txt").write_text("no picture")
    np.testing.assert_array_equal(choose(tmp_path / "a.txt", "file-note"), start)
    garment = np.pad(np.full((28, 28), 0.2), ((0, 0), (14, 14)), constant_values=1)  # dark on white, and wide
    matplotlib.image.imsave(tmp_path / "a.png", garment, cmap="gray", vmin=0, vmax=1)
    expected = np.pad(np.full((14, 14), 204), 7)
    np.testing.assert_allclose(choose(tmp_path / "a.png", "image-note"), expected, atol=1)
    assert not find(opened, "#file-note").text


def test_percentages(opened, model):
    for temperature in (1, 0.5):
        probabilities = apply_temperature(predict(model, pixels(opened)[None, ..., None])[0], temperature)
        assert percentages(opened) == pytest.approx(100 * probabilities, abs=1)
        text = find(opened, "#percentages p + p").text.replace("−", "-").replace(",", "")
        power, total = map(float, re.search(r"and (\S+) / (\S+) = ", text).groups())
        logit = float(re.search(r"exp\(([-.\d]+)", text)[1])
        assert np.exp(logit / temperature) == pytest.approx(power, rel=0.01)
        assert 100 * power / total == pytest.approx(100 * probabilities.max(), abs=0.2)
        assert f"= {100 * power / total:.1f}%" in text
        find(opened, "#scaled").click()


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_number_is_explained(opened, model, stage):
    """Convolution 1, 2 (before a pooling), pooling 1, convolution 3. The mouse previews a number, a click keeps it."""
    details, maps = [opened.find_elements("css selector", f".stage{part}")[stage] for part in ("", " > canvas")]
    opened.execute_script("arguments[0].open = true; arguments[1].scrollIntoView()", details, maps)
    ActionChains(opened).move_to_element_with_offset(maps, 40, 5).click().perform()
    kept = find(opened, "#number").text
    ActionChains(opened).move_to_element_with_offset(maps, 9, 5).perform()
    assert find(opened, "#number").text != kept
    ActionChains(opened).move_to_element(find(opened, "#steps")).perform()
    assert find(opened, "#number").text == kept
    row, column, map_ = [int(number) - 1 for number in re.findall(r"\d+", kept)[:3]]
    outputs = [model.layers[k].output for k in (2, 5, 6, 10)]
    computed = keras.Model(model.inputs[0], outputs)(pixels(opened)[None, ..., None] / 255)
    expected = np.asarray(computed[stage])[0, row, column, map_]
    results = [number(text) for text in texts(opened, "#number .result, #steps .result")]
    assert results[0] == pytest.approx(expected, abs=0.01)
    if stage in (1, 2):
        pooled = np.asarray(computed[2])[0, row * stage // 2, column * stage // 2, map_]
        assert number(find(opened, "#explanation .kept").text) == pytest.approx(pooled, abs=0.01)
    if stage == 2:
        return
    first, second, _ = opened.find_elements("css selector", "#steps > li")
    tables = [texts(one, "td") for one in first.find_elements("css selector", "table")[:3]]
    inputs, weights, products = np.vectorize(number)(tables)
    np.testing.assert_allclose(inputs * weights, products, atol=0.06)
    total = number(texts(first, ".result")[-1])
    assert results[-1] == results[0] and (stage or products.sum() == pytest.approx(total, abs=0.05))
    scale, sign, shift, scaled = re.search(r": \S+ × (\S+) ([+−]) (\S+) = (\S+)", second.text).groups()
    assert total * number(scale) + number(sign + shift) == pytest.approx(number(scaled), abs=0.01)


def number(text):
    return float(text.replace("−", "-").replace("+", ""))


def test_edited_filters_change_the_maps_and_come_back(opened, model):
    first = assert_prediction(opened, model)
    assert not find(opened, "#banner").is_displayed()
    opened.execute_script("pin({ ...pinned, map: 1 })")  # a map that is chosen shows its filter
    weight = find(opened, "#weights input")
    edited = keras.models.clone_model(model)
    edited.set_weights(model.get_weights())
    kernel = edited.layers[0].get_weights()[0]
    for typed, value in (("3.5", 3.5), ("1e99", 100), ("", 100)):  # as far as a number can be computed; not emptied
        weight.send_keys(Keys.CONTROL, "a", Keys.NULL, typed or Keys.DELETE, Keys.TAB)
        settle(opened)
        assert float(weight.get_property("value")) == value
        kernel[0, 0, 0, 1] = value
        edited.layers[0].set_weights([kernel])
        assert abs(assert_prediction(opened, edited) - first).max() > 0.001
        assert "1 of the 4 filters" in find(opened, "#banner").text
        assert re.search(r", (right|wrong) \(before your changes", find(opened, "#prediction").text)
    predicted = predict(edited, IMAGES).argmax(axis=1)
    shown = opened.execute_script("return data.gallery.map((one) => one.number)")
    right = (predicted == LABELS)[shown].sum()
    assert find(opened, "#accuracy").text.endswith(f"above. With your filters: {right} of the {len(shown)}.")
    counting = opened.execute_script("edit([0], (weights) => weights); return byId('accuracy').textContent")
    assert counting.endswith("above. With your filters: counting …")

    press(opened, "Rotate all by 90 degrees")
    kernel[...] = np.rot90(kernel, -1)
    edited.layers[0].set_weights([kernel])
    assert_prediction(opened, edited)
    press(opened, "Bring the trained filters back")  # in the banner, which disappears
    assert opened.execute_script("return document.activeElement.id") == "image"
    np.testing.assert_array_equal(assert_prediction(opened, model), first)
    assert not opened.find_elements("css selector", "#kernels .edited")


def test_until_the_answer_for_this_image_comes_none_is_shown(opened):
    *states, (last, values, ticks) = opened.execute_async_script(
        """const states = [], look = () => states.push([byId("prediction").textContent,
          bars.map(({ value }) => value.textContent).join(""), bars.some(({ tick }) => !tick.hidden)]);
        new MutationObserver(look).observe(byId("prediction"), { childList: true });
        changed(); // its answer comes when another image is shown
        open(data.gallery[0]);
        look();
        move(0, 9);
        const wait = () => (before && !jobs.running ? (look(), arguments[0](states)) : setTimeout(wait, 10));
        wait();"""
    )
    now, old = re.fullmatch(r"Prediction: (.* \d+%) \(before your changes: (.* \d+%)\)", last).groups()
    texts = {"", *(f" (before your changes: {text})" for text in (old, "computing …"))}
    texts = {f"Prediction: {text}{rest}" for text in (now, "computing …") for rest in texts}
    assert "Prediction: computing …" in [text for text, *_ in states] and ticks
    for text, shown, marked in states:
        assert text in texts and shown in ("", values)
        assert (text.count("computing …") == 0 or not marked) and (now not in text or shown)


def test_the_filter_of_an_edge_is_chosen_and_its_map_is_beside_it(opened, tmp_path, model):
    spot, corner, two = [0, 1, 0, 1, 2, 1, 0, 1, 0], [3, 0, -3, 0, 0, 0, -3, 0, 3], [-9, *[0] * 7, 9]
    kernel = np.array([spot, corner, [-1, 0, 1] * 3, two], np.float32).T.reshape(3, 3, 1, 4)
    other = keras.models.clone_model(model)
    other.set_weights([kernel, *model.get_weights()[1:]])
    write(tmp_path / "other.html", other)
    show(opened, tmp_path / "other.html", 360, 800)
    assert find(opened, "#editor h3").text == "Filter 3 makes map 3"
    kernel[..., 2] = np.rot90(kernel[..., 2], -1)
    other.set_weights([kernel, *model.get_weights()[1:]])
    press(opened, "Rotate by 90 degrees")
    maps = activations(other, OURS.inputs(pixels(opened)[None, ..., None])[0])[0][1]
    shown, expected = opened.execute_script(
        """const of = (canvas) => [...canvas.getContext("2d").getImageData(0, 0, 112, 112).data];
        const map = make("canvas", { width: 112, height: 112 }), context = map.getContext("2d");
        context.imageSmoothingEnabled = false;
        context.drawImage(draw(make("canvas"), 28, 28, arguments[0], "signed", first.ends), 0, 0, 112, 112);
        return [of(byId("filter-map")), of(map)];""",
        maps[..., 2].ravel().tolist(),
    )
    np.testing.assert_allclose(shown, expected, atol=10)
    assert np.std(np.reshape(shown, (-1, 4))[:, 2]) > 20
    edges = [find(opened, one).rect for one in ("#filter-map", "#rotate-filter")]
    assert edges[1]["y"] + edges[1]["height"] - edges[0]["y"] < 600  # a phone shows both


def test_a_round_of_the_quiz(opened, model):
    rounds = opened.execute_script("return data.quiz.map(({ number, label }) => [number, label])")
    its = predict(model, IMAGES).argmax(axis=1)
    press(opened, "Rotate all by 90 degrees")  # but the trained network answers
    for count, (number, label) in enumerate(rounds):
        if count:
            press(opened, "Next image")
        press(opened, NAMES[label])
        text = find(opened, "#round p").text
        assert f"The network: {NAMES[its[number]]} " in text
    right = sum(its[number] == label for number, label in rounds)
    assert f"After 20 of 20: you 20 right (100%), the network {right} right ({5 * right}%)" in text


def assert_conclusion(browser, start):
    """Check that there is a conclusion, and that it is true: what the network predicted at the start, and now."""
    now = browser.execute_script("return current.probabilities")
    before, after = NAMES[np.argmax(start)], NAMES[np.argmax(now)]
    text, *conclusions = browser.find_elements("css selector", f"{CONCLUSION} span")
    assert re.match(rf"Before: {re.escape(before)} \d+%. After: {re.escape(after)} \d+%.", text.text)
    first = after == "Bag" if browser.find_elements("css selector", ".bag:not([hidden])") else before != after
    assert [one.is_displayed() for one in conclusions] == [first, not first]


CONCLUSION = ".experiment:not([hidden]) p + button + p"


def test_experiments_show_their_answer(opened, model):
    cards = texts(opened, "#cards button")
    assert len(cards) == 6
    for card in cards:
        press(opened, card)
        start = assert_prediction(opened, model)  # with the trained filters, whatever was before
        images = []
        for _ in range(2):  # which does the same again, not more of it
            press(opened, "Show me")
            assert_conclusion(opened, start)
            images.append(pixels(opened))
        np.testing.assert_array_equal(*images)
        press(opened, "Set to 0")  # an additional change that the conclusion does not speak of
        assert not find(opened, CONCLUSION).is_displayed()
        press(opened, "Bring the trained filters back")


BY_HAND = {  # strokes: the row and column where one starts, how far down it goes; how many of them make the experiment
    "Cover the collar": ([(12, 12, 0), (20, 8, 0)], 1),
    "Shorten the sleeves": ([(14, column, 13) for column in (1, 4, 6, 21, 23, 26)], 6),
    "Draw a bag": ([(row, 10, 1) for row in range(2, 27, 6)], 1),
}


def test_experiments_by_hand(opened, model):
    press(opened, "Move a boot")
    start = assert_prediction(opened, model)
    for times in range(1, 6):
        press(opened, "Move up")
        assert find(opened, CONCLUSION).is_displayed() == (times == 4)
    press(opened, "Undo")
    assert_conclusion(opened, start)
    for card, (strokes, needed) in BY_HAND.items():
        press(opened, card)
        start = assert_prediction(opened, model)
        for count, (row, column, down) in enumerate(strokes, 1):
            mouse = ActionChains(opened)
            mouse.move_to_element_with_offset(find(opened, "#image"), 10 * column - 135, 10 * row - 135)
            mouse.click_and_hold().move_by_offset(0, 10 * down).release().perform()
            settle(opened)
            assert find(opened, CONCLUSION).is_displayed() == (count >= needed)
        assert_conclusion(opened, start)


def test_the_keyboard_alone(opened):
    def evaluate(expression):
        return opened.execute_script(f"return {expression}")

    def tab_to(selector, *typed):
        tabs = 0
        while not evaluate(f"document.activeElement.matches('{selector}')"):
            ActionChains(opened).send_keys(Keys.TAB).perform()
            assert (tabs := tabs + 1) < 60, f"Tab does not reach {selector}"
        ActionChains(opened).send_keys(*typed).perform()
        settle(opened)

    tab_to("#cards button", Keys.ENTER)
    assert evaluate("document.activeElement.textContent") == "Show me"
    start = pixels(opened)
    tab_to("#image", Keys.ARROW_RIGHT, Keys.ARROW_DOWN, " ")  # the cover of this experiment
    assert (pixels(opened) != start).any() and not pixels(opened)[11:18, 11:18].any()
    ActionChains(opened).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    np.testing.assert_array_equal(pixels(opened), start)
    tab_to("#tools [role=radio]", Keys.ARROW_RIGHT)
    assert evaluate("[brush.tool, document.activeElement.value]") == ["128", "128"]
    tab_to("#gallery button", Keys.ARROW_DOWN, Keys.ENTER, Keys.END)
    assert evaluate("document.activeElement === byId('gallery').lastChild")
    before = evaluate("selected.map")
    tab_to(".stage > canvas", Keys.ARROW_LEFT if before else Keys.ARROW_RIGHT)
    assert abs(evaluate("selected.map") - before) == 1
    tab_to("#round button", Keys.ENTER)
    assert evaluate("document.activeElement.textContent") == "Next image"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_readable_on_any_screen_and_nothing_is_loaded(opened, tmp_path, width, scheme):
    path = tmp_path / "page.html"
    show(opened, path, width, scheme=scheme)
    press(opened, "Move right")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    assert HOSTILE in find(opened, "body").text
    assert not opened.execute_script(CHECKS)
    assert not opened.get_log("browser")
    sent = [json.loads(one["message"])["message"] for one in opened.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"}
    assert {url for url in urls if not url.startswith("blob:")} == {path.as_uri()}


CHECKS = """
const luminance = (color) => {
  const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
  const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const color = getComputedStyle(element).backgroundColor;
  return color.startsWith("rgba") && element.parentElement ? behind(element.parentElement) : color;
};
const contrast = (one) => {
  const [low, high] = [luminance(getComputedStyle(one).color), luminance(behind(one))].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const texts = [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility() && !one.disabled &&
  (one.tagName === "INPUT" || [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())));
const controls = [...document.querySelectorAll("button, input, [tabindex]")];
return Object.entries({
  small: texts.filter((one) => parseFloat(getComputedStyle(one).fontSize) < 12),
  pale: texts.filter((one) => contrast(one) < 4.5),
  nameless: controls.filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim())),
}).flatMap(([fault, ones]) => ones.map((one) => `${fault}: ${one.outerHTML}`));
"""
