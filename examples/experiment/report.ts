import path from 'node:path';

import { writeFileAtomically } from '../../ts/files.js';
import { chartFile, type Series } from '../../ts/report/chart.js';
import { colour } from '../../ts/report/markup.js';
import { type Direction, type LossSum, perplexity, placesTogether } from './measure.js';
import type { RunResult, Settings } from './run.js';
import type { ExperimentText } from './text.js';
import { type Variant, variants } from './variants.js';

export interface ExperimentResults {
  settings: Settings;
  text: Pick<ExperimentText, 'train' | 'heldOut'>;
  results: readonly RunResult[];
  /** All runs, done or not. */
  planned: readonly (readonly [variant: string, seed: number])[];
}

/** Writes `experiment.md`, and beside it `experiment/` with the plots and the raw numbers. Gives the path of the first. */
export async function writeExperiment(
  folder: string,
  { settings, text, results, planned }: ExperimentResults,
): Promise<string> {
  const { train, heldOut } = text;
  const sizes = ({ documents, tokens }: { documents: number; tokens: number }) => ({ documents, tokens });
  const raw = {
    settings,
    text: { train: sizes(train), heldOut: sizes(heldOut) },
    losses: 'sums over tokens, natural logarithm',
    runs: results,
  };
  const beside = path.join(folder, 'experiment');
  await writeFileAtomically(path.join(beside, 'results.json'), `${JSON.stringify(raw, null, 1)}\n`);
  for (const [name, plot] of Object.entries(plots(results)))
    await writeFileAtomically(path.join(beside, `${name}.svg`), plot);
  const file = path.join(folder, 'experiment.md');
  await writeFileAtomically(file, page({ settings, text, results, planned }));
  return file;
}

function page({ settings, text, results, planned }: ExperimentResults): string {
  const { layers, hidden, heads, maxLength, steps, batchSize, learningRate } = settings;
  const parameters = ((results[0]?.parameters ?? 0) / 1e6).toFixed(1);
  const seen = (steps * batchSize * (maxLength - 1)) / 1e6;
  return `# Experiment

Written by \`npm run experiment -- --report docs\` from [the raw numbers](experiment/results.json); \`npm run experiment\` alone
repeats the runs.

GLMs of ${parameters} million parameters (${layers} layers of ${hidden}, ${heads} heads) learn from ${settings.text}: ${text.train.documents} documents of
${(text.train.tokens / 1e6).toFixed(2)} million tokens, in ${steps} steps of ${batchSize} windows of ${maxLength - 1} tokens at most, ${seen.toFixed(2)} million tokens at most.
Short blanks and long documents half and half, AdamW with learning rate ${learningRate}, cosine, no dropout. Measured on ${text.heldOut.documents} documents of
${text.heldOut.tokens} tokens that no model has seen.

${variantList(results)}
${missing(results, planned)}
## Both directions against one

Perplexity of a token of the held-out text in windows of ${maxLength - 1} tokens, of which half are scored and the half before them is
context. The same tokens are scored, each with the same tokens before it; bidirectional: the context is seen as a whole
(paper, section 3.3).

${table(
  ['model', 'seed', 'bidirectional', 'unidirectional', 'bidirectional against unidirectional'],
  results.map(({ variant, seed, text: { bidirectional, unidirectional } }) => [
    variant,
    String(seed),
    perplexity(bidirectional).toFixed(2),
    perplexity(unidirectional).toFixed(2),
    `${signed(difference(bidirectional, unidirectional))} %`,
  ]),
)}

${verdict(results)}

![Loss by place behind the context](experiment/places.svg)

## Losses by objective

Perplexity of a predicted token on held-out windows. Blanks cover 15 % of a text; in shuffled order a blank is filled knowing some others,
before and behind it, in the order of the text all before it. The spans are the same ones.

${table(
  ['model', 'seed', 'long documents', 'blanks, shuffled', 'blanks in order'],
  results.map(({ variant, seed, objectives: { document, shuffledBlanks, blanksInOrder } }) => [
    variant,
    String(seed),
    ...[document, shuffledBlanks, blanksInOrder].map((sum) => perplexity(sum).toFixed(2)),
  ]),
)}

![Held-out loss of short blanks](experiment/blanks.svg)

![Held-out loss of long documents](experiment/documents.svg)
`;
}

