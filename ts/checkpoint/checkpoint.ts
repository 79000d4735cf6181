/**
 * A checkpoint before it is loaded: configuration, where each parameter lies, and what does not fit. This is the one place
 * that turns files of any published kind into our names; opening one reads headers only.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';

import { GlmError } from '../errors.js';
import { InputFile } from '../io/input-file.js';
import {
  type GlmConfig,
  isConfigKey,
  isIgnoredKey,
  refuseOtherModels,
  resolveConfig,
} from '../model/config.js';
import { isClassifier, type ParameterSpec, parameterTable } from '../model/parameters.js';
import { promptEmbeddings } from '../model/prompt-encoder.js';
import { findAdapter } from './adapter.js';
import { type CheckpointFormat, findCheckpoint, readJson } from './files.js';
import { fromGpt2, gpt2Config, isGpt2 } from './gpt2.js';
import { mergeRanks } from './model-parallel.js';
import { type NamedArrays, readTensors } from './tensors.js';
import { bytesOf, join, narrowWeight, type Weight, whole } from './weight.js';

export interface Checkpoint {
  location: string;
  format: CheckpointFormat;
  files: string[];
  /** Where its tokenizer may be, the likeliest first. */
  folders: string[];
  config: GlmConfig;
  specs: readonly ParameterSpec[];
  /** By our names, for every parameter that is there and has its shape. Tables may have fewer rows than wanted. */
  weights: Map<string, Weight>;
  missing: string[];
  misshapen: { name: string; expected: readonly number[]; found: readonly number[] }[];
  /** Tensors that the model has no place for: other heads, masks. */
  ignored: string[];
  /** What was taken otherwise than the files say. */
  notes: string[];
  close(): Promise<void>;
}

const tables = {
  words: 'word_embeddings.weight',
  positions: 'transformer.position_embeddings.weight',
  blocks: 'transformer.block_position_embeddings.weight',
} as const;

/**
 * Opens a folder or file: the Hub's formats, the original's, DeepSpeed's. Nothing is thrown for missing weights;
 * {@link checkComplete} does.
 * @param overrides keys that hold instead of config.json's. A larger `max_sequence_length` extends the position tables.
 * @param adapter a folder with weights that were saved apart (adapter.ts)
 * @throws GlmError GLM_IO, GLM_CORRUPT_FILE, GLM_CHECKPOINT_FORMAT, GLM_INCOMPATIBLE_MODEL, GLM_INVALID_ARGUMENT
 */
export async function openCheckpoint(
  location: string,
  overrides: Partial<GlmConfig> = {},
  adapter?: string,
): Promise<Checkpoint> {
  const { format, files, folders } = await findCheckpoint(location);
  const added = adapter === undefined ? undefined : await findAdapter(adapter);
  const configFile = folders
    .map((folder) => path.join(folder, 'config.json'))
    .find((file) => existsSync(file));
  const raw = configFile === undefined ? undefined : await readJson(configFile);
  const open: InputFile[] = [];
  try {
    const arrays: NamedArrays[] = [];
    for (const file of files) {
      const input = await InputFile.open(file);
      open.push(input);
      arrays.push(await readTensors(input));
    }
    const merged = new Map(
      format === 'original' ? mergeRanks(arrays) : mergeRanks([joinShards(files, arrays)]),
    );
    if (added !== undefined) {
      const input = await InputFile.open(added.file);
      open.push(input);
      for (const [name, array] of await readTensors(input)) merged.set(name, whole(array));
    }
    return {
      location,
      format,
      files,
      folders,
      ...interpret(
        location,
        format,
        merged,
        raw,
        { ...added?.config, ...overrides },
        newAdditions(overrides),
      ),
      close: async () => {
        await Promise.all(open.map((file) => file.close()));
      },
    };
  } catch (error) {
    await Promise.all(open.map((file) => file.close()));
    throw error;
  }
}

