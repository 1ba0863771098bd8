// face-api and human on Node, as `peers.py` asks them: node serve_node.js ANSWERS KIND MODULES
//
// KIND is "face-api" or "human", MODULES a folder node_modules. Both run on TensorFlow.js's WASM
// backend, as in a browser. The protocol is that of answering.py. Nothing but files below MODULES
// is loaded: `fetch` is replaced by one that reads those.

'use strict';
const fs = require('fs');
const path = require('path');
const url = require('url');
const readline = require('readline');

const [answers, kind, given] = [Number(process.argv[2]), process.argv[3], process.argv[4]];
const modules = path.resolve(given);
const wasmFolder = path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/');

globalThis.fetch = async (address) => {
  const file = String(address).startsWith('file://') ? url.fileURLToPath(address) : String(address);
  if (!path.resolve(file).startsWith(modules + path.sep)) throw new Error(`not a file of the package: ${address}`);
  return new Response(fs.readFileSync(file));
};

async function faceApi() {
  const tf = require(path.join(modules, '@tensorflow/tfjs'));
  const wasm = require(path.join(modules, '@tensorflow/tfjs-backend-wasm'));
  const folder = path.join(modules, '@vladmandic/face-api');
  const faceapi = require(path.join(folder, 'dist/face-api.node-wasm.js'));
  wasm.setWasmPaths(wasmFolder);
  await tf.setBackend('wasm');
  await tf.ready();
  const { faceExpressionNet, tinyFaceDetector } = faceapi.nets;
  await faceExpressionNet.loadFromDisk(path.join(folder, 'model'));
  await tinyFaceDetector.loadFromDisk(path.join(folder, 'model'));
  const labels = Object.keys(new faceapi.FaceExpressions(new Float32Array(7)));
  const best = (scores) => labels.reduce((a, b) => (scores[a] >= scores[b] ? a : b));
  return {
    labels,
    async classify(tiles, n, side) {
      const rows = [];
      for (let row = 0; row < n; row++) {
        const rgb = new Int32Array(3 * side * side);
        for (let i = 0; i < side * side; i++) rgb.fill(tiles[row * side * side + i], 3 * i, 3 * i + 3);
        const input = tf.tensor3d(rgb, [side, side, 3], 'int32');
        const scores = await faceExpressionNet.predictExpressions(input);
        input.dispose();
        rows.push(labels.map((name) => scores[name]));
      }
      return rows;
    },
    async recognize(pixels, height, width) {
      const input = tf.tensor3d(pixels, [height, width, 3], 'int32');
      const options = new faceapi.TinyFaceDetectorOptions();
      const found = await faceapi.detectAllFaces(input, options).withFaceExpressions();
      input.dispose();
      return found.map((face) => best(face.expressions));
    },
    requires: ['@vladmandic/face-api', '@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'],
    runsOn: `TensorFlow.js ${tf.version_core}, WASM, ${wasm.getThreadsCount()} thread`,
  };
}

async function humanLibrary() {
  const folder = path.join(modules, '@vladmandic/human');
  const { Human } = require(path.join(folder, 'dist/human.node-wasm.js'));
  const human = new Human({
    backend: 'wasm',
    wasmPath: wasmFolder,
    modelBasePath: url.pathToFileURL(path.join(folder, 'models')) + '/',
    debug: false,
    cacheSensitivity: 0,
    skipAllowed: false,
    filter: { enabled: false },
    gesture: { enabled: false },
    body: { enabled: false },
    hand: { enabled: false },
    object: { enabled: false },
    face: {
      enabled: true,
      detector: { rotation: false },
      mesh: { enabled: false },
      iris: { enabled: false },
      description: { enabled: false },
      emotion: { enabled: true, minConfidence: 0 },
    },
  });
  await human.load();
  const network = human.models.models.emotion;
  const tf = human.tf;
  return {
    // Its order for networks that take grey faces (src/gear/emotion.ts).
    labels: ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'],
    // As src/gear/emotion.ts does it, but without rounding to two decimals.
    async classify(tiles, n, side) {
      const values = tf.tidy(() => {
        const grey = tf.tensor(tiles, [n, side, side, 1], 'float32');
        const unit = tf.div(tf.image.resizeBilinear(grey, [64, 64], false), tf.scalar(255));
        const grey601 = tf.mul(unit, tf.scalar(0.2989 + 0.587 + 0.114));
        return network.execute(tf.mul(tf.sub(grey601, tf.scalar(0.5)), tf.scalar(2)));
      });
      const flat = await values.data();
      values.dispose();
      return Array.from({ length: n }, (_, row) => Array.from(flat.slice(7 * row, 7 * row + 7)));
    },
    async recognize(pixels, height, width) {
      const input = tf.tensor(pixels, [1, height, width, 3], 'int32');
      const found = await human.detect(input);
      input.dispose();
      if (found.error) throw new Error(found.error);
      return found.face.map((face) => face.emotion[0].emotion);
    },
    requires: ['@vladmandic/human', '@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'],
    runsOn: `TensorFlow.js ${tf.version?.['tfjs-core'] || human.env.tfjs.version}, WASM, 1 thread`,
  };
}

function folderBytes(folder) {
  let total = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) total += folderBytes(inside);
    else if (entry.isFile()) total += fs.statSync(inside).size;
  }
  return total;
}

// Packages and all that they need, each once.
function installedBytes(names) {
  const waiting = [...names];
  const seen = new Set();
  const missing = [];
  let total = 0;
  while (waiting.length) {
    const name = waiting.pop();
    if (seen.has(name)) continue;
    seen.add(name);
    const folder = path.join(modules, name);
    if (!fs.existsSync(folder)) {
      missing.push(name);
      continue;
    }
    total += folderBytes(folder);
    const described = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    waiting.push(...Object.keys(described.dependencies || {}));
  }
  return [total, missing.sort()];
}

function clock() {
  const [wall, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
  return () => {
    const used = process.cpuUsage(cpu);
    return {
      wall_ms: Number(process.hrtime.bigint() - wall) / 1e6,
      cpu_ms: (used.user + used.system) / 1e3,
    };
  };
}

async function answer(peer, asked) {
  if (asked.do === 'photo') {
    const pixels = new Uint8Array(fs.readFileSync(asked.file));
    const stop = clock();
    const faces = await peer.recognize(pixels, asked.height, asked.width);
    return { faces, ...stop() };
  }
  if (asked.do === 'faces') {
    const tiles = new Uint8Array(fs.readFileSync(asked.file));
    const area = asked.side * asked.side;
    const [rows, taken] = [[], []];
    for (let start = 0; start < asked.n; start += asked.batch) {
      const n = Math.min(asked.batch, asked.n - start);
      const part = tiles.subarray(start * area, (start + n) * area);
      const stop = clock();
      rows.push(...(await peer.classify(part, n, asked.side)));
      taken.push(stop());
    }
    const flat = Float32Array.from(rows.flat());
    fs.writeFileSync(asked.out, new Uint8Array(flat.buffer));
    return { wall_ms: taken.map((t) => t.wall_ms), cpu_ms: taken.map((t) => t.cpu_ms) };
  }
  const [total, missing] = installedBytes(peer.requires);
  return {
    labels: peer.labels,
    runs_on: peer.runsOn,
    installed_bytes: total,
    missing,
    peak_bytes: 1024 * process.resourceUsage().maxRSS,
  };
}

async function main() {
  const peer = await (kind === 'human' ? humanLibrary() : faceApi());
  for await (const line of readline.createInterface({ input: process.stdin })) {
    fs.writeSync(answers, JSON.stringify(await answer(peer, JSON.parse(line))) + '\n');
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