/** What is not in the tables yet. */
function missing(results: readonly RunResult[], planned: ExperimentResults['planned']): string {
  const absent = planned.filter(
    ([name, seed]) => !results.some((r) => r.variant === name && r.seed === seed),
  );
  if (absent.length === 0) return '';
  const names = absent.map(([name, seed]) => `\`${name}\` with seed ${seed}`);
  return `\n${results.length} of ${planned.length} runs were done when this was written; to come: ${names.join(', ')}.\n`;
}

function variantList(results: readonly RunResult[]): string {
  const described = Object.entries<Variant>(variants)
    .filter(([name]) => results.some(({ variant }) => variant === name))
    .map(([name, { description }]) => `* \`${name}\`: ${description}`);
  return described.join('\n');
}

/** By how many per cent the first perplexity is above the second, negative where it is below. */
const difference = (a: LossSum, b: LossSum) => 100 * (perplexity(a) / perplexity(b) - 1);

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(2)}`;

function verdict(results: readonly RunResult[]): string {
  let everLower = false;
  const lines = [...new Set(results.map(({ variant }) => variant))].map((name) => {
    const differences = results
      .filter(({ variant }) => variant === name)
      .map(({ text: { bidirectional, unidirectional } }) => difference(bidirectional, unidirectional));
    const below = differences.filter((value) => value < 0).length;
    everLower ||= below > 0;
    const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
    const [least, most] = [Math.min(...differences), Math.max(...differences)];
    return (
      `* \`${name}\`: bidirectional is lower with ${below} of ${differences.length} seeds; in the mean it differs by ` +
      `${signed(mean)} % (${signed(least)} to ${signed(most)} %).`
    );
  });
  if (!everLower)
    lines.push('', "The paper's result, bidirectional below unidirectional, does not show at this size.");
  return lines.join('\n');
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i < 1 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function plots(results: readonly RunResult[]): Record<string, string> {
  const curves = (objective: 'blank' | 'document'): Series[] =>
    results.map(({ variant, seed, curve }, i) => ({
      name: `${variant}, seed ${seed}`,
      colour: colour(i),
      points: curve.flatMap(({ step, [objective]: loss }) =>
        loss === undefined ? [] : [{ x: step, y: loss }],
      ),
    }));
  return {
    blanks: chartFile({
      id: 'blanks',
      title: 'Held-out loss of short blanks, by step',
      series: curves('blank'),
    }),
    documents: chartFile({
      id: 'documents',
      title: 'Held-out loss of long documents, by step',
      series: curves('document'),
    }),
    places: chartFile({
      id: 'places',
      title: 'Loss of a token, by its place behind the context',
      series: (['bidirectional', 'unidirectional'] as const).map((direction, i) => ({
        name: direction,
        colour: colour(i),
        marker: i === 0 ? 'circle' : 'square',
        points: lossByPlace(results, direction),
      })),
    }),
  };
}

/** Of the first variant, over its seeds. */
function lossByPlace(results: readonly RunResult[], direction: Direction) {
  const runs = results.filter(({ variant }) => variant === results[0]?.variant);
  const groups = runs[0]?.text[direction].byPlace ?? [];
  return groups.map((_, group) => {
    const sums = runs.map(({ text }) => text[direction].byPlace[group]!);
    const [loss, tokens] = [sums.reduce((s, g) => s + g.loss, 0), sums.reduce((s, g) => s + g.tokens, 0)];
    return { x: (group + 0.5) * placesTogether, y: loss / tokens };
  });
}