/** Throws `GLM_MISSING_WEIGHTS`, `GLM_CHECKPOINT_FORMAT` unless every parameter is there in its shape. */
export function checkComplete({ location, specs, missing, misshapen }: Checkpoint): void {
  if (missing.length > 0) {
    throw new GlmError(
      'GLM_MISSING_WEIGHTS',
      `${location}: expected ${specs.length} weights, found ${specs.length - missing.length}; missing: ${missing.join(', ')}`,
    );
  }
  const [wrong] = misshapen;
  if (wrong !== undefined) {
    throw new GlmError(
      'GLM_CHECKPOINT_FORMAT',
      `${location}: expected ${wrong.name} to be [${wrong.expected.join(', ')}] as the configuration says, found ` +
        `[${wrong.found.join(', ')}]; correct config.json`,
    );
  }
}

function joinShards(files: readonly string[], shards: readonly NamedArrays[]): NamedArrays {
  const all: NamedArrays = new Map();
  for (const [i, shard] of shards.entries()) {
    for (const [name, array] of shard) {
      if (all.has(name)) {
        throw new GlmError(
          'GLM_CHECKPOINT_FORMAT',
          `${files[i]}: expected every tensor in one shard, found ${name} again; use the files of one checkpoint`,
        );
      }
      all.set(name, array);
    }
  }
  return all;
}

type Interpretation = Omit<Checkpoint, 'location' | 'format' | 'files' | 'folders' | 'close'>;

function interpret(
  location: string,
  format: CheckpointFormat,
  tensors: ReadonlyMap<string, Weight>,
  raw: Record<string, unknown> | undefined,
  overrides: Partial<GlmConfig>,
  isNew: (spec: ParameterSpec) => boolean,
): Interpretation {
  const notes: string[] = [];
  const gpt2 = isGpt2(raw, tensors.keys());
  if (raw !== undefined && !gpt2) refuseOtherModels(raw);
  refuseOtherTensors(location, tensors.keys());
  const { known, ignored } = gpt2 ? gpt2Names(tensors) : ourNames(location, tensors);
  const words = known.get(tables.words);
  if (words === undefined || words.shape.length !== 2) {
    throw new GlmError(
      'GLM_CHECKPOINT_FORMAT',
      `${location}: expected a GLM with ${tables.words}, found the tensors ${[...tensors.keys()].slice(0, 8).join(', ')}, …`,
    );
  }
  const config = resolveConfig({
    ...configOf(known, words, gpt2 ? gpt2Config(raw ?? {}) : fromConfigFile(raw, notes), notes),
    ...overrides,
  });
  if (overrides.num_labels !== undefined) makeRoomForClassifier(known, overrides.num_labels);
  if (format === 'original') copyGmaskRow(known, notes);
  fitPositions(known, config, notes);

  const specs = parameterTable(config);
  const names = new Set(specs.map(({ name }) => name));
  for (const name of [...known.keys()]) {
    if (names.has(name)) continue;
    known.delete(name);
    ignored.push(name);
  }
  const misshapen = [];
  for (const { name, shape } of specs) {
    const found = known.get(name)?.shape;
    if (found === undefined || fits(name, found, shape)) continue;
    misshapen.push({ name, expected: shape, found });
  }
  checkSize(location, known);
  const absent = specs.filter(({ name }) => !known.has(name));
  const missing = absent.filter((spec) => !isNew(spec)).map(({ name }) => name);
  if (absent.some(({ name }) => isClassifier(name)) && overrides.num_labels !== undefined)
    notes.push('the classifier is new: random until it is trained');
  return { config, specs, weights: known, missing, misshapen, ignored, notes };
}

/** Which parameters begin anew where a checkpoint has none: those of additions that are asked for. */
function newAdditions({ num_labels, lora_rank, spell_length }: Partial<GlmConfig>) {
  const asked = { classifier: num_labels, adapter: lora_rank, prompt: spell_length };
  return ({ addition }: ParameterSpec) => addition !== undefined && asked[addition] !== undefined;
}

/** A classifier of other classes makes way for a new one. */
function makeRoomForClassifier(known: Map<string, Weight>, labels: number): void {
  if (known.get('out_proj.weight')?.shape[0] === labels) return;
  for (const name of [...known.keys()]) if (isClassifier(name)) known.delete(name);
}

