import { feed } from '../model/feed.js';
import { type Network, rowLogits } from '../model/transformer.js';
;
import { nothingLeft, notFinite } from './scheduler.js';
import type { Sequence } from './sequence.js';
import type { Choice, Chosen, Row } from './step.js';

/** Computes every token of a sequence again in each step: slow and simple, greedy only. */
export class UncachedEngine implements Engine {
  readonly #network: Network;
  readonly #limit: number;
  readonly #fed = new Map<Sequence, Row[]>();

  /** @param limit tokens from here on are never chosen */
  constructor(network: Network, limit: number) {
    this.#network = network;
    this.#limit = limit;
  }

  forget(sequence: Sequence): void {
    this.#fed.delete(sequence);
  }

  async step(sequences: readonly Sequence[]): Promise<Chosen[][]> {
    const ids: number[] = [];
    const positions: number[] = [];
    const blockPositions: number[] = [];
    const offsets = [0];
    const wanted: number[] = [];
    for (const sequence of sequences) {
      const fed = this.#fed.get(sequence) ?? [];
      fed.push(...sequence.step.rows);
      this.#fed.set(sequence, fed);
      ids.push(...sequence.prompt.ids, ...fed.map((row) => row.id));
      positions.push(...sequence.prompt.ids.keys(), ...fed.map((row) => row.position));
      blockPositions.push(...sequence.prompt.ids.map(() => 0), ...fed.map((row) => row.blockPosition));
      offsets.push(ids.length);
      wanted.push(ids.length - 1);
    }
    const batch = feed(
      this.#network,
      {
        ids: Int32Array.from(ids),
        positions: Int32Array.from(positions),
        blockPositions: Int32Array.from(blockPositions),
        offsets: Int32Array.from(offsets),
        contextLengths: Int32Array.from(sequences, (sequence) => sequence.prompt.ids.length),
      },
      { rows: Int32Array.from(wanted) },
    );
    const tensor = rowLogits(this.#network, batch);
    batch.dispose();
    const pending = tensor.read();
    tensor.dispose();
    const logits = (await pending) as Float32Array;
    const width = this.#network.config.vocab_size;
    return sequences.map((sequence, i) => [
      likeliest(logits.subarray(i * width, (i + 1) * width), sequence.step.rows.at(-1)!.choice!, this.#limit),
    ]);
  }
}

function likeliest(logits: Float32Array, { forbidden }: Choice, limit: number): Chosen {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!logits.every(Number.isFinite)) return { ids: [notFinite], logprobs: [NaN] };
  const total = logits.reduce((sum, x) => sum + Math.exp(x - largest), 0);
  const banned = new Set(forbidden);
  let best = nothingLeft;
  for (let id = 0; id < limit; id++) {
    if (!banned.has(id) && (best < 0 || logits[id]! > logits[best]!)) best = id;
  }
  return { ids: [best], logprobs: [best < 0 ? NaN : logits[best]! - largest - Math.log(total)] };
}
