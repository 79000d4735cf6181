// Fails when a file includes or imports something of a higher layer: `node scripts/check-layers.mjs`.
// ARCHITECTURE.md says what the layers are; these two tables are the rule. Each line names the layers that a layer may
// use besides itself; a layer that is not in the table is an error, so that a new folder must find its place here.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './compile-native.mjs';
import { isCpp, sourceFiles } from './source-files.mjs';

const cppLayers = {
  base: [],
  runtime: ['base'],
  backend: ['base', 'runtime'],
  cpu: ['base', 'runtime', 'backend'],
  'cuda/device': ['base'],
  cuda: ['base', 'runtime', 'backend', 'cuda/device'],
  tensor: ['base', 'runtime', 'backend', 'cpu', 'cuda'],
  autograd: ['base', 'runtime', 'backend', 'tensor'],
  ops: ['base', 'runtime', 'backend', 'tensor', 'autograd'],
  io: ['base', 'runtime', 'backend', 'tensor'],
  binding: ['base', 'runtime', 'backend', 'cpu', 'cuda', 'tensor', 'autograd', 'ops', 'io'],
};

const foundation = [
  'errors',
  'shape',
  'files',
  'io',
  'native',
  'devices',
  'tensor',
  'text',
  'data',
  'model',
  'checkpoint',
  'metrics',
];
const tsLayers = {
  errors: [],
  shape: [],
  files: ['errors'],
  io: ['errors', 'shape', 'files'],
  native: ['errors'],
  devices: ['errors', 'native'],
  tensor: ['errors', 'native'],
  text: ['errors', 'files', 'io', 'native'],
  metrics: [],
  data: ['errors', 'files', 'io', 'native', 'text'],
  model: ['errors', 'shape', 'files', 'io', 'native', 'tensor', 'data'],
  checkpoint: ['errors', 'shape', 'files', 'io', 'native', 'model'],
  generate: foundation,
  glm: [...foundation, 'generate'],
  train: [...foundation, 'generate', 'glm'],
  tasks: [...foundation, 'generate', 'glm', 'train'],
  report: [...foundation, 'train'],
  index: [...foundation, 'generate', 'glm', 'train', 'tasks'],
  cli: [...foundation, 'generate', 'glm', 'train', 'tasks', 'index'],
};
// The facade uses all of these; the package's entry and the commands use the facade too.
tsLayers.glm = Object.keys(tsLayers);
tsLayers.index = Object.keys(tsLayers);
tsLayers.cli = Object.keys(tsLayers);

/** What may be written in one place only: [what, pattern, where it belongs]. */
const onlyPlaces = [
  ['the Node-API headers', /#include [<"](napi|node_api|js_native_api)\.h[>"]/, /^binding\//],
  ['getenv', /\bgetenv\s*\(/, /^cpp\/runtime\/settings\./],
  ['the CUDA runtime', /#include [<"]cuda(_runtime)?\w*\.h[>"]/, /^cuda\//],
];

/** cpp/ops/linear.cpp -> ops; cuda/device/mma.cuh -> cuda/device; binding/addon.cpp -> binding. */
function cppLayer(file) {
  if (file.startsWith('cuda/device/')) return 'cuda/device';
  return /^(?:cpp\/)?(\w+)\//.exec(file)?.[1];
}

/** ts/model/config.ts -> model; ts/glm.ts -> glm. */
function tsLayer(file) {
  return /^ts\/([\w-]+)/.exec(file)?.[1];
}

/** The project file that `#include "text"` in `file` means, or undefined when it is not ours. */
function includedFile(file, text, files) {
  const candidates = [
    path.posix.join(path.posix.dirname(file), text),
    `cpp/${text}`,
    `cuda/${text}`,
    `binding/${text}`,
    text,
  ];
  return candidates.find((candidate) => files.has(candidate));
}

/** Every upward edge among `paths`, as sentences. `read(file)` gives a file's text. */
export function layerViolations(paths, read) {
  const files = new Set(paths);
  const violations = [];
  const check = (file, line, from, to, layers, target) => {
    if (!(from in layers))
      violations.push(`${file}: no layer is called ${from}; scripts/check-layers.mjs lists them`);
    else if (from !== to && !layers[from].includes(to))
      violations.push(`${file}:${line}: ${from} must not use ${to} (${target})`);
  };
  for (const file of paths) {
    if (isCpp(file)) {
      read(file)
        .split('\n')
        .forEach((text, index) => {
          for (const [what, pattern, place] of onlyPlaces)
            if (pattern.test(text) && !place.test(file))
              violations.push(`${file}:${index + 1}: ${what} must not be used here, only in ${place.source}`);
          const include = /^\s*#\s*include\s+"([^"]+)"/.exec(text)?.[1];
          const target = include && includedFile(file, include, files);
          if (target) check(file, index + 1, cppLayer(file), cppLayer(target), cppLayers, target);
        });
    } else if (/^ts\/.*\.ts$/.test(file)) {
      const source = read(file);
      for (const match of source.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
        const target = path.posix.join(path.posix.dirname(file), match[1]).replace(/\.js$/, '.ts');
        const line = source.slice(0, match.index).split('\n').length;
        if (!target.startsWith('ts/')) violations.push(`${file}:${line}: ${match[1]} lies outside ts/`);
        else check(file, line, tsLayer(file), tsLayer(target), tsLayers, target);
      }
    }
  }
  return violations;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const violations = layerViolations(sourceFiles(), (file) => readFileSync(path.join(root, file), 'utf8'));
  for (const violation of violations) console.error(violation);
  if (violations.length > 0) process.exitCode = 1;
}