/** Our names: as the original's, perhaps behind the names of the modules around them. */
function ourNames(location: string, tensors: ReadonlyMap<string, Weight>) {
  const known = new Map<string, Weight>();
  const ignored: string[] = [];
  for (const [name, weight] of tensors) {
    const plain = name.replace(/^((module|model|glm)\.)+/, '');
    if (!/^(word_embeddings|transformer|prompt_spell)\./.test(plain) && !isClassifier(plain))
      ignored.push(name);
    else if (!known.has(plain)) known.set(plain, weight);
    else {
      throw new GlmError(
        'GLM_CHECKPOINT_FORMAT',
        `${location}: expected one tensor for ${plain}, found ${name} too; save one model alone`,
      );
    }
  }
  return { known, ignored };
}

function gpt2Names(tensors: ReadonlyMap<string, Weight>) {
  const known = new Map<string, Weight>();
  const ignored: string[] = [];
  for (const [name, { parts }] of tensors) {
    const ours = fromGpt2(name, parts[0]!);
    if (ours === undefined) ignored.push(name);
    else known.set(ours.name, ours.weight);
  }
  return { known, ignored };
}

/** Models of other architectures, known by their tensors. */
function refuseOtherTensors(location: string, names: Iterable<string>): void {
  const others = [
    [
      /\.embed_tokens\.|\.rotary_pos_emb\.|^transformer\.embedding\./,
      'a model of another architecture (GLM-4 or another)',
    ],
    [
      /\.r_[wr]_bias$|\.attention\.relative\./,
      'relative_encoding (Transformer-XL positions), which is not supported',
    ],
  ] as const;
  for (const name of names) {
    const other = others.find(([pattern]) => pattern.test(name));
    if (other !== undefined) {
      throw new GlmError(
        'GLM_INCOMPATIBLE_MODEL',
        `${location}: expected a GLM of the blank-infilling family, found ${other[1]}: ${name}`,
      );
    }
  }
}

/** The keys of a config.json that mean something here. */
function fromConfigFile(raw: Record<string, unknown> = {}, notes: string[]): Partial<GlmConfig> {
  const entries = Object.entries(raw).filter(([key]) => isConfigKey(key));
  const unknown = Object.keys(raw).filter((key) => !isConfigKey(key) && !isIgnoredKey(key));
  if (unknown.length > 0) notes.push(`keys of config.json that are not used: ${unknown.join(', ')}`);
  return Object.fromEntries(entries);
}

/** Sizes as the tensors have them; where config.json says otherwise, the tensors hold. */
function configOf(
  known: ReadonlyMap<string, Weight>,
  words: Weight,
  file: Partial<GlmConfig>,
  notes: string[],
): Partial<GlmConfig> & Pick<GlmConfig, SizeKey> {
  const [vocab_size, hidden_size] = words.shape as [number, number];
  const block_position_encoding = file.block_position_encoding ?? known.has(tables.blocks);
  const rows = known.get(tables.positions)?.shape[0];
  const found: Partial<Record<SizeKey, number>> = { vocab_size, hidden_size };
  if (rows !== undefined) found.max_sequence_length = rows - (block_position_encoding ? 1 : 0);
  for (const [key, size] of Object.entries(found) as [SizeKey, number][]) {
    const said = file[key];
    if (said !== undefined && said !== size)
      notes.push(`config.json says ${key} ${String(said)}, the tensors have ${size}: ${size} holds`);
  }
  const layers = [...known.keys()].map((name) =>
    Number(/^transformer\.layers\.(\d+)\./.exec(name)?.[1] ?? -1),
  );
  const num_layers = file.num_layers ?? layers.reduce((most, layer) => Math.max(most, layer), -1) + 1;
  const num_attention_heads = file.num_attention_heads ?? hidden_size / headWidth;
  if (file.num_attention_heads === undefined) {
    notes.push(
      `no file says how many heads there are: ${num_attention_heads}, of ${headWidth} columns, as all published models`,
    );
  }
  return {
    max_sequence_length: 0,
    ...file,
    ...promptsOf(known, file, notes),
    // Published files have classifiers that config.json does not know, and classes without a classifier.
    num_labels: known.has('out_proj.weight') ? (file.num_labels ?? 0) : 0,
    block_position_encoding,
    num_layers,
    num_attention_heads,
    ...found,
  } as Partial<GlmConfig> & Pick<GlmConfig, SizeKey>;
}

