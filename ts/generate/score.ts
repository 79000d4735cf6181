import { GlmError } from '../errors.js';
import { positionRows } from '../model/config.js';
import type { Network } from '../model/transformer.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { Engine, ScoredText } from './engine.js';
import {
  type BlankTokens,
  checkKeys,
  type DecodingLimits,
  invalid,
  resolveSignal,
  resolveSpecial,
} from './options.js';
import { checkIds, type PromptInput, readPrompt } from './prompt.js';
import { numericError } from './step.js';

/** What may stand in a blank: texts, encoded as they are given, or token ids. */
export type Choices = readonly (string | Int32Array)[];

export interface ScoreOptions {
  /** Whether end-of-piece counts as a token of the choice. Default false. */
  endToken?: boolean | undefined;
  /** Scores are divided by (number of tokens) ** lengthPenalty. Default 0: the sum over the tokens. */
  lengthPenalty?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Needed with token ids when the model has no tokenizer. */
  special?: BlankTokens | undefined;
}

/** What scoring needs of a generator. */
interface Context {
  network: Network;
  tokenizer: Tokenizer | undefined;
  limits: DecodingLimits;
  engine: Engine;
  check: () => void;
}

/** Texts that are computed together: this bounds the memory of activations. */
const mostTokens = 1024;

/** The scores of each text's choices. `choices` has one list for all texts, or, where there are many, one for each. */
export async function scoreTexts(
  input: PromptInput | readonly PromptInput[],
  choices: Choices | readonly Choices[],
  options: ScoreOptions,
  context: Context,
): Promise<Float32Array[]> {
  checkKeys('score', options, ['endToken', 'lengthPenalty', 'signal', 'special']);
  const { endToken = false, lengthPenalty = 0 } = options;
  if (typeof endToken !== 'boolean')
    throw invalid(`expected endToken to be true or false, found ${String(endToken)}`);
  if (typeof lengthPenalty !== 'number' || !(Math.abs(lengthPenalty) <= 100)) {
    throw invalid(`expected lengthPenalty to be a number from -100 to 100, found ${String(lengthPenalty)}`);
  }
  const signal = resolveSignal(options.signal);
  const special = resolveSpecial('score', options.special, context.limits);
  signal?.throwIfAborted();

  const inputs = (Array.isArray(input) ? input : [input]) as readonly PromptInput[];
  const lists = choiceLists(inputs, choices, Array.isArray(input));
  const texts = await Promise.all(
    inputs.map(async (input, i): Promise<ScoredText> => {
      const prompt = await readPrompt(input, context.network.config, special, context.tokenizer);
      const targets = await Promise.all(
        lists[i]!.map((choice) => readChoice(choice, endToken ? [special.eop] : [], context)),
      );
      return { prompt, sop: special.sop, targets };
    }),
  );
  const scores: Float32Array[] = [];
  for (const group of groups(texts)) {
    signal?.throwIfAborted();
    context.check();
    scores.push(
      ...(await context.engine.score(group)).map((sums, i) => normalize(sums, group[i]!, lengthPenalty)),
    );
  }
  signal?.throwIfAborted();
  return scores;
}

function choiceLists(inputs: readonly PromptInput[], choices: unknown, areMany: boolean): Choices[] {
  const isChoice = (value: unknown) => typeof value === 'string' || value instanceof Int32Array;
  const isList = (value: unknown): value is Choices =>
    Array.isArray(value) && value.length > 0 && value.every(isChoice);
  if (isList(choices)) return inputs.map(() => choices);
  if (areMany && Array.isArray(choices) && choices.every(isList)) {
    if (choices.length === inputs.length) return choices;
    throw invalid(
      `expected a list of choices for each of ${inputs.length} texts, found ${choices.length} lists`,
    );
  }
  throw invalid(
    'expected choices to be a list of texts or Int32Arrays, at least one, or for many texts a list of such lists, one for each',
  );
}

/** The targets of a choice. */
async function readChoice(
  choice: string | Int32Array,
  end: readonly number[],
  { network, tokenizer }: Context,
) {
  if (typeof choice === 'string' && tokenizer === undefined) {
    throw invalid('expected token ids (Int32Array) as choices for a model without a tokenizer, found a text');
  }
  const ids = typeof choice === 'string' ? await tokenizer!.encode(choice) : choice;
  if (ids.length === 0)
    throw invalid(`expected choices with tokens, found ${JSON.stringify(choice)}, which has none`);
  const targets = Int32Array.from([...ids, ...end]);
  const { config } = network;
  // Start-of-piece has block position 1, and the last target is not fed.
  const most = config.block_position_encoding ? positionRows(config) - 1 : Infinity;
  if (targets.length > most) {
    throw new GlmError(
      'GLM_CONTEXT_LENGTH',
      `expected choices of at most ${most} tokens, the block positions of the model, found ${targets.length}; shorten them`,
    );
  }
  checkIds(ids.subarray(0, most), config);
  return targets;
}

function* groups(texts: readonly ScoredText[]): Iterable<ScoredText[]> {
  let group: ScoredText[] = [];
  let tokens = 0;
  for (const text of texts) {
    const size = text.targets.reduce((sum, { length }) => sum + length, text.prompt.ids.length);
    if (group.length > 0 && tokens + size > mostTokens) {
      yield group;
      group = [];
      tokens = 0;
    }
    group.push(text);
    tokens += size;
  }
  if (group.length > 0) yield group;
}

function normalize(sums: readonly number[], { targets }: ScoredText, lengthPenalty: number): Float32Array {
  if (sums.some((sum) => !Number.isFinite(sum))) throw numericError();
  return Float32Array.from(sums, (sum, i) => sum / targets[i]!.length ** lengthPenalty);
}
