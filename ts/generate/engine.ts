import type { Batch } from '../data/batch.js';
import { feed } from '../model/feed.js';
import { type Network, rowLosses } from '../model/transformer.js';
import type { NativeCacheRows, NativeChoices, NativeKeyValueCache, NativeTensor } from '../native.js';
import type { Prompt } from './prompt.js';
import { newCache, RecordedSteps } from './recorded-steps.js';
import type { Sequence } from './sequence.js';
import type { Choice, Chosen, Row } from './step.js';

/** Tokens that are encoded in one pass, unless one context alone is longer: this bounds the memory of activations. */
const mostEncoded = 1024;

/** A text, and the tokens that are to be likely in its first blank. */
export interface ScoredText {
  prompt: Prompt;
  sop: number;
  /** The targets of each choice: its tokens, and end-of-piece when that counts. */
  targets: Int32Array[];
}

/** Computes the steps of sequences with a key-value cache for each: contexts once, then only what is new. */
export class Engine {
  readonly #network: Network;
  readonly #limit: number;
  readonly #caches = new WeakMap<Sequence, NativeKeyValueCache>();
  readonly #steps: RecordedSteps;

  /** @param limit tokens from here on are never chosen */
  constructor(network: Network, limit: number) {
    this.#network = network;
    this.#limit = limit;
    this.#steps = new RecordedSteps(network);
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

  /** Gives back what only the next steps of sequences under way would use. */
  rest(): void {
    this.#steps.clear();
  }

  /**
   * The sum of the log-probabilities of each choice's targets. The contexts are encoded once, with start-of-piece,
   * which gives the first target of each choice; then the other tokens of all choices are fed in one step.
   */
  async score(texts: readonly ScoredText[]): Promise<number[][]> {
    const caches = texts.map(() => newCache(this.#network));
    try {
      const first = this.#firstLosses(texts, caches);
      const rest = this.#otherLosses(texts, caches);
      const sums = texts.map(({ targets }) => targets.map(() => 0));
      for (const { losses, of } of [first, rest]) {
        const values = await losses;
        of.forEach(([text, choice], i) => (sums[text]![choice]! -= values[i]!));
      }
      return sums;
    } finally {
      for (const cache of caches) cache.dispose();
    }
  }

  #firstLosses(texts: readonly ScoredText[], caches: readonly NativeKeyValueCache[]): PendingLosses {
    const examples = texts.map(({ prompt, sop }) => [
      ...contextTokens(prompt),
      { id: sop, position: prompt.blanks[0]!.index, blockPosition: 1 },
    ]);
    const rows: number[] = [];
    const targets: number[] = [];
    const of: [number, number][] = [];
    let last = -1;
    examples.forEach(({ length }, text) => {
      last += length;
      texts[text]!.targets.forEach((tokens, choice) => {
        rows.push(last);
        targets.push(tokens[0]!);
        of.push([text, choice]);
      });
    });
    const contexts = Int32Array.from(texts, ({ prompt }) => prompt.ids.length);
    return { losses: this.#losses(examples, contexts, caches, rows, targets), of };
  }

  #otherLosses(texts: readonly ScoredText[], caches: readonly NativeKeyValueCache[]): PendingLosses {
    const examples: Row[][] = [];
    const used: number[] = [];
    const targets: number[] = [];
    const of: [number, number][] = [];
    texts.forEach(({ prompt, targets: choices }, text) => {
      const rows: Row[] = [];
      let slot = prompt.ids.length + 1;
      choices.forEach((tokens, choice) => {
        const sees: number[] = [];
        tokens.subarray(0, -1).forEach((id, i) => {
          sees.push(slot);
          rows.push({
            id,
            position: prompt.blanks[0]!.index,
            blockPosition: i + 2,
            slot: slot++,
            sees: [...sees],
          });
          targets.push(tokens[i + 1]!);
          of.push([text, choice]);
        });
      });
      if (rows.length === 0) return;
      examples.push(rows);
      used.push(text);
    });
    if (examples.length === 0) return { losses: Promise.resolve(new Float32Array(0)), of };
    const shared = used.map((text) => texts[text]!.prompt.ids.length + 1);
    const losses = this.#losses(
      examples,
      new Int32Array(examples.length),
      used.map((text) => caches[text]!),
      targets.keys(),
      targets,
      cacheRows(examples, shared),
    );
    return { losses, of };
  }

  /** The losses of the given rows of examples. */
  #losses(
    examples: readonly (readonly Fed[])[],
    contextLengths: Int32Array,
    caches: readonly NativeKeyValueCache[],
    rows: Iterable<number>,
    targets: readonly number[],
    cacheRows?: NativeCacheRows,
  ): Promise<Float32Array> {
    const wanted = { rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
    const batch = feed(this.#network, packed(examples, contextLengths), wanted);
    const step = this.#network.device.cacheStep(batch, [...caches], cacheRows);
    const losses = rowLosses(this.#network, batch, { cached: step });
    batch.dispose();
    step.dispose();
    const values = losses.read();
    losses.dispose();
    return values as Promise<Float32Array>;
  }

  /** Contexts, seen in both directions, and the first start-of-piece behind each. */
  #encode(sequences: readonly Sequence[]): Promise<Chosen[][]> {
    const rows = sequences.map(({ prompt, step }) => [...contextTokens(prompt), ...step.rows]);
    for (const sequence of sequences) {
      this.#caches.set(sequence, newCache(this.#network));
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
    const shared = sequences.map(({ step }) => step.shared);
    return this.#forward(sequences, rows, new Int32Array(sequences.length), cacheRows(rows, shared));
  }

  /** One pass through the model. `rows` are the tokens of each sequence. */
  async #forward(
    sequences: readonly Sequence[],
    rows: readonly (readonly Fed[])[],
    contextLengths: Int32Array,
    cacheRows?: NativeCacheRows,
  ): Promise<Chosen[][]> {
    const { device } = this.#network;
    const wanted: number[] = [];
    const choices: Choice[] = [];
    rows.flat().forEach(({ choice }, i) => {
      if (choice === undefined) return;
      wanted.push(i);
      choices.push(choice);
    });
    const step = {
      batch: packed(rows, contextLengths),
      wanted: Int32Array.from(wanted),
      caches: sequences.map((sequence) => this.#caches.get(sequence)!),
    };
    const choose = (logits: NativeTensor) => device.chooseTokens(logits, this.#nativeChoices(choices));
    const pending =
      cacheRows === undefined
        ? this.#steps.encode(step, choose)
        : this.#steps.decode({ ...step, cacheRows }, choose);
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

/** Losses on their way, and the text and choice that each belongs to. */
interface PendingLosses {
  losses: Promise<Float32Array>;
  of: [text: number, choice: number][];
}

function contextTokens({ ids }: Prompt): Fed[] {
  return Array.from(ids, (id, i) => ({ id, position: i, blockPosition: 0 }));
}

function packed(examples: readonly (readonly Fed[])[], contextLengths: Int32Array): Batch {
  const all = examples.flat();
  const offsets = [0];
  for (const { length } of examples) offsets.push(offsets.at(-1)! + length);
  return {
    ids: Int32Array.from(all, (row) => row.id),
    positions: Int32Array.from(all, (row) => row.position),
    blockPositions: Int32Array.from(all, (row) => row.blockPosition),
    offsets: Int32Array.from(offsets),
    contextLengths,
  };
}

function cacheRows(examples: readonly (readonly Row[])[], shared: readonly number[]): NativeCacheRows {
  const all = examples.flat();
  const seenOffsets = [0];
  for (const { sees } of all) seenOffsets.push(seenOffsets.at(-1)! + sees.length);
  return {
    slots: Int32Array.from(all, (row) => row.slot),
    shared: Int32Array.from(shared),
    seenOffsets: Int32Array.from(seenOffsets),
    seen: Int32Array.from(all.flatMap((row) => row.sees)),
  };
}

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