type SizeKey = 'num_layers' | 'hidden_size' | 'num_attention_heads' | 'vocab_size' | 'max_sequence_length';

/** Prompts as the tensors have them: the original's files have no config.json. */
function promptsOf(
  known: ReadonlyMap<string, Weight>,
  file: Partial<GlmConfig>,
  notes: string[],
): Partial<GlmConfig> {
  const length = known.get(promptEmbeddings)?.shape[0];
  if (length === undefined) return {};
  const { spell_length: said } = file;
  if ((said ?? length) !== length)
    notes.push(`config.json says spell_length ${said}, the tensors have ${length}: ${length} holds`);
  const encoder = ['lstm_head.weight_ih_l0', 'mlp_head.0.weight'].findIndex((name) =>
    known.has(`prompt_spell.${name}`),
  );
  return { spell_length: length, spell_func: (['none', 'lstm', 'mlp'] as const)[encoder + 1]! };
}

/** Of every published model; tensors do not show it. */
const headWidth = 64;

/**
 * The original checkpoint of glm-10b-chinese has [gMASK] at 50007; the Hub's tokenizer has it at 50009, whose row is a copy
 * (`convert_glm_checkpoint_to_transformers.py` of the original).
 */
function copyGmaskRow(known: Map<string, Weight>, notes: string[]): void {
  const words = known.get(tables.words);
  if (words?.shape.join() !== '50048,4096') return;
  const row = (begin: number, length: number) => narrowWeight(words, 0, begin, length).parts;
  known.set(tables.words, join([...row(0, 50009), ...row(50007, 1), ...row(50010, 38)], 0));
  notes.push(
    'glm-10b-chinese of the original: the row of [gMASK] is copied from 50007 to 50009, where the Hub has it',
  );
}

/** Cuts position tables that are longer than asked for. Shorter ones are extended when they are loaded. */
function fitPositions(known: Map<string, Weight>, config: GlmConfig, notes: string[]): void {
  const rows = config.max_sequence_length + (config.block_position_encoding ? 1 : 0);
  for (const name of [tables.positions, tables.blocks]) {
    const weight = known.get(name);
    const found = weight?.shape[0];
    if (weight === undefined || found === undefined || found === rows) continue;
    if (found > rows) known.set(name, narrowWeight(weight, 0, 0, rows));
    notes.push(
      found > rows
        ? `${name}: the first ${rows} of ${found} rows are used`
        : `${name}: extended from ${found} to ${rows} rows; the new ones are random until they are trained`,
    );
  }
}

function fits(name: string, found: readonly number[], wanted: readonly number[]): boolean {
  const canGrow = name === tables.positions || name === tables.blocks;
  return (
    found.length === wanted.length &&
    found.every(
      (size, axis) => size === wanted[axis] || (canGrow && axis === 0 && size < (wanted[0] as number)),
    )
  );
}

/** No byte of a file is more than one parameter, so that a small file cannot ask for much memory. */
function checkSize(location: string, known: ReadonlyMap<string, Weight>): void {
  const weights = [...known.values()];
  const files = new Set(weights.flatMap(({ parts }) => parts.map(({ file }) => file)));
  const available = [...files].reduce((sum, { size }) => sum + size, 0);
  const needed = weights.reduce((sum, weight) => sum + bytesOf(weight), 0);
  if (needed > available) {
    throw new GlmError(
      'GLM_CORRUPT_FILE',
      `${location}: expected parameters of at most ${available} bytes, as the files have, found ${needed}; several share their memory`,
    );
  }
}
