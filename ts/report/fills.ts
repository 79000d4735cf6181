import type { FilledSample, SamplesEvent } from '../train/events.js';
import { colour, escapeHtml } from './markup.js';
import type { Run } from './run.js';

/** Of more evaluations, some are left out, evenly; the first and the last stay. */
const mostRows = 10;

/** What each run put into the blanks of its samples, from its first evaluation to its last. */
export function fills(runs: readonly Run[]): string {
  const parts = runs.flatMap((run, i) => {
    const events = evenly(run.samples);
    const count = events.at(-1)?.samples.length ?? 0;
    return Array.from({ length: count }, (_, sample) => table(runs, run, i, events, sample));
  });
  if (parts.length === 0) return '';
  return (
    `<section id="fills"><h2>Filled blanks over time</h2>` +
    `<p class="lead">The likeliest tokens, one after the other. The bar is the mean probability of a token (geometric).</p>` +
    `<div class="fills">${parts.join('')}</div></section>`
  );
}

function evenly(events: readonly SamplesEvent[]): SamplesEvent[] {
  const count = Math.min(mostRows, events.length);
  return Array.from(
    { length: count },
    (_, i) => events[count === 1 ? 0 : Math.round((i * (events.length - 1)) / (count - 1))] as SamplesEvent,
  );
}

function table(
  runs: readonly Run[],
  run: Run,
  index: number,
  events: SamplesEvent[],
  sample: number,
): string {
  const prompt = events.at(-1)?.samples[sample]?.prompt ?? '';
  const rows = events.flatMap(({ step, samples }) => {
    const filled = samples[sample];
    return filled === undefined ? [] : [row(step, filled)];
  });
  const owner =
    runs.length > 1
      ? `<span class="owner"><i style="background:${colour(index)}"></i>${escapeHtml(run.name)}</span>`
      : '';
  return `<article class="fill">${owner}<h3>${marked(prompt)}</h3><table><tbody>${rows.join('')}</tbody></table></article>`;
}

function row(step: number, filled: FilledSample): string {
  const tokens = filled.blanks.reduce((sum, blank) => sum + Math.max(blank.tokens, 1), 0);
  const logprob = filled.blanks.reduce((sum, blank) => sum + blank.logprob, 0);
  const probability = Math.exp(logprob / Math.max(tokens, 1));
  const percent = (100 * probability).toFixed(probability < 0.1 ? 1 : 0);
  return (
    `<tr><td class="number">${step}</td>` +
    `<td class="sure" title="log-probability ${logprob.toFixed(2)}"><span class="bar"><b style="width:${percent}%"></b></span>${percent} %</td>` +
    `<td class="text">${filledText(filled)}</td></tr>`
  );
}

const blank = /\[(?:MASK|sMASK|gMASK)\]/g;

function marked(prompt: string): string {
  return escapeHtml(prompt).replace(blank, (mask) => `<span class="mask">${mask}</span>`);
}

/** The prompt with what was put into its blanks; a prompt without any is continued. */
function filledText({ prompt, blanks }: FilledSample): string {
  const around = prompt.split(blank);
  if (around.length === 1) around.push('');
  return around
    .map((text, i) => {
      const filled = blanks[i - 1];
      const mark = filled === undefined ? '' : `<mark>${escapeHtml(filled.text.trim()) || '∅'}</mark>`;
      return `${mark}${escapeHtml(text)}`;
    })
    .join('');
}
