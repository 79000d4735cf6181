/** An example of a run as its model sees it: tokens with two positions each, and who attends to whom (paper, section 2.1). */

import type { DescribedExample } from '../train/examples.js';
import { colour, escapeHtml } from './markup.js';
import type { Run } from './run.js';

const objectiveTexts = {
  blank: 'short spans, [MASK]',
  sentence: 'whole sentences, [sMASK]',
  document: 'a long text, [gMASK]',
};

/** The examples of the first run that has any, one for each objective. */
export function examples(runs: readonly Run[]): string {
  const run = runs.find((one) => one.examples.length > 0);
  if (run === undefined) return '';
  return (
    `<section id="examples"><h2>What the model sees</h2>` +
    `<p class="lead">The first step of ${escapeHtml(run.name)}. Part A is the text with its blanks; Part B has what was in ` +
    `them, span by span, in shuffled order. Under each token: its position in Part A, and its position inside of its span. ` +
    `Touch a token to see what it attends to.</p>` +
    run.examples.map(drawn).join('') +
    `</section>`
  );
}

function drawn(example: DescribedExample): string {
  const { objective, contextLength, tokens } = example;
  const spans = spansOf(example);
  const tile = (i: number) => {
    const { piece, position, blockPosition, target } = tokens[i]!;
    const span = spans[i];
    const style = span === undefined ? '' : ` style="color:${colour(span)}"`;
    const predicts = target === undefined ? '' : ` data-target="${escapeHtml(shown(target))}"`;
    return (
      `<span class="token${span === undefined ? '' : ' span'}" data-i="${i}"${style}${predicts}>` +
      `<b>${escapeHtml(shown(piece))}</b><small>${position} <i>${blockPosition}</i></small></span>`
    );
  };
  const tiles = (begin: number, end: number) =>
    Array.from({ length: end - begin }, (_, i) => tile(begin + i)).join('');
  const name = objective === undefined ? '' : `<h3>${objective}: ${objectiveTexts[objective]}</h3>`;
  return (
    `<article class="example" data-context="${contextLength}">${name}<div class="sides"><div class="parts">` +
    `<h4>Part A <small>${contextLength} tokens, every token sees all of them</small></h4><div class="tokens">${tiles(0, contextLength)}</div>` +
    `<h4>Part B <small>${tokens.length - contextLength} tokens, each sees Part A, itself and those before it</small></h4><div class="tokens">${tiles(contextLength, tokens.length)}</div>` +
    `<p class="says" aria-live="polite">&nbsp;</p></div>${attention(example, spans)}</div></article>`
  );
}

/**
 * The span that a token belongs to, counted along Part B; its mask in Part A has the same position. Undefined in the rest
 * of Part A.
 */
function spansOf({ contextLength, tokens }: DescribedExample): (number | undefined)[] {
  const spanAt = new Map<number, number>();
  for (const { position } of tokens.slice(contextLength))
    if (!spanAt.has(position)) spanAt.set(position, spanAt.size);
  return tokens.map(({ position }) => spanAt.get(position));
}

/** A square with a row for each token: what it sees is filled. Token i sees the first max(context, i + 1) tokens. */
function attention({ contextLength, tokens }: DescribedExample, spans: (number | undefined)[]): string {
  const count = tokens.length;
  const row = (i: number) => {
    const sees = Math.max(contextLength, i + 1) - contextLength;
    const partB =
      sees === 0 ? '' : `<rect class="b" x="${contextLength}" y="${i}" width="${sees}" height="1"/>`;
    const style = spans[i] === undefined ? '' : ` style="color:${colour(spans[i])}"`;
    return `<g data-i="${i}"${style}><rect class="a" x="0" y="${i}" width="${contextLength}" height="1"/>${partB}<rect class="row" x="0" y="${i}" width="${count}" height="1"/></g>`;
  };
  const rows = Array.from({ length: count }, (_, i) => row(i)).join('');
  const border = `<path class="border" d="M0 ${contextLength}H${count}M${contextLength} 0V${count}" vector-effect="non-scaling-stroke"/>`;
  return (
    `<figure class="attention"><figcaption>Who attends to whom: a row for each token, what it sees is filled</figcaption>` +
    `<svg viewBox="0 0 ${count} ${count}" role="img" aria-label="attention of ${count} tokens">${rows}${border}</svg>` +
    `<p><span>Part A →</span><span>Part B →</span></p></figure>`
  );
}

/** Byte-level vocabularies spell a space Ġ and a line break Ċ, SentencePiece a space ▁. */
function shown(piece: string): string {
  return piece.replaceAll(/[Ġ▁]/g, '·').replaceAll('Ċ', '↵') || '∅';
}
