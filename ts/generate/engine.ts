import { feed } from '../model/feed.js';
import { type Network, rowLogits } from '../model/transformer.js';
import type { NativeCacheRows, NativeChoices, NativeKeyValueCache } from '../native.js';
import type { Sequence } from './sequence.js';
import type { Choice, Chosen, Row } from './step.js';

/** Tokens that are encoded in one pass, unless one context alone is longer: this bounds the memory of activations. */
const mostEncoded = 1024;

/** Computes the steps of sequences with a key-value cache for each: contexts once, then only what is new. */
export class Engine {
  readonly #network: Network;
  readonly #limit: number;
  readonly #caches = new WeakMap<Sequence, NativeKeyValueCache>();

  /** @param limit tokens from here on are never chosen */
  constructor(network: Network, limit: number) {
    this.#network = network;
    this.#limit = limit;
  }

  /** Feeds the next rows of each sequence to the model and chooses. One element per sequence. */
  async step(sequences: readonly Sequence[]): Promise<Chosen[][]> {
    const results = new Map<Sequence, Promise<Chosen[]>>();
    const add = (group: readonly Sequence[], chosen: Promise<Chosen[][]>) => {
      group.forEach((sequence, i) =>
        results.set(
          sequence,
          chosen.then((all) => all[i]!),
        ),
      );
    };
    for (const group of encodingGroups(sequences.filter((sequence) => !sequence.encoded))) {
      add(group, this.#encode(group));
    }
    const running = sequences.filter((sequence) => !results.has(sequence));
    if (running.length > 0) add(running, this.#decode(running));
    return Promise.all(sequences.map((sequence) => results.get(sequence)!));
  }

  /** Gives a sequence's cache back. */
  forget(sequence: Sequence): void {
    this.#caches.get(sequence)?.dispose();
    this.#caches.delete(sequence);
  }

  /** Contexts, seen in both directions, and the first start-of-piece behind each. */
  #encode(sequences: readonly Sequence[]): Promise<Chosen[][]> {
    const rows = sequences.map(({ prompt, step }) => [
      ...Array.from(prompt.ids, (id, i) => ({ id, position: i, blockPosition: 0 })),
      ...step.rows,
    ]);
    for (const sequence of sequences) {
      const { config, device, dtype } = this.#network;
      const heads = config.num_attention_heads;
      const headWidth = config.hidden_size / heads;
      this.#caches.set(
        sequence,
        device.keyValueCache({ layers: config.num_layers, heads, headWidth, dtype }),
      );
      sequence.encoded = true;
    }
    return this.#forward(
      sequences,
      rows,
      Int32Array.from(sequences, ({ prompt }) => prompt.ids.length),
    );
  }

  #decode(sequences: readonly Sequence[]): Promise<Chosen[][]> {
    const rows = sequences.map(({ step }) => step.rows);
    const all = rows.flat();
    const seenOffsets = [0];
    for (const { sees } of all) seenOffsets.push(seenOffsets.at(-1)! + sees.length);
    return this.#forward(sequences, rows, new Int32Array(sequences.length), {
      slots: Int32Array.from(all, (row) => row.slot),
      shared: Int32Array.from(sequences, ({ step }) => step.shared),
      seenOffsets: Int32Array.from(seenOffsets),
      seen: Int32Array.from(all.flatMap((row) => row.sees)),
    });
  }

  /** One pass through the model. `rows` are the tokens of each sequence. */
  async #forward(
    sequences: readonly Sequence[],
    rows: readonly (readonly Fed[])[],
    contextLengths: Int32Array,
    cacheRows?: NativeCacheRows,
  ): Promise<Chosen[][]> {
    const { device } = this.#network;
    const all = rows.flat();
    const offsets = [0];
    for (const { length } of rows) offsets.push(offsets.at(-1)! + length);
    const wanted: number[] = [];
    const choices: Choice[] = [];
    all.forEach(({ choice }, i) => {
      if (choice === undefined) return;
      wanted.push(i);
      choices.push(choice);
    });
    const batch = feed(
      this.#network,
      {
        ids: Int32Array.from(all, (row) => row.id),
        positions: Int32Array.from(all, (row) => row.position),
        blockPositions: Int32Array.from(all, (row) => row.blockPosition),
        offsets: Int32Array.from(offsets),
        contextLengths,
      },
      { rows: Int32Array.from(wanted) },
    );
    const caches = sequences.map((sequence) => this.#caches.get(sequence)!);
    const step = device.cacheStep(batch, caches, cacheRows);
    const logits = rowLogits(this.#network, batch, step);
    batch.dispose();
    step.dispose();
    const pending = device.chooseTokens(logits, this.#nativeChoices(choices));
    logits.dispose();
    return split(await pending, sequences, choices);
  }

  #nativeChoices(choices: readonly Choice[]): NativeChoices {
    const forbiddenOffsets = [0];
    for (const { forbidden } of choices) forbiddenOffsets.push(forbiddenOffsets.at(-1)! + forbidden.length);
    return {
      limit: this.#limit,
      counts: Int32Array.from(choices, (choice) => choice.count),
      temperatures: Float32Array.from(choices, (choice) => choice.temperature),
      topK: Int32Array.from(choices, (choice) => choice.topK),
      topP: Float32Array.from(choices, (choice) => choice.topP),
      seeds: Int32Array.from(
        choices.flatMap(({ seed }) => [(seed % 2 ** 32) | 0, Math.floor(seed / 2 ** 32)]),
      ),
      draws: Int32Array.from(choices.flatMap(({ draw }) => draw)),
      forbiddenOffsets: Int32Array.from(forbiddenOffsets),
      forbidden: Int32Array.from(choices.flatMap(({ forbidden }) => forbidden)),
    };
  }
}

/** A token as it is fed; in a context its place is its index. */
type Fed = Pick<Row, 'id' | 'position' | 'blockPosition' | 'choice'>;

function* encodingGroups(sequences: readonly Sequence[]): Iterable<Sequence[]> {
  let group: Sequence[] = [];
  let tokens = 0;
  for (const sequence of sequences) {
    const { length } = sequence.prompt.ids;
    if (group.length > 0 && tokens + length > mostEncoded) {
      yield group;
      group = [];
      tokens = 0;
    }
    group.push(sequence);
    tokens += length;
  }
  if (group.length > 0) yield group;
}

/** Hands what was chosen to the rows that asked, sequence by sequence. */
function split(
  { ids, logprobs }: { ids: Int32Array; logprobs: Float32Array },
  sequences: readonly Sequence[],
  choices: readonly Choice[],
): Chosen[][] {
  let row = 0;
  let from = 0;
  return sequences.map(({ step }) =>
    step.rows
      .filter(({ choice }) => choice !== undefined)
      .map(() => {
        const to = from + choices[row++]!.count;
        const chosen = { ids: ids.subarray(from, to), logprobs: logprobs.subarray(from, to) };
        from = to;
        return chosen;
      }),
  );
}
